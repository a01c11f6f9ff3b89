"""Encapsulated pixel data: items, the frames that they make, and the tables of where each begins (PS3.5 A.4).

A frame that needs no change stays as it is, fragment by fragment; one that does is written as one fragment. A table
that does not point at frames could hold anything, so tables are made from the frames; a right one comes out as it
was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from struct import Struct, pack

from anonymizer.engine import codestreams
from anonymizer.engine.codestreams import Picture
from anonymizer.engine.outcome import HoldError, Part

_PIXEL_DATA = 0x7FE00010
# Encapsulated pixel data is little endian always.
_HEADER = Struct("<LL")
_ITEM, _DELIMITER = 0xE000FFFE, 0xE0DDFFFE
_END = _HEADER.pack(_DELIMITER, 0)
_LONGEST = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Encapsulated pixel data, to be written.

    Attributes
    ----------
    parts : list of bytes-like
        What stands behind the element's header: Basic Offset Table, fragments, delimiter.
    extended_offsets, extended_lengths : bytes or None
        Extended Offset Table (7FE0,0001) and its Lengths (7FE0,0002); None where there are to be none.
    """

    parts: list[Part]
    extended_offsets: bytes | None
    extended_lengths: bytes | None


def clean(
    data: bytes | memoryview,
    start: int,
    stop: int,
    transfer_syntax: str,
    frames: int,
    extended_offsets: bytes,
    extended_lengths: bytes,
    picture: Picture | None = None,
) -> Encapsulated:
    """Return encapsulated pixel data in which nothing stands but frames.

    Parameters
    ----------
    data : bytes-like
        The file; an ``mmap`` too.
    start, stop : int
        From the item of the Basic Offset Table up to and with the delimiter.
    transfer_syntax : str
        That of the file.
    frames : int
        Number of Frames (0028,0008).
    extended_offsets, extended_lengths : bytes
        Values of (7FE0,0001) and (7FE0,0002), empty where they are not there.
    picture : Picture, optional
        The shape of a frame: some formats say nowhere else where their data ends.

    Raises
    ------
    HoldError
        When a codestream cannot be read or is not treated, or nobody can tell which fragments make a frame.
    """
    fragments = _Fragments(memoryview(data), start, stop, transfer_syntax)
    is_extended = bool(extended_offsets and extended_lengths)
    begins = fragments.begins(max(frames, 1), _numbers(extended_offsets, "Q"))
    written = _Written(fragments.view, start, fragments.first)
    for begin, end in pairwise([*begins, len(fragments.places)]):
        places = fragments.places[begin:end]
        stream = fragments.joined(places)
        parts = codestreams.clean(stream, transfer_syntax, picture)
        if parts is None and ((is_extended and len(places) > 1) or any((to - at) % 2 for at, to in places)):
            parts = [stream]
        if parts is None:
            written.keep(places)
        else:
            written.add(parts)
    is_basic = bool(fragments.basic) and not is_extended and written.offsets[-1] <= _LONGEST
    basic = pack(f"<{len(begins)}L", *written.offsets) if is_basic else b""
    parts = written.parts(_HEADER.pack(_ITEM, len(basic)) + basic, stop)
    if not is_extended:
        return Encapsulated(parts, None, None)
    lengths = written.lengths
    before = _numbers(extended_lengths, "Q")
    if not written.is_changed and len(before) == len(lengths):
        # Some writers count the zero that makes a length even, and some do not: no reader minds.
        lengths = [old if old + old % 2 == new else new for old, new in zip(before, lengths, strict=True)]
    return Encapsulated(parts, pack(f"<{len(begins)}Q", *written.offsets), pack(f"<{len(begins)}Q", *lengths))


class _Fragments:
    """Encapsulated pixel data as it came: where its fragments are, and which of them begin a frame."""

    def __init__(self, view: memoryview, start: int, stop: int, transfer_syntax: str) -> None:
        self.view = view
        self._transfer_syntax = transfer_syntax
        items: list[tuple[int, int]] = []
        at = start
        while at + 8 <= stop:
            tag, length = _HEADER.unpack_from(view, at)
            at += 8
            if tag != _ITEM or at + length > stop:
                break
            items.append((at, at + length))
            at += length
        if len(items) < 2:
            raise HoldError("item-missing", "has no Basic Offset Table or no fragment", tag=_PIXEL_DATA, vr="OB")
        if at != stop or tag != _DELIMITER:
            raise HoldError("truncated", "encapsulated pixel data never ends", tag=_PIXEL_DATA, vr="OB")
        self.first = items[0][1]
        self.basic = view[slice(*items[0])]
        self.places = items[1:]

    def joined(self, places: Sequence[tuple[int, int]]) -> memoryview:
        """Return fragments as one codestream; only those of several are copied."""
        views = [self.view[at:to] for at, to in places]
        return views[0] if len(views) == 1 else memoryview(b"".join(views))

    def begins(self, frames: int, extended: Sequence[int]) -> Sequence[int]:
        """Return by their numbers the fragments with which a frame begins.

        A table is believed that points at fragments, at as many as there are frames; two of them if they agree.
        """
        offsets = {at - 8 - self.first: number for number, (at, _) in enumerate(self.places)}
        told = {
            tuple(offsets[offset] for offset in table)
            for table in (_numbers(self.basic, "L"), extended)
            if len(table) == frames
            and table[0] == 0
            and all(offset in offsets for offset in table)
            and all(one < other for one, other in pairwise(table))
        }
        if len(told) == 1:
            return told.pop()
        if len(self.places) == frames and not told:
            return range(frames)
        marked = [number for number, place in enumerate(self.places) if self._is_begin(place)]
        if frames == 1 and not told and marked in ([], [0]):
            return [0]
        if len(marked) == frames and marked[0] == 0 and not told:
            return marked
        raise HoldError("frames-unknown", "nobody can tell which fragments make a frame", tag=_PIXEL_DATA, vr="OB")

    def _is_begin(self, place: tuple[int, int]) -> bool:
        return codestreams.begins(self.view[slice(*place)], self._transfer_syntax)


class _Written:
    """Items to be written: runs of the source's own, and new ones."""

    def __init__(self, view: memoryview, start: int, first: int) -> None:
        self.is_changed = False
        self.offsets: list[int] = []
        self.lengths: list[int] = []
        self._view = view
        self._start = start
        self._first = first
        self._parts: list[Part] = []
        self._kept = self._end = first
        self._size = 0

    def keep(self, places: Sequence[tuple[int, int]]) -> None:
        """Add a frame as it stands."""
        start, stop = places[0][0] - 8, places[-1][1]
        if start != self._end:
            self._flush(start)
        self._end = stop
        self._frame(stop - start, stop - start - 8 * len(places))

    def add(self, parts: Sequence[Part]) -> None:
        """Add a frame as one new fragment."""
        self._flush(self._end)
        self.is_changed = True
        size = sum(map(len, parts))
        length = size + size % 2
        if length > _LONGEST:
            raise HoldError("too-large", "a frame is larger than a fragment can be", tag=_PIXEL_DATA, vr="OB")
        self._parts += [_HEADER.pack(_ITEM, length), *parts]
        if size % 2:
            self._parts.append(b"\0")
        self._frame(length + 8, length)

    def _frame(self, size: int, length: int) -> None:
        self.offsets.append(self._size)
        self.lengths.append(length)
        self._size += size

    def _flush(self, start: int) -> None:
        if self._kept < self._end:
            self._parts.append(self._view[self._kept : self._end])
        self._kept = self._end = start

    def parts(self, basic: bytes, stop: int) -> list[Part]:
        """Return all, behind a Basic Offset Table; the source as it is where nothing has changed.

        Parameters
        ----------
        basic : bytes
            The table, its item's header too.
        stop : int
            Where the source ends.
        """
        source = self._view[self._start : stop]
        if not self.is_changed and basic == source[: self._first - self._start] and source[-8:] == _END:
            return [source]
        self._flush(stop)
        return [basic, *self._parts, _END]


def _numbers(table: bytes | memoryview, code: str) -> Sequence[int]:
    """Return the numbers of a table, none of one that is no table."""
    size = 4 if code == "L" else 8
    return () if len(table) % size else Struct(f"<{len(table) // size}{code}").unpack(table)
