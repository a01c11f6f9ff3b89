"""Packing: the records of runs of each day before yesterday, put together in one file.

A run leaves two records even if it found nothing: six hundred files a day from a quiet hospital, and each question to
the views opens every file there is. The records of studies stay as they are, one file each: runs look those up by name.
"""

from __future__ import annotations

import fcntl
import secrets
from collections import defaultdict
from datetime import date
from pathlib import Path

import duckdb

from flows.ledger import database

__all__ = ["pack"]


def pack(connection: duckdb.DuckDBPyConnection, folder: Path, before: date) -> int:
    """Put the records of each earlier day together, and return how many files that saved.

    The packed file has a name of its own, with the time of the day's last record: what a name stands for never changes.
    Whoever is killed between its appearance and the removal of the others leaves records twice, which the views count
    once, and the next packing removes them.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Where to read and write.
    folder : Path
        Of records of one kind that nobody looks up by the name of their file.
    before : date
        Records of this day, UTC, and of later ones are left alone.

    Raises
    ------
    duckdb.Error, OSError
        A file cannot be read or written; every record is still there.
    """
    saved = 0
    with (folder / ".pack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the process, however it ends
        shapes = sorted(folder.glob("0-schema-*.parquet"))
        for paths in _by_day(folder, before):
            read = [database.pattern(path) for path in (*shapes, *paths)]
            stamp = paths[-1].name.partition("-")[0]
            with database.beside(folder / f"{stamp}-{secrets.token_hex(4)}.parquet") as hidden:
                database.copy(
                    connection,
                    "SELECT DISTINCT * FROM read_parquet(?, union_by_name = true, hive_partitioning = false)"
                    " ORDER BY record",
                    hidden,
                    [read],
                )
            for path in paths:
                path.unlink()
            saved += len(paths) - 1
    return saved


def _by_day(folder: Path, before: date) -> list[list[Path]]:
    """Return the files of each earlier day that has more than one, in their order."""
    days: defaultdict[str, list[Path]] = defaultdict(list)
    for path in database.records(folder):
        days[path.name[:8]].append(path)
    return [paths for day, paths in days.items() if day < f"{before:%Y%m%d}" and len(paths) > 1]
