"""A Prefect server that begins with a database that is made already: to make one takes longer than all else it does."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Self

from deployments.demo import servers

__all__ = ["PrefectServer", "keep_in"]

_NOTE = "memo_store.toml"  # Prefect's own: that the blocks of this very version are in the database
_kept: list[Path] = []


def keep_in(folder: Path) -> None:
    """Say where what all servers of this run begin with is kept; test processes share it."""
    _kept[:] = [folder]


class PrefectServer(servers.PrefectServer):
    """As the demo's, from an empty database that the first of them made; without :func:`keep_in` each makes its own."""

    def start(self, *, wait: bool = True) -> Self:
        """Start it and, unless told otherwise, wait until it answers."""
        if _kept and not self.database.exists():
            _copy(_made(_kept[0]), self.home)
        return super().start(wait=wait)


def _made(folder: Path) -> Path:
    """Return the home of a server that ran once and is over."""
    home = folder / "home"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be at it
        if not home.exists():
            with servers.PrefectServer(folder / "first") as server:
                pass
            _copy(server.home, folder / "whole")
            (folder / "whole").rename(home)
    return home


def _copy(home: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    shutil.copy(home / _NOTE, to)
    with closing(sqlite3.connect(home / "prefect.db")) as made, closing(sqlite3.connect(to / "prefect.db")) as copy:
        made.backup(copy)  # with what stands beside it in a log of its own
