"""How far a site's change feed was followed, and when its inventory was last looked at.

A copy of what the hospital and the ledger could tell: where it is lost, the next run looks at everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from flows import notes

__all__ = ["RECENT", "Cursor", "keep", "kept"]

RECENT: Final = 1000
"""Changes that are looked at where nobody knows how far the feed was read."""


class Cursor(BaseModel, frozen=True):
    """What a run that left nothing undone knew of its hospital.

    Attributes
    ----------
    seq : int
        The change up to which all was taken up.
    swept_seq : int
        The latest change when the inventory was last walked through.
    swept_settings : str
        The site's settings then: see `Desk.settings`; and its `live_from`, if it has one.
    swept_open : int
        Studies that were not stable then, and have to be looked at again.
    swept_release : str
        The ledger's record of the latest release that was known then; "" if there was none.
    settled : int
        Studies that the ledger had an outcome for: with fewer, records are gone, and the cursor may not outlive them.
    waiting : mapping of str to str
        Snapshots of studies that the selection lets wait, and until when, as Orthanc writes times.
    """

    seq: int
    swept_seq: int
    swept_settings: str
    swept_open: int
    swept_release: str
    settled: int
    waiting: Mapping[str, str] = Field(default_factory=dict)


def kept(path: Path) -> Cursor | None:
    """Return what :func:`keep` wrote; None if there is nothing, or nothing that can be read."""
    try:
        return Cursor.model_validate(notes.left(path))
    except ValidationError:
        return None


def keep(path: Path, cursor: Cursor) -> None:
    """Write a cursor; it shows whole or not at all.

    Raises
    ------
    TransientError
        The file cannot be written.
    """
    notes.leave(path, cursor.model_dump())
