"""The hours in which a hospital is busy: only then is its silence worth a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final, Self

__all__ = ["Hours"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM: Final = re.compile(
    r"(?P<first>{0})(?:-(?P<last>{0}))? (?P<begin>{1})-(?P<end>{1})".format(
        "|".join(_DAYS), r"(?:[01]\d|2[0-3]):[0-5]\d"
    )
)


@dataclass(frozen=True)
class Hours:
    """Days of the week, 0 for Monday, and from when until when on each of them."""

    days: frozenset[int]
    begin: time
    end: time

    @classmethod
    def read(cls, text: str) -> Self:
        """Read hours such as `mon-fri 07:00-19:00`.

        Raises
        ------
        ValueError
            The text is of another form, or ends before it begins.
        """
        form = _FORM.fullmatch(text)
        if form:
            first, last = _DAYS.index(form["first"]), _DAYS.index(form["last"] or form["first"])
            begin, end = time.fromisoformat(form["begin"]), time.fromisoformat(form["end"])
            if first <= last and begin < end:
                return cls(frozenset(range(first, last + 1)), begin, end)
        raise ValueError("must be days and hours such as mon-fri 07:00-19:00, the earlier first")

    def include(self, moment: datetime) -> bool:
        """Tell whether a moment, as the clock on the wall shows it, is within the hours."""
        return moment.weekday() in self.days and self.begin <= moment.time() < self.end
