"""One reconciliation: compare everything, record what differs, mend what may be mended alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.desk import Desk
from flows.errors import AwayError, FlowsError, TransientError, foreseen
from flows.leases import RECONCILIATION
from flows.ledger.records import Difference, Reconciliation, StudyOutcome
from flows.reconciliation.cloud import look_at_cloud
from flows.reconciliation.heal import HEALED_ALONE, Healing, heals
from flows.reconciliation.hospital import look_at_hospital
from flows.reconciliation.inventories import Inventories

__all__ = ["Reconciled", "reconciled"]

Healer = Callable[[str, Healing], StudyOutcome | FlowsError | None]
"""Mend a study that is called so; return what became of it, or why not."""


@dataclass
class Reconciled:
    """What a reconciliation compared, what differs, and what became of that.

    Attributes
    ----------
    record : Reconciliation
        As the ledger has it.
    differences : list of Difference
        All that differs, whether new or known, but for what the hospital deleted.
    gone : int
        Studies of which the hospital deleted something that has its outcome: its right, and nobody has to act.
    healed : set of str
        Studies that were mended, as the ledger's tokens.
    outcomes : list of StudyOutcome
        What became of studies that were tried.
    errors : list of FlowsError
        Why studies could not be mended, and what else failed once all was compared.
    """

    record: Reconciliation
    differences: list[Difference]
    gone: int
    healed: set[str] = field(default_factory=set)
    outcomes: list[StudyOutcome] = field(default_factory=list)
    errors: list[FlowsError] = field(default_factory=list)

    def is_healed(self, difference: Difference) -> bool:
        """Tell whether this reconciliation mended it."""
        return difference.kind in HEALED_ALONE and not difference.reason and difference.work in self.healed

    @property
    def left(self) -> list[Difference]:
        """What differs and is not mended: for a person, or for the next time."""
        return [one for one in self.differences if not self.is_healed(one)]


@foreseen("hospital, ledger and cloud could not be compared")
def reconciled(desk: Desk, names: tuple[str, ...], healer: Healer | None) -> Reconciled:
    """Compare hospital, ledger and cloud, whole; record it; mend what may be mended alone.

    Nothing is recorded before all was compared, and nothing mended before that is recorded. Whoever is killed in
    between leaves work to the next one, and no wrong record.

    Parameters
    ----------
    desk : Desk
        Of the site.
    names : tuple of str
        All sites of the sites file.
    healer : callable, optional
        Mends; without it nothing is mended.

    Raises
    ------
    TransientError
        An end is away, or another reconciliation of the site is not over: nothing was recorded.
    """
    started = datetime.now(UTC)
    with desk.leases.take(RECONCILIATION) as is_ours, Inventories(desk) as inventories:
        if not is_ours:
            raise TransientError("another reconciliation of this site is not over. It will be tried again")
        studies, instances = look_at_hospital(desk, inventories)
        cloud = look_at_cloud(desk, inventories, names)
        inventories.compare()
        ledger_studies, ledger_instances = inventories.counted()
        record = Reconciliation(
            run_id=desk.run_id,
            site=desk.site,
            project=desk.project,
            started_at=started,
            finished_at=datetime.now(UTC),
            hospital_studies=studies,
            hospital_instances=instances,
            ledger_studies=ledger_studies,
            ledger_instances=ledger_instances,
            cloud_studies=cloud.studies,
            cloud_instances=cloud.instances,
            digests=cloud.digests,
            others=cloud.others,
            unjudged=inventories.unjudged(),
            found=tuple(inventories.found()),
            closed=tuple(inventories.closed()),
        )
        desk.ledger.reconciled(record)
        result = Reconciled(record, inventories.differences(), inventories.gone())
        if healer:
            try:
                _heal(desk, inventories, result, healer)
            except FlowsError as error:  # the hospital is walked through once more, and may be away by now
                result.errors.append(error)
    return result


def _heal(desk: Desk, inventories: Inventories, result: Reconciled, healer: Healer) -> None:
    for work, healing in heals(desk, inventories, result.differences):
        became = healer(work, healing)
        if isinstance(became, FlowsError):
            result.errors.append(became)
            if isinstance(became, AwayError):
                return  # whatever else there is to mend waits for the same end
        elif became:
            result.outcomes.append(became)
            if became.status != "held" or any(one.outcome == "stored" for one in became.deliveries):
                result.healed.add(work)
