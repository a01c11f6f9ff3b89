"""What pydicom has read of a series: the same octets are the same elements again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

Element = RawDataElement | DataElement

_LONGEST = 1 << 13
"""Elements above this size are not remembered."""
_MOST_SIZES = 8
"""How many lengths of one sequence are tried."""
_MOST_RUNS = 32
"""How many runs that begin alike are tried: about as many as a study has series."""
_OFTEN = 4
"""How often elements have to be met again before they are joined: a value of one instance is in its output, too."""
_ENTRY = 500
"""About what Python needs for a remembered element besides its octets."""
_HAVE_LONG_LENGTHS = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_32)


@dataclass(slots=True, eq=False)
class Run:
    """Elements in a row that pydicom has read: a single one, or several that stood so before.

    From instance to instance of a series only some twenty elements change. What stands between two of them is one
    run, which is recognised, and looked at, as a whole.

    Parameters
    ----------
    tags : tuple of int
        Their tags; a BaseTag compares in Python code, an int does not.
    elements : tuple of Element
        Where they stand in the file (``value_tell``) is right in the file that they were read from only.
    notes : dict
        What others noted of them, each under a key of its own.
    met : int
        How often they were met again.
    joined_of : tuple of Run
        The runs that it was joined of; none of a single element.
    """

    tags: tuple[int, ...]
    elements: tuple[Element, ...]
    notes: dict[object, Any] = field(default_factory=dict)
    met: int = 0
    joined_of: tuple[Run, ...] = ()

    @classmethod
    def of(cls, element: Element) -> Run:
        """Make one of an element that was just read."""
        return cls((int(element.tag),), (element,))

    @classmethod
    def joined(cls, runs: Sequence[Run]) -> Run:
        """Make one of several usual ones that stand in a row."""
        tags = tuple([tag for run in runs for tag in run.tags])
        elements = tuple([element for run in runs for element in run.elements])
        return cls(tags, elements, met=_OFTEN, joined_of=tuple(runs))

    @property
    def is_usual(self) -> bool:
        """Tell whether they were met so often that they may be met again."""
        return self.met >= _OFTEN


class Memory:
    """What was read before. Bounded, and it holds identifying values: it lives as long as a study is looked at.

    Parameters
    ----------
    most : int
        About how many octets may be remembered; beyond that all is forgotten.

    Attributes
    ----------
    notes : dict
        What others noted of several runs together, each under a key of its own.
    """

    def __init__(self, most: int = 1 << 25) -> None:
        self._most = most
        self._used = 0
        self._pages: dict[tuple[bool, bool, bool], Page] = {}
        self.notes: dict[object, Any] = {}

    def page(self, *, implicit: bool, little: bool, is_meta: bool = False) -> Page:
        """Return what was read in data sets of an encoding, or in file meta information."""
        key = implicit, little, is_meta
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = Page(self, implicit=implicit)
        return page

    def take(self, octets: int, elements: int = 1) -> None:
        """Count what is being remembered, and forget everything when it is too much."""
        self._used += octets + _ENTRY * elements
        if self._used > self._most:
            self._pages.clear()  # who reads by a forgotten page goes on with it; it is gone when he is done
            self.notes.clear()
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
        self._known: dict[bytes, Run] = {}
        self._runs: dict[bytes, list[tuple[bytes, Run]]] = {}

    def at(self, body: bytes, at: int) -> tuple[int, Run | None]:
        """Return how many octets those elements have that stand at a place, and the elements; None if one is new."""
        head = body[at : at + 8]
        for octets, run in self._runs.get(head, ()):
            if body.startswith(octets, at):
                run.met += 1
                return len(octets), run
        # The length is in the first eight octets, or behind them (PS3.5 7.1.2).
        for size in self._sizes.get(head) or self._sizes.get(body[at : at + 12], ()):
            found = self._known.get(body[at : at + size])
            if found is not None and at + size <= len(body):
                found.met += 1
                return size, found
        return 0, None

    def keep(self, body: bytes, at: int, size: int, one: Run) -> None:
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
        self._known[body[at : at + size]] = one
        self._memory.take(2 * size)

    def join(self, body: bytes, start: int, end: int, row: Sequence[Run]) -> None:
        """Remember as one run what stands in a row from one place to another."""
        others = self._runs.get(body[start : start + 8], [])
        if len(row) < 2 or len(others) >= _MOST_RUNS:
            return
        run = Run.joined(row)
        # The longest is tried first.
        longest = sorted([*others, (body[start:end], run)], key=lambda one: -len(one[0]))
        self._runs[body[start : start + 8]] = longest
        self._memory.take(end - start, len(run.tags))
