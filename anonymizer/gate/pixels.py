"""The picture is the picture: pixel bytes and the attributes that give them shape and place."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement

from anonymizer.gate import codestreams
from anonymizer.gate.codestreams import Coded
from anonymizer.gate.findings import Flaw
from anonymizer.gate.memory import Element
from anonymizer.gate.reading import NATIVE, TRANSFER_SYNTAX, UNDEFINED_LENGTH, is_little, text_values
from anonymizer.gate.segments import Picture

if TYPE_CHECKING:
    from anonymizer.gate.notes import Part
    from anonymizer.gate.side import Side

PIXELS: Mapping[int, str] = {
    0x7FE00008: "f",  # FloatPixelData
    0x7FE00009: "d",  # DoubleFloatPixelData
    0x7FE00010: "H",  # PixelData: words of two bytes unless its VR is OB (PS3.5 8.1.1)
}
"""Pixel values, with the array type of their words."""

_CHUNK = 1 << 15
"""How much of two pictures is compared at a time: little enough for a processor's cache."""

GEOMETRY: Mapping[int, str] = {
    0x00180050: "DS",  # SliceThickness
    0x00200032: "DS",  # ImagePositionPatient
    0x00200037: "DS",  # ImageOrientationPatient
    0x00280002: "US",  # SamplesPerPixel
    0x00280004: "CS",  # PhotometricInterpretation
    0x00280006: "US",  # PlanarConfiguration
    0x00280008: "IS",  # NumberOfFrames
    0x00280010: "US",  # Rows
    0x00280011: "US",  # Columns
    0x00280030: "DS",  # PixelSpacing
    0x00280100: "US",  # BitsAllocated
    0x00280101: "US",  # BitsStored
    0x00280102: "US",  # HighBit
    0x00280103: "US",  # PixelRepresentation
    0x00281052: "DS",  # RescaleIntercept
    0x00281053: "DS",  # RescaleSlope
}


def compare(source: Part, output: Part) -> Iterator[Flaw]:
    """Yield what differs in what gives the picture its shape and place.

    Parameters
    ----------
    source, output : Part
        The same part of the two files. What is in sequences has to be in the output where that still has the item.
    """
    for position, before in source.shapes.items():
        after = output.shapes.get(position)
        if after is None:
            if output.has_place_of(position):
                yield Flaw("pixels-differ", position, "an attribute that shapes the picture is missing")
        elif not _same_shape(before, after, GEOMETRY[position[-1]]):
            rule = "an attribute that shapes the picture is not that of the source"
            yield Flaw("pixels-differ", position, rule)


def compare_samples(source: Side, output: Side) -> Iterator[Flaw]:
    """Yield what differs in the pixel values themselves."""
    if source.samples and not _agree(source.header.transfer_syntax, output.header.transfer_syntax):
        rule = "the transfer syntax gives the pixel values another meaning than in the source"
        yield Flaw("pixels-differ", (TRANSFER_SYNTAX,), rule)
    for position in source.samples.keys() | output.samples.keys():
        before, after = source.samples.get(position), output.samples.get(position)
        if before is None or after is None:
            rule = "pixel values are in one of source and output only"
            yield Flaw("pixels-differ", position, rule)
            continue
        is_equal = _same_samples(before, after, PIXELS[position[-1]])
        if _is_encapsulated(before) and _is_encapsulated(after):
            yield from codestreams.compare(_coded(source, before), _coded(output, after), is_equal=is_equal)
        elif not is_equal or _is_encapsulated(before) != _is_encapsulated(after):
            yield Flaw("pixels-differ", position, "pixel values are not those of the source")


def _agree(source: str, output: str) -> bool:
    """Tell whether pixel values mean the same in two transfer syntaxes; a source may not name its own."""
    return source == output or (output in NATIVE and (not source or source in NATIVE))


def _is_encapsulated(element: Element) -> bool:
    return isinstance(element, RawDataElement) and element.length == UNDEFINED_LENGTH


def _coded(side: Side, element: Element) -> Coded:
    return Coded(
        element.value or b"",
        side.header.transfer_syntax,
        Picture(
            frames=_number(side, 0x00280008) or 1,
            rows=_number(side, 0x00280010),
            columns=_number(side, 0x00280011),
            samples=_number(side, 0x00280002),
            bits=_number(side, 0x00280100),
            photometric=side.value(0x00280004),
        ),
        _bytes_of(side, codestreams.EXTENDED_OFFSET_TABLE),
        _bytes_of(side, codestreams.EXTENDED_OFFSET_TABLE_LENGTHS),
    )


def _number(side: Side, tag: int) -> int:
    """Return a number that shapes the picture, or 0."""
    element = side.element(tag)
    values = _decoded(element, GEOMETRY[tag]) if element is not None else ()
    return int(values[0]) if values and not isinstance(values[0], str) else 0


def _bytes_of(side: Side, tag: int) -> bytes:
    element = side.element(tag)
    value = element.value if element is not None else b""
    return value if isinstance(value, bytes) else b""


def _same_samples(before: Element, after: Element, word: str) -> bool:
    first, second = before.value or b"", after.value or b""
    # Values have even length (PS3.5 7.1.1); a source that forgot may be padded.
    is_padded = len(first) % 2 == 1 and len(second) == len(first) + 1
    if len(second) != len(first) + is_padded or (is_padded and second[-1]):
        return False
    is_swapped = is_little(before) != is_little(after) and "OB" not in (before.VR, after.VR)
    octets = first.obj if isinstance(first, memoryview) else None
    if isinstance(octets, bytes) and isinstance(before, RawDataElement) and not is_swapped:
        # A view on the file that the element was just read from is compared in its place, without a copy.
        return octets.startswith(second[: len(first)], before.value_tell)
    for start in range(0, len(first), _CHUNK):
        one, other = bytes(first[start : start + _CHUNK]), second[start : start + _CHUNK]
        if is_swapped:
            words = array(word, one)
            words.byteswap()
            one = words.tobytes()
        # Two views are compared byte by byte, and this is not; nor does it copy the other one.
        if not one.startswith(other[: len(one)]):
            return False
    return True


def _same_shape(before: Element, after: Element, vr: str) -> bool:
    if before.value == after.value and is_little(before) == is_little(after):
        return True
    return _decoded(before, vr) == _decoded(after, vr)


def _decoded(element: Element, vr: str) -> Sequence[int | float | str]:
    if vr == "US" and isinstance(element.value, bytes):
        words = array("H", element.value)
        if is_little(element) != (sys.byteorder == "little"):
            words.byteswap()
        return words
    values = text_values(element)
    if vr == "CS":
        return values
    try:
        return tuple(float(value) for value in values)
    except ValueError:
        return values
