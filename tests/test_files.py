"""The file around a data set: preamble, file meta, markers, transfer syntaxes, byte order, padding."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file

from anonymizer import Released
from anonymizer.engine import tables
from tests import samples
from tests.codestream_samples import JPEG_PIECES
from tests.samples import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    REFERENCED_IMAGES,
    UNLISTED_SEQUENCE,
    How,
    code,
    element,
    item,
    moved,
    output,
    released,
    sequence,
    stored,
    tag,
    us,
)

PROFILES = ("basic", "research")
in_both_profiles = pytest.mark.parametrize("profile", PROFILES)


# The file around the data set


def test_preamble_and_file_meta_are_new() -> None:
    secrets = [
        element(0x00020012, "UI", "1.2.3.99"),
        element(0x00020013, "SH", "ZQVERSION"),
        element(0x00020016, "AE", "ZQSOURCE"),
        element(0x00020017, "AE", "ZQSENDING"),
        element(0x00020026, "UR", "http://zq"),
        element(0x00020100, "UI", "1.2.3.98"),
        element(0x00020102, "OB", b"zqprivate "),
    ]
    data = samples.ct(preamble=b"II*\0zqtiff".ljust(128, b"z"), more_meta=b"".join(secrets))
    found = released(data)
    assert found[:132] == bytes(128) + b"DICM"
    for left in (b"zq", b"ZQ", b"1.2.3.9"):
        assert left in data
        assert left not in found
    meta = pydicom.dcmread(BytesIO(found)).file_meta
    assert [int(one.tag) & 0xFFFF for one in meta] == [0x00, 0x01, 0x02, 0x03, 0x10, 0x12, 0x13]
    assert found == released(samples.ct())


def test_the_length_of_the_file_meta_is_right() -> None:
    found = released(samples.ct())
    assert found[144 + struct.unpack("<L", found[140:144])[0] :][:4] == b"\x08\0\x05\0"


@pytest.mark.parametrize(
    ("profile", "modified", "codes"),
    [("basic", "REMOVED", {"113100"}), ("research", "MODIFIED", {"113100", "113105", "113107", "113108", "113111"})],
)
def test_the_markers_say_what_was_done(profile: str, modified: str, codes: set[str]) -> None:
    at = output(samples.ct(), profile)
    assert at.PatientIdentityRemoved == "YES"
    assert at.DeidentificationMethod == "Entwash"
    assert at.LongitudinalTemporalInformationModified == modified
    assert {one.CodeValue for one in at.DeidentificationMethodCodeSequence} == codes
    for one in at.DeidentificationMethodCodeSequence:
        assert one.CodingSchemeDesignator == "DCM"
        assert one.CodeMeaning == tables.method_codes()[one.CodeValue]


@in_both_profiles
def test_a_second_pass_adds_no_marker_twice(profile: str) -> None:
    once = released(samples.ct(), profile)
    twice = output(once, profile)
    codes = [one.CodeValue for one in twice.DeidentificationMethodCodeSequence]
    assert codes == [one.CodeValue for one in pydicom.dcmread(BytesIO(once)).DeidentificationMethodCodeSequence]
    assert (twice.PatientIdentityRemoved, twice.DeidentificationMethod) == ("YES", "Entwash")


def test_codes_that_a_source_claims_stay_before_ours_and_no_other_text_comes_with_them() -> None:
    claimed = sequence(
        0x00120064, code("113101", "DCM", "zqmeaning"), code("113100", "DCM", "zq"), code("zqcode", "99HOSP", "zq")
    )
    data = samples.ct(claimed, element(0x00120063, "LO", "zqmethod"), element(0x00120062, "CS", "NO"))
    at = output(data)
    codes = [one.CodeValue for one in at.DeidentificationMethodCodeSequence]
    assert codes == ["113101", "113100", "113105", "113107", "113108", "113111"]
    assert at.PatientIdentityRemoved == "YES"
    assert b"zq" not in released(data)


def test_what_an_earlier_program_claims_to_have_retained_is_claimed_no_more() -> None:
    retained = [code(number, "DCM", "retained") for number in ("113106", "113108", "113109", "113110", "113112")]
    at = output(samples.ct(sequence(0x00120064, *retained)), "basic")
    assert [one.CodeValue for one in at.DeidentificationMethodCodeSequence] == ["113100"]


def test_removed_is_never_relaxed() -> None:
    """What another tool removed it may have replaced by a dummy; moving that would make it look like a date."""
    at = output(samples.ct(element(0x00280303, "CS", "REMOVED"), element(0x00080022, "DA", "20170314")))
    assert at.LongitudinalTemporalInformationModified == "REMOVED"
    assert "113107" not in {one.CodeValue for one in at.DeidentificationMethodCodeSequence}
    assert at.AcquisitionDate == at.StudyDate == "19000101"
    twice = output(released(samples.ct(), "basic"))
    assert twice.LongitudinalTemporalInformationModified == "REMOVED"


@pytest.mark.parametrize(("claimed", "said"), [("MODIFIED", "MODIFIED"), ("UNMODIFIED", "UNMODIFIED")])
def test_dates_that_are_retained_are_claimed_even_where_somebody_moved_them_before(claimed: str, said: str) -> None:
    result = samples.engine("retain_longitudinal_full_dates").anonymize(samples.ct(element(0x00280303, "CS", claimed)))
    assert isinstance(result, Released)
    at = pydicom.dcmread(BytesIO(result.data))
    assert at.LongitudinalTemporalInformationModified == said
    assert at.StudyDate == samples.STUDY_DATE
    assert "113106" in {one.CodeValue for one in at.DeidentificationMethodCodeSequence}


@pytest.mark.parametrize("claimed", ["UNMODIFIED", "MODIFIED", "", "zq"])
def test_dates_that_are_still_there_move(claimed: str) -> None:
    at = output(samples.ct(element(0x00280303, "CS", claimed)))
    assert at.LongitudinalTemporalInformationModified == "MODIFIED"
    assert at.StudyDate == moved(samples.STUDY_DATE)


# Transfer syntaxes


def test_a_deflated_source_comes_out_plain_and_as_its_plain_twin_does() -> None:
    deflated = samples.ct(transfer_syntax=str(uid.DeflatedExplicitVRLittleEndian))
    assert released(deflated) == released(samples.ct())
    assert output(deflated).file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
def test_numbers_pointers_and_pixels_are_the_same_in_every_byte_order(how: How) -> None:
    order = "<" if how.little else ">"
    data = samples.ct(
        element(tag("SmallestImagePixelValue"), "SS", struct.pack(f"{order}h", -5), how),
        element(tag("PixelPaddingValue"), "SS", struct.pack(f"{order}h", -2000), how),
        element(tag("FrameIncrementPointer"), "AT", struct.pack(f"{order}HH", 0x0018, 0x1063), how),
        element(tag("RealWorldValueSlope"), "FD", struct.pack(f"{order}d", 1.25), how),
        element(tag("LUTDescriptor"), "SS", struct.pack(f"{order}3h", 256, -7, 16), how),
        element(tag("PixelRepresentation"), "US", struct.pack(f"{order}H", 1), how),
        how=how,
    )
    found = released(data)
    at = pydicom.dcmread(BytesIO(found))
    assert at.file_meta.TransferSyntaxUID == how.transfer_syntax
    assert (at.Rows, at.BitsAllocated, at.SmallestImagePixelValue, at.PixelPaddingValue) == (4, 16, -5, -2000)
    assert at.FrameIncrementPointer == 0x00181063
    assert at.RealWorldValueSlope == 1.25
    assert list(at.LUTDescriptor) == [256, -7, 16]
    assert at.PixelData == bytes(range(32))
    assert element(0x7FE00010, "OW", bytes(range(32)), how) in found


def test_the_three_encodings_of_one_image_say_the_same() -> None:
    said = [output(samples.ct(how=how)) for how in (EXPLICIT, IMPLICIT, BIG)]
    assert said[0] == said[1] == said[2]


def test_sequences_in_big_endian_keep_their_items() -> None:
    reference = item(element(0x00081155, "UI", samples.INSTANCE, BIG), us(0x00081160, 7, BIG), how=BIG)
    frames = element(0x00081160, "IS", "7", BIG)
    reference = item(element(0x00081155, "UI", samples.INSTANCE, BIG), frames, how=BIG, undefined=True)
    at = output(samples.ct(sequence(REFERENCED_IMAGES, reference, how=BIG, undefined=True), how=BIG))
    assert at.ReferencedImageSequence[0].ReferencedSOPInstanceUID == at.SOPInstanceUID
    assert at.ReferencedImageSequence[0].ReferencedFrameNumber == 7


def test_encapsulated_fragments_are_bit_identical() -> None:
    frame = b"".join(JPEG_PIECES)
    stream = item() + item(frame + bytes(len(frame) % 2)) + bytes.fromhex("feffdde000000000")
    pixels = samples.header(0x7FE00010, "OB", samples.UNDEFINED) + stream
    after = element(0xFFFCFFFC, "OB", b"zqpadding ")
    data = samples.ct(pixels, after, transfer_syntax=str(uid.JPEGBaseline8Bit))
    found = released(data)
    assert found.endswith(pixels)
    assert pydicom.dcmread(BytesIO(found)).file_meta.TransferSyntaxUID == uid.JPEGBaseline8Bit


@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("trailing", [b"\0", b"zqname", bytes(8), bytes(500)])
def test_bytes_behind_the_picture_are_dropped(how: How, trailing: bytes) -> None:
    assert released(samples.ct(how=how, trailing=trailing)) == released(samples.ct(how=how))


@pytest.mark.parametrize("trailing", [b"zqname, born 1958-02-28", b"JOHN SMITH " * 40])
def test_text_behind_the_picture_is_dropped_or_holds_the_instance(trailing: bytes) -> None:
    assert released(samples.ct(trailing=trailing)) == released(samples.ct())
    assert samples.held(samples.ct(how=IMPLICIT, trailing=trailing)).code == "truncated"


@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
def test_values_of_odd_length_come_out_even(how: How) -> None:
    odd = [
        element(tag("ImageType"), "CS", "ORIGINAL\\A", how, pad=False),
        element(tag("SliceThickness"), "DS", "2.5", how, pad=False),
        element(tag("Manufacturer"), "LO", "Acme Ltd.", how, pad=False),
        samples.lut_descriptor(tag("LUTDescriptor"), 3, how, bits=8),
        element(tag("LUTData"), "OW", b"\1\2\3", how, pad=False),
    ]
    sizes = {0x00280010: 31, 0x00280011: 1, 0x00280100: 8, 0x00280101: 8, 0x00280102: 7}
    picture = [us(number, size, how) for number, size in sizes.items()]
    at = output(samples.ct(*odd, *picture, element(0x7FE00010, "OW", bytes(31), how, pad=False), how=how))
    assert at.SliceThickness == 2.5
    assert at.Manufacturer == "Acme Ltd."
    assert at.PixelData == bytes(32)
    again = pydicom.dcmread(BytesIO(released(samples.ct(*odd, how=how))))
    numbers = list(again.keys())
    assert [number for number in numbers if getattr(again.get_item(number), "length", 0) % 2] == []


def test_elements_out_of_order_come_out_in_order() -> None:
    elements = [*samples.common(), *samples.picture()]
    assert released(samples.file(reversed(elements))) == released(samples.ct())


def test_a_value_too_long_for_its_vr_goes_out_as_it_came() -> None:
    points = "\\".join(["1.5"] * 20000)
    data = samples.ct(element(tag("ContourData"), "UN", points), element(tag("Manufacturer"), "UN", b"M" * 70000))
    at = output(data)
    assert stored(at, "ContourData") == points
    assert at.get_item(tag("ContourData")).VR == "UN"


def test_empty_sequences_and_empty_items_stay_valid() -> None:
    empty = sequence(REFERENCED_IMAGES)
    unended = sequence(tag("AnatomicRegionSequence"), item(), item(undefined=True), undefined=True)
    ended = sequence(UNLISTED_SEQUENCE, item(us(0x00280010, 4), bytes.fromhex("feff0de000000000")))
    at = output(samples.ct(empty, unended, ended))
    assert len(at.ReferencedImageSequence) == 0
    assert [len(one) for one in at.AnatomicRegionSequence] == [0, 0]
    assert at[UNLISTED_SEQUENCE][0].Rows == 4


# Pixels


def views_of(data: bytes) -> list[memoryview]:
    """Return the parts of an output that are the source's own bytes, and not a copy of them."""
    result = samples.ENGINES["research"].anonymize(data)
    assert isinstance(result, Released)
    return [part for part in result.parts if isinstance(part, memoryview) and part.obj is data]


@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
def test_native_pixels_are_a_view_of_the_source_and_no_copy(how: How) -> None:
    pixels = bytes(range(32))
    data = samples.ct(element(0x7FE00010, "OW", pixels, how), how=how)
    assert [bytes(view) for view in views_of(data)] == [pixels]


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "693_J2KI.dcm"])
def test_frames_are_views_of_the_source_and_no_copy_but_for_what_was_cut(name: str) -> None:
    data = Path(str(get_testdata_file(name, download=False))).read_bytes()
    views = views_of(data)
    compressed = len(pydicom.dcmread(BytesIO(data)).PixelData)
    assert sum(map(len, views)) > compressed * 0.9
