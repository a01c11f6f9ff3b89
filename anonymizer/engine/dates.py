"""Dates, times and ages: moved by whole days, at the precision that they came in (PS3.5 6.2)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

_DA = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})\.(\d{2})\.(\d{2})")  # the second is ACR-NEMA 300's
# An offset from UTC is one that a place on earth has or had.
_OFFSET = r"\+(?:(?:0\d|1[0-4])00|0[34569]30|0[58]45|1030|1[23]45)|-(?:(?:0\d|1[0-2])00|0[239]30)"
_TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_DT = re.compile(rf"(\d{{4}})(?:(\d{{2}})(?:(\d{{2}})({_TIME})?)?)?({_OFFSET})?")
_TM = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?")
_AS = re.compile(r"(\d{3})([DWMY])")

# What programs write for "no date", and a clock that forgot it. Moved, it would show by how far; so would a year in
# which no image was made, and the last of the century, which stands for "never".
_PLACEHOLDERS = frozenset({date(1970, 1, 1), date(1980, 1, 1)})
_FIRST_YEAR, _LAST_YEAR = 1920, 2098
OLDEST_AGE = "090Y"
_OLDEST_YEARS = 89


def move_date(text: str, days: int) -> str | None:
    """Move a DA value; None where it is no date, or one that stands for none."""
    match = _DA.fullmatch(text)
    if not match:
        return None
    year, month, day = (int(part) for part in match.groups() if part is not None)
    return _move(year, month, day, days)


def move_date_time(text: str, days: int) -> str | None:
    """Move a DT value, keeping precision, time and offset from UTC; None where it is no date-time.

    A value without a day or month is moved from the first of its period and cut again.
    """
    match = _DT.fullmatch(text)
    if not match:
        return None
    year, month, day, time, offset = match.groups()
    if offset and offset.startswith("-") and not time:
        return None  # in "2017-0330" stands a day
    moved = _move(int(year), int(month or 1), int(day or 1), days)
    precision = 8 if day else 6 if month else 4
    return moved and moved[:precision] + (time or "") + (offset or "")


def is_time(text: str) -> bool:
    """Tell whether a TM value is a time of day, colons of ACR-NEMA 300 allowed."""
    match = _TM.fullmatch(text)
    if not match:
        return False
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    return hour <= 23 and minute <= 59 and second <= 60


def cap_age(text: str) -> str | None:
    """Return an AS value, or 090Y for any age over 89 years in whatever unit; None where it is no age."""
    match = _AS.fullmatch(text)
    if not match:
        return None
    # Three digits of months are 83 years at the most.
    return OLDEST_AGE if match[2] == "Y" and int(match[1]) > _OLDEST_YEARS else text


@lru_cache(maxsize=1 << 12)
def _move(year: int, month: int, day: int, days: int) -> str | None:
    try:
        whole = date(year, month, day)
    except ValueError:
        return None
    if whole in _PLACEHOLDERS or not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    moved = whole + timedelta(days=days)
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
