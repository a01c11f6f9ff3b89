"""The `prefect` command, with a server on SQLite that does not stand still: `python -P sqlite.py server start`.

Without this, a statement that failed ("database is locked", at once, where another one wrote first) is reset only when
its exception is collected: on the thread of the server's event loop, which then waits for what the connection does
meanwhile. If that waits to write, and a request of the same event loop has the lock, nobody goes on until SQLite's
patience is over, which Prefect sets to a minute. On PostgreSQL there is nothing to wait for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Self

import aiosqlite


class Cursor(aiosqlite.Cursor):
    """A cursor that is closed where a statement of it fails, on its connection's own thread."""

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Execute a statement."""
        return await self._closed_if_it_fails(self._cursor.execute, sql, parameters or [])

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Execute a statement for each of the parameters."""
        return await self._closed_if_it_fails(self._cursor.executemany, sql, parameters)

    async def _closed_if_it_fails(self, function: Callable[..., object], *arguments: object) -> Self:
        def execute() -> None:
            try:
                function(*arguments)
            except sqlite3.Error:
                self._cursor.close()
                raise

        await self._execute(execute)  # type: ignore[no-untyped-call]
        return self


def main() -> None:
    """Run `prefect` with such cursors."""
    aiosqlite.core.Cursor = Cursor  # type: ignore[misc]  # what a connection gives out

    from prefect.cli import app  # noqa: PLC0415 - it opens its database only after this

    app()


if __name__ == "__main__":
    main()
