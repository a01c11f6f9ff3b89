"""Bits of a native pixel word that are no pixel: whatever stands there is not of the picture (PS3.5 8.1.1).

Before 2004 an overlay could stand in them (PS3.3 C.9.2, retired), and with it a name; nothing else in the file
need say so. Pixels are looked at and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from anonymizer.engine.outcome import HoldError

_PIXEL_DATA = 0x7FE00010
# Small enough to stay in a processor's cache: what a slice with a step costs is memory.
_CHUNK = 1 << 15


def check(
    pixels: bytes | memoryview,
    bits_allocated: int,
    bits_stored: int,
    high_bit: int,
    *,
    signed: bool,
    little_endian: bool,
) -> None:
    """Hold native pixels that have anything outside their Bits Stored; see :class:`Bits`."""
    Bits(bits_allocated, bits_stored, high_bit, signed=signed, little_endian=little_endian).check(pixels)


class Bits:
    """What of a picture's words is looked at, a piece of the picture at a time.

    Allowed above the high bit are zeros in all words or, of signed pixels, the sign in all words: a choice
    between the two in every word would be a bit that can carry something. Below the stored bits are zeros.

    Parameters
    ----------
    bits_allocated, bits_stored, high_bit : int
        (0028,0100), (0028,0101), (0028,0102).
    signed : bool
        Whether Pixel Representation (0028,0103) is 1.
    little_endian : bool
        Whether the words are little endian.

    Raises
    ------
    HoldError
        When there is something, or nobody can tell which bits are stored.
    """

    def __init__(
        self, bits_allocated: int, bits_stored: int, high_bit: int, *, signed: bool, little_endian: bool
    ) -> None:
        self._octets = bits_allocated // 8
        self._ways: list[_Way] = []
        self._is_any = bits_stored == bits_allocated
        if self._is_any:
            return
        # Whether big endian words of two bytes or of four stand in OW, writers do not agree.
        is_usual = bits_allocated in {8, 16} or (bits_allocated in {32, 64} and little_endian)
        if not is_usual or not 0 < bits_stored <= high_bit + 1 <= bits_allocated:
            raise HoldError("bits-above-stored", "which bits are stored cannot be told", tag=_PIXEL_DATA, vr="OW")
        self._ways = [_way(self._octets, bits_stored, high_bit, little_endian, signed=kind) for kind in {False, signed}]

    def check(self, pixels: bytes | memoryview) -> None:
        """Look at the next piece of the picture; bytes behind its last whole word are not looked at."""
        if self._is_any:
            return
        for chunk in _chunks(pixels, self._octets):
            self._ways = [way for way in self._ways if way.holds(chunk, self._octets)]
            if not self._ways:
                raise HoldError("bits-above-stored", "has something outside its stored bits", tag=_PIXEL_DATA, vr="OW")


@dataclass(frozen=True, slots=True)
class _Way:
    """What every word is, where nothing stands outside its stored bits.

    Attributes
    ----------
    allowed : tuple of (int, bytes)
        Places of bytes in a word that may not have every value, and the values that they may have.
    repeated : tuple of int
        Places of bytes that are the sign and nothing else.
    sign : tuple of (int, bytes)
        Place of the byte that has the sign, and the byte of signs for each of its values.
    """

    allowed: tuple[tuple[int, bytes], ...]
    repeated: tuple[int, ...]
    sign: tuple[int, bytes]

    def holds(self, words: bytes, octets: int) -> bool:
        """Tell whether it is so of these words."""
        if any(words[place::octets].translate(None, allowed) for place, allowed in self.allowed):
            return False
        if not self.repeated:
            return True
        place, table = self.sign
        signs = words[place::octets].translate(table)
        return all(words[place::octets] == signs for place in self.repeated)


@lru_cache(maxsize=64)
def _way(octets: int, bits_stored: int, high_bit: int, little: bool, *, signed: bool) -> _Way:
    stored = (1 << bits_stored) - 1 << high_bit + 1 - bits_stored
    top, sign = high_bit // 8, 1 << high_bit % 8
    places = list(range(octets)) if little else list(range(octets))[::-1]
    above = 0xFF & -2 * sign

    def may_be(octet: int, value: int) -> bool:
        extended = above if octet == top and signed and value & sign else 0
        return value & ~(stored >> 8 * octet) & 0xFF == extended

    last = top if signed else octets - 1
    values = [(octet, bytes(value for value in range(256) if may_be(octet, value))) for octet in range(last + 1)]
    return _Way(
        tuple((places[octet], allowed) for octet, allowed in values if len(allowed) < 256),
        tuple(places[last + 1 :]),
        (places[top], bytes(0xFF if value & sign else 0 for value in range(256))),
    )


def _chunks(pixels: bytes | memoryview, octets: int) -> Iterator[bytes]:
    """Yield whole words, some at a time and as bytes: a memoryview is slow to slice with a step."""
    view = memoryview(pixels)
    stop = len(view) - len(view) % octets
    for at in range(0, stop, _CHUNK):
        yield view[at : min(at + _CHUNK, stop)].tobytes()
