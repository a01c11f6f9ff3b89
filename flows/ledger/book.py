"""The ledger: the append-only record of what every run found, did and proved.

One record is one Parquet file: written beside under a hidden name, flushed to the disk and renamed into
place. A reader sees all of it or nothing, any number of workers write at once, and there is no lock that
a reader could hold. No row ever changes; those of runs are packed, a day in one file, when their day is over.
People query it through the views of `flows.ledger.lineage`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb

from flows.errors import LedgerError
from flows.ledger import database, lineage
from flows.ledger.columns import Record, columns
from flows.ledger.links import Links
from flows.ledger.packing import pack
from flows.ledger.records import (
    KINDS,
    Early,
    Link,
    Loaded,
    Reconciliation,
    Release,
    RunFinished,
    RunStarted,
    Seen,
    Settled,
    StudyOutcome,
)
from flows.ledger.settled import SettledIndex

__all__ = ["Ledger", "LedgerError"]

_STAMP: Final = "%Y%m%dT%H%M%S%f"
_STALE_SECONDS: Final = 24 * 3600
_SETTLED: Final = ".settled.parquet"
_LINKS: Final = ".links"


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The record of one installation; safe to share between threads, and between processes by its folder.

    Parameters
    ----------
    directory : Path
        The ledger's folder; made, readable by its owner alone, if it is not there.
    clock : callable, optional
        What tells the time in a time zone; the system's clock without it.

    Raises
    ------
    LedgerError
        The folder cannot be made, written or read.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self.directory = directory.resolve()
        self._clock = clock
        self._lock = threading.Lock()
        self._knows_all_links = False
        with self._guarded("opened"):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = database.connect()
            for kind in KINDS:
                (self.directory / kind).mkdir(mode=0o700, exist_ok=True)
                self._remove_stale(self.directory / kind)
                self._lay_schema(kind)
            self._remove_stale(self.directory)
            studies = self.directory / "studies"
            shape = studies / f"{_schema_name('studies')}.parquet"
            self._settled = SettledIndex(studies, shape, self.directory / _SETTLED)
            self._links = Links(studies, shape, self.directory / _LINKS, self._records)
            self._remove_stale(self.directory / _LINKS)
            self._last = self._latest()
            self._connection.execute("SET lock_configuration = true")
            self.lineage_file: Path = lineage.build(self.directory)

    def started(self, run: RunStarted) -> None:
        """Record that a run began."""
        self._append("runs", [run])

    def finished(self, run: RunFinished) -> None:
        """Record that a run ended."""
        self._append("runs", [run])

    def seen(self, rows: Sequence[Seen]) -> None:
        """Record what a run found at a hospital: one row a study, one file for all.

        Give the studies that are new or changed; a study that looks as it did last time adds nothing.
        """
        self._append("seen", rows)

    def record(self, outcome: StudyOutcome) -> None:
        """Record the whole outcome of one study in one run."""
        record = self._append("studies", [outcome])
        with self._lock, self._guarded("read"):
            self._links.add(record, outcome.links)

    def excluded(self, outcomes: Sequence[StudyOutcome]) -> None:
        """Record the outcomes of studies that stay at home by choice: one row a study, one file for all."""
        self._append("studies", outcomes)

    def settled(self, site: str, project: str) -> dict[str, Settled]:
        """Return the latest outcome of every study of a site, by its work token.

        Only files that are new since the last call are read, here or in another process: an index file
        holds the rest. The index is a copy; without it the ledger is read whole and writes it again.
        """
        with self._lock, self._guarded("read"):
            self._settled.refresh(self._records())
            self._knows_all_links = False
            return self._settled.latest(site, project)

    def settled_study(self, site: str, project: str, work: str) -> Settled | None:
        """Return the latest outcome of one study, by its work token; None if it has none."""
        with self._lock, self._guarded("read"):
            self._settled.refresh(self._records())
            self._knows_all_links = False
            return self._settled.latest(site, project, work).get(work)

    def first_key(self, site: str, project: str) -> str:
        """Return the id of the key that made what a site loaded first for a project; "" if nothing was loaded."""
        with self._lock, self._guarded("read"):
            self._settled.refresh(self._records())
            return self._settled.first_key(site, project)

    def loaded(self, site: str, project: str, work: str) -> Loaded:
        """Return what all runs together loaded of one study.

        What another process records meanwhile is seen after the next call of :meth:`settled`.
        """
        with self._lock, self._guarded("read"):
            if not self._settled.is_read:
                self._settled.refresh(self._records())
            return self._settled.loaded(site, project, work)

    def loaded_by_any(self, project: str, work: str) -> frozenset[tuple[str, str]]:
        """Return what any site loaded of one study by now: SeriesInstanceUID and SOPInstanceUID of each instance.

        Two sites that share a key call a study alike, and in the cloud it is one.
        """
        with self._lock, self._guarded("read"):
            self._settled.refresh(self._records())
            self._knows_all_links = False
            loaded = self._settled.loaded(None, project, work)
        return frozenset((one.series_instance_uid, one.sop_instance_uid) for one in loaded.instances)

    def early(self, rows: Sequence[Early]) -> None:
        """Record that instances of one study are about to leave early, or were withdrawn: one file for all."""
        if rows:
            self._append("early", rows, end=_end_of(rows[0].work))

    def left_early(self, site: str, project: str, work: str = "", *, since: datetime | None = None) -> list[Early]:
        """Return the instances that left early and of which nothing was recorded after that.

        Parameters
        ----------
        site, project : str
            Where, and what for.
        work : str, optional
            One study; all without it.
        since : datetime, optional
            Older records are left aside.
        """
        folder = self.directory / "early"
        first = since.astimezone(UTC).strftime(_STAMP) if since else ""
        # The end of a name tells the study, so that nobody reads the files of all others.
        end = f"-{_end_of(work)}" if work else ""
        with self._lock, self._guarded("read"):
            there = database.records(folder)
            paths = [database.pattern(path) for path in there if path.name >= first and path.stem.endswith(end)]
            if not paths:
                return []
            rows = database.rows(
                self._connection,
                "SELECT * EXCLUDE (record) FROM read_parquet(?, union_by_name = true, hive_partitioning = false)"
                " WHERE site = ? AND project = ? AND ? IN ('', work)"
                " QUALIFY row_number() OVER (PARTITION BY work, patient_id, series_instance_uid, sop_instance_uid"
                " ORDER BY record DESC) = 1",
                [paths, site, project, work],
            )
        found = [Early(**{**row, "at": row["at"].replace(tzinfo=UTC)}) for row in rows]
        return [one for one in found if one.event == "leaving"]

    def release(self, releases: Sequence[Release]) -> None:
        """Record that somebody wants held studies to be tried again: one row a study, one file for all."""
        self._append("releases", releases)

    def latest_release_of_any(self) -> str:
        """Return the latest record of a release, of whatever site; "" if there is none."""
        with self._guarded("read"):
            records = database.records(self.directory / "releases")
        return records[-1].stem if records else ""

    def releases(self, site: str, project: str) -> dict[str, str]:
        """Return the record of the latest release of every study of a site that was ever released, by its work token.

        A study waits to be tried again as long as its latest outcome knows of an earlier one only. No clock is
        asked: an attempt that had begun before the release does not answer it.
        """
        folder = self.directory / "releases"
        with self._lock, self._guarded("read"):
            paths = [database.pattern(path) for path in database.records(folder)]
            if not paths:
                return {}
            rows = self._connection.execute(
                "SELECT work, max(record) FROM read_parquet(?, union_by_name = true, hive_partitioning = false)"
                " WHERE site = ? AND project = ? GROUP BY work",
                [paths, site, project],
            ).fetchall()
        return dict(rows)

    def reconciled(self, reconciliation: Reconciliation) -> None:
        """Record what a whole reconciliation compared and found."""
        self._append("reconciliations", [reconciliation])

    def beside(self, links: Collection[Link]) -> list[Link]:
        """Return all links of what was loaded that share source or output with one of these.

        What another process records meanwhile is seen after the next call of :meth:`settled`.
        """
        with self._lock, self._guarded("read"):
            if not self._knows_all_links:
                self._links.refresh()
                self._knows_all_links = True
            return self._links.beside(links)

    def pack(self) -> int:
        """Put the records of runs of each day before yesterday together in one file; return how many that saved.

        A worker whose clock is behind may still write records of yesterday.
        """
        with self._lock, self._guarded("packed"):
            return pack(self._connection, self.directory / "runs", (self._clock() - timedelta(days=1)).date())

    def close(self) -> None:
        """Release the memory of the ledger's own databases; files need no closing."""
        with self._lock:
            self._settled.close()
            self._links.close()
            self._connection.close()

    def _append(self, kind: str, rows: Sequence[Record], *, end: str = "") -> str:
        """Write rows as one file that shows whole or not at all, and return its record; no rows, no file.

        `end` are eight hex digits for the end of its name; drawn ones without it.
        """
        if not rows:
            return ""
        with self._lock, self._guarded("written"):
            record = self._next_name(end)
            self._write(kind, record, [{"record": record, **vars(row)} for row in rows])
        return record

    def _records(self) -> set[str]:
        """Return the names of all records of studies."""
        return {path.stem for path in database.records(self.directory / "studies")}

    def _write(self, kind: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows beside, flush them and rename them into place."""
        table = _columns_of(kind)
        whole = [{column: row.get(column) for column in table} for row in rows]
        structure = ", ".join(f'"{column}" {its}' for column, its in table.items())
        query = f"SELECT unnest(CAST(?::JSON AS STRUCT({structure})[]), max_depth := 2)"
        with database.beside(self.directory / kind / f"{name}.parquet") as hidden:
            database.copy(self._connection, query, hidden, [json.dumps(whole, default=_plain)])

    def _lay_schema(self, kind: str) -> None:
        """Keep a file without rows for each shape a record had, so that views work over no record at all."""
        name = _schema_name(kind)
        if not (self.directory / kind / f"{name}.parquet").exists():
            self._write(kind, name, [])

    def _next_name(self, end: str) -> str:
        """Return a name that sorts after every earlier one of this ledger, though the clock jump back."""
        self._last = max(self._clock(), self._last + timedelta(microseconds=1))
        return f"{self._last.strftime(_STAMP)}-{end or secrets.token_hex(4)}"

    def _latest(self) -> datetime:
        """Return the time in the latest record's name, which a clock set back must not undercut."""
        paths = (path for kind in KINDS for path in database.records(self.directory / kind))
        stamps = [path.name.partition("-")[0] for path in paths]
        first = datetime.min.replace(tzinfo=UTC)
        return datetime.strptime(max(stamps), _STAMP).replace(tzinfo=UTC) if stamps else first

    @staticmethod
    def _remove_stale(folder: Path) -> None:
        """Remove what a killed process left unfinished over a day ago; nobody is writing it any more."""
        for left in folder.glob(".*.part*"):
            with contextlib.suppress(FileNotFoundError):  # another process may clean up too
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    left.unlink()

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turn every failure of disk and database into one that says what to look at."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise LedgerError(
                f"the ledger could not be {what} ({type(error).__name__}): look at the free space of its disk"
                " and at the owner and rights of its folder; nothing that it held is lost"
            ) from error


def _end_of(work: str) -> str:
    """Return how the names of a study's early records end; two studies may share that."""
    return hashlib.sha256(work.encode()).hexdigest()[:8]


@cache
def _columns_of(kind: str) -> Mapping[str, str]:
    """Return the columns of a kind's files; `record` names the file that a row was written in, and orders the rows."""
    return {"record": "VARCHAR", **columns(*KINDS[kind])}


def _schema_name(kind: str) -> str:
    """Return the name of the file without rows; it sorts before every record, and two processes write the same."""
    return f"0-schema-{hashlib.sha256(json.dumps(_columns_of(kind)).encode()).hexdigest()[:8]}"


def _plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does: a time in UTC, a record or mapping as an object."""
    if isinstance(value, datetime):
        # DuckDB hands out TIMESTAMPTZ only where pytz is installed, and shows it in the reader's zone.
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return dict(value) if isinstance(value, Mapping) else vars(value)
