"""Leases: who works at what, so that two workers never do one study at the same time.

A lease is a lock on a file, and the kernel takes it back when the process that holds it ends, however it ends. So no
clock is asked, none is held by the dead, and none is lost by a holder that is merely slow. On a folder that machines
share, NFS version 4 carries the lock, and the file server takes it back from a machine that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from flows.errors import LedgerError

__all__ = ["LIVE", "RECONCILIATION", "Leases"]

LIVE = "live"
"""The lease that every run of the route shares while it works; a backfill waits until nobody does."""
RECONCILIATION = "reconciliation"
"""The lease of a reconciliation: a site has one at a time."""


class Leases:
    """Hand out leases; safe to use from many threads, processes and machines that share the folder.

    Parameters
    ----------
    folder : Path
        Where the locked files are; made if it is not there.
    site : str
        Whose leases have names. Those of studies are every site's that calls the study alike.
    called : callable
        Tells what the file of a lease is called: nothing of site or name need show.
    """

    def __init__(self, folder: Path, site: str, called: Callable[..., str]) -> None:
        self._folder = folder
        self._site = site
        self._called = called

    def study(self, work: str) -> AbstractContextManager[bool]:
        """Hold the lease of a study as :meth:`take` does: sites with one key share it, as it is one in the cloud."""
        return self._taken(self._folder / self._called(work))

    def take(self, name: str) -> AbstractContextManager[bool]:
        """Hold the site's lease of a name for as long as the context lasts."""
        return self._taken(self._folder / self._called(self._site, name))

    @contextlib.contextmanager
    def _taken(self, path: Path) -> Iterator[bool]:
        """Hold a lease.

        Yields
        ------
        bool
            False if somebody else holds it; nobody waits for it.

        Raises
        ------
        LedgerError
            The folder cannot be written.
        """
        with self._guarded():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = _locked(path)
        if descriptor is None:
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is locked: whoever opened it before finds that it is no longer the one
            os.close(descriptor)

    @contextlib.contextmanager
    def share(self, name: str) -> Iterator[None]:
        """Hold the site's lease of a name beside others who share it.

        Raises
        ------
        LedgerError
            The folder cannot be written.
        """
        path = self._folder / self._called(self._site, name)
        with self._guarded():
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with self._guarded():
                fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for who asks whether it is shared, and for nobody else
            yield
        finally:
            os.close(descriptor)  # the file stays: others may hold it

    def is_shared(self, name: str) -> bool:
        """Tell whether anybody shares the site's lease of a name at this moment."""
        path = self._folder / self._called(self._site, name)
        with self._guarded():
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                return False
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        return False

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LedgerError(
                f"the leases beside the ledger cannot be written or locked ({error.strerror}): look at the free space"
                " of its disk, at the owner and rights of its folder, and whether its file system knows locks"
            ) from None


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a file, made if it is not there; None if somebody else holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder removed it between our opening and our locking


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
