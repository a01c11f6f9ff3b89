"""What pydicom has read of a series: the same octets are the same element again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

Element = RawDataElement | DataElement

_LONGEST = 1 << 13
"""Elements above this size are not remembered."""
_MOST_SIZES = 8
"""How many lengths of one sequence are tried."""
_ENTRY = 500
"""About what Python needs for a remembered element besides its octets."""
_HAVE_LONG_LENGTHS = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_32)


@dataclass(slots=True, eq=False)
class Known:
    """An element that pydicom has read.

    Parameters
    ----------
    tag : int
        Its tag; a BaseTag compares in Python code, an int does not.
    element : Element
        Where it stands in the file (``value_tell``) is right in the file that it was read from only.
    notes : dict
        What others noted of it, each under a key of its own.
    """

    tag: int
    element: Element
    notes: dict[object, Any]

    @classmethod
    def of(cls, element: Element) -> Known:
        """Make one of an element that was just read."""
        return cls(int(element.tag), element, {})


class Memory:
    """What was read before. Bounded, and it holds identifying values: it lives as long as a study is looked at.

    Parameters
    ----------
    most : int
        About how many octets may be remembered; beyond that all is forgotten.
    """

    def __init__(self, most: int = 1 << 25) -> None:
        self._most = most
        self._used = 0
        self._pages: dict[tuple[bool, bool], Page] = {}

    def page(self, *, implicit: bool, little: bool) -> Page:
        """Return what was read in data sets of an encoding."""
        return self._pages.setdefault((implicit, little), Page(self, implicit=implicit))

    def take(self, octets: int) -> None:
        """Count what is being remembered, and forget everything when it is too much."""
        self._used += octets + _ENTRY
        if self._used > self._most:
            self._pages.clear()  # who reads by a forgotten page goes on with it; it is gone when he is done
            self._used = 0


class Page:
    """The elements that were read in one encoding.

    An element is a function of its octets and the encoding of the data set, so octets that pydicom read as one whole
    element are that element wherever they stand. How many there are tells the header, or where the length is
    undefined, those of elements with the same header.
    """

    def __init__(self, memory: Memory, *, implicit: bool) -> None:
        self._memory = memory
        self._implicit = implicit
        self._sizes: dict[bytes, tuple[int, ...]] = {}
        self._known: dict[bytes, Known] = {}

    def at(self, body: bytes, at: int) -> tuple[int, Known | None]:
        """Return how long the element is that stands at a place, and the element; None if it is new."""
        # The length is in the first eight octets, or behind them (PS3.5 7.1.2).
        for size in self._sizes.get(body[at : at + 8]) or self._sizes.get(body[at : at + 12], ()):
            found = self._known.get(body[at : at + size])
            if found is not None and at + size <= len(body):
                return size, found
        return 0, None

    def keep(self, body: bytes, at: int, size: int, known: Known) -> None:
        """Remember the element that stands at a place, unless it is long, or the last: that may have been cut."""
        if size > _LONGEST or at + size >= len(body):
            return
        has_short_header = self._implicit or body[at + 4 : at + 6] not in _HAVE_LONG_LENGTHS
        head = body[at : at + (8 if has_short_header else 12)]
        others = self._sizes.get(head, ())
        if size not in others:
            if len(others) >= _MOST_SIZES:
                return
            self._sizes[head] = (*others, size)
        self._known[body[at : at + size]] = known
        self._memory.take(2 * size)
