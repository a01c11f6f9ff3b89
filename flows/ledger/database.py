"""DuckDB as the ledger uses it: closed to downloads, and files that appear whole, with the names of records."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

__all__ = ["beside", "connect", "copy", "literal", "pattern", "records", "rows"]

_RECORD: Final = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}\.parquet")
"""How files of records are named: the time, by which they sort, and what no other has."""


def connect() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that loads and installs no extension beyond those in the wheel."""
    return duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})


def literal(text: str | Path) -> str:
    """Return text as an SQL literal, where a statement takes no parameter."""
    return "'" + str(text).replace("'", "''") + "'"


def pattern(path: Path) -> str:
    """Return the pattern that matches this very path, whatever characters its folders have."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in str(path))


def records(folder: Path) -> list[Path]:
    """Return the files of records in a folder, in their order; whatever else lies there is none."""
    return sorted(path for path in folder.iterdir() if _RECORD.fullmatch(path.name))


def rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """Return the rows of a query, each as a dictionary by column name."""
    answer = connection.execute(sql, parameters)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    parameters: Sequence[object] = (),
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the rows of a query as a Parquet file, with the metadata of that file if there is any."""
    # USE_TMP_FILE would make DuckDB write "tmp_…" beside, which the patterns of readers match.
    options = "FORMAT parquet, USE_TMP_FILE false"
    if metadata:
        options += f", KV_METADATA {{{', '.join(f'{key}: {literal(value)}' for key, value in metadata.items())}}}"
    connection.execute(f"COPY ({query}) TO {literal(target)} ({options})", parameters)


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a hidden path beside a file to write to; flush it and rename it into place at the end.

    Parameters
    ----------
    target : Path
        The file that appears whole, or not at all if the block fails.

    Yields
    ------
    Path
        A path of this process alone. A process that is killed leaves it behind; no pattern matches it.
    """
    hidden = target.with_name(f".{target.name}-{secrets.token_hex(4)}.part")
    try:
        yield hidden
        _flush(hidden)
        os.replace(hidden, target)  # noqa: PTH105 - the one call that is atomic, by its own name
        _flush(target.parent)
    finally:
        hidden.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
