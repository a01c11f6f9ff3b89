"""RLE, deflated and plain frames as the gate reads them (PS3.5 Annex G, A.4.11, A.4.14)."""

from __future__ import annotations

import zlib
from struct import Struct

from anonymizer.gate.segments import Codestream, CodestreamError, Part, Picture, is_padding

_HEADER = Struct("<16L")
_INFLATED = 1 << 20
"""How much of a deflated frame is inflated at a time."""

# How far each first byte of a run leads, and how many bytes the run stands for (PS3.5 G.3.2).
_STEP = (*range(2, 130), 1, *[2] * 127)
_YIELD = (*range(1, 129), 0, *range(128, 1, -1))


def read_rle(frame: bytes, picture: Picture) -> Codestream:
    """Take an RLE frame into its segments, each up to its last sample.

    Raises
    ------
    CodestreamError
        If it is not made of segments, or ends before its samples do.
    """
    if len(frame) < _HEADER.size:
        raise CodestreamError
    count, *offsets = _HEADER.unpack_from(frame)
    starts = offsets[:count]
    if not 0 < count < 16 or starts[0] != _HEADER.size or starts != sorted(set(starts)) or starts[-1] > len(frame):
        raise CodestreamError
    left = ["numbers in the header that no segment needs"] if any(offsets[count:]) else []
    if count * 8 != picture.samples * max(picture.bits, 8):
        left.append("another number of segments than the samples have bytes")
    size = picture.pixels if picture.bits >= 8 else (picture.pixels * picture.bits + 7) // 8
    parts = []
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        stop, surplus = _walk(frame, start, end, size)
        # An odd number of samples may be made even.
        if surplus > size % 2 or not is_padding(frame[stop:end]):
            left.append("bytes behind the samples of a segment")
        parts.append(Part(0, start, stop))
    return Codestream(frame, tuple(parts), (), tuple(left))


def read_deflated(frame: bytes, picture: Picture) -> Codestream:
    """Take a deflated frame up to the end of its stream."""
    stream, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, frame
    try:
        while not stream.eof and size <= picture.size + 1:
            inflated = len(stream.decompress(rest, _INFLATED))
            size += inflated
            if not inflated and not stream.eof:
                raise CodestreamError
            rest = stream.unconsumed_tail
    except zlib.error:
        raise CodestreamError from None
    if not stream.eof:
        raise CodestreamError
    left = [] if picture.size <= size <= picture.size + picture.size % 2 else ["another number of samples"]
    if not is_padding(stream.unused_data):
        left.append("bytes behind the deflated frame")
    return Codestream(frame, (Part(0, 0, len(frame) - len(stream.unused_data)),), (), tuple(left))


def read_plain(frame: bytes, picture: Picture) -> Codestream:
    """Take an uncompressed frame up to its last sample."""
    if len(frame) < picture.size:
        raise CodestreamError
    left = () if is_padding(frame[picture.size :]) else ("bytes behind the samples",)
    return Codestream(frame, (Part(0, 0, picture.size),), (), left)


def _walk(frame: bytes, at: int, end: int, size: int) -> tuple[int, int]:
    """Return where the runs of `size` samples end, and how many samples too many the last one has."""
    try:
        while size > 0:
            run = frame[at]
            at += _STEP[run]
            size -= _YIELD[run]
    except IndexError:
        raise CodestreamError from None
    if at > end:
        raise CodestreamError
    return at, -size
