"""What stands in an element: values that do not fit, UIDs, codes, ages, dates, names in every alphabet."""

from __future__ import annotations

import struct
from io import BytesIO

import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from anonymizer import Released
from tests import samples
from tests.samples import (
    CONTENT,
    REFERENCED_IMAGES,
    UNLISTED_SEQUENCE,
    code,
    element,
    item,
    moved,
    output,
    released,
    sequence,
    stored,
    tag,
)
from tests.validity.validator import verdict

PROFILES = ("basic", "research")
in_both_profiles = pytest.mark.parametrize("profile", PROFILES)


# VR and value that do not belong together


@pytest.mark.parametrize(
    ("number", "vr", "value"),
    [
        ("SliceThickness", "LO", b"zqname"),
        ("InstanceNumber", "PN", b"zqname"),
        ("RepresentativeFrameNumber", "LO", b"zqname"),
        ("BodyPartExamined", "UT", b"zqname"),
        ("StudyDate", "LO", b"zqname"),
        ("FrameOfReferenceUID", "LO", b"zqname"),
        ("Manufacturer", "OB", b"zqname"),
        ("RequestAttributesSequence", "LO", b"zqname"),
        ("RequestAttributesSequence", "OB", b"zqname"),
        ("ReferencedImageSequence", "UT", b"zqname"),
        ("ReferencedImageSequence", "UI", b"1.2.3.9"),
        ("ImagePositionPatient", "FD", b"zqnamezq"),
        ("PatientWeight", "ST", b"zqname"),
        ("PatientSex", "PN", b"zqname"),
        ("PatientAge", "LO", b"zqname"),
    ],
)
@in_both_profiles
def test_a_text_under_another_vr_does_not_pass_as_something_else(
    number: str, vr: str, value: bytes, profile: str
) -> None:
    assert value not in released(samples.ct(element(tag(number), vr, value)), profile)


def test_a_number_that_is_written_as_text_of_another_vr_is_read_as_what_it_is() -> None:
    at = output(samples.ct(element(tag("SliceThickness"), "LO", "2.5"), element(tag("KVP"), "UN", "120 ")))
    assert (at.SliceThickness, at["SliceThickness"].VR) == (2.5, "DS")
    assert (at.KVP, at["KVP"].VR) == (120, "DS")


def test_a_name_that_calls_itself_a_sequence_is_gone() -> None:
    for number in (0x00100010, 0x00081010, 0x00180015, 0x00080060):
        data = samples.ct(sequence(number, item(element(0x00104000, "LT", "zqname"))))
        assert b"zqname" not in released(data)


def test_unknown_vrs_are_read_by_the_dictionary() -> None:
    at = output(
        samples.ct(
            element(0x00100010, "UN", "Quillfeather^B"),
            element(0x00080018, "UN", samples.INSTANCE),
            element(0x00200052, "UN", f"{samples.STUDY}\0"),
            element(0x00080020, "UN", "20170314"),
            element(0x00280120, "UN", b"\x30\xf8"),
            element(0x00081010, "UN", "zqstation"),
        )
    )
    plain = output(samples.ct())
    assert at.PatientName == plain.PatientName
    assert at.SOPInstanceUID == plain.SOPInstanceUID
    assert at.FrameOfReferenceUID == plain.StudyInstanceUID
    assert at.StudyDate == plain.StudyDate
    assert at.get_item(0x00280120).value == b"\x30\xf8"
    assert "StationName" not in at  # Type 3 in a CT


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("InstanceNumber", "IS", "1.5 zq"),
        ("SliceThickness", "DS", "2,5"),
        ("SliceThickness", "DS", "2.5\\Bartholomew"),
        ("PatientSex", "CS", "Bartholomew"),
        ("BodyPartExamined", "CS", "bartholomew"),
        ("PatientAge", "AS", "Quill"),
    ],
)
def test_a_value_outside_its_repertoire_is_not_kept(keyword: str, vr: str, value: str) -> None:
    at = output(samples.ct(element(tag(keyword), vr, value, pad=vr != "US")))
    assert at.get(keyword, "") in {"", None}


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("SliceThickness", "DS", " 2.5 "),
        ("ImagePositionPatient", "DS", "-1.5e2\\+.5\\7."),
        ("InstanceNumber", "IS", " -12"),
        ("ImageType", "CS", "ORIGINAL\\PRIMARY\\\\M_FFE 1"),
        ("BodyPartExamined", "CS", "HEAD"),
        ("InstanceNumber", "IS", ""),
    ],
)
def test_a_value_of_its_repertoire_stays_letter_for_letter(keyword: str, vr: str, value: str) -> None:
    data = released(samples.ct(element(tag(keyword), vr, value)))
    assert element(tag(keyword), vr, value) in data


# UIDs


def test_every_value_of_a_multi_valued_uid_is_replaced_and_a_registered_one_is_kept() -> None:
    values = [samples.STUDY, str(uid.CTImageStorage), "", "1.2.3"]
    at = output(samples.ct(element(tag("IrradiationEventUID"), "UI", "\\".join(values))))
    found = at.get_item(tag("IrradiationEventUID")).value.decode().rstrip("\0").split("\\")
    mapped = samples.ENGINES["research"].pseudonyms.uid
    assert found == [mapped(values[0]), values[1], "", mapped("1.2.3")]


def test_registered_uids_are_kept_where_they_stand() -> None:
    kept = {
        "FrameOfReferenceUID": "1.2.840.10008.1.4.1.1",
        "SynchronizationFrameOfReferenceUID": "1.2.840.10008.15.1.1",
    }
    at = output(samples.ct(*(element(tag(keyword), "UI", value) for keyword, value in kept.items())))
    assert {keyword: at.get(keyword) for keyword in kept} == kept


def test_odd_and_padded_uids_give_the_pseudonym_of_the_trimmed_one() -> None:
    expected = output(samples.ct()).SOPInstanceUID
    for written in (samples.INSTANCE, f"{samples.INSTANCE}\0", f"{samples.INSTANCE} ", f" {samples.INSTANCE}\0\0"):
        odd = samples.ct(element(0x00080018, "UI", written, pad=False))
        assert output(odd).SOPInstanceUID == expected


# Codes


def test_a_public_code_stays_and_a_local_one_is_replaced() -> None:
    data = samples.ct(
        sequence(
            tag("AnatomicRegionSequence"),
            code("69536005", "SCT", "Head"),
            code("zqcode", "99HOSP", "zqmeaning"),
            code("zqcode", "", "zqmeaning"),
            item(element(0x00080100, "SH", "zqcode"), element(0x00080104, "LO", "zqmeaning")),
        )
    )
    assert b"zq" not in released(data)
    public, *local = output(data).AnatomicRegionSequence
    assert (public.CodeValue, public.CodingSchemeDesignator, public.CodeMeaning) == ("69536005", "SCT", "Head")
    assert all(one.CodeValue == one.CodeMeaning == "DEIDENTIFIED" for one in local)


def test_a_code_at_top_level_or_inside_an_item_of_a_public_code_is_not_public_for_that() -> None:
    inner = sequence(tag("ConceptCodeSequence"), code("zqcode", "99HOSP", "zqmeaning"))
    outer = item(
        element(0x00080100, "SH", "69536005"),
        element(0x00080102, "SH", "SCT"),
        element(0x00080104, "LO", "Head"),
        inner,
    )
    data = samples.ct(
        element(0x00080102, "SH", "DCM"),
        element(0x00080104, "LO", "zqtop"),
        sequence(tag("AnatomicRegionSequence"), outer),
    )
    assert b"zq" not in released(data)


# Ages


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ("045Y", "045Y"),
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("120Y", "090Y"),
        ("999Y", "090Y"),
        ("999M", "999M"),
        ("999W", "999W"),
        ("006D", "006D"),
        ("1092M", ""),
        ("95", ""),
        ("95 years", ""),
        ("95Y", ""),
        ("095y", ""),
        ("", ""),
    ],
)
def test_no_age_is_above_ninety(age: str, expected: str) -> None:
    assert output(samples.ct(element(tag("PatientAge"), "AS", age))).PatientAge == expected
    assert "PatientAge" not in output(samples.ct(element(tag("PatientAge"), "AS", age)), "basic")


# Dates and times


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20170314", moved("20170314")),
        ("20170314 ", moved("20170314")),
        ("2017.03.14", moved("20170314")),
        ("20160229", moved("20160229")),
        ("20170314\\20170401", f"{moved('20170314')}\\{moved('20170401')}"),
        ("20170314\\\\20170401", f"{moved('20170314')}\\\\{moved('20170401')}"),
        ("20170314\\zq", f"{moved('20170314')}\\19000101"),
        ("", ""),
        ("  ", ""),
        ("20170230", "19000101"),
        ("00000000", "19000101"),
        ("1950", "19000101"),
        ("NONE", "19000101"),
        ("20170314-20170401", "19000101"),
        ("00010101", "19000101"),
        ("2017-03-14", "19000101"),
        ("99991231", "19000101"),
    ],
)
def test_a_date_moves_or_becomes_a_dummy(written: str, expected: str) -> None:
    at = output(samples.ct(element(tag("AcquisitionDate"), "DA", written)))
    assert stored(at, "AcquisitionDate") == expected
    strict = output(samples.ct(element(tag("AcquisitionDate"), "DA", written)), "basic")
    assert strict.get("AcquisitionDate", "") in {"", "19000101"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20170314101530.123456+0100", f"{moved('20170314')}101530.123456+0100"),
        ("20170314101530-0800", f"{moved('20170314')}101530-0800"),
        ("20170314101560", f"{moved('20170314')}101560"),
        ("2017031410", f"{moved('20170314')}10"),
        ("20170314", moved("20170314")),
        ("201703", moved("20170301")[:6]),
        ("2017", moved("20170101")[:4]),
        ("2017+0100", f"{moved('20170101')[:4]}+0100"),
        ("20170314101530\\201703", f"{moved('20170314')}101530\\{moved('20170301')[:6]}"),
        ("", ""),
        ("20170230101530", "19000101000000"),
        ("20170314999999", "19000101000000"),
        ("20170314.774190", "19000101000000"),
        ("7741902", "19000101000000"),
        ("yesterday", "19000101000000"),
    ],
)
def test_a_date_time_moves_and_keeps_precision_time_and_offset(written: str, expected: str) -> None:
    at = output(samples.ct(element(tag("AcquisitionDateTime"), "DT", written)))
    assert stored(at, "AcquisitionDateTime") == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("101530.123456", "101530.123456"),
        ("10:15:30", "101530"),
        ("1015", "1015"),
        ("235960", "235960"),
        ("101530\\1016", "101530\\1016"),
        ("101530\\zqname", "101530\\000000"),
        ("", ""),
        ("2400", "000000"),
        ("24:00", "000000"),
        ("7741902", "000000"),
        ("zqname", "000000"),
    ],
)
def test_a_time_stays_and_what_is_none_becomes_a_dummy(written: str, expected: str) -> None:
    at = output(samples.ct(element(tag("AcquisitionTime"), "TM", written)))
    assert stored(at, "AcquisitionTime") == expected


def test_dates_are_gone_under_basic_and_move_together_under_research() -> None:
    days = {"StudyDate": "20170314", "SeriesDate": "20170315", "AcquisitionDate": "20170401", "ContentDate": "20180228"}
    data = samples.ct(*(element(tag(keyword), "DA", day) for keyword, day in days.items()))
    basic, research = output(data, "basic"), output(data)
    assert {basic.get(keyword, "") for keyword in days} <= {"", "19000101"}
    assert {keyword: research.get(keyword) for keyword in days} == {
        keyword: moved(day) for keyword, day in days.items()
    }
    assert basic.LongitudinalTemporalInformationModified == "REMOVED"
    assert research.LongitudinalTemporalInformationModified == "MODIFIED"


def test_a_birth_date_is_never_there() -> None:
    for profile in PROFILES:
        assert output(samples.ct(element(tag("PatientBirthDate"), "DA", "19580228")), profile).PatientBirthDate == ""


def test_the_dates_of_vocabularies_and_devices_never_move() -> None:
    """A date that many patients share would give each one's shift away if it moved with the patient."""
    fixed = {"ContextGroupVersion": "DT", "DateOfLastCalibration": "DA", "DateOfManufacture": "DA"}
    elements = [element(tag(keyword), vr, "20141110") for keyword, vr in fixed.items()]
    nested = sequence(tag("AnatomicRegionSequence"), item(*samples.merged([], elements)))
    found = set()
    for patient in ("MRN-1", "MRN-2", "MRN-3"):
        at = output(samples.ct(nested, *elements, element(0x00100020, "LO", patient)))
        found.add(tuple(str(one.get(key, "")) for one in (at, at.AnatomicRegionSequence[0]) for key in fixed))
    assert len(found) == 1
    assert "20141110" not in "".join(*found)


def test_the_timezone_is_gone_and_offsets_in_date_times_stay() -> None:
    at = output(samples.ct(element(tag("TimezoneOffsetFromUTC"), "SH", "+0100")))
    assert "TimezoneOffsetFromUTC" not in at


# Names in every alphabet, and what nobody can read


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう".encode()),
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=" + "山田".encode("iso2022_jp") + b"^" + "太郎".encode("iso2022_jp")),
        ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030")),
        ("ISO_IR 144", b"\xbb\xee\xda\xda\xe1\xd5\xdc"),
        ("", b"\xff\xfe\xfd"),
        ("ISO_IR 192", b"\xff\xfe\xfd"),
    ],
)
@in_both_profiles
def test_a_name_is_replaced_in_any_character_set_even_in_a_wrong_one(
    character_set: str, name: bytes, profile: str
) -> None:
    inner = sequence(UNLISTED_SEQUENCE, item(element(0x00100010, "PN", name), element(0x00081050, "PN", name)))
    data = samples.ct(
        element(0x00080005, "CS", character_set),
        element(0x00100010, "PN", name),
        element(0x00080090, "PN", name),
        element(0x00104000, "LT", name),
        inner,
    )
    found = released(data, profile)
    assert name not in found
    assert [part for part in name.split(b"^") if len(part) > 2 and part in found] == []
    at = pydicom.dcmread(BytesIO(found))
    assert at.PatientName == at[UNLISTED_SEQUENCE][0].PatientName


def test_a_nested_patient_id_gets_the_pseudonym_of_its_own_patient() -> None:
    def nested(patient_id: str) -> Dataset:
        inner = item(element(0x00100010, "PN", "A^B"), element(0x00100020, "LO", patient_id))
        return output(samples.ct(sequence(REFERENCED_IMAGES, inner)))

    same, other = nested(f" {samples.PATIENT_ID} "), nested("MRN-1")
    assert same.ReferencedImageSequence[0].PatientID == same.PatientID
    assert same.ReferencedImageSequence[0].PatientName == same.PatientName
    assert other.ReferencedImageSequence[0].PatientID != other.PatientID


def test_structured_content_keeps_its_references_and_concept_names_and_nothing_that_was_said() -> None:
    concept = sequence(tag("ConceptNameCodeSequence"), code("121071", "DCM", "Finding"))
    reference = sequence(
        tag("ReferencedSOPSequence"),
        item(element(0x00081150, "UI", str(uid.CTImageStorage)), element(0x00081155, "UI", samples.INSTANCE)),
    )
    said = [
        element(tag("TextValue"), "UT", "zqfinding"),
        element(tag("PersonName"), "PN", "zqobserver"),
        element(tag("Date"), "DA", "19770513"),
        element(tag("DateTime"), "DT", "19770513101500"),
        element(tag("UID"), "UI", samples.STUDY),
        sequence(tag("ConceptCodeSequence"), code("zqcode", "SCT", "zqmeaning")),
    ]
    data = samples.report(concept, reference, *said)
    for profile in PROFILES:
        found = released(data, profile)
        assert b"zq" not in found
        assert b"19770513" not in found
        at = pydicom.dcmread(BytesIO(found))
        (content,) = at[CONTENT].value
        assert content.ConceptNameCodeSequence[0].CodeMeaning == "Finding"
        assert content.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == at.SOPInstanceUID
        assert at.StudyInstanceUID == content.UID
        assert (content.TextValue, content.PersonName) == ("DEIDENTIFIED", "DEIDENTIFIED^DUMMY")


@pytest.mark.parametrize(
    "number",
    ["IconImageSequence", "OriginalAttributesSequence", "DigitalSignaturesSequence", "ReferencedPatientSequence"],
)
@in_both_profiles
def test_what_an_icon_a_signature_or_an_earlier_value_says_is_gone(number: str, profile: str) -> None:
    inside = item(
        element(0x00100010, "PN", "zqname"), element(0x00104000, "LT", "zqcomment"), element(0x04000120, "OB", b"zq")
    )
    assert b"zq" not in released(samples.ct(sequence(tag(number), inside)), profile)


def test_incoming_encrypted_attributes_tell_nothing() -> None:
    inside = item(element(0x04000510, "UI", "1.2.840.10008.1.2.1"), element(0x04000520, "OB", b"zqencrypted "))
    assert b"zq" not in released(samples.ct(sequence(0x04000500, inside)))


@pytest.mark.parametrize(
    "placeholder", ["19000101", "19700101", "19800101", "11110101", "18581117", "20991231", "99991231"]
)
def test_a_date_that_stands_for_none_does_not_show_by_how_far_the_others_moved(placeholder: str) -> None:
    at = output(samples.ct(element(tag("ContentDate"), "DA", placeholder)))
    # One that is the dummy itself becomes a second one, so that nobody takes it for a kept value.
    assert at.ContentDate == ("19000108" if placeholder == "19000101" else "19000101")
    assert at.StudyDate == samples.moved(samples.STUDY_DATE)


@pytest.mark.parametrize("written", ["2017-0314", "2017-0315", "2017-0330", "201703-0315", "2017031410-0315"])
def test_a_month_and_a_day_are_no_offset_from_utc(written: str) -> None:
    at = output(samples.ct(element(tag("AcquisitionDateTime"), "DT", written)))
    assert at.AcquisitionDateTime == "19000101000000"


@pytest.mark.parametrize("sign", [0, 1])
def test_a_number_whose_sign_only_pixel_representation_tells_keeps_it(sign: int) -> None:
    inner = samples.IMPLICIT
    last = item(element(0x00409211, "SS", struct.pack("<h", -1024), inner), how=inner)
    at = output(
        samples.ct(
            element(0x00280120, "UN", struct.pack("<h", -2000)),
            samples.us(0x00280103, sign),
            sequence(0x00409096, last, vr="UN"),
        )
    )
    assert at.PixelPaddingValue == (-2000 if sign else 0x10000 - 2000)
    assert element(0x00409211, "UN", struct.pack("<h", -1024)) in released(
        samples.ct(sequence(0x00409096, last, vr="UN"))
    )


def test_of_several_coded_strings_only_the_one_that_is_none_is_replaced() -> None:
    at = output(samples.ct(element(tag("ImageType"), "CS", "DERIVED\\PRIMARY\\AXIAL\\GSI MONO KEV 70.0")))
    assert list(at.ImageType) == ["DERIVED", "PRIMARY", "AXIAL", "DEIDENTIFIED"]


@pytest.mark.parametrize("keyword", ["OtherStudyNumbers", "TypeOfPatientID", "PatientAlternativeCalendar"])
def test_what_else_identifies_is_gone(keyword: str) -> None:
    vr = "IS" if keyword == "OtherStudyNumbers" else "CS"
    assert keyword not in output(samples.ct(element(tag(keyword), vr, "7741902" if vr == "IS" else "QUILL")))


@pytest.mark.parametrize("keyword", ["PatientBodyMassIndex", "MeasuredAPDimension", "MeasuredLateralDimension"])
def test_a_measure_of_a_patient_stays_with_the_patients_characteristics_and_nowhere_else(keyword: str) -> None:
    data = samples.ct(element(tag(keyword), "DS", "31.25"))
    assert keyword not in output(data, "basic")
    assert output(data, "research")[keyword].value == 31.25


def test_a_retained_uid_stays_beside_an_empty_one_and_beside_what_is_none() -> None:
    listed = "1.2.3.4\\\\1.2.03\\1.2.840.10008.1.1"
    result = samples.engine("retain_uids").anonymize(samples.ct(element(tag("IrradiationEventUID"), "UI", listed)))
    assert isinstance(result, Released)
    assert listed.encode().replace(b"1.2.03", samples.anonymizer().pseudonyms.uid("1.2.03").encode()) in result.data


def test_a_code_for_a_patients_size_stays_with_the_patients_characteristics_and_nowhere_else() -> None:
    size = samples.code("1153637007", "SCT", "Body height")
    data = samples.ct(samples.sequence(tag("PatientSizeCodeSequence"), size))
    assert "PatientSizeCodeSequence" not in output(data, "basic")
    assert output(data, "research").PatientSizeCodeSequence[0].CodeValue == "1153637007"


@pytest.mark.parametrize(
    "keyword", ["SpectroscopyData", "PointCoordinatesData", "VectorGridData", "TrackPointIndexList"]
)
def test_numbers_that_an_object_is_not_made_of_are_gone(keyword: str) -> None:
    vr = dictionary_VR(tag(keyword))
    assert b"Quillfeather" not in released(samples.ct(element(tag(keyword), vr, b"Quillfeather")))
    surface = str(uid.SurfaceSegmentationStorage)
    if keyword == "PointCoordinatesData":
        data = samples.file(
            samples.merged(samples.common(sop_class=surface), [element(tag(keyword), vr, struct.pack("<3f", 1, 2, 3))]),
            sop_class=surface,
        )
        assert struct.pack("<3f", 1, 2, 3) in released(data)


@pytest.mark.parametrize("octets", [b"Quil", "Qu".encode("utf-16-le"), b"\x11\x00\x77\x00"])
@pytest.mark.parametrize("how", [samples.EXPLICIT, samples.BIG], ids=["little", "big"])
def test_a_pointer_at_nothing_that_anybody_knows_is_gone(octets: bytes, how: samples.How) -> None:
    if not how.little:
        octets = octets[1::-1] + octets[:1:-1]
    data = samples.ct(element(tag("FrameIncrementPointer"), "AT", octets, how), how=how)
    assert "FrameIncrementPointer" not in output(data)


@pytest.mark.parametrize(("group", "number"), [(0x0018, 0x1063), (0x0010, 0x0043), (0x2005, 0x1034)])
def test_a_pointer_at_an_attribute_stays(group: int, number: int) -> None:
    pointer = element(tag("FrameIncrementPointer"), "AT", struct.pack("<HH", group, number))
    assert pointer in released(samples.ct(pointer))


def test_a_number_of_many_digits_is_none() -> None:
    assert "SliceThickness" not in output(samples.ct(element(tag("SliceThickness"), "DS", "7" * 33)))
    assert "SliceThickness" in output(samples.ct(element(tag("SliceThickness"), "DS", "2." + "5" * 20)))


@in_both_profiles
def test_no_dummy_draws_a_warning_about_its_vr(profile: str) -> None:
    name = element(tag("PersonName"), "PN", "Quill^Feather")
    said = [element(tag("TextValue"), "UT", "zqfinding"), element(tag("DateTime"), "DT", "19770513101500")]
    for source in (
        samples.report(name, *said),
        samples.report(element(tag("PersonName"), "PN", "DEIDENTIFIED^DUMMY"), *said),
        samples.ct(
            element(tag("ReferringPhysicianName"), "PN", "A^B"), element(tag("OperatorsName"), "PN", "A^B\\C^D")
        ),
    ):
        before, after = verdict(source), verdict(released(source, profile))
        assert not after.failed
        assert [str(one) for one in after.warnings - before.warnings if "this VR" in one.kind] == []


@in_both_profiles
@pytest.mark.parametrize(
    ("terms", "spelt"),
    [
        ("\\ISO 2022 IR 87", "山田^太郎".encode("iso2022_jp")),
        ("GB18030", "王^小东".encode("gb18030")),
        ("ISO_IR 192", "山田^太郎=やまだ^たろう".encode()),
    ],
)
def test_the_dummy_of_a_name_is_one_group_that_any_character_set_can_write(
    terms: str, spelt: bytes, profile: str
) -> None:
    name = element(tag("PersonName"), "PN", b"Yamada^Tarou=" + spelt)
    at = output(samples.report(element(0x00080005, "CS", terms), name), profile)
    (content,) = at.ContentSequence
    assert content.PersonName == "DEIDENTIFIED^DUMMY"
    assert content.SpecificCharacterSet == (["", "ISO 2022 IR 87"] if "87" in terms else terms)
