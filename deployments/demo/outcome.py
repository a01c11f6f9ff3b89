"""What the lineage tables say about the demo, and whether it is what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deployments.demo.intake import Intake
from deployments.demo.state import SITES
from flows.errors import LedgerError
from flows.ledger import lineage
from flows.ledger.lineage import Balance

TABLE = """
SELECT s.site, s.patient_id,
    list_sort(list_distinct(flatten(list(s.modalities)))) AS modalities,
    count(*) AS studies,
    sum(b.source_instances)::BIGINT AS source, sum(b.loaded)::BIGINT AS loaded, sum(b.held)::BIGINT AS held,
    sum(coalesce(r.edges, 0))::BIGINT AS edges, sum(s.seconds) AS seconds,
    list_sort(list_distinct(list(s.reason) FILTER (WHERE s.reason <> ''))) AS reasons
FROM studies AS s
JOIN balance AS b USING (site, project, work)
LEFT JOIN (SELECT site, project, work, count(*) AS edges FROM "references" GROUP BY ALL) AS r
    USING (site, project, work)
GROUP BY s.site, s.patient_id
ORDER BY s.site, source DESC, s.patient_id
"""
TWICE = """
SELECT count(*) FROM (
    SELECT site, sop_instance_uid FROM deliveries WHERE outcome = 'stored' GROUP BY ALL HAVING count(*) > 1
)
"""


@dataclass(frozen=True)
class Snapshot:
    """The ledger at one moment, as far as the demo must know.

    Attributes
    ----------
    balances
        Of each site.
    finished
        For each site, how its runs of this demo were started, of those that ended well.
    failed
        Runs of this demo that ended badly.
    loaded
        Instances that runs of this demo loaded, by site: new in the cloud, not found there.
    """

    balances: Mapping[str, Balance]
    finished: Mapping[str, tuple[str, ...]]
    failed: int
    loaded: Mapping[str, int]


def snapshot(directory: Path, since: datetime) -> Snapshot | None:
    """Read the ledger; None while there is none.

    Parameters
    ----------
    directory
        The ledger's folder.
    since
        When this demo began, UTC without a time zone, as the tables have it.
    """
    try:
        with lineage.connect(directory) as tables:
            runs = lineage.rows(tables, "SELECT site, trigger, state FROM runs WHERE started_at >= $1", [since])
            new = lineage.rows(
                tables,
                "SELECT site, count(*) AS loaded FROM deliveries "
                "WHERE outcome = 'stored' AND delivered_at >= $1 GROUP BY site",
                [since],
            )
            return Snapshot(
                balances={site: lineage.balance(tables, site) for site in SITES},
                finished={
                    site: tuple(run["trigger"] for run in runs if run["site"] == site and run["state"] == "finished")
                    for site in SITES
                },
                failed=sum(run["state"] == "failed" for run in runs),
                loaded={row["site"]: row["loaded"] for row in new},
            )
    except LedgerError:
        return None


def complete(now: Snapshot | None, source: Mapping[str, int], received: Mapping[str, int]) -> bool:
    """Tell whether every site has settled all that its hospital holds.

    Parameters
    ----------
    now
        The ledger.
    source
        Instances in each hospital's Orthanc.
    received
        Instances that each hospital received in this demo: there, a doorbell must have rung.
    """
    if now is None:
        return False
    for site in SITES:
        balance, finished = now.balances[site], now.finished[site]
        if balance.source_instances != source[site] or balance.in_flight or not balance.balanced:
            return False
        if not finished or (received[site] and "doorbell" not in finished):
            return False
    return True


def table(directory: Path) -> list[dict[str, Any]]:
    """Return a row for each site and pseudonymous patient."""
    with lineage.connect(directory) as tables:
        return lineage.rows(tables, TABLE)


def faults(
    directory: Path,
    now: Snapshot | None,
    *,
    intake: Intake,
    source: Mapping[str, int],
    received: Mapping[str, int],
    in_cloud: int,
) -> list[str]:
    """List, in sentences, what is not as promised.

    Parameters
    ----------
    directory
        The ledger's folder.
    now
        The ledger.
    intake
        What was sent, and what was to become of it.
    source
        Instances in each hospital's Orthanc.
    received
        Instances that each hospital received in this demo.
    in_cloud
        Instances in the cloud's Orthanc.
    """
    if now is None:
        return ["No run has written into the ledger."]
    found = []
    for site in SITES:
        balance = now.balances[site]
        if balance.source_instances != source[site]:
            found.append(f"{site}: the ledger knows {balance.source_instances} of {source[site]} instances.")
        if balance.in_flight or not balance.balanced:
            found.append(
                f"{site}: the ledger does not balance ({balance.in_flight} in flight, {balance.unproven} unproven)."
            )
        if not now.finished[site]:
            found.append(f"{site}: no run has finished.")
        elif received[site] and "doorbell" not in now.finished[site]:
            found.append(f"{site}: the doorbell started no run.")
        # another folder may have been sent before into the same hospitals; then nobody can say
        if intake.expected and intake.expected[site].total() == source[site]:
            for what, there in (("loaded", balance.loaded), ("held", balance.held)):
                if there != intake.expected[site][what]:
                    found.append(f"{site}: {there} instances are {what}, not {intake.expected[site][what]}.")
    loaded = sum(balance.loaded for balance in now.balances.values())
    if in_cloud != loaded:
        found.append(f"The cloud holds {in_cloud} instances, the ledger says {loaded}.")
    with lineage.connect(directory) as tables:
        (twice,) = tables.execute(TWICE).fetchone() or (0,)
    if twice:
        found.append(f"{twice} instances were loaded twice.")
    if intake.expected and intake.refused:
        found.append(f"The hospitals refused {intake.refused} of the demo's own files.")
    return found
