"""Still DICOM: what no writer may do, and every reader takes in another way (PS3.5 7.1, PS3.10 7.1)."""

from __future__ import annotations

from itertools import pairwise

from pydicom.dataelem import RawDataElement

from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.memory import Element
from anonymizer.gate.reading import UNDEFINED_LENGTH, Reading

INVALID = "not-dicom"
"""The kind of finding."""

_GROUP_LENGTH = 0x00020000
_START = 132
_SIZE = 12
"""Of the element that says how long the file meta information is behind it."""
_NEEDED = (_GROUP_LENGTH, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012)


def of_file(reading: Reading) -> list[Flaw]:
    """Return what is wrong with the order of an output's elements, and with its file meta information."""
    meta = {tag: element for run in reading.header.runs for tag, element in zip(run.tags, run.elements, strict=True)}
    flaws: list[Flaw] = []
    for tags in ([tag for run in reading.header.runs for tag in run.tags], reading.tags):
        if tags != sorted(tags) or len(set(tags)) < len(tags):
            flaws += [unsorted((after,)) for before, after in pairwise(tags) if before >= after]
    flaws += [Flaw(INVALID, (tag,), "the file meta information lacks this") for tag in _NEEDED if tag not in meta]
    length = meta.get(_GROUP_LENGTH)
    if length is not None and length.value != (reading.header.end - _START - _SIZE).to_bytes(4, "little"):
        flaws.append(Flaw(INVALID, (_GROUP_LENGTH,), "the file meta information has another length than it says"))
    return flaws


def is_odd(element: Element) -> bool:
    """Tell whether a value has odd length."""
    return isinstance(element, RawDataElement) and element.length != UNDEFINED_LENGTH and element.length % 2 == 1


def odd(position: Position) -> Flaw:
    """Return the flaw of a value of odd length."""
    return Flaw(INVALID, position, "a value has odd length")


def unsorted(position: Position) -> Flaw:
    """Return the flaw of an element that stands behind one with a higher tag."""
    return Flaw(INVALID, position, "elements do not stand in the order of their tags")
