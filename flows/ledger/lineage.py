"""Lineage: the tables that people query, as views over the ledger's files.

`lineage.duckdb` holds views and nothing else. It is made beside and renamed into place, and never opened
for writing again, so whoever stays connected to it blocks no run and is blocked by none. Its tables,
column by column, are in docs/lineage.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final, TypeVar

import duckdb

from flows.errors import LedgerError
from flows.ledger import database
from flows.ledger.records import KINDS

__all__ = ["Balance", "again", "balance", "build", "connect", "rows"]

_T = TypeVar("_T")

_FILE: Final = "lineage.duckdb"
_PAUSES: Final = (0.1, 0.3, 1.0)  # seconds; packing a day takes less
_STORAGE: Final = "v1.5.0"  # the oldest DuckDB that opens the file; newer ones open it too


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What came and what became of it, in instances; `balanced` if the ledger can prove all of it.

    Attributes
    ----------
    studies, unbalanced : int
        Studies seen, and those of them whose sum is wrong or whose digests were not read back equal.
    """

    studies: int
    source_instances: int
    loaded: int
    held: int
    excluded: int
    in_flight: int
    unproven: int
    unbalanced: int

    @property
    def balanced(self) -> bool:
        """Tell whether no study is unbalanced."""
        return self.unbalanced == 0


def build(directory: Path) -> Path:
    """Make `lineage.duckdb` of a ledger, unless it is there with these very views.

    Parameters
    ----------
    directory : Path
        The ledger's folder, with its kinds laid out.

    Returns
    -------
    Path
        The database file.
    """
    target = directory / _FILE
    views = _views(directory)
    # The digest stands beside, because a database that a reader holds cannot be asked.
    note = directory / ".lineage.sha256"
    digest = hashlib.sha256(f"{_STORAGE}\n{views}".encode()).hexdigest()
    with (directory / ".lineage.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the process, however it ends
        if not (target.exists() and note.exists() and note.read_text() == digest):
            with database.beside(target) as hidden:
                again(lambda: _create(hidden, views))
                # What a reader wrote of his own belongs to the old file and must not be replayed into this.
                target.with_name(f"{_FILE}.wal").unlink(missing_ok=True)
            with database.beside(note) as hidden:
                hidden.write_text(digest)
    return target


def connect(directory: Path) -> duckdb.DuckDBPyConnection:
    """Open the views of a ledger in memory, for questions of our own.

    Raises
    ------
    LedgerError
        The folder holds no ledger.
    """
    directory = directory.resolve()
    if not all((directory / kind).is_dir() for kind in KINDS):
        raise LedgerError("there is no ledger in that folder: check [lineage] in the sites file, or run a site once")
    return again(lambda: _opened(directory))


def _opened(directory: Path) -> duckdb.DuckDBPyConnection:
    connection = database.connect()
    # Records never change, so what DuckDB learned about a file stays true, and a view over a view opens none again.
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute(_views(directory))
    connection.execute("SET lock_configuration = true")
    return connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Return the rows of a query as `database.rows` does; asked again if files were packed meanwhile."""
    return again(lambda: database.rows(connection, sql, list(parameters)))


def again(question: Callable[[], _T]) -> _T:
    """Put a question, and again if a file was packed between its listing and its reading."""
    for pause in _PAUSES:
        try:
            return question()
        except duckdb.IOException:
            time.sleep(pause)
    return question()


def balance(connection: duckdb.DuckDBPyConnection, site: str | None = None) -> Balance:
    """Return the balance of one site, or of all.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        From `connect`, or any connection to `lineage.duckdb`.
    site : str, optional
        Name of the site; all sites without it.
    """
    (total,) = rows(
        connection,
        """
        SELECT coalesce(sum(studies), 0)::BIGINT AS studies,
               coalesce(sum(source_instances), 0)::BIGINT AS source_instances,
               coalesce(sum(loaded), 0)::BIGINT AS loaded,
               coalesce(sum(held), 0)::BIGINT AS held,
               coalesce(sum(excluded), 0)::BIGINT AS excluded,
               coalesce(sum(in_flight), 0)::BIGINT AS in_flight,
               coalesce(sum(unproven), 0)::BIGINT AS unproven,
               coalesce(sum(unbalanced), 0)::BIGINT AS unbalanced
        FROM balance_by_site WHERE $1 IS NULL OR site = $1
        """,
        [site],
    )
    return Balance(**total)


def _views(directory: Path) -> str:
    """Return the statements that make the views over a ledger's files."""
    text = (files("flows") / "tables" / "lineage.sql").read_text(encoding="utf-8")
    return Template(text).substitute(
        {kind: database.literal(f"{database.pattern(directory / kind)}/*.parquet") for kind in KINDS}
    )


def _create(path: Path, views: str) -> None:
    """Write a database file that holds these views."""
    path.unlink(missing_ok=True)  # of a try before
    with database.connect() as connection:
        connection.execute(f"ATTACH {database.literal(path)} AS lineage (STORAGE_VERSION {database.literal(_STORAGE)})")
        connection.execute("USE lineage")
        connection.execute(views)
        connection.execute("USE memory")
        connection.execute("DETACH lineage")  # writes everything into the file; no WAL stays
