"""An Orthanc's answers, read: whoever gives another form than Orthanc does is not one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from flows.orthanc.records import StudyAtSite
from flows.orthanc.wire import Answer, Wire

__all__ = ["number", "parsed", "rows", "study"]

_T = TypeVar("_T")
_MANY = 1 << 53


def parsed(wire: Wire, what: str, answer: Answer, parse: Callable[[Any], _T]) -> _T:
    """Read an answer.

    Raises
    ------
    TerminalError
        It has another form than Orthanc's.
    """
    try:
        return parse(answer.json())
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise wire.nonsense(what)


def rows(said: Any) -> list[Any]:
    """Return a list; an empty object would otherwise pass for an empty list, and a hospital for an empty one.

    Raises
    ------
    TypeError
        It is none.
    """
    if not isinstance(said, list):
        raise TypeError
    return said


def number(said: Any) -> int:
    """Return how many there are, or how many octets.

    Raises
    ------
    ValueError
        It is none, or none that can be.
    """
    found = int(str(said))
    if not 0 <= found < _MANY:
        raise ValueError
    return found


def study(row: Any) -> StudyAtSite:
    """Return what Orthanc says of a study."""
    tags = row["MainDicomTags"]
    return StudyAtSite(
        orthanc_id=row["ID"],
        study_instance_uid=tags.get("StudyInstanceUID", ""),
        last_update=row.get("LastUpdate", ""),
        stable=row.get("IsStable", False),
        series=tuple(sorted(row["Series"])),
        study_date=_day(tags.get("StudyDate", "")),
        description=tags.get("StudyDescription", ""),
        patient_id=row.get("PatientMainDicomTags", {}).get("PatientID", "").strip(),
    )


def _day(text: str) -> str:
    """Return a date in eight digits, also of the form with periods (PS3.5 6.2); "" for what is none."""
    digits = text.strip().replace(".", "")
    return digits if re.fullmatch(r"\d{8}", digits, re.ASCII) else ""
