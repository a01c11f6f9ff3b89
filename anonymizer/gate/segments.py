"""What a codestream is made of: the parts that a decoder uses, and what stands there besides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

SCAN = -1
"""The kind of a part of entropy-coded samples in which fill bytes may stand in front of markers (T.81 B.1.1.2)."""

_FILL = re.compile(rb"\xff+(?=\xff[\x01-\xfe])")


class CodestreamError(ValueError):
    """A frame is not made as its transfer syntax says, so that nobody can tell what stands in it."""


class Part(NamedTuple):
    """Bytes that a decoder uses: a marker or the like, and from where to where they stand."""

    kind: int
    start: int
    end: int


class Picture(NamedTuple):
    """What the data set says of the samples of a frame; 0 where it says nothing that can be read."""

    frames: int
    rows: int
    columns: int
    samples: int
    bits: int
    photometric: str

    @property
    def pixels(self) -> int:
        """Return how many pixels a frame has."""
        if not (self.rows and self.columns):
            raise CodestreamError
        return self.rows * self.columns

    @property
    def size(self) -> int:
        """Return how many bytes the samples of a frame take (PS3.5 8.1.1, PS3.3 C.7.6.3.1.2)."""
        bits = self.pixels * self.samples * self.bits
        if not bits:
            raise CodestreamError
        return (bits * 2 // 3 if self.photometric == "YBR_FULL_422" else bits) + 7 >> 3


@dataclass(frozen=True, slots=True, repr=False)
class Codestream:
    """A frame taken apart.

    Parameters
    ----------
    data : bytes
        What the parts point into.
    parts : tuple of Part
        What a decoder uses, in order.
    facts : tuple
        What a decoder uses of segments that may be written in another way.
    left : tuple of str
        What stands there besides and should not: "a COM segment"; never a value.
    is_indexed : bool
        Whether the lengths that it repeats of its own parts are right.
    """

    data: bytes
    parts: tuple[Part, ...]
    facts: tuple[object, ...] = ()
    left: tuple[str, ...] = ()
    is_indexed: bool = True

    def content(self, part: Part) -> bytes:
        """Return the bytes of a part, without fill bytes."""
        content = self.data[part.start : part.end]
        return _FILL.sub(b"", content) if part.kind == SCAN else content

    def is_kept_by(self, output: Codestream) -> bool:
        """Tell whether a decoder gets the same from an output that was written anew."""
        return (
            output.is_indexed
            and self.facts == output.facts
            and [part.kind for part in self.parts] == [part.kind for part in output.parts]
            and all(self.content(a) == output.content(b) for a, b in zip(self.parts, output.parts, strict=True))
        )


def is_padding(rest: bytes) -> bool:
    """Tell whether what stands behind a codestream only makes its length even (PS3.5 A.4), as zero or fill byte."""
    return rest in (b"", b"\0", b"\xff")
