"""Time is kept: all dates of a patient move by the same whole weeks, and no original date stands.

What is asked of the output follows from what it claims in LongitudinalTemporalInformationModified
(0028,0303): UNMODIFIED, MODIFIED or REMOVED (PS3.15 E.2, E.3.6).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from anonymizer.gate.findings import Finding, Flaw, Position, first, firsts, path_text

if TYPE_CHECKING:
    from anonymizer.gate.evidence import Evidence

DUMMIES = ("19000101", "19000108")
"""The dates that stand where a date must stand and none may be told; the second where the source has the first."""

CLAIMS = frozenset({"UNMODIFIED", "MODIFIED", "REMOVED"})

OF_THE_DEVICE = frozenset(
    {
        0x0014407E,  # CalibrationDate
        0x00181200,  # DateOfLastCalibration
        0x00181202,  # DateTimeOfLastCalibration
        0x00181203,  # CalibrationDateTime
        0x00181204,  # DateOfManufacture
        0x00181205,  # DateOfInstallation
        0x0018700C,  # DateOfLastDetectorCalibration
        0x300C0127,  # BeamHoldTransitionDateTime
    }
)
"""Dates that Retain Device Identity Option keeps (PS3.15 Table E.1-1)."""

_FULL = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{0,6}(?:\.\d{1,6})?(?:[+-]\d{4})?)")
_OLD = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})()")  # ACR-NEMA wrote dates with dots
_PARTIAL = re.compile(r"(\d{4}(?:0[1-9]|1[0-2])?)([+-]\d{4})?")


class Dates(NamedTuple):
    """The dates of one instance compared: flaws, how far they moved (in days), and how many there were."""

    flaws: list[Flaw]
    intervals: dict[int, Position]
    total: int

    def joined(self, other: Dates) -> Dates:
        """Return what two parts of an instance show together."""
        intervals = firsts(self.intervals, other.intervals)
        return Dates([*self.flaws, *other.flaws], intervals, self.total + other.total)


def day_of(text: str) -> tuple[date, str] | None:
    """Split a DA or DT value into its day and what follows; None without a full and real date."""
    match = _FULL.fullmatch(text) or _OLD.fullmatch(text)
    if match is None:
        return None
    year, month, day, rest = match.groups()
    try:
        return date(int(year), int(month), int(day)), rest
    except ValueError:
        return None


def compare(
    source: Mapping[Position, tuple[str, ...]],
    output: Mapping[Position, tuple[str, ...]],
    claim: str,
    *,
    today: date,
    retained: frozenset[int] = frozenset(),
) -> Dates:
    """Compare the dates of one instance.

    Parameters
    ----------
    source, output : mapping of position to tuple of str
        DA and DT values.
    claim : str
        What the output says in LongitudinalTemporalInformationModified; anything unknown counts as REMOVED.
    today : date
        No moved date may lie after it.
    retained : frozenset of int
        Tags of dates that may stand whatever the claim is.
    """
    dates = Dates([], {}, 0)
    judged: dict[tuple[str, str], tuple[tuple[str, str] | None, int | None]] = {}  # most dates of an instance are one
    total = 0
    for position, values in output.items():
        before = source.get(position, ())
        for number, value in enumerate(values):
            if not value:
                continue
            total += 1
            old = before[number] if number < len(before) else ""
            if value == old and position[-1] in retained:
                continue
            if value != old and _is_dummy(value):
                continue
            if (old, value) not in judged:
                judged[old, value] = _judged(old, value, claim, today)
            problem, days = judged[old, value]
            if days is not None:
                first(dates.intervals, days, position)
            if problem:
                dates.flaws.append(Flaw(problem[0], position, problem[1]))
    return dates._replace(total=total)


def _judged(old: str, new: str, claim: str, today: date) -> tuple[tuple[str, str] | None, int | None]:
    """Return what is wrong with one date, and by how many days it moved; None where there is neither."""
    problem = _problem(old, new, claim)
    if problem or claim != "MODIFIED":
        return problem, None
    if _is_after(new, today):
        problem = "date-in-future", "a date that moved lies in the future"
    return problem, _days_between(old, new)


def _is_dummy(value: str) -> bool:
    """Tell whether a date, or the day of a date-time, is one of the dummies."""
    return value.startswith(DUMMIES) and (value in DUMMIES or day_of(value) is not None)


def _days_between(old: str, new: str) -> int | None:
    """Return how far a date moved, in days, back below zero; None without two full dates."""
    before, after = day_of(old), day_of(new)
    return (after[0] - before[0]).days if before and after else None


def _problem(old: str, new: str, claim: str) -> tuple[str, str] | None:
    """Return kind and rule of what is wrong with one date; None if nothing is."""
    if claim == "UNMODIFIED":
        # ACR-NEMA's points may go.
        is_same = old == new or (day_of(old) == day_of(new) is not None)
        return None if is_same else ("dates-torn", "the output claims unmodified dates")
    if claim != "MODIFIED":
        return "date-not-moved", "a date stands where the output claims removed dates"
    if not old:
        return "date-not-moved", "the source has no date here"
    before, after = day_of(old), day_of(new)
    if before is None:
        return _problem_of_partial(old, new)
    if after is None:
        return "date-not-moved", "the date became something that cannot be read"
    days = (after[0] - before[0]).days
    if days == 0:
        return "date-not-moved", "a date of the source stands"
    if days > 0 or days % 7:
        return "dates-torn", "a date moved by something else than whole weeks back"
    if before[1] != after[1]:
        return "dates-torn", "precision, time or offset changed with the date"
    return None


def _problem_of_partial(old: str, new: str) -> tuple[str, str] | None:
    """Return kind and rule of what is wrong with a date-time without a day, which a year of weeks always changes."""
    first, second = _PARTIAL.fullmatch(old), _PARTIAL.fullmatch(new)
    if first is None or second is None:
        return "date-not-moved", "a date that cannot be read has to be emptied"
    if first[1] == second[1]:
        return "date-not-moved", "a date of the source stands"
    if len(first[1]) != len(second[1]) or first[2] != second[2] or second[1] > first[1]:
        return "dates-torn", "precision, offset or direction changed with a date that has no day"
    return None


def _is_after(text: str, today: date) -> bool:
    """Tell whether a date lies after today, wherever on earth that is; one without a day by its year and month."""
    there = day_of(text)
    if there is not None:
        return there[0] > today + timedelta(days=1)
    digits = text[:6] if text[:6].isdigit() else text[:4]
    return digits > today.strftime("%Y%m%d")[: len(digits)]


def judge(evidence: Iterable[Evidence]) -> Iterator[Finding]:
    """Yield the instances whose dates moved apart from the other dates of their patient."""
    patients: defaultdict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for item in evidence:
        patients[item.subject].append(item)
    for items in patients.values():
        votes = Counter(days for item in items for days in item.intervals)
        if len(votes) < 2:
            continue
        usual = min(votes, key=lambda days: (-votes[days], days))
        for item in items:
            for days, position in item.intervals.items():
                if days != usual:
                    rule = "dates of one patient moved by two intervals"
                    yield Finding("dates-torn", item.instance, path_text(position), rule)
