"""The shape of a frame, for formats that say nowhere where their data ends."""

from __future__ import annotations

from dataclasses import dataclass

from anonymizer.engine.bits import Bits


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
    subsampled : bool
        Whether two of three samples are halved where the frame is not compressed (YBR_FULL_422).
    """

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    subsampled: bool = False

    @property
    def octets(self) -> int:
        """Return how many bytes the frame has when it is not compressed, those of its last bits too."""
        samples = self.samples - self.subsampled
        return (self.rows * self.columns * samples * self.bits_allocated + 7) // 8

    def bits(self) -> Bits:
        """Return what holds a frame that has anything outside its stored bits; its words are little endian."""
        return Bits(self.bits_allocated, self.bits_stored, self.high_bit, signed=self.signed, little_endian=True)
