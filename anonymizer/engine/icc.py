"""ICC profiles: the numbers that colours need stay, every word and name goes (ICC.1:2010, ICC.1:2001-04).

A profile is written anew from the tags that are known and the numbers in them, so that nothing finds room between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct, error, pack, unpack_from

_HEADER = 128
_SIGNATURE = b"acsp"
_ENTRY = Struct(">4sLL")
_MOST_TAGS = 64
_CLASSES = frozenset({b"scnr", b"mntr", b"prtr", b"spac"})
_CONNECTIONS = frozenset({b"XYZ ", b"Lab "})
_SPACES = _CONNECTIONS | frozenset(
    {b"RGB ", b"GRAY", b"CMYK", b"CMY ", b"Luv ", b"YCbr", b"Yxy ", b"HSV ", b"HLS "}
    | {b"%XCLR" % number for number in range(2, 16)}
)
# D50, as the header has to have it (ICC.1:2010 7.2.16).
_ILLUMINANT = bytes.fromhex("0000f6d6000100000000d32d")
# The two texts that a profile has to have; what they say is the same for all.
_TEXTS = (b"desc", b"cprt")
_TEXT = "Profile"


def clean(profile: bytes) -> bytes | None:
    """Return an ICC profile without words, names, dates and whatever is not known.

    Parameters
    ----------
    profile : bytes
        The value of ICC Profile (0028,2000), with its padding.

    Returns
    -------
    bytes or None
        None when it is no profile, or of a kind that no picture needs; the attribute then has to go.
    """
    try:
        return _written(profile[:_HEADER], _tags(profile))
    except (error, ValueError, IndexError):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Return what is kept of the tags, in the order of the table (ICC.1:2010 7.3)."""
    size, count = unpack_from(">L", profile)[0], unpack_from(">L", profile, _HEADER)[0]
    if size > len(profile) or count > _MOST_TAGS:
        raise ValueError
    tags: dict[bytes, bytes] = {}
    for at in range(_HEADER + 4, _HEADER + 4 + count * _ENTRY.size, _ENTRY.size):
        name, start, length = _ENTRY.unpack_from(profile, at)
        if start + length > size or name in tags:
            raise ValueError
        if name in _KEPT:
            value = profile[start : start + length]
            kind = value[:4]
            if kind not in _KEPT[name]:
                raise ValueError
            tags[name] = kind + bytes(4) + _TYPES[kind](value)
    return tags


def _written(header: bytes, tags: dict[bytes, bytes]) -> bytes:
    version, device_class, space, connection = unpack_from(">2s2x4s4s4s", header, 8)
    intent = unpack_from(">L", header, 64)[0]
    is_known = device_class in _CLASSES and space in _SPACES and connection in _CONNECTIONS
    if header[36:40] != _SIGNATURE or version[0] not in {2, 4} or intent > 3 or not is_known or not tags:
        raise ValueError
    texts = [_text_2(), _text_2(is_copyright=True)] if version[0] == 2 else [_text_4()] * 2
    tags = dict(zip(_TEXTS, texts, strict=True)) | tags
    places: dict[bytes, int] = {}
    at = _HEADER + 4 + len(tags) * _ENTRY.size
    for value in tags.values():
        if value not in places:
            places[value] = at
            at += len(value) + -len(value) % 4
    table = b"".join(_ENTRY.pack(name, places[value], len(value)) for name, value in tags.items())
    content = b"".join(value + bytes(-len(value) % 4) for value in places)
    # Neither program, platform, date, maker, model nor digest; of the attributes those that every maker means alike.
    head = pack(">L4x2s2x4s4s4s12x4s16x", at, version, device_class, space, connection, _SIGNATURE)
    head += pack(">LL", 0, header[63] & 0x0F) + pack(">L", intent) + _ILLUMINANT
    return head.ljust(_HEADER, b"\0") + pack(">L", len(tags)) + table + content


def _text_2(*, is_copyright: bool = False) -> bytes:
    """Return a text of version 2 (ICC.1:2001-04 6.5.17, 6.5.18)."""
    text = _TEXT.encode("ascii") + b"\0"
    if is_copyright:
        return b"text" + bytes(4) + text
    return b"desc" + bytes(4) + pack(">L", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)


def _text_4() -> bytes:
    """Return a text of version 4 (ICC.1:2010 10.13)."""
    text = _TEXT.encode("utf-16-be")
    return b"mluc" + bytes(4) + pack(">LL4sLL", 1, 12, b"enUS", len(text), 28) + text


# The numbers of a type, without its signature and the four zeros behind that (ICC.1:2010 10).


def _numbers(length: int) -> Callable[[bytes], bytes]:
    def numbers(value: bytes) -> bytes:
        return _exactly(value[8:], length)

    return numbers


def _curve(value: bytes) -> bytes:
    return _exactly(value[8:], 4 + 2 * unpack_from(">L", value, 8)[0])


def _parametric(value: bytes) -> bytes:
    kind = unpack_from(">H", value, 8)[0]
    return pack(">Hxx", kind) + _exactly(value[12:], 4 * (1, 3, 4, 5, 7)[kind])


def _table_8(value: bytes) -> bytes:
    inputs, outputs, grid = value[8:11]
    return bytes([inputs, outputs, grid, 0]) + _exactly(
        value[12:], 36 + 256 * (inputs + outputs) + _points([grid] * inputs, outputs)
    )


def _table_16(value: bytes) -> bytes:
    inputs, outputs, grid = value[8:11]
    first, last = unpack_from(">HH", value, 48)
    length = 40 + 2 * (first * inputs + last * outputs + _points([grid] * inputs, outputs))
    return bytes([inputs, outputs, grid, 0]) + _exactly(value[12:], length)


def _transform(value: bytes) -> bytes:
    """Return a transform of curves, matrix and table, one behind the other (ICC.1:2010 10.10, 10.11)."""
    inputs, outputs = value[8:10]
    # On the side of the connection space stand the B and M curves, on the other the A curves.
    near, far = (outputs, inputs) if value[:4] == b"mAB " else (inputs, outputs)
    b_curves, matrix, m_curves, table, a_curves = unpack_from(">5L", value, 12)
    pieces = [
        _curves(value, b_curves, near),
        _exactly(value[matrix:], 48) if matrix else b"",
        _curves(value, m_curves, near),
        _grid(value[table:], inputs, outputs) if table else b"",
        _curves(value, a_curves, far),
    ]
    at = 32
    places = []
    for piece in pieces:
        places.append(at if piece else 0)
        at += len(piece)
    return bytes([inputs, outputs, 0, 0]) + pack(">5L", *places) + b"".join(pieces)


def _curves(value: bytes, at: int, count: int) -> bytes:
    pieces: list[bytes] = []
    for _ in range(count if at else 0):
        kind = value[at : at + 4]
        if kind not in _CURVES:
            raise ValueError
        curve = kind + bytes(4) + _TYPES[kind](value[at:])
        pieces.append(curve + bytes(-len(curve) % 4))
        at += len(pieces[-1])
    return b"".join(pieces)


def _grid(value: bytes, inputs: int, outputs: int) -> bytes:
    precision = value[16]
    length = _points(value[:inputs], outputs) * precision
    if precision not in {1, 2} or inputs > 16:
        raise ValueError
    numbers = _exactly(value[20:], length)
    return value[:inputs].ljust(16, b"\0") + bytes([precision, 0, 0, 0]) + numbers + bytes(-length % 4)


def _points(grid: Iterable[int], outputs: int) -> int:
    points = outputs
    for steps in grid:
        points *= steps
    return points


def _exactly(value: bytes, length: int) -> bytes:
    if len(value) < length:
        raise ValueError
    return value[:length]


_CURVES = (b"curv", b"para")
_TABLES = (b"mft1", b"mft2", b"mAB ", b"mBA ")
_TYPES: dict[bytes, Callable[[bytes], bytes]] = {
    b"XYZ ": _numbers(12),
    b"curv": _curve,
    b"para": _parametric,
    b"mft1": _table_8,
    b"mft2": _table_16,
    b"mAB ": _transform,
    b"mBA ": _transform,
    b"sf32": _numbers(36),
}
# What colours need, and in which types; another type in its place makes the profile none.
_KEPT: dict[bytes, tuple[bytes, ...]] = {
    **dict.fromkeys((b"wtpt", b"bkpt", b"rXYZ", b"gXYZ", b"bXYZ", b"lumi"), (b"XYZ ",)),
    **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), _CURVES),
    **dict.fromkeys((b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt"), _TABLES),
    b"chad": (b"sf32",),
}
