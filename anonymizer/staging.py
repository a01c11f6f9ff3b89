"""Files in the making: a folder beside their place, swept when its maker is gone.

A file gets its name whole or not at all, and what a killed process left behind is removed by the next one. Who
still works is told by a lock and not by a process id: ids are given away again, and mean nothing in another
container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def staging(parent: Path, prefix: str) -> Iterator[Path]:
    """Offer a new folder, readable by its owner alone, for as long as the context lasts.

    Parameters
    ----------
    parent : Path
        Where it is made; folders of that prefix in it whose makers are gone are removed first.
    prefix : str
        Begins its name.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _open(parent) as everybody:
            fcntl.flock(everybody, fcntl.LOCK_EX)  # nobody sweeps a folder that is made but not locked yet
            _sweep(parent, prefix)
            folder = parent / f"{prefix}{secrets.token_hex(8)}"
            folder.mkdir(mode=0o700)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            # Gone with the process, however it ends.
            fcntl.flock(stack.enter_context(_open(folder)), fcntl.LOCK_EX)
        yield folder


def _sweep(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _open(left) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its maker is at work
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _open(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
