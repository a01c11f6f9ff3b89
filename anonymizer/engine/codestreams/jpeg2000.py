"""JPEG 2000 and HTJ2K: comments and lengths of packets go from every header, boxes go whole.

ISO 15444-1 A, 15444-2 A, 15444-15 A.
Headers are walked from marker to marker; the packets of a tile-part are searched for markers and never decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct, pack

from anonymizer.engine.codestreams import boxes
from anonymizer.engine.codestreams.splice import Edit, not_treated, spliced, unreadable
from anonymizer.engine.outcome import Part

START = b"\xff\x4f\xff\x51"
_START = re.compile(re.escape(START))
# Packets hold no two bytes above FF8F but the markers of a packet's start and header's end; behind the first stand
# two bytes that count (ISO 15444-1 A.8).
_MARKER = re.compile(rb"\xff[\x90\x93-\xff](?<!\xff\x91\x00\x04..)", re.DOTALL)
_TILE_PART = Struct(">HHHLBB")

_CAP, _SIZ, _TLM, _COM = 0xFF50, 0xFF51, 0xFF55, 0xFF64
# Lengths of packets only help to skip some (ISO 15444-1 A.7.2, A.7.3), and only a decoder could tell them from letters.
_PLM, _PLT = 0xFF57, 0xFF58
_SOT, _SOD, _EOC = 0xFF90, 0xFF93, 0xFFD9


def clean(codestream: memoryview) -> list[Part] | None:
    """Return a JPEG 2000 codestream without comments, lengths of packets and a file format (PS3.5 8.2.4)."""
    if codestream[:12] == boxes.JP2_SIGNATURE:
        begin, limit = boxes.codestream_of_jp2(codestream)
    else:
        found = _START.search(codestream)
        if found is None:
            raise unreadable("never begins")
        begin, limit = found.start(), len(codestream)
    stream = codestream[:limit]
    if stream[begin : begin + len(START)] != START:
        raise unreadable("never begins")
    edits: list[Edit] = [(0, begin, b"")] if begin else []
    try:
        stop = _Headers(stream, begin, edits).walk()
    except (IndexError, ValueError):
        raise unreadable("ends too soon") from None
    return spliced(codestream, sorted(edits), stop)


class _Headers:
    """The main header and those of all tile-parts."""

    def __init__(self, stream: memoryview, begin: int, edits: list[Edit]) -> None:
        self._stream = stream
        self._begin = begin
        self._edits = edits
        self._lengths: list[tuple[int, int, int]] = []  # of tile-parts: which tile, before and after
        self._tables: list[tuple[int, int, int]] = []  # index, start and end of a table of those lengths
        self._components = 0

    def walk(self) -> int:
        """Add the edits that clean the codestream, and return where it ends."""
        at, _ = self._segments(self._begin + 2, _SOT, _MAIN)
        while (code := self._number(at)) == _SOT:
            at = self._tile_part(at)
        if code != _EOC or not self._lengths:
            raise unreadable("ends too soon")
        self._correct_tables()
        return at + 2

    def _number(self, at: int) -> int:
        return self._stream[at] << 8 | self._stream[at + 1]

    def _segments(self, at: int, last: int, known: dict[int, Callable[[bytes, int], bool]]) -> tuple[int, int]:
        """Walk from segment to segment up to a marker; return where that is, and how many bytes go on the way."""
        cut = 0
        seen: set[bytes] = set()
        while (code := self._number(at)) != last:
            end = at + 2 + self._number(at + 2)
            if end < at + 4 or end > len(self._stream):
                raise unreadable("ends inside a segment")
            if code == _COM or (code in {_PLM, _PLT} and code in known):
                self._edits.append((at, end, b""))
                cut += end - at
            elif code not in known:
                raise not_treated("has a segment that is not treated")
            else:
                body = bytes(self._stream[at + 4 : end])
                if code == _SIZ:
                    self._components = int.from_bytes(body[34:36], "big")
                elif code == _TLM:
                    self._tables.append((body[0], at + 4, end))
                if not known[code](body, self._components) or (key := self._key(code, body)) in seen:
                    raise unreadable("has a segment that holds something else than it should")
                seen.add(key)
            at = end
        return at, cut

    def _key(self, code: int, body: bytes) -> bytes:
        """Return what tells a segment from all others of its header, so that none is there twice (ISO 15444-1 A)."""
        size = _index(self._components) if code in _OF_ONE else _NUMBERED.get(code, 0)
        if code in _OF_ONE and int.from_bytes(body[:size], "big") >= self._components:
            raise unreadable("has a segment for a component that it has not")
        return code.to_bytes(2, "big") + body[:size]

    def _tile_part(self, start: int) -> int:
        """Walk one tile-part and return where it ends (ISO 15444-1 A.4.2)."""
        if start + 12 > len(self._stream):
            raise unreadable("ends too soon")
        length: int
        _, size, tile, length, _, _ = _TILE_PART.unpack_from(self._stream, start)
        if size != 10:
            raise unreadable("has a segment that holds something else than it should")
        data, cut = self._segments(start + 12, _SOD, _TILE)
        marker = _MARKER.search(self._stream, data + 2, start + length if length else len(self._stream))
        if length == 0:  # the last one reaches up to the end
            if marker is None or self._number(marker.start()) != _EOC:
                raise unreadable("ends too soon")
            self._lengths.append((tile, marker.start() - start, marker.start() - start - cut))
            return marker.start()
        if marker or start + length > len(self._stream) or start + length < data + 2:
            raise unreadable("has tile-parts of another length than it says")
        if cut:
            self._edits.append((start + 6, start + 10, pack(">L", length - cut)))
        self._lengths.append((tile, length, length - cut))
        return start + length

    def _correct_tables(self) -> None:
        """Write the new lengths of tile-parts into the tables of them (ISO 15444-1 A.7.1)."""
        number = 0
        for place, (index, start, end) in enumerate(sorted(self._tables)):
            kind = self._stream[start + 1]
            named, size = kind >> 4 & 3, 4 if kind & 0x40 else 2
            for at in range(start + 2, end, named + size):
                tile, before, after = self._lengths[number]
                told = (tile.to_bytes(2, "big")[2 - named :] if named else b"") + before.to_bytes(size, "big")
                if self._stream[at : at + named + size] != told or index != place:
                    raise unreadable("has tile-parts of another length than it says")
                if before != after:
                    self._edits.append((at + named, at + named + size, after.to_bytes(size, "big")))
                number += 1
        if self._tables and number < len(self._lengths):
            raise unreadable("has tile-parts of another length than it says")


# What a segment has to be, so that nothing else finds room in it; `parts` is the number of components.


def _is_size(body: bytes, parts: int) -> bool:
    return parts > 0 and len(body) == 36 + 3 * parts


def _are_capabilities(body: bytes, _: int) -> bool:
    return len(body) == 4 + 2 * int.from_bytes(body[:4], "big").bit_count()


def _is_coding(body: bytes, _: int) -> bool:
    return len(body) >= 10 and len(body) == 10 + (1 + body[5] if body[0] & 1 else 0)


def _is_coding_of_one(body: bytes, parts: int) -> bool:
    at = _index(parts)
    return len(body) >= at + 6 and len(body) == at + 6 + (1 + body[at + 1] if body[at] & 1 else 0)


def _is_quantization(body: bytes, _: int) -> bool:
    # One step a subband, at most 97 of them, in one byte or two; or one for all.
    kind, steps = body[0] & 31, len(body) - 1
    return (kind == 0 and steps <= 97) or (kind == 1 and steps == 2) or (kind == 2 and steps <= 194 and steps % 2 == 0)


def _is_quantization_of_one(body: bytes, parts: int) -> bool:
    return len(body) > _index(parts) and _is_quantization(body[_index(parts) :], parts)


def _is_region(body: bytes, parts: int) -> bool:
    return len(body) == _index(parts) + 2


def _is_progression(body: bytes, parts: int) -> bool:
    return len(body) > 0 and len(body) % (5 + 2 * _index(parts)) == 0


def _are_lengths(body: bytes, _: int) -> bool:
    if len(body) < 4 or body[1] & 0x8F or body[1] >> 4 & 3 == 3:
        return False
    return (len(body) - 2) % ((body[1] >> 4 & 3) + (4 if body[1] & 0x40 else 2)) == 0


def _are_places(body: bytes, parts: int) -> bool:
    return len(body) == 4 * parts


def _is_profile(body: bytes, _: int) -> bool:
    return len(body) in {2, 4, 6, 8}


def _is_any(body: bytes, _: int) -> bool:
    return len(body) > 0


def _index(parts: int) -> int:
    """Return how many bytes name a component."""
    return 1 if parts < 257 else 2


# Segments that are for one component, and those with a number of their own in so many bytes.
_OF_ONE = frozenset({0xFF53, 0xFF5D, 0xFF5E})
_NUMBERED = {_TLM: 1, 0xFF60: 1, 0xFF61: 1, 0xFF74: 4, 0xFF75: 3}
_BOTH: dict[int, Callable[[bytes, int], bool]] = {
    0xFF52: _is_coding,
    0xFF53: _is_coding_of_one,
    0xFF5C: _is_quantization,
    0xFF5D: _is_quantization_of_one,
    0xFF5E: _is_region,
    0xFF5F: _is_progression,
    # Transforms of many components (ISO 15444-2 A.3), which are numbers.
    **dict.fromkeys((0xFF74, 0xFF75, 0xFF77, 0xFF78), _is_any),
}
_MAIN: dict[int, Callable[[bytes, int], bool]] = {
    **_BOTH,
    _CAP: _are_capabilities,
    _SIZ: _is_size,
    _TLM: _are_lengths,
    0xFF56: _is_profile,
    _PLM: _is_any,
    0xFF59: _is_profile,
    0xFF60: _is_any,  # headers of packets
    0xFF63: _are_places,
}
_TILE: dict[int, Callable[[bytes, int], bool]] = {**_BOTH, _PLT: _is_any, 0xFF61: _is_any}
