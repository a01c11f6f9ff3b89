"""ICC profiles: an output has the numbers of its source's profile and no words (ICC.1:2010 7)."""

from __future__ import annotations

from itertools import pairwise
from struct import Struct, error, unpack_from

_HEADER = 128
_ENTRY = Struct(">4sLL")
_SAYS_COLOURS = ((8, 10), (12, 24), (36, 40))
"""Of the header: version, class and spaces, signature."""
_SAYS_WHO = ((4, 8), (24, 36), (40, 56), (80, _HEADER))
"""Of the header: program, date, platform, maker, model, creator, digest, what is reserved."""
_WORDS = frozenset({b"desc", b"cprt"})
_SAID = frozenset({b"Profile", b"enUSProfile"})
"""What stands in a text that has to be there; of version 4 with its language."""
_PIECES = frozenset({b"mAB ", b"mBA "})
_ZEROED = frozenset({b"mft1", b"mft2"})


def is_cut(before: bytes, after: bytes) -> bool:
    """Tell whether a profile is another one without its words, and nothing more.

    Parameters
    ----------
    before, after : bytes
        ICC profiles of source and output.
    """
    try:
        return _is_cut(before, after)
    except (error, IndexError):
        return False


def _is_cut(before: bytes, after: bytes) -> bool:
    if any(before[a:b] != after[a:b] for a, b in _SAYS_COLOURS) or any(after[a:b].strip(b"\0") for a, b in _SAYS_WHO):
        return False
    olds, news = _tags(before), _tags(after)
    told = max(end for _, end in news.values()) if news else 0
    if after[told:].strip(b"\0"):
        return False
    for name, (start, end) in news.items():
        value = after[start:end]
        if name in _WORDS:
            # Type, four zeros, and numbers below 256 around the word.
            word = bytes(octet for octet in value[8:] if 0x20 <= octet < 0x7F)
            if value[:4] not in (b"desc", b"text", b"mluc") or word not in _SAID:
                return False
        elif name not in olds or not _is_same(before[olds[name][0] : olds[name][1]], value):
            return False
    return True


def _tags(profile: bytes) -> dict[bytes, tuple[int, int]]:
    (count,) = unpack_from(">L", profile, _HEADER)
    entries = [_ENTRY.unpack_from(profile, _HEADER + 4 + number * _ENTRY.size) for number in range(min(count, 256))]
    return {name: (start, start + length) for name, start, length in entries}


def _is_same(old: bytes, new: bytes) -> bool:
    """Tell whether a tag has the numbers of another one; what is reserved may be zero (ICC.1:2010 10)."""
    if old[:4] != new[:4] or new[4:8].strip(b"\0"):
        return False
    if new[:4] in _PIECES:
        return old[8:10] == new[8:10] and _has_pieces(old, new)
    skipped = 12 if new[:4] in _ZEROED else 8
    return old[8:11] == new[8:11] and old[skipped:].startswith(new[skipped:].rstrip(b"\0"))


def _has_pieces(old: bytes, new: bytes) -> bool:
    """Tell whether each piece of a transform is the one that the other has, wherever it stands in it."""
    places = list(zip(unpack_from(">5L", old, 12), unpack_from(">5L", new, 12), strict=True))
    ends = sorted({at for _, at in places if at} | {len(new)})
    until = dict(pairwise(ends))
    for origin, at in places:
        if bool(origin) != bool(at):
            return False
        piece = new[at : until[at]].rstrip(b"\0") if at else b""
        if at and not old[origin:].startswith(piece):
            return False
    return True
