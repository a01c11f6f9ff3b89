"""What page and alarms of a site know from run to run: small notes beside the ledger, lost without harm.

Each has one subject, because others are written meanwhile. All times are UTC, without a zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import duckdb
from pydantic import BaseModel, NaiveDatetime, NonNegativeInt, ValidationError

from flows import notes
from flows.desk import Desk
from flows.errors import LedgerError
from flows.ledger import lineage

__all__ = [
    "Compared",
    "Rang",
    "Renewed",
    "Told",
    "heard_lately",
    "is_recent",
    "leave",
    "note_reconciliation",
    "noted",
    "now",
]

HEARD_WITHIN: Final = timedelta(minutes=15)
"""How long a doorbell counts as heard: several times as long as rings start no new run."""

_PENDING: Final = """
    SELECT sum(targets)::BIGINT AS targets, min(oldest_since) AS since
    FROM pending_by_site WHERE site = ? AND project = ?
"""


class Renewed(BaseModel, frozen=True):
    """When the page was renewed; None if never."""

    at: NaiveDatetime | None = None


class Rang(BaseModel, frozen=True):
    """When a run that a doorbell started began or ended last; None if never."""

    at: NaiveDatetime | None = None


class Told(BaseModel, frozen=True):
    """Of which held studies Prefect was told, of the project.

    Attributes
    ----------
    at : datetime, optional
        When, the last time; None if never.
    records : tuple of str
        The ledger's records that hold them, as far as they still do. Which, and not up to which: two machines' clocks
        may disagree about what was recorded first.
    """

    at: NaiveDatetime | None = None
    records: tuple[str, ...] = ()


class Compared(BaseModel, frozen=True):
    """What a reconciliation leaves for the page.

    Attributes
    ----------
    at : datetime, optional
        When it ended; None if there was none.
    differences : int
        What it found and left for a person or for the next.
    pending : int
        References that waited for their target then.
    pending_since : datetime, optional
        Since when the oldest of them.
    """

    at: NaiveDatetime | None = None
    differences: NonNegativeInt = 0
    pending: NonNegativeInt = 0
    pending_since: NaiveDatetime | None = None


_Note: TypeAlias = Renewed | Rang | Told | Compared
_Noted = TypeVar("_Noted", Renewed, Rang, Told, Compared)
_NAMES: Final = {Renewed: "", Rang: ".rang", Compared: ".compared"}  # no site has a dot in its name


def note_reconciliation(desk: Desk, differences: int) -> None:
    """Note for the page that a reconciliation ended and what it left, with the number of references that wait.

    Raises
    ------
    TransientError
        The tables cannot be read (LedgerError), or the note cannot be written.
    """
    try:
        with lineage.connect(desk.ledger.directory) as tables:
            (row,) = lineage.rows(tables, _PENDING, [desk.site, desk.project])
    except duckdb.Error as error:
        problem = type(error).__name__
        raise LedgerError(f"the references that wait could not be counted ({problem})") from None
    found = Compared(at=now(), differences=differences, pending=row["targets"] or 0, pending_since=row["since"])
    leave(desk, found)


def heard_lately(desk: Desk) -> bool:
    """Tell whether doorbells reach Prefect: one started a run within :data:`HEARD_WITHIN`."""
    return is_recent(noted(desk, Rang).at, HEARD_WITHIN)


def is_recent(time: datetime | None, age: timedelta) -> bool:
    """Tell whether something was within this age; what a clock that was set back calls future was not."""
    return time is not None and timedelta(0) <= now() - time < age


def now() -> datetime:
    """Return the time as notes have it."""
    return datetime.now(UTC).replace(tzinfo=None)


def leave(desk: Desk, note: _Note) -> None:
    """Leave a note.

    Raises
    ------
    TransientError
        It cannot be written.
    """
    notes.leave(_path(desk, type(note)), note.model_dump(mode="json"))


def noted(desk: Desk, kind: type[_Noted]) -> _Noted:
    """Return what was noted last; an empty note if there is none that can be read."""
    try:
        return kind.model_validate(notes.left(_path(desk, kind)))
    except ValidationError:
        return kind()


def _path(desk: Desk, kind: type[_Note]) -> Path:
    folder = desk.ledger.directory / ".pages"
    if kind is Told:  # two projects may have one ledger
        return folder / f"{desk.site}.{desk.anonymizer.pseudonyms.token('told', desk.site)}.json"
    return folder / f"{desk.site}{_NAMES[kind]}.json"
