"""The boxes in which a JPEG 2000 or JPEG XL codestream may stand (T.800 Annex I, ISO/IEC 18181-2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from anonymizer.gate.jpeg2000 import read_jpeg2000
from anonymizer.gate.segments import Codestream, CodestreamError, Part, is_padding

JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"
JPEG_XL_START = b"\0\0\0\x0cJXL \r\n\x87\n"
JPEG_XL_CODESTREAM = b"\xff\x0a"

_LOOK = (b"pclr", b"cmap", b"cdef")
"""Boxes of a JP2 header that a decoder may apply to the samples: palette, its components, meaning of channels."""

_PLAIN = {(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"jxll", b"\x05"), (b"jxll", b"\x0a")}
"""Boxes of a JPEG XL file that say no more than that it is one, and of which level."""


class Box(NamedTuple):
    """A box: its type and its content, from where to where."""

    kind: bytes
    start: int
    end: int


def read_jp2(frame: bytes) -> Codestream:
    """Take the codestream out of a JP2 or JPH file; PS3.5 A.4.4 wants it without boxes."""
    boxes = list(boxes_of(frame, 0, len(frame)))
    streams = [box for box in boxes if box.kind == b"jp2c"]
    headers = [inner for box in boxes if box.kind == b"jp2h" for inner in boxes_of(frame, box.start, box.end)]
    if len(streams) != 1 or any(box.kind in _LOOK for box in headers):
        raise CodestreamError
    inside = read_jpeg2000(frame[streams[0].start : streams[0].end])
    return replace(inside, left=(*inside.left, "boxes of a JP2 file"))


def read_jpeg_xl(frame: bytes) -> Codestream:
    """Take a JPEG XL codestream apart, or the parts of one out of their boxes.

    What stands behind a codestream without boxes cannot be told from it without decoding it.
    """
    if frame.startswith(JPEG_XL_CODESTREAM):
        return _whole(frame)
    if not frame.startswith(JPEG_XL_START):
        raise CodestreamError
    left: list[str] = []
    whole: list[bytes] = []
    partial: list[bytes] = []
    end = 0
    for box in boxes_of(frame, 0, len(frame)):
        end = box.end
        content = frame[box.start : box.end]
        if box.kind == b"jxlc":
            whole.append(content)
        elif box.kind == b"jxlp":
            partial.append(content)
        elif (box.kind, content) not in _PLAIN:
            left.append("a box that holds no samples")
    if not is_padding(frame[end:]):
        left.append("bytes behind the last box")
    # Each part has its number in front; the last one's has the highest bit (ISO/IEC 18181-2 9.9).
    numbers = [int.from_bytes(part[:4], "big") for part in partial]
    last = [0x80000000] if partial else []
    if [number - index for index, number in enumerate(numbers)] != [0] * (len(partial) - 1) + last:
        raise CodestreamError
    if (len(whole), bool(partial)) not in ((1, False), (0, True)):
        raise CodestreamError
    return replace(_whole(b"".join([*whole, *(part[4:] for part in partial)])), left=tuple(left))


def boxes_of(data: bytes, at: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two places; what is too short to be one at the end is none.

    Raises
    ------
    CodestreamError
        If a box reaches beyond the end.
    """
    while end - at >= 8:
        length, kind, start = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        after = at + length if length else end
        if not start <= after <= end:
            raise CodestreamError
        yield Box(kind, start, after)
        at = after


def _whole(codestream: bytes) -> Codestream:
    if not codestream.startswith(JPEG_XL_CODESTREAM):
        raise CodestreamError
    # A last zero byte of an even length may be padding.
    is_padded = len(codestream) % 2 == 0 and codestream[-1] == 0
    return Codestream(codestream, (Part(0, 0, len(codestream) - is_padded),))
