"""The picture is the picture: pixel bytes and the attributes that give them shape and place."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement

from anonymizer.gate.findings import Flaw
from anonymizer.gate.reading import Element, text_values

if TYPE_CHECKING:
    from anonymizer.gate.pairing import Side

PIXELS: Mapping[int, str] = {
    0x7FE00008: "f",  # FloatPixelData
    0x7FE00009: "d",  # DoubleFloatPixelData
    0x7FE00010: "H",  # PixelData: words of two bytes unless its VR is OB (PS3.5 8.1.1)
}
"""Pixel values, with the array type of their words."""

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


def compare(source: Side, output: Side) -> Iterator[Flaw]:
    """Yield what differs in the picture.

    Parameters
    ----------
    source, output : Side
        The two files. Shape attributes at the top level have to be in the output; those in sequences have to
        be equal where the output still has the sequence.
    """
    for position in source.samples.keys() | output.samples.keys():
        before, after = source.samples.get(position), output.samples.get(position)
        if before is None or after is None:
            rule = "pixel values are in one of source and output only"
            yield Flaw("pixels-differ", position, rule)
        elif not _same_samples(before, after, PIXELS[position[-1]]):
            yield Flaw("pixels-differ", position, "pixel values are not those of the source")
    for position, before in source.shapes.items():
        after = output.shapes.get(position)
        if after is None:
            if len(position) == 1:
                yield Flaw("pixels-differ", position, "an attribute that shapes the picture is missing")
        elif not _same_shape(before, after, GEOMETRY[position[-1]]):
            rule = "an attribute that shapes the picture is not that of the source"
            yield Flaw("pixels-differ", position, rule)


def _same_samples(before: Element, after: Element, word: str) -> bool:
    first, second = before.value or b"", after.value or b""
    if _is_little(before) != _is_little(after) and "OB" not in (before.VR, after.VR):
        swapped = array(word, first)
        swapped.byteswap()
        first = swapped.tobytes()
    if len(first) % 2 and len(second) == len(first) + 1:
        # Values have even length (PS3.5 7.1.1); a source that forgot may be padded.
        first += b"\0"
    return bool(first == second)


def _same_shape(before: Element, after: Element, vr: str) -> bool:
    if before.value == after.value and _is_little(before) == _is_little(after):
        return True
    return _decoded(before, vr) == _decoded(after, vr)


def _decoded(element: Element, vr: str) -> object:
    if vr == "US" and isinstance(element.value, bytes):
        words = array("H", element.value)
        if _is_little(element) != (sys.byteorder == "little"):
            words.byteswap()
        return words
    values = text_values(element)
    if vr == "CS":
        return values
    try:
        return tuple(float(value) for value in values)
    except ValueError:
        return values


def _is_little(element: Element) -> bool:
    return element.is_little_endian if isinstance(element, RawDataElement) else True
