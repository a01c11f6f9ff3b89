"""Breakers: one for each end of a site. While one is open, nothing more is tried there, and all studies wait in flight.

One opens when the end itself is away or full, not when one study cannot be had. It closes by a probe: the end answers
again, and what was full has taken a study. A note beside the ledger says since when it is open, for those who watch.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flows import notes
from flows.desk import Desk
from flows.errors import AwayError, FlowsError, TransientError
from flows.orthanc import Orthanc

__all__ = ["Breaker", "breakers_of", "opened_at"]

PATIENCE = 120.0
"""Seconds in all that a run waits for an end to come back; after that the next run finds what waits."""
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)


class Breaker:
    """Watch one end for one run.

    Parameters
    ----------
    end : Orthanc
        It.
    note : Path
        File that is there while the breaker is open.
    tell : callable
        Called when it opens that was closed, with the error that opened it.
    """

    def __init__(self, end: Orthanc, note: Path, tell: Callable[[AwayError], None]) -> None:
        self._end = end
        self._note = note
        self._tell = tell
        self._left = PATIENCE
        self._is_full = False
        self.was_open = False

    def begin(self) -> None:
        """Ask the end who it is, before anything is tried.

        Raises
        ------
        AwayError
            It is away: the breaker is open.
        TerminalError
            A person must act first.
        """
        try:
            self._end.check()
        except AwayError as error:
            self._open(error)
            raise
        if not _is_full(self._note):  # that it answers does not show that there is room: a study will
            self._close()

    def is_opened_by(self, error: AwayError) -> bool:
        """Tell whether a fault is the end's own, and not one study's: then the breaker opens."""
        if error.full or not self._answers():
            self._open(error)
            return True
        return False

    def closes(self) -> bool:
        """Wait until the end answers; tell whether it did before patience was over."""
        pauses = iter(_PAUSES)
        while not self._is_full and self._left > 0:
            pause = min(next(pauses, _PAUSES[-1]) * random.uniform(0.5, 1.5), self._left)  # noqa: S311 - no secret
            began = time.monotonic()
            time.sleep(pause)
            answers = self._answers()
            self._left -= time.monotonic() - began
            if answers:
                self._close()
                return True
        return False

    def works(self) -> None:
        """Note that a study went through: the end is well."""
        if self._note.exists():
            self._close()

    def _answers(self) -> bool:
        try:
            self._end.check()
        except FlowsError:
            return False
        return True

    def _open(self, error: AwayError) -> None:
        self._is_full = error.full
        self.was_open = True
        if self._note.exists():
            return
        with contextlib.suppress(TransientError):  # for those who watch; the work waits all the same
            notes.leave(self._note, {"since": datetime.now(UTC).isoformat(), "full": error.full})
        self._tell(error)

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)


def breakers_of(desk: Desk, tell: Callable[[AwayError], None]) -> dict[str, Breaker]:
    """Return the breakers of a site by the sections of its ends."""
    return {
        section: Breaker(end, note, tell)
        for (section, note), end in zip(_notes(desk).items(), (desk.hospital, desk.cloud), strict=True)
    }


def opened_at(desk: Desk) -> dict[str, datetime]:
    """Return since when which breakers of a site are open, by the sections of their ends."""
    since = {section: _since(note) for section, note in _notes(desk).items()}
    return {section: at for section, at in since.items() if at}


def _since(note: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(str(notes.left(note)["since"]))
    except (KeyError, ValueError):
        return None


def _notes(desk: Desk) -> dict[str, Path]:
    folder, token = desk.ledger.directory / ".breakers", desk.anonymizer.pseudonyms.token
    return {section: folder / token("breaker", desk.site, section) for section in (f"sites.{desk.site}", "cloud")}


def _is_full(note: Path) -> bool:
    return bool(notes.left(note).get("full"))
