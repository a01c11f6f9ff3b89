"""Numbers in a description: which can only be a measure, and which could be a date, a time or an identifier."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

TIMES = "x"  # between the sides of a picture: 24x38x3
_BETWEEN_DECIMALS = frozenset("/-+,")
_MOST_LABELLED = 8  # b-values, echo times
_MOST_DIGITS = 4  # that tell something in a row; two more before a unit or behind a label
_MOST_DIGITS_OF_SIDES = 9
_DAYS, _MONTHS = range(1, 32), range(1, 13)
_HOURS, _MINUTES = range(25), range(60)


@dataclass(frozen=True, slots=True)
class Chain:
    """Numbers in a row: what stands between them has neither letters nor digits, or is an x.

    Attributes
    ----------
    digits : tuple of str
        Each run of digits.
    between : tuple of str
        What stands between each two of them, without spaces; a point with spaces is no decimal point and keeps one.
    labelled, measured : bool
        Whether a label such as TE stands before them, or a unit such as mm behind. Of numbers with nothing but spaces
        between them the unit is the last one's, and that is a chain of its own.
    """

    digits: tuple[str, ...]
    between: tuple[str, ...]
    labelled: bool
    measured: bool

    def apart(self) -> Iterator[Chain]:
        """Yield what stands before the last space by itself: of 1403 5mm only the 5 is a measure."""
        for index in range(len(self.between) - 1, -1, -1):
            if not self.between[index]:
                yield Chain(self.digits[: index + 1], self.between[:index], self.labelled, measured=False)
                yield Chain(self.digits[index + 1 :], self.between[index + 1 :], labelled=False, measured=True)
                return
        yield self

    @property
    def weight(self) -> int:
        """Return how many digits tell something; those of measures are not counted."""
        return 0 if self.labelled or self.measured else sum(map(_weight, self._numbers()))

    def is_harmless(self) -> bool:
        """Tell whether this can be no date, no time and no identifier of anybody."""
        numbers = self._numbers()
        if not all(self._is_short(one) for one in numbers) or self._holds_date() or self._holds_time():
            return False
        if self.labelled and len(numbers) <= _MOST_LABELLED and all(map(_is_round, numbers)):
            return True
        if not (self.labelled or self.measured) and self._is_day_and_month():
            return False
        most = _MOST_DIGITS_OF_SIDES if TIMES in self.between else _MOST_DIGITS
        extra = 2 if self.measured or (self.labelled and len(numbers) == 1) else 0
        return sum(map(_weight, numbers)) <= most + extra

    def _is_short(self, number: Sequence[str]) -> bool:
        longest = 4 if self.measured or (self.labelled and (_is_round(number) or len(number) > 1)) else 3
        return len(number[0]) <= longest and all(len(decimals) <= 3 for decimals in number[1:])

    def _numbers(self) -> list[Sequence[str]]:
        """Return the numbers as whole part and decimals: 14.03.17 is 14.03 and 17."""
        numbers: list[Sequence[str]] = [self.digits[:1]]
        for between, digits in zip(self.between, self.digits[1:], strict=True):
            if between == "." and len(numbers[-1]) == 1:
                numbers[-1] = (numbers[-1][0], digits)
            else:
                numbers.append((digits,))
        return numbers

    def _holds_date(self) -> bool:
        for index, (first, second) in enumerate(pairwise(self.between)):
            signs = {first, second}
            if TIMES in signs or (len(signs) == 2 and signs - _BETWEEN_DECIMALS == {"."}):
                continue  # 0.9x0.9x1.5, and 5/1.25: a date is written with one sign
            three = self.digits[index : index + 3]
            if _is_date(*three) or (first == "." and len("".join(three)) > 3):
                return True  # of dotted numbers none but a version's is short: 1.2.3
        return False

    def _holds_time(self) -> bool:
        for between, (hours, minutes) in zip(self.between, pairwise(self.digits), strict=True):
            if between == ":" and len(minutes) == 2 and int(hours) in _HOURS and int(minutes) in _MINUTES:
                return True
        return False

    def _is_day_and_month(self) -> bool:
        """Tell whether two numbers could be day and month or month and year: 3/14, 5/2, 05-99, 12.05."""
        if len(self.digits) != 2 or self.between == (TIMES,):
            return False
        (one, other), between = self.digits, self.between[0]
        if between == ".":
            return int(one) in _DAYS and len(other) == 2 and int(other) in _MONTHS
        if between == "/" and len(one) == len(other) == 1:
            return int(one) in _MONTHS and int(other) in _MONTHS
        shortest = 1 if between in {"/", "-"} else 2
        return any(
            len(month) >= shortest and int(month) in _MONTHS and len(rest) == 2
            for month, rest in ((one, other), (other, one))
        )


def _weight(number: Sequence[str]) -> int:
    """Count the digits that tell something: 3 of 007 and of 120, 2 of 0.50."""
    whole, decimals = number[0], "".join(number[1:])
    return len(whole) if not decimals else len((whole.removeprefix("0") + decimals).rstrip("0")) or 1


def _is_round(number: Sequence[str]) -> bool:
    """Tell whether somebody chose a number: 50, 1400, 5625."""
    if len(number) > 1 or (number[0].startswith("0") and number[0] != "0"):
        return False
    steps = (5,) if len(number[0]) < 4 else (10, 25)
    return any(int(number[0]) % step == 0 for step in steps)


def _is_date(one: str, two: str, three: str) -> bool:
    """Tell whether three numbers could be day, month and year, in any of the usual orders."""
    for year, parts in ((three, (one, two)), (one, (two, three))):
        if re.fullmatch(r"\d\d(?:\d\d)?", year) and all(len(part) <= 2 for part in parts):
            first, second = map(int, parts)
            if (first in _DAYS and second in _MONTHS) or (first in _MONTHS and second in _DAYS):
                return True
    return False
