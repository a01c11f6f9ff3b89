"""JPEG and JPEG-LS: what is there to decode a picture stays, every word beside it goes (ISO 10918-1, 14495-1).

A codestream is walked from marker to marker. Entropy-coded data is searched for the next marker and never decoded:
what is hidden inside it is part of the picture for all that anybody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from anonymizer.engine.codestreams.definitions import FRAMES, Definitions
from anonymizer.engine.codestreams.splice import Edit, not_treated, spliced, unreadable
from anonymizer.engine.outcome import Part

START = b"\xff\xd8\xff"
_START = re.compile(re.escape(START))
_FILL = re.compile(rb"\xff+")
# What ends entropy-coded data: any marker but a restart. JPEG stuffs a zero byte behind FF (ISO 10918-1 B.1.1.5),
# JPEG-LS a zero bit (ISO 14495-1 A.1).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xff]")
_MARKER_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xff]")

# The last header, up to its first scan, that had nothing to go, and what it defines: mostly that of the next frame too.
# What is answered does not depend on it.
_HEADERS: dict[re.Pattern[bytes], tuple[bytes, Definitions]] = {}

_EOI, _SOS, _COM, _DNL = 0xD9, 0xDA, 0xFE, 0xDC
_APP0, _APP8, _APP14, _APP15 = 0xE0, 0xE8, 0xEE, 0xEF
_RESTARTS = frozenset(range(0xD0, 0xD8))
_ALONE = _RESTARTS | {0x00, 0x01, 0xD8}

# A decoder tells RGB from YCbCr by these two; what else they can say is said in one way (version 1.01, no density,
# no thumbnail; version 100, no flags).
_JFIF = bytes.fromhex("ffe00010") + b"JFIF\0" + bytes.fromhex("010100000100010000")
_ADOBE = bytes.fromhex("ffee000e") + b"Adobe" + bytes.fromhex("006400000000")
# HP's colour transform, which JPEG-LS files of many decoders carry.
_COLOUR_LS = bytes.fromhex("ffe80007") + b"mrfx"


def clean(codestream: memoryview) -> list[Part] | None:
    """Return a JPEG codestream without APP and COM segments, but those that colours need, and unused tables."""
    return _clean(codestream, _SEGMENTS, _MARKER)


def clean_ls(codestream: memoryview) -> list[Part] | None:
    """Return a JPEG-LS codestream without APP and COM segments, but those that colours need."""
    return _clean(codestream, _SEGMENTS_LS, _MARKER_LS)


def _clean(
    codestream: memoryview, segments: dict[int, Callable[[bytes], bool]], marker_in_data: re.Pattern[bytes]
) -> list[Part] | None:
    edits: list[Edit] = []
    colours: dict[int, bytes] = {}
    seen: set[int] = set()
    definitions = Definitions()
    header, defined = _HEADERS.get(marker_in_data, (b"", definitions))
    if header and codestream[: len(header)].tobytes() == header:
        seen |= {_SOS, *FRAMES}
        definitions = defined.copy()
        at = _end_of_data(codestream, len(header), marker_in_data)
    else:
        at = _begin(codestream, edits)
    try:
        while (marker := _marker(codestream, at)) and codestream[marker + 1] != _EOI:
            code = codestream[marker + 1]
            if marker > at:
                edits.append((at, marker, b""))
            end = _end(codestream, marker, seen)
            if code == _COM or _APP0 <= code <= _APP15:
                kept = b"" if _SOS in seen else _kept(code, bytes(codestream[marker + 4 : end]), colours)
                if kept != codestream[marker:end]:
                    edits.append((marker, end, kept))
            elif code not in _RESTARTS:
                _check(code, bytes(codestream[marker + 4 : end]), segments, seen)
                definitions.take(codestream, marker, end)
            if code == _SOS and not edits and _SOS not in seen:
                _HEADERS[marker_in_data] = codestream[:end].tobytes(), definitions.copy()
            seen.add(code)
            at = _end_of_data(codestream, end, marker_in_data) if code == _SOS or code in _RESTARTS else end
    except IndexError:
        raise unreadable("never ends") from None
    if _SOS not in seen:
        raise unreadable("has no picture")
    # One byte that fills up is how an even length is reached without a byte behind the end (PS3.5 A.4, Note 1).
    if marker > at + (marker + 2 == len(codestream) and marker % 2 == 0):
        edits.append((at, marker, b""))
    return spliced(codestream, sorted([*edits, *definitions.edits()]), marker + 2)


def _begin(codestream: memoryview, edits: list[Edit]) -> int:
    begin = _START.search(codestream)
    if begin is None:
        raise unreadable("never begins")
    if begin.start():
        edits.append((0, begin.start(), b""))
    return begin.start() + 2


def _end_of_data(codestream: memoryview, start: int, marker_in_data: re.Pattern[bytes]) -> int:
    data = marker_in_data.search(codestream, start)
    if data is None:
        raise unreadable("never ends")
    return data.start()


def _marker(codestream: memoryview, at: int) -> int:
    """Return where the next marker begins, behind bytes that only fill up (ISO 10918-1 B.1.1.2)."""
    if codestream[at] != 0xFF:
        raise unreadable("has something between its segments")
    fill = _FILL.match(codestream, at) if codestream[at + 1] == 0xFF else None
    return fill.end() - 1 if fill else at


def _end(codestream: memoryview, marker: int, seen: set[int]) -> int:
    """Return where a marker's segment ends (ISO 10918-1 B.1.1.4)."""
    code = codestream[marker + 1]
    if code in _RESTARTS and _SOS in seen:
        return marker + 2
    if code in _ALONE:
        raise unreadable("has a marker where none may stand")
    length = codestream[marker + 2] << 8 | codestream[marker + 3]
    if length < 2 or marker + 2 + length > len(codestream):
        raise unreadable("ends inside a segment")
    return marker + 2 + length


def _check(code: int, body: bytes, segments: dict[int, Callable[[bytes], bool]], seen: set[int]) -> None:
    """Hold a segment that is unknown, or larger than what has to stand in it, or stands too often or too soon."""
    if code not in segments:
        raise not_treated("has a segment that is not treated")
    is_again = (code in FRAMES and seen & FRAMES) or (code == _DNL and _DNL in seen)
    is_early = (code == _SOS and not seen & FRAMES) or (code == _DNL and _SOS not in seen)
    if not segments[code](body) or is_again or is_early:
        raise unreadable("has a segment that holds something else than it should")


def _kept(code: int, body: bytes, colours: dict[int, bytes]) -> bytes:
    """Return what stays of an APP or COM segment: nothing, or what colours need and each once."""
    kept = b""
    if code == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        kept = _JFIF
    elif code == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
        if body[11] > 2:
            raise not_treated("has colours that nobody can tell")
        kept = _ADOBE + body[11:12]
    elif code == _APP8 and body.startswith(b"mrfx") and len(body) == 5:
        if body[4] > 3:
            raise not_treated("has colours that nobody can tell")
        kept = _COLOUR_LS + body[4:]
    if not kept or code not in colours:
        colours.update({code: kept} if kept else {})
        return kept
    if colours[code] != kept:
        raise not_treated("has colours that nobody can tell")
    return b""  # the second time it says nothing new


# What a segment has to be, so that nothing else finds room in it (ISO 10918-1 B.2, ISO 14495-1 C.2).
_LARGEST_DIFFERENCE = 16  # in bits, of two values of DC or of two lossless samples


def _is_frame(body: bytes) -> bool:
    return len(body) > 5 and 1 <= body[5] <= 4 and len(body) == 6 + 3 * body[5]


def _is_scan(body: bytes) -> bool:
    return len(body) > 0 and 1 <= body[0] <= 4 and len(body) == 4 + 2 * body[0]


def _are_huffman_tables(body: bytes) -> bool:
    at = 0
    while at + 17 <= len(body):
        counts = body[at + 1 : at + 17]
        symbols = body[at + 17 : at + 17 + sum(counts)]
        codes = sum(count << 15 - length for length, count in enumerate(counts))
        if body[at] & 0xEC or codes > 1 << 16 or len(set(symbols)) != sum(counts):
            return False
        if body[at] < 0x10 and any(symbol > _LARGEST_DIFFERENCE for symbol in symbols):
            return False
        at += 17 + len(symbols)
    return at == len(body) > 0


def _are_quantization_tables(body: bytes) -> bool:
    at = 0
    while at < len(body):
        if body[at] & 0xEC:
            return False
        at += 129 if body[at] >> 4 else 65
    return at == len(body) > 0


def _are_conditionings(body: bytes) -> bool:
    return len(body) in range(2, 18, 2)


def _is_number(body: bytes) -> bool:
    return len(body) == 2


def _is_number_ls(body: bytes) -> bool:
    return len(body) in {2, 3, 4}


def _are_presets_ls(body: bytes) -> bool:
    # Of all kinds of this segment only the one that can hold nothing but numbers.
    return len(body) == 11 and body[0] == 1


_SEGMENTS: dict[int, Callable[[bytes], bool]] = {
    **dict.fromkeys(FRAMES - {0xF7}, _is_frame),
    0xC4: _are_huffman_tables,
    0xCC: _are_conditionings,
    _SOS: _is_scan,
    0xDB: _are_quantization_tables,
    _DNL: _is_number,
    0xDD: _is_number,
}
_SEGMENTS_LS: dict[int, Callable[[bytes], bool]] = {
    0xF7: _is_frame,
    0xF8: _are_presets_ls,
    _SOS: _is_scan,
    _DNL: _is_number_ls,
    0xDD: _is_number_ls,
}
