"""Where the studies of a site stand, in numbers: an index over the ledger's records, for questions at every run.

The lineage views read every record there is; that is right for an audit and too slow for a page that is renewed all
day. So a few numbers of each record lie in two Parquet files, and only what is newer is read record by record. The
index is a copy: without it the ledger is read whole, and it is written again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import duckdb

from flows.ledger import database
from flows.ledger.lineage import Balance

__all__ = ["Standing"]

WRITE_AFTER: Final = 200
"""Records that are read one by one before the index is written."""

_FOLDER: Final = ".standing"
_BATCH: Final = 500  # records read at once, so that a ledger of any size is read in bounded memory

_TABLES: Final[Mapping[str, str]] = {
    "seen": "record VARCHAR, site VARCHAR, project VARCHAR, work VARCHAR, snapshot VARCHAR, source_instances BIGINT,"
    " seen_at TIMESTAMP, found_by VARCHAR",
    "studies": "record VARCHAR, site VARCHAR, project VARCHAR, work VARCHAR, snapshot VARCHAR, status VARCHAR,"
    " reason VARCHAR, started_at TIMESTAMP, loaded BIGINT, held BIGINT, excluded BIGINT, unproven BIGINT",
}
_READ: Final[Mapping[str, str]] = {
    "seen": "SELECT record, site, project, work, snapshot, source_instances, seen_at, found_by FROM read_parquet($1,"
    " union_by_name = true, hive_partitioning = false)",
    # The same arithmetic as the view `balance`: loaded is what the cloud's own digest proves.
    "studies": """
        WITH told AS (
            SELECT *,
                [i.sop_instance_uid || ' ' || i.md5 FOR i IN instances IF i.status = 'loaded'] AS claimed,
                [d.sop_instance_uid || ' ' || d.cloud_md5 FOR d IN deliveries IF length(d.cloud_md5) = 32] AS proven
            FROM read_parquet($1, union_by_name = true, hive_partitioning = false)
        )
        SELECT record, site, project, work, snapshot, status, reason, started_at,
            len(list_distinct(list_intersect(claimed, proven))),
            CASE WHEN status = 'held' AND len(instances) = 0 THEN source_instances
                ELSE len([i FOR i IN instances IF i.status = 'held']) END,
            CASE WHEN status = 'excluded' AND len(instances) = 0 THEN source_instances
                ELSE len([i FOR i IN instances IF i.status = 'excluded']) END,
            len(list_distinct(claimed)) - len(list_distinct(list_intersect(claimed, proven)))
        FROM told
    """,
}
_PROVEN_BEFORE: Final = """
    WITH all_of_it AS (
        SELECT record, instances, deliveries
        FROM read_parquet($1, union_by_name = true, hive_partitioning = false)
    ),
    cloud AS (
        SELECT d.sop_instance_uid AS uid, arg_max(d.cloud_md5, (record, d.delivered_at)) AS md5
        FROM all_of_it, unnest(deliveries) AS t (d)
        GROUP BY uid
    )
    SELECT
        count(DISTINCT uid) FILTER (WHERE length(i.md5) = 32 AND coalesce(i.md5 = cloud.md5, false)),
        count(DISTINCT uid) FILTER (WHERE NOT (length(i.md5) = 32 AND coalesce(i.md5 = cloud.md5, false)))
    FROM (SELECT i, i.sop_instance_uid AS uid FROM all_of_it, unnest(instances) AS t (i) WHERE record = $2)
    LEFT JOIN cloud USING (uid)
    WHERE i.status = 'loaded'
"""
_VIEWS: Final = """
    CREATE VIEW latest AS
    FROM studies
    QUALIFY row_number() OVER (PARTITION BY site, project, work ORDER BY record DESC) = 1;

    CREATE VIEW balance AS
    WITH found AS (
        SELECT site, project, work, min(seen_at) AS first_seen,
            arg_max(source_instances, record) AS source_instances, arg_max(snapshot, record) AS snapshot,
            max(record) AS last_seen
        FROM seen
        GROUP BY site, project, work
    ),
    summed AS (
        SELECT
            site, project,
            coalesce(f.first_seen, r.started_at) AS since,
            coalesce(f.source_instances, 0) AS source_instances,
            coalesce(r.loaded, 0) AS loaded,
            coalesce(r.held, 0) AS held,
            coalesce(r.excluded, 0) AS excluded,
            coalesce(r.unproven, 0) AS unproven,
            coalesce(f.snapshot = r.snapshot, false) AS same_snapshot,
            coalesce(f.last_seen > r.record, false) AS seen_since
        FROM found AS f
        FULL JOIN latest AS r USING (site, project, work)
    )
    SELECT *,
        source_instances - loaded - held - excluded AS in_flight,
        unproven > 0 OR (same_snapshot AND in_flight <> 0) OR (in_flight < 0 AND NOT seen_since) AS is_wrong
    FROM summed;
"""


class Standing:
    """Answer a page's questions about one site; a context manager, for one caller.

    Parameters
    ----------
    directory : Path
        The ledger's folder.
    site, project : str
        Whose studies.
    """

    def __init__(self, directory: Path, site: str, project: str) -> None:
        self._directory = directory
        self._of = {"site": site, "project": project}
        self._connection = database.connect()
        for kind in _TABLES:
            self._learn(kind)
        self._connection.execute(_VIEWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def balance(self, day: date | None = None) -> Balance:
        """Return the balance of the site: of the studies first seen on a day, UTC, or of all."""
        (total,) = self._asked(
            """
            SELECT count(*) AS studies,
                   coalesce(sum(source_instances), 0)::BIGINT AS source_instances,
                   coalesce(sum(loaded), 0)::BIGINT AS loaded,
                   coalesce(sum(held), 0)::BIGINT AS held,
                   coalesce(sum(excluded), 0)::BIGINT AS excluded,
                   coalesce(sum(in_flight), 0)::BIGINT AS in_flight,
                   coalesce(sum(unproven), 0)::BIGINT AS unproven,
                   count(*) FILTER (WHERE is_wrong) AS unbalanced
            FROM balance
            WHERE site = $site AND project = $project AND ($day IS NULL OR since::DATE = $day)
            """,
            day=day,
        )
        return Balance(**total)

    def oldest_in_flight(self) -> datetime | None:
        """Return when the oldest study was first seen that has no outcome for all of it, UTC; None without one."""
        (oldest,) = self._asked(
            "SELECT min(since) AS since FROM balance WHERE site = $site AND project = $project AND in_flight > 0"
        )
        since: datetime | None = oldest["since"]
        return since

    def seen(self, snapshots: Sequence[str]) -> frozenset[str]:
        """Return those of these snapshots that a run saw before."""
        rows = self._asked(
            "SELECT DISTINCT snapshot FROM seen"
            " WHERE site = $site AND project = $project AND list_contains($of, snapshot)",
            of=list(snapshots),
        )
        return frozenset(row["snapshot"] for row in rows)

    def held(self) -> dict[str, int]:
        """Return how many studies are held now, by their commonest reason."""
        query = (
            "SELECT reason, count(*) AS studies FROM latest"
            " WHERE site = $site AND project = $project AND status = 'held'"
            " GROUP BY reason ORDER BY studies DESC, reason"
        )
        return {row["reason"]: row["studies"] for row in self._asked(query)}

    def held_records(self) -> dict[str, str]:
        """Return the records of the studies that are held now, each with its study's commonest reason."""
        query = "SELECT record, reason FROM latest WHERE site = $site AND project = $project AND status = 'held'"
        return {row["record"]: row["reason"] for row in self._asked(query)}

    def found(self, since: datetime) -> dict[str, int]:
        """Return how many studies were found since then, by how; `since` is UTC without a zone."""
        query = (
            "SELECT found_by, count(DISTINCT work) AS studies FROM seen"
            " WHERE site = $site AND project = $project AND seen_at >= $since GROUP BY found_by"
        )
        return {row["found_by"]: row["studies"] for row in self._asked(query, since=since)}

    def _asked(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return database.rows(self._connection, query, self._of | parameters)

    def _learn(self, kind: str) -> None:
        """Read the index of a kind of records, and what is newer in the ledger; write the index if that was much."""
        index = self._directory / _FOLDER / f"{kind}.parquet"
        there = {path.stem for path in database.records(self._directory / kind)}
        known = self._indexed(kind, index)
        if known - there:  # somebody took records away; the index may not outlive them
            known = set()
            self._make_table(kind)
        new = sorted(there - known)
        for start in range(0, len(new), _BATCH):
            self._read(kind, new[start : start + _BATCH])
        if len(new) >= WRITE_AFTER:
            index.parent.mkdir(mode=0o700, exist_ok=True)
            with database.beside(index) as hidden:
                database.copy(self._connection, f"FROM {kind}", hidden)

    def _indexed(self, kind: str, index: Path) -> set[str]:
        self._make_table(kind)
        if index.exists():
            # A damaged index, or one of another version, is only a copy: read the ledger instead.
            with contextlib.suppress(duckdb.Error):
                self._connection.execute(
                    f"INSERT INTO {kind} BY NAME FROM read_parquet(?)",
                    [database.pattern(index)],
                )
        return {record for (record,) in self._connection.execute(f"SELECT record FROM {kind}").fetchall()}  # noqa: S608

    def _make_table(self, kind: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TABLE {kind} ({_TABLES[kind]})")

    def _read(self, kind: str, records: Sequence[str]) -> None:
        shapes = sorted((self._directory / kind).glob("0-schema-*.parquet"))
        paths = [*shapes, *(self._directory / kind / f"{record}.parquet" for record in records)]
        self._connection.execute(f"INSERT INTO {kind} {_READ[kind]}", [[database.pattern(path) for path in paths]])
        if kind == "studies":
            self._prove(records)

    def _prove(self, records: Sequence[str]) -> None:
        """Look for the proof of what a record calls loaded and did not deliver itself in earlier ones of its study."""
        doubtful = self._connection.execute(
            "SELECT d.record, list(s.record) FROM studies AS d JOIN studies AS s USING (site, project, work)"
            " WHERE d.unproven > 0 AND list_contains($1, d.record) AND s.record <= d.record GROUP BY d.record",
            [list(records)],
        ).fetchall()
        for record, history in doubtful:
            paths = [database.pattern(self._directory / "studies" / f"{name}.parquet") for name in history]
            loaded, unproven = self._connection.execute(_PROVEN_BEFORE, [paths, record]).fetchall()[0]
            self._connection.execute(
                "UPDATE studies SET loaded = $1, unproven = $2 WHERE record = $3", [loaded, unproven, record]
            )
