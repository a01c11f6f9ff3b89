"""The shape of a frame, for formats that say nowhere where their data ends."""

from __future__ import annotations

from dataclasses import dataclass

from anonymizer.engine import bits


@dataclass(frozen=True, slots=True)
class Picture:
    """What the Image Pixel module says of a frame (PS3.3 C.7.6.3).

    Attributes
    ----------
    rows, columns, samples : int
        Rows, Columns, Samples per Pixel.
    bits_allocated, bits_stored, high_bit : int
        Of a sample.
    signed : bool
        Whether Pixel Representation is 1.
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def octets(self) -> int:
        """Return how many bytes the frame has when it is not compressed, those of its last bits too."""
        return (self.rows * self.columns * self.samples * self.bits_allocated + 7) // 8

    def check(self, pixels: bytes | memoryview) -> None:
        """Hold a frame that has anything outside its stored bits; its words are little endian."""
        bits.check(pixels, self.bits_allocated, self.bits_stored, self.high_bit, signed=self.signed, little_endian=True)
