"""Frames that are pixels, as they are or deflated: nothing stands behind the last of them (PS3.5 A.4.11, A.4.13)."""

from __future__ import annotations

import zlib

from anonymizer.engine.codestreams.picture import Picture
from anonymizer.engine.codestreams.splice import is_padding, not_treated, spliced, unreadable
from anonymizer.engine.outcome import Part


def clean(codestream: memoryview, picture: Picture | None) -> list[Part] | None:
    """Return the pixels of a frame without what stands behind them."""
    if picture is None:
        raise not_treated("ends where nobody can tell")
    if len(codestream) < picture.octets:
        raise unreadable("has fewer bytes than its picture")
    picture.check(codestream[: picture.octets])
    return spliced(codestream, [], picture.octets)


def clean_deflated(codestream: memoryview, picture: Picture | None) -> list[Part] | None:
    """Return a deflated frame without what stands behind its stream.

    Parameters
    ----------
    picture : Picture or None
        Its shape; without it nobody can tell whether something stands behind the pixels inside the stream.
    """
    if picture is None:
        raise not_treated("ends where nobody can tell")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = picture.octets
    try:
        pixels = inflater.decompress(codestream, size + 2)
    except zlib.error:
        raise unreadable("cannot be inflated") from None
    if not inflater.eof:
        raise unreadable("ends too soon, or has more bytes than its picture")
    if len(pixels) < size or not is_padding(memoryview(pixels), size):
        raise unreadable("has more or fewer bytes than its picture")
    picture.check(pixels[:size])
    return spliced(codestream, [], len(codestream) - len(inflater.unused_data))
