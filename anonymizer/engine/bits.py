"""Bits of a native pixel word that are no pixel: whatever stands there is not of the picture (PS3.5 8.1.1).

Before 2004 an overlay could stand in them (PS3.3 C.9.2, retired), and with it a name; nothing else in the file
need say so. Pixels are looked at and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonymizer.engine.outcome import HoldError

_PIXEL_DATA = 0x7FE00010
# Words that stay in a processor's cache while they are looked at more than once.
_CHUNK = 1 << 16


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
        self._is_any = bits_stored == bits_allocated
        if self._is_any:
            return
        # Whether big endian words of two bytes or of four stand in OW, writers do not agree.
        is_usual = bits_allocated in {8, 16} or (bits_allocated in {32, 64} and little_endian)
        if not is_usual or not 0 < bits_stored <= high_bit + 1 <= bits_allocated:
            raise HoldError("bits-above-stored", "which bits are stored cannot be told", tag=_PIXEL_DATA, vr="OW")
        self._words = np.dtype(f"{'<' if little_endian else '>'}u{bits_allocated // 8}")
        self._numbers = np.dtype(self._words.str.replace("u", "i"))
        self._below = (1 << high_bit + 1 - bits_stored) - 1
        self._sign = 1 << high_bit
        self._may_be_zeros, self._may_be_signs = True, signed

    def check(self, pixels: bytes | memoryview) -> None:
        """Look at the next piece of the picture; bytes behind its last whole word are not looked at."""
        if self._is_any:
            return
        for words in self._chunks(pixels):
            used = int(np.bitwise_or.reduce(words))
            if used < 2 * self._sign:
                # Zeros above; with its sign in no word, it could be signs as well.
                self._may_be_signs &= used < self._sign
            else:
                self._may_be_zeros = False
                self._may_be_signs &= self._are_signed(words)
            if used & self._below or not (self._may_be_zeros or self._may_be_signs):
                raise HoldError("bits-above-stored", "has something outside its stored bits", tag=_PIXEL_DATA, vr="OW")

    def _are_signed(self, words: NDArray[Any]) -> bool:
        numbers = words.view(self._numbers)
        return -self._sign <= int(numbers.min()) and int(numbers.max()) < self._sign

    def _chunks(self, pixels: bytes | memoryview) -> Iterator[NDArray[Any]]:
        words = np.frombuffer(pixels, self._words, len(pixels) // self._words.itemsize)
        for at in range(0, len(words), _CHUNK):
            yield words[at : at + _CHUNK]
