"""What became of what in everything that was loaded before: an index over the ledger's records.

A hospital's year may have a hundred million links, and a study asks for a few hundred. So they lie in sorted
Parquet files, which DuckDB searches without holding them; what is newer lies in memory. The index is a copy:
without it the ledger is read whole, and the index is written again.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb

from flows.ledger import database
from flows.ledger.records import Link

__all__ = ["Links"]

FLUSH_AFTER: Final = 200
"""Records that are read one by one before they go into a file of the index: reading so many costs about 50 ms."""
FULL: Final = 1 << 20
"""Links from which on a file of the index is left as it is; until then the next records are added to it."""

_BATCH: Final = 500  # records read at once, so that a ledger of any size is read in bounded memory
_RECORDS: Final = "records"
_BESIDE: Final = (
    "SELECT source, output WHERE source IN (SELECT unnest($1::BIGINT[])) OR output IN (SELECT unnest($2::BIGINT[]))"
)


class Links:
    """Look up links among those of a ledger; one object a process, one caller at a time.

    Parameters
    ----------
    folder : Path
        Of the ledger's records of studies.
    shape : Path
        A record without rows that has every column there is: records of an older shape lack some.
    index : Path
        Folder of the index; made when there is something to write.
    records : callable
        Returns the names of all records of studies that are there.
    """

    def __init__(self, folder: Path, shape: Path, index: Path, records: Callable[[], Collection[str]]) -> None:
        self._folder = folder
        self._shape = shape
        self._index = index
        self._records = records
        self._connection = database.connect()
        # The system keeps what it read lately; a second copy of the whole index in memory makes nothing faster.
        self._connection.execute("SET enable_external_file_cache = false")
        self._files: dict[Path, frozenset[str]] = {}
        self._recent: set[str] = set()
        self._make_table()

    def close(self) -> None:
        """Release the memory; files need no closing."""
        self._connection.close()

    def refresh(self) -> None:
        """Learn of records that others wrote."""
        # The index first: what another process records and indexes meanwhile is no record that was taken away.
        self._files = self._listed()
        there = set(self._records())
        indexed = frozenset[str]().union(*self._files.values())
        if not indexed | self._recent <= there:  # somebody took records away; the index may not outlive them
            self._forget()
            indexed = frozenset()
        new = sorted(there - indexed - self._recent)
        for start in range(0, len(new), _BATCH):
            self._read(new[start : start + _BATCH])

    def add(self, record: str, links: Sequence[Link]) -> None:
        """Add what this process just recorded."""
        sources, outputs = [each.source for each in links], [each.output for each in links]
        self._insert([record], "SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])", [sources, outputs])

    def beside(self, links: Collection[Link]) -> list[Link]:
        """Return the links that share source or output with one of these."""
        with contextlib.suppress(duckdb.Error):
            return self._found(links)
        self.refresh()  # another process made one file of two meanwhile, or somebody removed one
        with contextlib.suppress(duckdb.Error):
            return self._found(links)
        self._forget()  # a file is damaged behind what tells its records
        self.refresh()
        return self._found(links)

    def _found(self, links: Collection[Link]) -> list[Link]:
        files = [database.pattern(path) for path in self._files]
        asked = [list({each.source for each in links}), list({each.output for each in links})]
        rows = set(self._connection.execute(f"FROM recent {_BESIDE}", asked).fetchall())
        if files:  # read as one: DuckDB then shares them out among its threads
            rows.update(self._connection.execute(f"FROM read_parquet($3) {_BESIDE}", [*asked, files]).fetchall())
        return [Link(source=source, output=output) for source, output in sorted(rows)]

    def _forget(self) -> None:
        """Remove the index, which is only a copy; the next refresh reads the ledger."""
        for path in self._index.glob("*.parquet"):
            path.unlink(missing_ok=True)
        self._files = {}
        self._make_table()

    def _make_table(self) -> None:
        self._connection.execute("CREATE OR REPLACE TABLE recent (source BIGINT, output BIGINT)")
        self._recent = set()

    def _read(self, records: Sequence[str]) -> None:
        paths = [self._shape, *(self._folder / f"{record}.parquet" for record in records)]
        self._insert(
            records,
            "SELECT each.source, each.output FROM (SELECT unnest(links) AS each FROM read_parquet("
            "$1, union_by_name = true, hive_partitioning = false))",
            [[database.pattern(path) for path in paths]],
        )

    def _insert(self, records: Sequence[str], query: str, parameters: Sequence[object]) -> None:
        self._connection.execute(f"INSERT INTO recent {query}", parameters)
        self._recent.update(records)
        if len(self._recent) >= FLUSH_AFTER:
            self._flush()

    def _flush(self) -> None:
        """Write what is in memory into the index, together with its last file as long as that is small."""
        self._index.mkdir(mode=0o700, exist_ok=True)
        with self._locked():
            self._files = self._listed()
            known = frozenset[str]().union(*self._files.values())
            if not self._recent <= known:
                self._merge()
                self._files = self._listed()
        self._make_table()

    def _merge(self) -> None:
        try:
            small = [path for path in self._files if self._count(path) < FULL]
            self._write(small)
        except duckdb.Error:  # one of them is damaged, or gone; whoever looks into it will see to that
            self._write([])
            return
        for path in small:
            path.unlink(missing_ok=True)

    def _write(self, small: Sequence[Path]) -> None:
        """Write one file that stands for what is in memory and for these files."""
        parts = " UNION ALL ".join(["SELECT source, output FROM recent", *map(_rows_of, small)])
        records = self._recent.union(*(self._files[path] for path in small))
        with database.beside(self._index / f"{secrets.token_hex(8)}.parquet") as hidden:
            # Sorted, so that DuckDB passes over what cannot hold a source that is asked for.
            query = f"SELECT DISTINCT * FROM ({parts}) ORDER BY source"  # noqa: S608 - our own paths
            database.copy(self._connection, query, hidden, metadata={_RECORDS: " ".join(sorted(records))})

    def _listed(self) -> dict[Path, frozenset[str]]:
        """Return the files of the index, each with the records that it stands for."""
        found = {}
        for path in sorted(self._index.glob("*.parquet")) if self._index.is_dir() else ():
            # A damaged file is only a copy, and so is one that is gone meanwhile: its records are read again.
            with contextlib.suppress(duckdb.Error):
                rows = self._connection.execute(
                    "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = ?",
                    [database.pattern(path), _RECORDS],
                ).fetchall()
                found[path] = frozenset(record for (text,) in rows for record in text.split())
        return found

    def _count(self, path: Path) -> int:
        rows = self._connection.execute(
            "SELECT sum(num_rows) FROM parquet_file_metadata(?)", [database.pattern(path)]
        ).fetchall()
        return int(rows[0][0] or 0)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time rewrite the index."""
        with (self._index / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the process, however it ends
            yield


def _rows_of(path: Path) -> str:
    return f"SELECT source, output FROM read_parquet({database.literal(database.pattern(path))})"  # noqa: S608 - ours
