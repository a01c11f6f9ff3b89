"""Frames that are pixels, as they are or deflated: nothing stands behind the last of them (PS3.5 A.4.11, A.4.13)."""

from __future__ import annotations

import zlib

from anonymizer.engine.codestreams.picture import Picture
from anonymizer.engine.codestreams.splice import is_padding, not_treated, spliced, unreadable
from anonymizer.engine.outcome import Part

# A thousand bytes can come of one, so both sides are bounded: what is given, and what comes of it.
_GIVEN = 1 << 16
_INFLATED = 1 << 18  # whole words of any size


def clean(codestream: memoryview, picture: Picture | None) -> list[Part] | None:
    """Return the pixels of a frame without what stands behind them."""
    if picture is None:
        raise not_treated("ends where nobody can tell")
    if len(codestream) < picture.octets:
        raise unreadable("has fewer bytes than its picture")
    picture.bits().check(codestream[: picture.octets])
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
    inflated = _Inflated(picture)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    at = 0
    try:
        while at < len(codestream) and not inflater.eof:
            given: bytes | memoryview = codestream[at : at + _GIVEN]
            at += len(given)
            is_full = True
            while is_full and not inflater.eof:
                room = inflated.room
                pixels = inflater.decompress(given, room)
                inflated.add(pixels)
                given, is_full = inflater.unconsumed_tail, len(pixels) == room
    except zlib.error:
        raise unreadable("cannot be inflated") from None
    if not inflater.eof:
        raise unreadable("ends too soon")
    inflated.end()
    return spliced(codestream, [], at - len(inflater.unused_data))


class _Inflated:
    """A frame as it is inflated, of which no more is kept than the piece that is looked at."""

    def __init__(self, picture: Picture) -> None:
        self._size = picture.octets
        self._bits = picture.bits()
        self._seen = 0
        self._piece = bytearray()

    @property
    def room(self) -> int:
        """Return how many bytes may come next."""
        return _INFLATED + 2 - len(self._piece)

    def add(self, pixels: bytes) -> None:
        """Take the next bytes of it."""
        self._piece += pixels
        if self._seen + len(self._piece) > self._size + 1:
            raise unreadable("has more bytes than its picture")
        if len(self._piece) >= _INFLATED and self._seen + _INFLATED <= self._size:
            self._bits.check(bytes(self._piece[:_INFLATED]))
            self._seen += _INFLATED
            del self._piece[:_INFLATED]

    def end(self) -> None:
        """Look at the rest, and at what stands behind the picture."""
        left = self._size - self._seen
        if len(self._piece) < left or not is_padding(memoryview(self._piece), left):
            raise unreadable("has more or fewer bytes than its picture")
        self._bits.check(bytes(self._piece[:left]))
