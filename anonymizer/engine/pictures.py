"""The picture: written as it stands, once it is plain that nothing but a picture stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydicom.uid import UID

from anonymizer.engine import bits, encapsulated, encode, objects
from anonymizer.engine.codestreams.picture import Picture
from anonymizer.engine.meta import TOO_NEW, File
from anonymizer.engine.outcome import HoldError, Part
from anonymizer.engine.parse import UNDEFINED, Element
from anonymizer.engine.walk import reading_vr

PIXEL_DATA = 0x7FE00010
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
# Bits of a sample, where the tag tells them.
PICTURES = {0x7FE00008: 32, 0x7FE00009: 64, PIXEL_DATA: None}
GROUP = frozenset({_OFFSETS, _LENGTHS, *PICTURES})

_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT, _PIXEL_REPRESENTATION = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_FRAMES, _PHOTOMETRIC = 0x00280008, 0x00280004

Text = Callable[[int], str]
Number = Callable[[int], int | None]


def parts(file: File, elements: Iterable[Element], text: Text, number: Number) -> dict[int, list[Part]]:
    """Return the elements of a picture by their tags, each in parts; pixels are views of the file's own bytes.

    Parameters
    ----------
    elements : iterable of Element
        Those of :data:`GROUP` at the top level.
    text, number : callable
        Give a CS or IS value and a US value of the data set by its tag.

    Raises
    ------
    HoldError
        When something else than the picture stands in the pixels, or nobody can tell.
    """
    by_tag = {element.tag: element for element in elements}
    vrs = {tag: _vr(element, file) for tag, element in by_tag.items()}
    count = int(text(_FRAMES) or 1)
    written: dict[int, list[Part]] = {}
    for tag, width in PICTURES.items():
        element = by_tag.get(tag)
        if element is None:
            continue
        if element.fragments:
            written.update(_encapsulated(file, element, by_tag, count, _picture(text, number)))
        else:
            objects.check_pixel_length(tag, element.stop - element.start, number, count, width, text(_PHOTOMETRIC))
            written[tag] = _native(file, element, vrs[tag], width, number)
    return written


def _vr(element: Element, file: File) -> str:
    """Return the VR in which a picture or a table of its frames is written; in another than its own it is none."""
    vr = None if element.items is not None else reading_vr(element.tag, element.vr)
    # Nobody can tell the order of bytes in what calls itself UN, but where all is little endian, nor fragments in it.
    is_told = element.vr != "UN" or (file.syntax.little_endian and not element.fragments)
    if vr is None or not is_told:
        raise HoldError("invalid-vr", "is there, but in a VR that it cannot have", tag=element.tag, vr=element.vr)
    return vr


def _native(file: File, element: Element, vr: str, width: int | None, number: Number) -> list[Part]:
    pixels = memoryview(file.data)[element.start : element.stop]
    if width is None:
        if file.transfer_syntax in TOO_NEW or UID(file.transfer_syntax).is_encapsulated:
            raise HoldError("length-wrong", "in one piece, in a transfer syntax of fragments", tag=element.tag, vr=vr)
        allocated, high = number(_BITS_ALLOCATED) or 0, number(_HIGH_BIT)
        stored = number(_BITS_STORED) or 0
        bits.check(
            pixels,
            bits_allocated=allocated,
            bits_stored=stored,
            high_bit=stored - 1 if high is None else high,
            signed=number(_PIXEL_REPRESENTATION) == 1,
            little_endian=file.syntax.little_endian,
        )
    head = encode.header(element.tag, vr, len(pixels) + len(pixels) % 2, file.syntax)
    return [head, pixels, bytes(len(pixels) % 2)]


def _picture(text: Text, number: Number) -> Picture | None:
    """Return the shape of a frame, None where the data set does not tell it."""
    rows, columns, allocated = number(0x00280010), number(0x00280011), number(_BITS_ALLOCATED)
    samples, is_subsampled = number(0x00280002) or 1, text(_PHOTOMETRIC) == objects.SUBSAMPLED
    if not (rows and columns and allocated) or (is_subsampled and samples != 3):
        return None
    stored, high = number(_BITS_STORED) or 0, number(_HIGH_BIT)
    return Picture(
        rows,
        columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else high,
        signed=number(_PIXEL_REPRESENTATION) == 1,
        subsampled=is_subsampled,
    )


def _encapsulated(
    file: File, element: Element, by_tag: dict[int, Element], frames: int, picture: Picture | None
) -> dict[int, list[Part]]:
    if file.transfer_syntax not in TOO_NEW and not UID(file.transfer_syntax).is_encapsulated:
        raise HoldError("length-wrong", "in fragments, in a transfer syntax without", tag=element.tag, vr="OB")

    def value(tag: int) -> bytes:
        table = by_tag.get(tag)
        return b"" if table is None or table.items is not None else file.data[table.start : table.stop]

    clean = encapsulated.clean(
        memoryview(file.data),
        element.start,
        element.stop,
        file.transfer_syntax,
        frames,
        value(_OFFSETS),
        value(_LENGTHS),
        picture,
    )
    written: dict[int, list[Part]] = {
        element.tag: [encode.header(element.tag, "OB", UNDEFINED, file.syntax), *clean.parts]
    }
    for tag, table in ((_OFFSETS, clean.extended_offsets), (_LENGTHS, clean.extended_lengths)):
        if table:
            written[tag] = [encode.element(tag, "OV", table, file.syntax)]
    return written
