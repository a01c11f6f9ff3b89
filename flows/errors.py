"""What can go wrong while data moves, and whether it is worth trying again.

The exception type decides every retry; nothing else does::

    FlowsError
    ├── TransientError          try again: it failed, and may not the next time
    │   ├── AwayError           the other end is away, slow, broken or full: all of its work waits
    │   ├── GoneError           it is no longer there: deleted at the other end meanwhile
    │   └── LedgerError         the ledger could not be written or read; nothing was recorded by halves. A person
    │                           should look, though the next attempt may do
    ├── NotBegunError           a run that a person asked for could not begin
    └── TerminalError           a person must act: the same attempt will fail the same way
        ├── SitesError          the sites file, or something that it names, is not usable
        └── RefusedError        the other end refused this very request and will refuse it again

A message says what failed, at which end, and what to do. It never holds an Orthanc identifier, a URL
path with one, or a password, because messages travel into logs and into Prefect's database.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ClassVar, ParamSpec, TypeVar

__all__ = [
    "AwayError",
    "FlowsError",
    "GoneError",
    "LedgerError",
    "NotBegunError",
    "RefusedError",
    "SitesError",
    "TerminalError",
    "TransientError",
    "foreseen",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class FlowsError(Exception):
    """Stand at the root of everything that flows raise on purpose.

    Attributes
    ----------
    is_for_a_person : bool
        Whether a run that ended with it is to be seen as failed; what only waits mends itself.
    """

    is_for_a_person: ClassVar[bool] = True


class TransientError(FlowsError):
    """Tell that trying again later may help, and that nothing is lost until then."""

    is_for_a_person = False


class AwayError(TransientError):
    """Tell that the other end answers nobody at the moment, or not well.

    Parameters
    ----------
    message : str
        For a person.
    section : str
        The end, as the sites file calls it: `cloud`, or `sites.NAME`.
    full : bool
        Its disk is full: it answers, and cannot take anything.
    """

    def __init__(self, message: str, section: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.section = section
        self.full = full

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes whole."""
        return _away, (str(self), self.section, self.full)


class GoneError(TransientError):
    """Tell that a study or an instance was deleted meanwhile; the next inventory shows what is left."""


class LedgerError(TransientError):
    """Tell that the ledger could not be written or read; nothing was recorded by halves."""

    is_for_a_person = True


class NotBegunError(FlowsError):
    """Tell somebody at a terminal why the run that he asked for could not begin; nothing was done."""


class TerminalError(FlowsError):
    """Tell that a person must change something before another attempt makes sense."""


class SitesError(TerminalError):
    """Tell everything that is wrong with the sites file, one line a problem."""


class RefusedError(TerminalError):
    """Tell that an Orthanc refused one request for what it holds, such as bytes that it cannot read."""


def _away(message: str, section: str, full: bool) -> AwayError:
    return AwayError(message, section, full=full)


def foreseen(failed: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Let out of a function only what flows raise on purpose; of every other error tell the type alone.

    Its text could hold a value, whatever it is, and Prefect keeps every text that it sees.

    Parameters
    ----------
    failed : str
        What did not go well, for the :class:`TerminalError` that is raised instead.
    """

    def decorated(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @wraps(function)
        def told(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return function(*args, **kwargs)
            except FlowsError:
                raise
            except Exception as unforeseen:  # noqa: BLE001 - as above
                name = type(unforeseen).__name__
            # Outside the except block, so that not even __context__ holds it.
            raise TerminalError(f"{failed} in a way that nobody foresaw ({name}). Report it")

        return told

    return decorated
