"""A clock that goes wrong, for the rooms that ask for the time."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import ClassVar, Self

__all__ = ["Clock"]


class Clock(datetime):
    """Tell a time that is wrong by what is set; a test that sets it sets it back."""

    wrong: ClassVar = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Return the time as this clock has it."""
        return cls.fromtimestamp((datetime.now(tz) + cls.wrong).timestamp(), tz)
