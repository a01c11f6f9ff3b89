"""The bytes of an output that are searched: everything outside of native pixel samples.

That is preamble, file meta information, data set, private values, codestreams; a deflated data set is searched
inflated.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from anonymizer.gate.memory import Memory
from anonymizer.gate.reading import Data, at_hand, inflate, read_header

_HAS_LONG_LENGTH = {vr.value.encode(): vr in EXPLICIT_VR_LENGTH_32 for vr in VR if len(vr.value) == 2}
_HEADER, _LENGTH = Struct("<L2sH"), Struct("<L")
_PIXEL_DATA = 0x00107FE0  # as one little endian number: the element above the group


class Stretch(NamedTuple):
    """Bytes to search, folded to lower case, and where they begin; `in_body` if inside the data set's bytes."""

    folded: bytes
    start: int
    in_body: bool


def stretches_of(output: Data, memory: Memory | None = None) -> Iterator[Stretch]:
    """Yield what has to be searched.

    Parameters
    ----------
    output : bytes or what can be seen as bytes
        The whole file.
    memory : Memory, optional
        What was read before.
    """
    output = at_hand(output)
    header = read_header(output, memory)
    if header.transfer_syntax == DeflatedExplicitVRLittleEndian:
        yield Stretch(bytes(output[: header.end]).lower(), 0, False)
        inflated, rest = inflate(output[header.end :])
        yield from _around_samples(inflated, *_samples(inflated, 0, implicit=False))
        yield Stretch(rest.lower(), len(output) - len(rest), False)
    elif header.transfer_syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        implicit = header.transfer_syntax == ImplicitVRLittleEndian
        yield from _around_samples(output, *_samples(output, header.end, implicit=implicit))
    else:
        yield Stretch(bytes(output).lower(), 0, True)


def _around_samples(data: bytes | memoryview, begin: int, end: int) -> Iterator[Stretch]:
    yield Stretch(bytes(data[:begin]).lower(), 0, True)
    if end < len(data):
        yield Stretch(bytes(data[end:]).lower(), end, True)


def _samples(data: bytes | memoryview, start: int, *, implicit: bool) -> tuple[int, int]:
    """Return where native pixel samples begin and end; nothing is left out where that is not certain.

    The elements are walked by their lengths: bytes that only look like PixelData may stand in any value.
    """
    nothing = len(data), len(data)
    at, last = start, len(data) - 12
    while at <= last:
        tag, vr, length = _HEADER.unpack_from(data, at)
        begin = at + 8
        if implicit:
            (length,) = _LENGTH.unpack_from(data, at + 4)
        elif vr not in _HAS_LONG_LENGTH:
            return nothing
        elif _HAS_LONG_LENGTH[vr]:
            (length,) = _LENGTH.unpack_from(data, begin)
            begin += 4
        # The length of a sequence may be undefined, which reaches beyond the end too.
        at = begin + length
        if tag == _PIXEL_DATA and at <= len(data):
            return begin, at
    return nothing
