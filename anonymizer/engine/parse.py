"""Reading a data set out of bytes, strictly: what does not add up is held (PS3.5 7).

The engine reads bytes itself: it wants every value as the bytes that stand in the file, and an error where a
forgiving reader would go on with less. The gate reads the same bytes with pydicom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from struct import Struct
from typing import TypeAlias

from pydicom.datadict import dictionary_VR

from anonymizer.engine.outcome import HoldError

Buffer: TypeAlias = bytes | mmap
"""A file in memory, or mapped into it."""

_SHORT = frozenset(
    (
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    )
)
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
VRS = {vr.encode(): vr for vr in _SHORT | _LONG}
HAS_LONG_LENGTH = _LONG

UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
# Behind the picture stands nothing that stays: padding, signatures, private groups (PS3.5 7.1, PS3.15 E.1-1).
_PICTURE = 0x7FE00000
# Deeper than any object of the standard, and far less deep than Python's own stack: how deep the caller stands is not
# to decide what becomes of an instance.
_DEEPEST = 150
# Of one data set, which has five thousand attributes in the whole standard, and of an instance with all its items: two
# hundred for each of ten thousand frames. Each costs hundreds of bytes, and a few bytes of a file can say it.
MOST_ELEMENTS = 1 << 14
MOST_IN_ALL = 1 << 21


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a data set is encoded."""

    explicit: bool
    little_endian: bool


IMPLICIT_LITTLE = Syntax(explicit=False, little_endian=True)
EXPLICIT_LITTLE = Syntax(explicit=True, little_endian=True)
EXPLICIT_BIG = Syntax(explicit=True, little_endian=False)


@dataclass(slots=True)
class Element:
    """One element: where its value stands in the bytes, and its items if it is a sequence.

    Attributes
    ----------
    vr : str
        As the file has it; by the dictionary in implicit VR, "UN" where that does not know.
    start, stop : int
        The value; of fragments, up to and with the delimiter that ends them.
    items : list of list of Element, or None
        None for what is no sequence.
    fragments : bool
        Whether the value is encapsulated pixel data.
    """

    tag: int
    vr: str
    start: int
    stop: int
    items: list[list[Element]] | None = None
    fragments: bool = False


_STRUCTS = {
    True: (Struct("<HH"), Struct("<H"), Struct("<L")),
    False: (Struct(">HH"), Struct(">H"), Struct(">L")),
}


def parse(data: Buffer, start: int, stop: int, syntax: Syntax, depth: int = 0) -> list[Element]:
    """Return the elements of a data set, in the order of the file.

    Parameters
    ----------
    depth : int
        How many sequences the data set stands in.

    Raises
    ------
    HoldError
        When a length leads out of the data, a VR is none, an element stands twice, items nest too deep or there are
        more elements than any object has.
    """
    return _Parser(data).elements(start, stop, syntax, depth)[0]


def parse_items(data: Buffer, element: Element, syntax: Syntax, depth: int) -> list[list[Element]]:
    """Return the items of a sequence that was not looked into: of a private one, which the file may call UN."""
    return _Parser(data).items(element, syntax, depth)


@lru_cache(maxsize=1 << 14)
def by_dictionary(tag: int) -> str:
    """Return the VR that the standard gives an attribute, "UN" for one that it does not know."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


class _Parser:
    def __init__(self, data: Buffer) -> None:
        self._data = data
        self._left = MOST_IN_ALL

    def items(self, element: Element, syntax: Syntax, depth: int) -> list[list[Element]]:
        inside = self._inside(element.tag, element.vr, syntax)
        return [item for item, _ in self._items(element.tag, element.start, element.stop, inside, depth)]

    def elements(
        self, start: int, stop: int, syntax: Syntax, depth: int, *, delimited: bool = False
    ) -> tuple[list[Element], int]:
        """Return the elements from `start` up to `stop`, or of an item up to its delimiter, and where they end."""
        if depth > _DEEPEST:
            raise HoldError("too-deep", f"items nest deeper than {_DEEPEST} levels")
        found: list[Element] = []
        tags: set[int] = set()
        at = start
        while at + 8 <= stop:
            if not depth and self._is_trailing(found, at, syntax):
                return found, stop
            tag, vr, length, value = self._header(at, stop, syntax)
            if tag == _ITEM_END and (delimited or (depth and value == stop)):
                return found, value
            if tag in tags:
                raise HoldError("element-twice", "stands twice in one data set", tag=tag, vr=vr)
            tags.add(tag)
            self._count(len(tags))
            element = self._element(tag, vr, length, value, stop, syntax, depth)
            found.append(element)
            at = element.stop
        if delimited:
            raise HoldError("truncated", "an item of undefined length never ends")
        if at != stop and depth:
            raise HoldError("length-wrong", "an item is longer than its elements")
        if at != stop and not self._is_trailing(found, at, syntax):
            raise HoldError("truncated", "the file ends inside an element")
        return found, stop

    def _count(self, here: int = 0) -> None:
        """Count one more element or item."""
        self._left -= 1
        if self._left < 0 or here > MOST_ELEMENTS:
            raise HoldError("too-many-elements", "has more elements than any object")

    def _is_trailing(self, found: list[Element], at: int, syntax: Syntax) -> bool:
        """Tell whether bytes behind the picture are no element; they are dropped."""
        if not found or found[-1].tag < _PICTURE:
            return False
        rest = self._data[at : at + 8]
        if len(rest) < 8 or not any(rest):
            return True
        return syntax.explicit and rest[4:6] not in VRS and rest[:2] not in {b"\xfe\xff", b"\xff\xfe"}

    def _header(self, at: int, stop: int, syntax: Syntax) -> tuple[int, str, int, int]:
        """Return tag, VR, length and the place of the value."""
        tag_of, short_of, long_of = _STRUCTS[syntax.little_endian]
        group, number = tag_of.unpack_from(self._data, at)
        tag = group << 16 | number
        if group == 0xFFFE or not syntax.explicit:
            vr = "" if group == 0xFFFE else by_dictionary(tag)
            return tag, vr, long_of.unpack_from(self._data, at + 4)[0], at + 8
        vr = VRS.get(self._data[at + 4 : at + 6], "")
        if not vr:
            raise HoldError("invalid-vr", "two letters that are no VR, or bytes that are no element", tag=tag)
        if vr in _SHORT:
            return tag, vr, short_of.unpack_from(self._data, at + 6)[0], at + 8
        if at + 12 > stop:
            raise HoldError("truncated", "the file ends inside an element", tag=tag, vr=vr)
        return tag, vr, long_of.unpack_from(self._data, at + 8)[0], at + 12

    def _element(self, tag: int, vr: str, length: int, start: int, stop: int, syntax: Syntax, depth: int) -> Element:
        if tag >> 16 == 0xFFFE:
            raise HoldError("delimiter-misplaced", "an item or its end where an element should be", tag=tag)
        if length == UNDEFINED:
            return self._undefined(tag, vr, start, stop, syntax, depth)
        end = start + length
        if end > stop:
            raise HoldError("truncated", "the value is shorter than its length says", tag=tag, vr=vr)
        # A private value is never looked into: it goes as a whole.
        known = by_dictionary(tag) if vr == "UN" and not tag >> 16 & 1 else vr
        if known != "SQ" or tag >> 16 & 1:
            return Element(tag, vr, start, end)
        inner = self._inside(tag, vr, syntax)
        items = [item for item, _ in self._items(tag, start, end, inner, depth)]
        return Element(tag, "SQ", start, end, items)

    def _undefined(self, tag: int, vr: str, start: int, stop: int, syntax: Syntax, depth: int) -> Element:
        if tag == _PIXEL_DATA and vr != "SQ":
            return Element(tag, vr, start, self._fragments(start, stop), fragments=True)
        if vr not in {"SQ", "UN"}:
            raise HoldError("length-wrong", "only a sequence may have an undefined length", tag=tag, vr=vr)
        items, end = [], start
        for item, item_end in self._items(tag, start, stop, self._inside(tag, vr, syntax), depth, delimited=True):
            items.append(item)
            end = item_end
        return Element(tag, "SQ", start, end + 8, items)

    @staticmethod
    def _inside(tag: int, vr: str, syntax: Syntax) -> Syntax:
        """Return the syntax of the items of a sequence: of one in UN it is implicit VR (PS3.5 6.2.2, Note)."""
        if vr != "UN" or not syntax.explicit:
            return syntax
        if not syntax.little_endian:
            raise HoldError("byte-order-mixed", "little endian items in a big endian data set", tag=tag, vr=vr)
        return IMPLICIT_LITTLE

    def _items(
        self, tag: int, start: int, stop: int, syntax: Syntax, depth: int, *, delimited: bool = False
    ) -> Iterator[tuple[list[Element], int]]:
        tag_of, _, long_of = _STRUCTS[syntax.little_endian]
        at = start
        while at + 8 <= stop:
            group, number = tag_of.unpack_from(self._data, at)
            (length,) = long_of.unpack_from(self._data, at + 4)
            found = group << 16 | number
            if found == _SEQUENCE_END and delimited:
                return
            if found != _ITEM:
                raise HoldError("item-missing", "something that is no item stands in a sequence", tag=tag, vr="SQ")
            at += 8
            self._count()
            if length == UNDEFINED:
                item, end = self.elements(at, stop, syntax, depth + 1, delimited=True)
            else:
                end = at + length
                if end > stop:
                    raise HoldError("truncated", "an item is longer than its sequence", tag=tag, vr="SQ")
                item, _ = self.elements(at, end, syntax, depth + 1)
            at = end
            yield item, at
        if delimited or at != stop:
            raise HoldError("truncated", "a sequence never ends", tag=tag, vr="SQ")

    def _fragments(self, start: int, stop: int) -> int:
        """Return where encapsulated pixel data ends, its delimiter included (PS3.5 A.4)."""
        tag_of, _, long_of = _STRUCTS[True]
        at = start
        while at + 8 <= stop:
            group, number = tag_of.unpack_from(self._data, at)
            (length,) = long_of.unpack_from(self._data, at + 4)
            found = group << 16 | number
            at += 8
            if found == _SEQUENCE_END:
                return at
            if found != _ITEM or length == UNDEFINED:
                break
            at += length
        raise HoldError("truncated", "encapsulated pixel data never ends", tag=_PIXEL_DATA, vr="OB")
