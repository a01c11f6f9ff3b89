"""What the page of a site knows from one run to the next, and from the last reconciliation: copies, lost without harm.

A reconciliation has a note of its own: runs go on meanwhile, and write theirs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from flows import notes
from flows.desk import Desk
from flows.errors import LedgerError
from flows.ledger import lineage

__all__ = ["Compared", "Note", "heard_lately", "leave", "note_reconciliation", "noted"]

LATELY: Final = timedelta(minutes=15)
"""Longer than a run that a doorbell started lingers: whoever still hears rings started one within this time."""

_PENDING: Final = """
    SELECT sum(targets)::BIGINT AS targets, min(oldest_since) AS since
    FROM pending_by_site WHERE site = ? AND project = ?
"""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the page knows from one run to the next; times are UTC, in ISO 8601.

    Attributes
    ----------
    renewed, rang : str
        When the page was renewed, and when a doorbell last started a run; "" if never.
    """

    renewed: str = ""
    rang: str = ""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a reconciliation leaves for the page.

    Attributes
    ----------
    at : str
        When it ended, UTC, in ISO 8601; "" if there was none.
    differences : int
        What it found and left for a person or for the next.
    pending : int
        References that waited for their target then.
    pending_since : str
        Since when the oldest of them.
    """

    at: str = ""
    differences: int = 0
    pending: int = 0
    pending_since: str = ""


_Noted = TypeVar("_Noted", Note, Compared)


def note_reconciliation(desk: Desk, differences: int) -> None:
    """Note for the page that a reconciliation ended and what it left, with the number of references that wait.

    Raises
    ------
    LedgerError
        The tables cannot be read, or the note cannot be written.
    """
    try:
        with lineage.connect(desk.ledger.directory) as tables:
            (row,) = lineage.rows(tables, _PENDING, [desk.site, desk.project])
    except duckdb.Error as error:
        problem = type(error).__name__
        raise LedgerError(f"the references that wait could not be counted ({problem})") from None
    targets, since = row["targets"], row["since"]
    found = Compared(
        at=datetime.now(UTC).replace(tzinfo=None).isoformat(),
        differences=differences,
        pending=targets or 0,
        pending_since=since.isoformat() if since else "",
    )
    leave(desk, found)


def heard_lately(desk: Desk) -> bool:
    """Tell whether a doorbell started a run within the last :data:`LATELY`: doorbells reach Prefect, then."""
    rang, now = noted(desk, Note).rang, datetime.now(UTC).replace(tzinfo=None)
    return bool(rang) and now - datetime.fromisoformat(rang) < LATELY


def leave(desk: Desk, note: Note | Compared) -> None:
    """Leave a note.

    Raises
    ------
    LedgerError
        It cannot be written.
    """
    notes.leave(_path(desk, type(note)), asdict(note))


def noted(desk: Desk, kind: type[_Noted]) -> _Noted:
    """Return what was noted last; an empty note if there is none that can be read."""
    try:
        return kind(**notes.left(_path(desk, kind)))
    except TypeError:
        return kind()


def _path(desk: Desk, kind: type[Note | Compared]) -> Path:
    ending = "compared.json" if kind is Compared else "json"  # no site has a dot in its name
    return desk.ledger.directory / ".pages" / f"{desk.site}.{ending}"
