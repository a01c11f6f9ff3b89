"""RLE: each segment ends where its picture does, and the header says nothing but where segments begin (PS3.5 G)."""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

from anonymizer.engine.codestreams.picture import Picture
from anonymizer.engine.codestreams.splice import not_treated, unreadable
from anonymizer.engine.outcome import Part

_HEADER = Struct("<16L")
_SEGMENTS = 15
# By the control byte: how long a run is as it stands, itself included, and how many bytes it is of the picture
# (PS3.5 G.3.1). 128 is nothing.
_LENGTHS = [*range(2, 130), 1, *[2] * 127]
_COUNTS = [*range(1, 129), 0, *range(128, 1, -1)]


def clean(codestream: memoryview, picture: Picture | None) -> list[Part] | None:
    """Return a frame of RLE without what stands behind the picture in each segment.

    Parameters
    ----------
    picture : Picture or None
        Its shape, without which nobody can tell where a segment ends.
    """
    if picture is None:
        raise not_treated("ends where nobody can tell")
    if len(codestream) < _HEADER.size:
        raise unreadable("ends too soon")
    count, *offsets = _HEADER.unpack_from(codestream)
    starts = offsets[:count]
    is_usual = 1 <= count <= _SEGMENTS and starts[0] == _HEADER.size and sorted(set(starts)) == starts
    if not is_usual or starts[-1] >= len(codestream) or any(offsets[count:]):
        raise unreadable("has a header that holds something else than it should")
    picture = replace(picture, subsampled=False)  # a plane is whole
    # Bits by the byte are one segment (BitsAllocated 1), others one a byte of a sample.
    planes = 1 if picture.bits_allocated == 1 else picture.samples * picture.bits_allocated // 8
    if count != planes:
        raise unreadable("has more or fewer segments than its picture")
    stops = [*starts[1:], len(codestream)]
    ends = [
        _end(bytes(codestream[start:stop]), picture.octets // planes) + start
        for start, stop in zip(starts, stops, strict=True)
    ]
    if picture.bits_stored != picture.bits_allocated:
        _check_bits(codestream, starts, ends, picture)
    # To make a length even, writers count from the segment's start or the frame's.
    if all(stop == end or (stop == end + 1 and not codestream[end]) for end, stop in zip(ends, stops, strict=True)):
        return None
    parts: list[Part] = []
    at = _HEADER.size
    written = []
    for start, end in zip(starts, ends, strict=True):
        written.append(at)
        parts.append(codestream[start:end])
        if (end - start) % 2:
            parts.append(b"\0")
        at += end - start + (end - start) % 2
    return [_HEADER.pack(count, *written, *[0] * (_SEGMENTS - count)), *parts]


def _end(segment: bytes, count: int) -> int:
    """Return where a segment has given so many bytes."""
    at = given = 0
    lengths, counts = _LENGTHS, _COUNTS
    try:
        while given < count:
            control = segment[at]
            at += lengths[control]
            given += counts[control]
    except IndexError:
        at = len(segment) + 1
    if at > len(segment) or given > count:
        raise unreadable("has more or fewer bytes than its picture")
    return at


def _check_bits(codestream: memoryview, starts: list[int], ends: list[int], picture: Picture) -> None:
    """Hold a frame with something outside its stored bits; its segments go from the highest byte to the lowest."""
    octets = picture.bits_allocated // 8
    for sample in range(0, len(starts), octets):
        words = bytearray(picture.octets // picture.samples)
        for octet in range(octets):
            number = sample + octet
            words[octets - 1 - octet :: octets] = _decoded(bytes(codestream[starts[number] : ends[number]]))
        picture.bits().check(bytes(words))


def _decoded(segment: bytes) -> bytes:
    runs = []
    at = 0
    while at < len(segment):
        control = segment[at]
        if control < 128:
            runs.append(segment[at + 1 : at + 2 + control])
        elif control > 128:
            runs.append(segment[at + 1 : at + 2] * (257 - control))
        at += _LENGTHS[control]
    return b"".join(runs)
