"""JPEG and JPEG-LS as the gate reads them (ITU-T T.81 Annex B, T.87 Annex C; PS3.5 A.4.1 to A.4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from anonymizer.gate.scans import Settings
from anonymizer.gate.segments import SCAN, Codestream, CodestreamError, Part, is_padding

START = b"\xff\xd8"

_EOI, _SOS, _APP, _COM, _JPEG_LS = 0xD9, 0xDA, 0xE0, 0xFE, 0xF7
_DQT, _DHT, _NUMBERS = 0xDB, 0xC4, (0xDC, 0xDD)
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xDE, _JPEG_LS})
_METADATA = frozenset({*range(_APP, _APP + 16), _COM})
_USED = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(0xDA, 0xE0), _JPEG_LS, 0xF8})
"""Frames, tables, scans and restart intervals: SOF, DHT, DAC, SOS, DQT, DNL, DRI, DHP, EXP, LSE."""

# Samples hold FF 00 in JPEG and FF with a byte below 80 in JPEG-LS; restart markers and fill bytes belong to them.
_END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_END_OF_SCAN_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

_PLAIN_JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_PLAIN_ADOBE = b"Adobe\0\x64\0\0\0\0"


class _Fact(NamedTuple):
    """What a decoder reads in an application segment, and whether nothing else stands in it."""

    name: str
    value: int
    is_plain: bool


def read_jpeg(frame: bytes) -> Codestream:
    """Take a JPEG or JPEG-LS codestream apart.

    A table is no part where it stands, but of each scan that uses it; what no scan uses is none, and should not stand
    there.

    Raises
    ------
    CodestreamError
        If it is none, or holds what T.81 and T.87 do not know.
    """
    if not frame.startswith(START):
        raise CodestreamError
    parts: list[Part] = []
    left: list[str] = []
    facts: dict[str, int] = {}
    settings = Settings()
    in_header = True
    for part in _segments(frame):
        content = b"" if part.kind == SCAN else frame[part.start : part.end]
        if part.kind in _METADATA:
            fact = _fact(part.kind, content) if in_header else None
            if fact is None or fact.name in facts or not fact.is_plain:
                left.append("a COM segment" if part.kind == _COM else f"an APP{part.kind - _APP} segment")
            if fact and facts.setdefault(fact.name, fact.value) != fact.value:
                raise CodestreamError
            continue
        if part.kind != SCAN and not _is_whole(part.kind, content):
            raise CodestreamError
        if settings.takes(part.kind, content):
            settings.take(part, content)
            continue
        if part.kind in _FRAMES:
            settings.begin(part.kind, content)
        elif part.kind == _SOS:
            parts += settings.used_by(content)
        parts.append(part)
        in_header = in_header and part.kind != _SOS
    end = parts.pop().end
    settings.end()
    if settings.is_idle:
        left.append("a table that no scan uses")
    if not is_padding(frame[end:]):
        left.append("bytes behind the end of the image")
    return Codestream(frame, tuple(parts), tuple(sorted(facts.items())), tuple(left))


def _segments(frame: bytes) -> Iterator[Part]:
    """Yield the segments and scans of a codestream with their contents, at last the end of the image."""
    at, size = len(START), len(frame)
    end_of_scan = _END_OF_SCAN
    while True:
        if frame[at : at + 1] != b"\xff":
            raise CodestreamError
        while frame[at : at + 1] == b"\xff":
            at += 1
        if at == size:
            raise CodestreamError
        code, at = frame[at], at + 1
        if code == _EOI:
            yield Part(code, at, at)
            return
        end = at + int.from_bytes(frame[at : at + 2], "big")
        if (code not in _USED and code not in _METADATA) or not at + 2 <= end <= size:
            raise CodestreamError
        yield Part(code, at + 2, end)
        at = end
        if code == _JPEG_LS:
            end_of_scan = _END_OF_SCAN_LS
        elif code == _SOS:
            found = end_of_scan.search(frame, at)
            if found is None:
                raise CodestreamError
            end = found.start()
            while end > at and frame[end - 1] == 0xFF:
                end -= 1
            yield Part(SCAN, at, end)
            at = end


def _is_whole(code: int, content: bytes) -> bool:
    """Tell whether a segment is as long as what it says of itself, so that nothing else stands in it (T.81 B.2)."""
    size, count = len(content), 0
    if code in _FRAMES:
        return size == 6 + 3 * int.from_bytes(content[5:6], "big")
    if code == _SOS:
        return size == 4 + 2 * int.from_bytes(content[:1], "big")
    if code in _NUMBERS:
        # A number of JPEG-LS may take three or four bytes (T.87 C.2.5).
        return 2 <= size <= 4
    if code == _DQT:
        while count < size:
            count += 129 if content[count] >> 4 else 65
    elif code == _DHT:
        while count < size:
            count += 17 + sum(content[count + 1 : count + 17])
    return count in (0, size)


def _fact(code: int, content: bytes) -> _Fact | None:
    """Read what decoders read: JFIF, Adobe's colour transform, and that of JPEG-LS by Hewlett-Packard.

    Plain are JFIF 1.1 of density 1 to 1 without thumbnail, and Adobe of version 100 without flags: neither says
    who wrote the picture.
    """
    if code == _APP and content.startswith(b"JFIF\0") and len(content) >= len(_PLAIN_JFIF):
        return _Fact("JFIF", 1, content == _PLAIN_JFIF)
    if code == _APP + 14 and content.startswith(b"Adobe") and len(content) > len(_PLAIN_ADOBE):
        transform = content[len(_PLAIN_ADOBE)]
        return _Fact("Adobe", transform, content == _PLAIN_ADOBE + bytes([transform]))
    if code == _APP + 8 and content.startswith(b"mrfx") and len(content) == 5:
        return _Fact("mrfx", content[4], True)
    return None
