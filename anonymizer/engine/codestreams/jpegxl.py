"""JPEG XL: the boxes of the codestream stay; all that is said about it goes (ISO 18181-2)."""

from __future__ import annotations

from anonymizer.engine.codestreams import boxes
from anonymizer.engine.codestreams.splice import Edit, not_treated, spliced, unreadable
from anonymizer.engine.outcome import Part

START = b"\xff\x0a"
# Brand, version, and the one brand that it is compatible with.
_FILE_TYPE = bytes.fromhex("00000014") + b"ftypjxl \0\0\0\0jxl "
_CODESTREAM, _PART, _LEVEL = b"jxlc", b"jxlp", b"jxll"


def clean(codestream: memoryview) -> list[Part] | None:
    """Return a JPEG XL codestream without Exif, XML and other boxes.

    Where a codestream ends only a decoder can tell. One without boxes is held, since whatever a fragment has behind it
    would go on with it; of one in a box the box tells, and what stands in that is the codestream for all that anybody
    can tell.
    """
    if codestream[:2] == START:
        raise not_treated("ends where nobody can tell")
    if codestream[:12] != boxes.JPEG_XL_SIGNATURE:
        raise unreadable("never begins")
    edits: list[Edit] = []
    kinds: list[bytes] = []
    stop = 12
    for box in boxes.walk(codestream, 12, len(codestream)):
        stop = box.end
        if box.kind == b"jbrd":
            raise not_treated("carries parts of another file")
        kept = codestream[box.start : box.end]
        if box.kind == b"ftyp":
            if kept != _FILE_TYPE:
                edits.append((box.start, box.end, _FILE_TYPE))
        elif box.kind in {_CODESTREAM, _PART} or (box.kind == _LEVEL and box.end - box.content == 1):
            kinds.append(box.kind)
        else:
            edits.append((box.start, box.end, b""))
    if kinds.count(_CODESTREAM) + (_PART in kinds) != 1:
        raise unreadable("never begins, or more than once")
    return spliced(codestream, edits, stop)
