"""The latest outcome of every study, and what was loaded of one: an index over the ledger's records.

Reading a year of records takes long, and a run needs a few words of each. So those lie in one Parquet file; what is
newer is read record by record. The index is a copy: without it the ledger is read whole, and it is written again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import duckdb

from flows.ledger import database
from flows.ledger.records import Instance, Loaded, Settled

__all__ = ["SettledIndex"]

WRITE_AFTER: Final = 200
"""Records that are read one by one before the index is written: reading so many costs about 50 ms."""

# Records of an older shape do not say of each instance what made it: the study's words hold for all of them.
_LOADED: Final = """
WITH studies AS (
    SELECT record, patient_id, frames, profile_digest, engine_version, instances
    FROM read_parquet($1, union_by_name = true, hive_partitioning = false)
    WHERE ($2 IS NULL OR site = $2) AND project = $3 AND work = $4
),
loaded AS (
    SELECT
        record, i.sop_instance_uid, i.series_instance_uid, i.sop_class_uid, i.status, i.reason, i.size, i.sha256, i.md5,
        coalesce(i.source, '') AS source,
        coalesce(nullif(i.profile_digest, ''), s.profile_digest, '') AS profile_digest,
        coalesce(nullif(i.engine_version, ''), s.engine_version, '') AS engine_version
    FROM studies AS s, unnest(instances) AS t (i)
    WHERE i.status = 'loaded'
    QUALIFY row_number() OVER (PARTITION BY i.sop_instance_uid ORDER BY record DESC) = 1
)
SELECT
    (SELECT arg_max(patient_id, record) FROM studies WHERE record IN (SELECT record FROM loaded)),
    (SELECT list(DISTINCT f) FROM studies, unnest(frames) AS t (f)),
    (SELECT list(struct_pack(*COLUMNS(* EXCLUDE (record)))) FROM loaded)
"""
_COLUMNS: Final = ("record", "site", "project", "work", "snapshot", "status", "reason", "settings", "release", "key_id")


class SettledIndex:
    """Look up what is settled in a ledger; one object a process, one caller at a time.

    Parameters
    ----------
    folder : Path
        Of the ledger's records of studies.
    shape : Path
        A record without rows that has every column there is: records of an older shape lack some.
    index : Path
        File of the index; made when there is something to write.
    """

    def __init__(self, folder: Path, shape: Path, index: Path) -> None:
        self._folder = folder
        self._shape = shape
        self._index = index
        self._connection = database.connect()
        self._known: set[str] = set()
        self.is_read = False

    def close(self) -> None:
        """Release the memory; the file needs no closing."""
        self._connection.close()

    def refresh(self, there: Collection[str]) -> None:
        """Learn of records that are new since the last call, here or in another process.

        Parameters
        ----------
        there : collection of str
            Names of all records of studies.
        """
        there = set(there)
        if not self.is_read:
            self._read()
        if self._known - there:  # somebody took records away; the index may not outlive them
            self._make_table()
        new = sorted(there - self._known)
        if new:
            self._insert([self._folder / f"{name}.parquet" for name in new])
            self._known.update(new)
        if len(new) >= WRITE_AFTER:
            with database.beside(self._index) as hidden:
                database.copy(self._connection, "SELECT * FROM settled", hidden)

    def latest(self, site: str, project: str, work: str | None = None) -> dict[str, Settled]:
        """Return the latest outcome of every study of a site, or of one, by its work token."""
        rows = self._connection.execute(
            "SELECT work, snapshot, status, reason, coalesce(settings, ''), coalesce(release, '')"
            " FROM settled WHERE site = $1 AND project = $2 AND ($3 IS NULL OR work = $3)"
            " QUALIFY row_number() OVER (PARTITION BY work ORDER BY record DESC) = 1",
            [site, project, work],
        ).fetchall()
        return {
            work: Settled(snapshot=snapshot, status=status, reason=reason, settings=settings, release=release)
            for work, snapshot, status, reason, settings, release in rows
        }

    def first_key(self, site: str, project: str) -> str:
        """Return the id of the key of the first study that was loaded; "" if none was."""
        rows = self._connection.execute(
            "SELECT arg_min(key_id, record) FROM settled WHERE site = ? AND project = ? AND status = 'loaded'",
            [site, project],
        ).fetchall()
        return rows[0][0] or ""

    def loaded(self, site: str | None, project: str, work: str) -> Loaded:
        """Return what was loaded of one study, by the records that were known at the last :meth:`refresh`.

        Without a site, what any site loaded of it: two that share a key have one name for it.
        """
        rows = self._connection.execute(
            "SELECT record FROM settled WHERE ($1 IS NULL OR site = $1) AND project = $2 AND work = $3",
            [site, project, work],
        ).fetchall()
        if not rows:
            return Loaded()
        paths = [self._shape, *(self._folder / f"{record}.parquet" for (record,) in rows)]
        patient_id, frames, instances = self._connection.execute(
            _LOADED, [[database.pattern(path) for path in paths], site, project, work]
        ).fetchall()[0]
        return Loaded(
            patient_id=patient_id or "",
            instances=tuple(Instance(**each) for each in instances or ()),
            frames=tuple(sorted(frames or ())),
        )

    def _read(self) -> None:
        """Read the index, if there is one."""
        self._make_table()
        if self._index.exists():
            # A damaged index, or one of another version, is only a copy: read the ledger instead.
            with contextlib.suppress(duckdb.Error):
                self._insert([self._index])
        rows = self._connection.execute("SELECT record FROM settled").fetchall()
        self._known = {record for (record,) in rows}
        self.is_read = True

    def _make_table(self) -> None:
        self._connection.execute(
            f"CREATE OR REPLACE TABLE settled ({', '.join(f'{name} VARCHAR' for name in _COLUMNS)})"
        )
        self._known = set()

    def _insert(self, paths: Sequence[Path]) -> None:
        self._connection.execute(
            f"INSERT INTO settled SELECT {', '.join(_COLUMNS)}"  # noqa: S608 - our own column names
            " FROM read_parquet(?, union_by_name = true, hive_partitioning = false)",
            [[database.pattern(path) for path in (self._shape, *paths)]],
        )
