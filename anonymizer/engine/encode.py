"""Writing elements: one way for each, so that equal answers give equal bytes (PS3.5 7.1)."""

from __future__ import annotations

from struct import Struct

from anonymizer.engine.parse import HAS_LONG_LENGTH, Syntax

_LONGEST_SHORT = 0xFFFE
_NUL_PADDED = HAS_LONG_LENGTH - {"UC", "UR", "UT"} | {"UI"}

_SHORT_HEADER = {True: Struct("<HH2sH"), False: Struct(">HH2sH")}
_LONG_HEADER = {True: Struct("<HH2s2xL"), False: Struct(">HH2s2xL")}
_IMPLICIT_HEADER = {True: Struct("<HHL"), False: Struct(">HHL")}


def element(tag: int, vr: str, value: bytes, syntax: Syntax) -> bytes:
    """Return an element that is no sequence, padded."""
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED else b" "
    return header(tag, vr, len(value), syntax) + value


def sequence(tag: int, items: list[bytes], syntax: Syntax) -> bytes:
    """Return a sequence of items, every length defined."""
    pack = _IMPLICIT_HEADER[syntax.little_endian].pack
    encoded = b"".join([part for item in items for part in (pack(0xFFFE, 0xE000, len(item)), item)])
    return header(tag, "SQ", len(encoded), syntax) + encoded


def header(tag: int, vr: str, length: int, syntax: Syntax) -> bytes:
    """Return tag, VR and length. A value too long for its VR goes as UN (PS3.5 6.2.2, Note 2)."""
    group, number = tag >> 16, tag & 0xFFFF
    if not syntax.explicit:
        return _IMPLICIT_HEADER[syntax.little_endian].pack(group, number, length)
    if vr in HAS_LONG_LENGTH:
        return _LONG_HEADER[syntax.little_endian].pack(group, number, vr.encode("ascii"), length)
    if length > _LONGEST_SHORT:
        return _LONG_HEADER[syntax.little_endian].pack(group, number, b"UN", length)
    return _SHORT_HEADER[syntax.little_endian].pack(group, number, vr.encode("ascii"), length)
