"""Attributes that decide how others are read, and tables that say how long they are."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from anonymizer import Held, Released
from tests import samples
from tests.samples import element, item, lut_descriptor, sequence

LUT_DESCRIPTOR, LUT_DATA = 0x00283002, 0x00283006
RED_DESCRIPTOR, RED_DATA = 0x00281101, 0x00281201


def anonymized(data: bytes, engine: str = "research") -> pydicom.Dataset:
    result = (
        samples.engine(engine).anonymize(data)
        if engine not in samples.ENGINES
        else samples.ENGINES[engine].anonymize(data)
    )
    assert isinstance(result, Released), result
    return pydicom.dcmread(BytesIO(result.data))


def reason(data: bytes) -> str:
    result = samples.ENGINES["research"].anonymize(data)
    assert isinstance(result, Held)
    return str(result.reason)


@pytest.mark.parametrize(
    "keyword",
    [
        "SpecificCharacterSet",
        "SamplesPerPixel",
        "PlanarConfiguration",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
    ],
)
def test_what_says_how_the_rest_is_read_is_held_in_a_vr_that_it_cannot_have(keyword: str) -> None:
    tag = tag_for_keyword(keyword) or 0
    wrong, value = ("US", b"ISO_IR 192") if dictionary_VR(tag) == "CS" else ("LO", b"\x10\0")
    told = reason(samples.ct(element(tag, wrong, value)))
    assert told.startswith("invalid-vr: ")
    assert keyword in told


WRONG: dict[str, list[tuple[int, str, bytes]]] = {
    "NumberOfFrames": [(0x00280008, "IS", one) for one in (b"9" * 5000, b"1A", b"1\\1 ", b"-1", b"1.0 ", b"Quill ")],
    "PhotometricInterpretation": [
        (0x00280004, "CS", one) for one in (b"Monochrome2 ", b"MONOCHROME2\\QUILL", b"MONOCHROME-2", b"M" * 18)
    ],
    "SpecificCharacterSet": [(0x00080005, "CS", b"ISO_IR 192\0\0")],
    **{
        keyword: [(tag_for_keyword(keyword) or 0, "US", one) for one in (b"\x0c\0\x0c\0", b"\x0c", b"\x0c\0Q")]
        for keyword in (
            *("SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns"),
            *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
        )
    },
}


@pytest.mark.parametrize("keyword", WRONG)
def test_what_says_how_the_rest_is_read_is_held_with_a_value_that_it_cannot_have(keyword: str) -> None:
    """It would be passed over here, and silently be gone there."""
    for tag, vr, value in WRONG[keyword]:
        told = reason(samples.ct(samples.header(tag, vr, len(value)) + value))
        assert told.startswith("invalid-value: ")
        assert keyword in told
        assert "Quill" not in told


@pytest.mark.parametrize("frames", [b"1 ", b" 1", b"+1", b"01", b"000000000001"])
def test_a_number_of_frames_that_is_one_stays_however_it_is_written(frames: bytes) -> None:
    found = anonymized(samples.ct(element(0x00280008, "IS", frames)))
    assert str(found.get_item("NumberOfFrames").value.decode()) == element(0x00280008, "IS", frames)[8:].decode()


def test_what_decides_may_be_empty_where_it_decides_nothing() -> None:
    empty = [element(0x00280006, "US", b""), element(0x00280004, "CS", b""), element(0x00280008, "IS", b"")]
    found = anonymized(samples.ct(*empty))
    assert "NumberOfFrames" in found
    assert "PlanarConfiguration" in found
    assert "PhotometricInterpretation" in found


@pytest.mark.parametrize("stored", [b"\x0c\0\x0c\0", b"", b"\0\0", None])
def test_bits_above_those_stored_are_held_however_bits_stored_hides_them(stored: bytes | None) -> None:
    overlay = element(0x7FE00010, "OW", b"\1\xf0" * 16)
    elements = [] if stored is None else [element(0x00280101, "US", stored)]
    told = reason(samples.ct(overlay, *elements, without=[0x00280101]))
    assert told.startswith(("bits-above-stored: ", "invalid-value: "))


@pytest.mark.parametrize("text", [" 1.2.3.4.55", "1.2.3.4.55 ", "\0001.2.3.4.55", " 1.2.3.4.55 "])
def test_a_retained_uid_is_the_same_everywhere_whatever_stands_around_it(text: str) -> None:
    data = samples.ct(
        element(0x00080018, "UI", text),
        element(0x0020000D, "UI", text),
        sequence(0x00081140, item(element(0x00081155, "UI", text))),
    )
    found = anonymized(data, "retain_uids")
    uids = {
        found.SOPInstanceUID,
        found.StudyInstanceUID,
        found.file_meta.MediaStorageSOPInstanceUID,
        found.ReferencedImageSequence[0].ReferencedSOPInstanceUID,
    }
    assert uids == {"1.2.3.4.55"}


def table(entries: int, bits: int, octets: bytes, *, nested: bool) -> bytes:
    if nested:
        inside = item(lut_descriptor(LUT_DESCRIPTOR, entries, bits=bits), element(LUT_DATA, "OW", octets))
        return samples.ct(sequence(0x00283000, inside))
    return samples.ct(lut_descriptor(RED_DESCRIPTOR, entries, bits=bits), element(RED_DATA, "OW", octets))


@pytest.mark.parametrize("nested", [False, True], ids=["palette", "LUT"])
@pytest.mark.parametrize(
    ("entries", "bits", "octets"), [(2, 16, 4), (2, 12, 4), (3, 8, 4), (3, 8, 6), (65536, 16, 131072), (256, 8, 256)]
)
def test_a_table_as_long_as_its_descriptor_says_stays(entries: int, bits: int, octets: int, nested: bool) -> None:
    data = table(entries, bits, bytes(octets), nested=nested)
    for anonymizer in (samples.ENGINES["basic"], samples.ENGINES["research"]):
        result = anonymizer.anonymize(data)
        assert isinstance(result, Released)
        found = pydicom.dcmread(BytesIO(result.data))
        kept = found.ModalityLUTSequence[0].LUTData if nested else found.RedPaletteColorLookupTableData
        assert len(kept) == octets


@pytest.mark.parametrize("how", [samples.EXPLICIT, samples.BIG], ids=["little", "big"])
@pytest.mark.parametrize("vr", ["US", "SS", "UN"])
def test_a_palette_stays_whose_data_call_themselves_what_editions_before_2004_let_them(
    vr: str, how: samples.How
) -> None:
    colours = [samples.lut_descriptor(RED_DESCRIPTOR, 4, how), element(RED_DATA, vr, bytes(range(8)), how)]
    for anonymizer in (samples.engine(), samples.slowly()):
        result = anonymizer.anonymize(samples.ct(*colours, how=how))
        assert isinstance(result, Released)
        found = pydicom.dcmread(BytesIO(result.data))["RedPaletteColorLookupTableData"]
        assert (found.VR, found.value) == ("OW", bytes(range(8)))


@pytest.mark.parametrize("nested", [False, True], ids=["palette", "LUT"])
@pytest.mark.parametrize(
    ("entries", "bits", "octets"), [(2, 16, 6), (3, 8, 8), (256, 8, 258), (65535, 16, 131072), (2, 16, 70000)]
)
def test_a_table_that_is_longer_is_held(entries: int, bits: int, octets: int, nested: bool) -> None:
    data = table(
        entries, bits, bytes(octets - 14) + b"Quillfeather^B" if octets > 14 else b"QF" * (octets // 2), nested=nested
    )
    told = reason(data)
    assert told.startswith("pixel-data-longer: ")
    assert "Quill" not in told


def test_a_table_without_a_descriptor_is_held() -> None:
    assert reason(samples.ct(element(RED_DATA, "OW", bytes(8)))).startswith("pixel-data-longer: ")
