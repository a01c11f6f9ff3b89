"""Fragments, frames and offset tables of encapsulated pixel data (PS3.5 A.4; PS3.3 C.7.6.3.1.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from struct import Struct, error
from typing import NamedTuple

from anonymizer.gate import boxes, jpeg, jpeg2000
from anonymizer.gate.segments import CodestreamError

_ITEM = Struct("<HHL")
_STARTS = (jpeg.START, jpeg2000.START, boxes.JP2_START, boxes.JPEG_XL_START, boxes.JPEG_XL_CODESTREAM)


class Fragment(NamedTuple):
    """An item of the pixel data: where it begins, counted as offset tables do, and its bytes."""

    offset: int
    start: int
    end: int


class Fragments:
    """Encapsulated pixel data.

    Parameters
    ----------
    value : bytes or memoryview
        The value of the element, without its delimiter.

    Raises
    ------
    CodestreamError
        If it is not made of items, the first of which is the Basic Offset Table.
    """

    def __init__(self, value: bytes | memoryview) -> None:
        self.value = value
        items = list(_items(value))
        if not items:
            raise CodestreamError
        table, *fragments = items
        self.offsets = _numbers(value[table.start : table.end], 4)
        self.fragments = [Fragment(item.offset - table.end, item.start, item.end) for item in fragments]

    def frames(self, count: int, extended: Sequence[int]) -> list[list[Fragment]]:
        """Return the fragments of each frame.

        Parameters
        ----------
        count : int
            How many frames there are.
        extended : sequence of int
            The Extended Offset Table, or nothing.
        """
        if count == 1:
            return [self.fragments]
        if len(self.fragments) == count:
            return [[fragment] for fragment in self.fragments]
        places = {fragment.offset: place for place, fragment in enumerate(self.fragments)}
        begun = [one.offset for one in self.fragments if self.joined([one])[:12].startswith(_STARTS)]
        for offsets in (self.offsets, extended, begun):
            if len(offsets) == count and offsets[0] == 0 and places.keys() >= set(offsets) and _ascend(offsets):
                begins = [places[offset] for offset in offsets]
                return [self.fragments[a:b] for a, b in zip(begins, [*begins[1:], len(places)], strict=True)]
        raise CodestreamError

    def joined(self, fragments: Iterable[Fragment]) -> bytes:
        """Return the bytes of a frame."""
        return b"".join([self.value[one.start : one.end] for one in fragments])


def numbers_of(value: bytes) -> tuple[int, ...]:
    """Return the values of an element of VR OV, such as the Extended Offset Table."""
    return _numbers(value, 8)


def offset_flaws(
    coded: Fragments, frames: Sequence[Sequence[Fragment]], extended: Sequence[int], lengths: Sequence[int]
) -> Iterator[str]:
    """Yield the rules that the offset tables of an output break; empty tables break none."""
    begins = [frame[0].offset if frame else 0 for frame in frames]
    if coded.offsets and list(coded.offsets) != begins:
        yield "the Basic Offset Table does not point at the frames"
    if not extended and not lengths:
        return
    if coded.offsets:
        yield "there are two offset tables"
    if list(extended) != begins or any(len(frame) != 1 for frame in frames):
        yield "the Extended Offset Table does not point at the frames"
    # A frame of odd length is one byte longer in its fragment.
    sizes = [sum(one.end - one.start for one in frame) for frame in frames]
    odd = [size - told for told, size in zip(lengths, sizes, strict=False)]
    if len(lengths) != len(sizes) or not {0, 1}.issuperset(odd):
        yield "the Extended Offset Table Lengths are not those of the frames"


def _items(value: bytes | memoryview) -> Iterator[Fragment]:
    at = 0
    while at < len(value):
        try:
            group, number, length = _ITEM.unpack_from(value, at)
        except error:
            raise CodestreamError from None
        end = at + _ITEM.size + length
        if (group, number) != (0xFFFE, 0xE000) or end > len(value):
            raise CodestreamError
        yield Fragment(at, at + _ITEM.size, end)
        at = end


def _numbers(value: bytes | memoryview, size: int) -> tuple[int, ...]:
    if len(value) % size:
        raise CodestreamError
    return tuple([int.from_bytes(value[at : at + size], "little") for at in range(0, len(value), size)])


def _ascend(offsets: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(offsets))
