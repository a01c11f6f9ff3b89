"""Prefect's server on SQLite does not stand still where a statement failed."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from deployments.demo import sqlite

PATIENCE = 5.0
"""Seconds that a connection waits to write; a minute under Prefect."""


@pytest.mark.parametrize("closes", [True, False], ids=["closed where it failed", "left alone"])
def test_what_is_left_of_a_failed_statement_stops_no_event_loop(
    closes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if closes:
        monkeypatch.setattr("aiosqlite.core.Cursor", sqlite.Cursor)

    assert asyncio.run(_went_on(tmp_path / "database")) == closes  # as it is without is what this is for


@pytest.mark.parametrize("many", [False, True], ids=["execute", "executemany"])
def test_a_statement_that_fails_leaves_no_cursor_open(many: bool, tmp_path: Path) -> None:
    async def fail() -> None:
        async with aiosqlite.connect(tmp_path / "database") as connection:
            await connection.execute("CREATE TABLE numbers (number UNIQUE)")
            cursor = sqlite.Cursor(connection, sqlite3.connect(tmp_path / "database", check_same_thread=False).cursor())
            await cursor.execute("SELECT 1")
            assert await cursor.fetchone() == (1,)
            with pytest.raises(sqlite3.IntegrityError):
                if many:
                    await cursor.executemany("INSERT INTO numbers VALUES (?)", [(1,), (1,)])
                else:
                    await cursor.execute("INSERT INTO numbers VALUES (?), (?)", (1, 1))
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                await cursor.fetchone()

    asyncio.run(fail())


async def _went_on(database: Path) -> bool:
    """Return whether the event loop went on while its other connection still waited to write."""
    async with (
        aiosqlite.connect(database, timeout=PATIENCE, isolation_level=None) as reader,
        aiosqlite.connect(database, timeout=PATIENCE, isolation_level=None) as writer,
    ):
        await reader.execute("PRAGMA journal_mode = WAL")
        await reader.execute("CREATE TABLE numbers (number)")
        # What another one wrote first cannot be written over, and SQLite says so at once.
        await reader.execute("BEGIN")
        await (await reader.execute("SELECT * FROM numbers")).fetchall()
        await writer.execute("INSERT INTO numbers VALUES (1)")
        gc.freeze()  # a collection of all that the other tests left took seconds
        try:
            cursor = await reader.cursor()
            with suppress(sqlite3.OperationalError):
                await cursor.execute("INSERT INTO numbers VALUES (2)")
            await reader.execute("ROLLBACK")

            await writer.execute("BEGIN IMMEDIATE")
            began, gave_up = threading.Event(), threading.Event()
            waits = asyncio.create_task(_insert(reader, began, gave_up))
            while not began.is_set():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)  # on a busy machine, too, it waits inside of SQLite by now
            del cursor
            gc.collect()  # its exception had it, too
            went_on = not gave_up.wait(1.0)  # if it had to wait for that, the other thread is about to say so
        finally:
            gc.unfreeze()
        await writer.execute("COMMIT")
        await waits
        return went_on


async def _insert(connection: aiosqlite.Connection, began: threading.Event, gave_up: threading.Event) -> None:
    """Insert once more, and have the connection's own thread say where it gave up."""

    def insert() -> None:
        began.set()
        try:
            connection._conn.execute("INSERT INTO numbers VALUES (3)")
        except sqlite3.OperationalError:
            gave_up.set()

    thread: Any = connection  # takes any function, and says no types of that
    await thread._execute(insert)
