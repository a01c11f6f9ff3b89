"""A window of the day, by the clock of this machine: when heavy work may be done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from flows.errors import SitesError

__all__ = ["Window", "window_of"]

_FORM = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """Say from when to when; over midnight where it closes before it opens, and always where both are None."""

    opens: time | None = None
    closes: time | None = None

    @classmethod
    def of(cls, text: str) -> Window:
        """Read a window such as 20:00-06:00; an empty text is always.

        Raises
        ------
        ValueError
            It is none. The message does not repeat it.
        """
        if not text:
            return cls()
        found = _FORM.fullmatch(text)
        opens, closes = found.groups() if found else ("", "")
        if opens == closes:
            raise ValueError("must be such as 20:00-06:00: from when to when, two times of the day that differ")
        return cls(time.fromisoformat(opens), time.fromisoformat(closes))

    def is_open(self, at: datetime) -> bool:
        """Tell whether a local time is inside."""
        if self.opens is None or self.closes is None:
            return True
        now = at.time()
        if self.opens < self.closes:
            return self.opens <= now < self.closes
        return now >= self.opens or now < self.closes

    def until_open(self, at: datetime) -> timedelta:
        """Return how long it takes until it opens; nothing while it is open."""
        if self.opens is None or self.is_open(at):
            return timedelta(0)
        opens = datetime.combine(at.date(), self.opens, at.tzinfo)
        return (opens if opens > at else opens + timedelta(days=1)) - at


def window_of(text: str) -> Window:
    """Read a window of the day.

    Raises
    ------
    SitesError
        It is none.
    """
    try:
        return Window.of(text)
    except ValueError as error:
        problem = str(error)
    raise SitesError(f"window {problem}")
