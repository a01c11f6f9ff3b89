"""Dates and times: moved by one shift a patient, or gone; never what they were (cases 51 to 65)."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]  # not in its __all__
from pydicom.dataset import Dataset

from anonymizer import Anonymizer, Key, Released, load_profile
from anonymizer.engine import tables
from anonymizer.folder import Settings, anonymize_folder
from tests import samples
from tests.cases import (
    OPTIONS,
    PROFILES,
    case,
    clean,
    image,
    in_both_profiles,
    left_in,
    place,
    read,
    released,
    under_every_option,
    written,
)
from tests.samples import REFERENCED_IMAGES, UNLISTED_SEQUENCE, code, element, item, moved, sequence, tag

# A place for a date of each VR in any image.
DA, TM, DT = "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime"
KEEPS_DATES = "retain_longitudinal_full_dates"

VALID_DA = re.compile(r"(\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))?")
VALID_TM = re.compile(r"(([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?)?")
VALID_DT = re.compile(
    r"(\d{4}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?)?)?)?"
    r"([+-](0\d|1[0-4])[0-5]\d)?)?"
)


def day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def days_between(one: str, other: str) -> int:
    return (day(other) - day(one)).days


def value_of(at: Dataset, keyword: str) -> str:
    """Return what stands in a place, empty where nothing does."""
    return str(at.get_item(keyword).value or b"", "ascii").strip() if keyword in at else ""


MALFORMED = [
    "2020.01.15",
    "20200230",
    "20201315",
    "1950",
    "195003",
    "NONE",
    "00000000",
    "99999999",
    "2020-01-15",
    "15.01.2020",
    "15012020",
    "20200115000000",
    "20200115-20200116",
    "7741902",
    "zqname",
]


@case(51)
@in_both_profiles
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_date_is_never_told_and_comes_out_valid(text: str, nests: bool, profile: str) -> None:
    keywords = [DA, "StudyDate", "SeriesDate", "ContentDate"]
    data = image(*(element(tag(one), "DA", text) for one in keywords), nests=nests)
    at = place(read(released(data, profile)), nests=nests)
    left = {value_of(at, keyword) for keyword in keywords}
    assert text not in left
    assert all(VALID_DA.fullmatch(one) for one in left)


@case(51)
@pytest.mark.parametrize(
    ("text", "expected"),
    [("2020.01.15", moved("20200115")), ("", ""), ("  ", ""), ("20200230", "19000101"), ("NONE", "19000101")],
)
def test_a_date_of_the_old_standard_moves_and_what_is_none_becomes_a_dummy(text: str, expected: str) -> None:
    assert written(released(samples.ct(element(tag(DA), "DA", text))), DA) == expected


# What research makes of a time: an hour of 24 is none, a second of 60 is one.
TIMES = {
    "10:11:12": "101112",
    "10:11": "1011",
    "101112.123456": "101112.123456",
    "101112": "101112",
    "1011": "1011",
    "10": "10",
    "000000": "000000",
    "235959.999999": "235959.999999",
    "235960": "235960",
    "101160": "101160",
    "23:59:60": "235960",
    "101161": "000000",
    "106000": "000000",
    "24:00": "000000",
    "240000": "000000",
    "24": "000000",
    "246060": "000000",
    "10:11:12.1234567": "000000",
    "101112.": "000000",
    "1:11:12": "000000",
    "101112+0100": "000000",
    "zqname": "000000",
    "": "",
}


@case(52)
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("text", TIMES)
def test_a_time_stays_without_the_colons_of_the_old_standard_and_what_is_none_becomes_a_dummy(
    text: str, nests: bool
) -> None:
    data = image(element(tag(TM), "TM", text), element(tag("ContentTime"), "TM", text), nests=nests)
    at = place(read(released(data)), nests=nests)
    assert [samples.stored(at, keyword) for keyword in (TM, "ContentTime")] == [TIMES[text]] * 2
    assert VALID_TM.fullmatch(TIMES[text])


@case(52)
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("text", TIMES)
def test_under_basic_no_time_is_told(text: str, nests: bool) -> None:
    """Type 3 in a CT's Acquisition Time, which goes; Content Time is Type 2 at the top, and empty."""
    data = image(element(tag(TM), "TM", text), element(tag("ContentTime"), "TM", text), nests=nests)
    at = place(read(released(data, "basic")), nests=nests)
    assert TM not in at
    assert samples.stored(at, "ContentTime") == ""


DATE_TIMES = {
    "2020": moved("20200101")[:4],
    "202003": moved("20200301")[:6],
    "20200315": moved("20200315"),
    "2020031510": f"{moved('20200315')}10",
    "202003151011": f"{moved('20200315')}1011",
    "20200315101112": f"{moved('20200315')}101112",
    "20200315101112.123456": f"{moved('20200315')}101112.123456",
    "20200315101112.1+0530": f"{moved('20200315')}101112.1+0530",
    "20200315101112-0800": f"{moved('20200315')}101112-0800",
    "2020+0100": f"{moved('20200101')[:4]}+0100",
    "20161231235960": f"{moved('20161231')}235960",  # a leap second
    "20161231235960.999999+0000": f"{moved('20161231')}235960.999999+0000",
    "20200230101112": "19000101000000",
    "20200315246060": "19000101000000",
    "20200315101112+9900": "19000101000000",
    "20200315101112.1234567": "19000101000000",
    "2020-03-15": "19000101000000",
}


@case(53)
@pytest.mark.parametrize("text", DATE_TIMES)
def test_a_date_time_keeps_its_precision_its_time_and_its_zone(text: str) -> None:
    found = released(samples.ct(element(tag(DT), "DT", text)))
    assert written(found, DT) == DATE_TIMES[text]
    assert VALID_DT.fullmatch(written(found, DT))


@case(53)
@in_both_profiles
@pytest.mark.parametrize("text", [one for one in DATE_TIMES if len(one) > 7])
def test_no_date_time_is_what_it_was(text: str, profile: str) -> None:
    clean(image(element(tag(DT), "DT", text), nests=True), text, profile=profile)


@case(54)
@in_both_profiles
@pytest.mark.parametrize(
    ("keyword", "vr", "texts"),
    [
        ("DateOfLastCalibration", "DA", ["20200115", "20200116"]),
        ("TimeOfLastCalibration", "TM", ["101112", "101113"]),
        (DA, "DA", ["20200115", "", "2020.01.16", "NONE"]),
        (DT, "DT", ["20200115101112", "2020", "", "zq"]),
        (TM, "TM", ["101112", "10:11", "", "zq", "2400"]),
    ],
)
def test_a_list_of_dates_keeps_its_length_or_goes_whole(keyword: str, vr: str, texts: list[str], profile: str) -> None:
    found = read(released(samples.ct(element(tag(keyword), vr, "\\".join(texts))), profile))
    if keyword not in found or not found.get_item(keyword).value:
        return  # gone, or empty
    left = found.get_item(keyword).value.decode().rstrip(" \0").split("\\")
    assert len(left) == (len(texts) if profile == "research" and keyword in {DA, DT, TM} else 1)
    assert all(bool(one) == bool(text) for one, text in zip(left, texts, strict=False))


@case(54)
def test_each_of_a_list_of_dates_moves() -> None:
    found = released(samples.ct(element(tag(DA), "DA", "20200115\\20200229\\20210301")))
    assert written(found, DA) == "\\".join(map(moved, ("20200115", "20200229", "20210301")))


@case(55)
@pytest.mark.parametrize("before", ["20160228", "20160229", "20160301", "20000229", "20200229", "19960229"])
@pytest.mark.parametrize("after", ["20160302", "20200301", "20240229", "20161231"])
def test_a_leap_day_on_the_way_changes_no_interval(before: str, after: str) -> None:
    found = read(released(samples.ct(element(tag(DA), "DA", before), element(tag("ContentDate"), "DA", after))))
    assert days_between(found.AcquisitionDate, found.ContentDate) == days_between(before, after)
    assert -3640 <= days_between(before, found.AcquisitionDate) <= -364
    assert days_between(before, found.AcquisitionDate) % 7 == 0


@case(55)
@in_both_profiles
@pytest.mark.parametrize("bound", ["00010101", "00011231", "99991231", "99990101", "19000101", "18991231", "10000101"])
def test_the_first_and_the_last_year_neither_overflow_nor_stay(bound: str, profile: str) -> None:
    elements = [element(tag(DA), "DA", bound), element(tag(DT), "DT", f"{bound}101112")]
    found = read(released(image(*elements, nests=False), profile))
    assert found.get(DA, "") in {"", "19000101", "19000108"}
    assert str(found.get(DT, ""))[:8] in {"", "19000101", "19000108"}
    assert bound == "19000101" or left_in(released(samples.ct(*elements), profile), bound) == set()


@case(56)
def test_two_visits_in_two_runs_by_other_workers_move_together(tmp_path: Path) -> None:
    days, key = ("20170314", "20170418", "20200229", "20230101"), tmp_path / "site.key"
    Key.generate(key)
    found = []
    for number, visit in enumerate(days, 1):
        source = tmp_path / f"visit{number}"
        source.mkdir()
        for one in (1, 2):
            elements = [
                element(0x0020000D, "UI", f"1.2.826.0.1.3680043.10.990.{number}"),
                element(0x00080018, "UI", f"1.2.826.0.1.3680043.10.990.{number}.1.{one}"),
                element(0x00080020, "DA", visit),
            ]
            (source / str(one)).write_bytes(samples.ct(*elements))
        settings = Settings(key, "cases")
        anonymize_folder(source, tmp_path / f"out{number}", settings, workers=1 + number % 2)
        outputs = [pydicom.dcmread(path) for path in (tmp_path / f"out{number}").iterdir()]
        (moved_to,) = {str(one.StudyDate) for one in outputs}
        found.append(moved_to)
    assert len({days_between(was, now) for was, now in zip(days, found, strict=True)}) == 1


def shift(patient_id: str, project: str = "one", secret: bytes = samples.SECRET) -> int:
    by = Anonymizer(Key(secret), project, load_profile("research"))
    result = by.anonymize(samples.ct(element(0x00100020, "LO", patient_id)))
    assert isinstance(result, Released)
    return days_between(samples.STUDY_DATE, read(result.data).StudyDate)


@case(57)
def test_two_patients_move_by_shifts_that_say_nothing_of_each_other() -> None:
    shifts = [shift(f"MRN-{number}") for number in range(40)]
    assert len(set(shifts)) > 30
    assert all(one % 7 == 0 and -3640 <= one <= -364 for one in shifts)


@case(57)
def test_one_patient_in_another_project_or_under_another_key_is_somebody_else() -> None:
    people = [f"MRN-{number}" for number in range(40)]
    here, there, elsewhere = ([shift(one, *how) for one in people] for how in (("one",), ("two",), ("one", bytes(32))))
    # 469 shifts: by chance, one person in 469 moves by the same one.
    assert sum(one == other for one, other in zip(here, there, strict=True)) <= 2
    assert sum(one == other for one, other in zip(here, elsewhere, strict=True)) <= 2


@case(58)
@pytest.mark.parametrize("offset", ["+0100", "+0200", "-0800", "+0530", "+1400"])
def test_the_zone_of_a_hospital_goes_and_a_date_time_keeps_its_own(offset: str) -> None:
    """The zone would tell where the hospital is; summer time tells the season, which a shift of weeks hides."""
    data = samples.ct(
        element(tag("TimezoneOffsetFromUTC"), "SH", offset),
        element(tag(DT), "DT", f"20170714101112{offset}"),
        element(tag("ContentDate"), "DA", "20170714"),
    )
    found = read(released(data))
    assert "TimezoneOffsetFromUTC" not in found
    assert written(released(data), DT) == f"{moved('20170714')}101112{offset}"
    assert str(found[DT].value)[:8] == found.ContentDate
    assert "TimezoneOffsetFromUTC" not in read(released(data, "basic"))


FIXED = {
    "CalibrationDate": "DA",
    "DateOfLastCalibration": "DA",
    "DateOfManufacture": "DA",
    "DateOfInstallation": "DA",
    "DateOfLastDetectorCalibration": "DA",
    "DateTimeOfLastCalibration": "DT",
}


def seen_by_patients(*elements: bytes, profile: str = "research") -> set[tuple[str, ...]]:
    """Return what the outputs of some patients say in these elements and in their nested twins."""
    keywords = [int.from_bytes(one[:2], "little") << 16 | int.from_bytes(one[2:4], "little") for one in elements]
    said = set()
    for number in range(5):
        who = element(0x00100020, "LO", f"MRN-{number}")
        inside = sequence(UNLISTED_SEQUENCE, item(*samples.merged([], elements)))
        found = read(released(samples.ct(who, inside, *elements), profile))
        places = (found, found[UNLISTED_SEQUENCE][0])
        said.add(tuple(str(at[one].value) if one in at else "" for at in places for one in keywords))
    return said


@case(59)
@in_both_profiles
def test_a_date_of_a_device_that_patients_share_does_not_move_with_them(profile: str) -> None:
    elements = [element(tag(keyword), vr, "20141110") for keyword, vr in FIXED.items()]
    (said,) = seen_by_patients(*elements, profile=profile)
    assert "20141110" not in "".join(said)


@case(60)
@in_both_profiles
def test_the_version_of_a_context_group_does_not_move(profile: str) -> None:
    versions = [
        element(tag("ContextGroupVersion"), "DT", "20141110"),
        element(tag("ContextGroupLocalVersion"), "DT", "20141110"),
        element(tag("TemplateVersion"), "DT", "20141110"),
    ]
    (said,) = seen_by_patients(*versions, profile=profile)
    assert set(said) <= {"", "19000101", "19000101000000", "20141110"}
    inside = item(code_of("69536005"), *versions[:1])
    found = read(released(samples.ct(sequence(tag("AnatomicRegionSequence"), inside)), profile))
    left = str(found.AnatomicRegionSequence[0].get("ContextGroupVersion", ""))
    assert left in {"", "19000101", "19000101000000", "20141110"}


def code_of(value: str) -> bytes:
    return code(value, "SCT", "Head")[8:]


SPELT = ["20170314", "2017-03-14", "14.03.2017", "03/14/2017", "14 MAR 2017", "2017_03_14", "14-Mar-17"]


@case(61)
@under_every_option
@pytest.mark.parametrize("spelt", SPELT)
def test_a_date_in_a_text_goes_and_is_never_moved(spelt: str, profile: str) -> None:
    carriers = {
        "SeriesDescription": ("LO", f"HEAD {spelt}"),
        "ProtocolName": ("LO", spelt),
        "ImageComments": ("LT", f"seen on {spelt}"),
        "StudyDescription": ("LO", f"CT {spelt} head"),
        "AdditionalPatientHistory": ("LT", f"since {spelt}"),
    }
    elements = [element(tag(keyword), vr, text) for keyword, (vr, text) in carriers.items()]
    private = [element(0x00290010, "LO", "SAMPLE VENDOR"), element(0x00291001, "LO", spelt)]
    data = samples.ct(element(0x00080020, "DA", "20010101"), *elements, *private)
    found = clean(data, spelt, profile=profile)
    assert left_in(found, moved("20170314")) == set()


@case(61)
@in_both_profiles
def test_a_date_in_a_uid_and_in_the_name_of_a_file_goes(profile: str, tmp_path: Path) -> None:
    number = "1.2.840.113619.2.55.3.20170314.101112.7741902"
    reference = sequence(REFERENCED_IMAGES, item(element(tag("ReferencedSOPInstanceUID"), "UI", number)))
    data = samples.ct(
        element(0x00080018, "UI", number),
        reference,
        element(0x00080020, "DA", "20010101"),
        element(0x0020000E, "UI", number + ".1"),
    )
    clean(data, "20170314", "7741902", profile=profile)
    source, key = tmp_path / "source", tmp_path / "site.key"
    source.mkdir()
    (source / "quillfeather-20170314.dcm").write_bytes(data)
    Key.generate(key)
    anonymize_folder(source, tmp_path / "out", Settings(key, "cases", profile))
    (output,) = (tmp_path / "out").iterdir()
    assert re.fullmatch(r"2\.25\.[1-9][0-9]*\.dcm", output.name)
    assert "20170314" not in output.name


# What is reckoned with


def brachytherapy() -> bytes:
    source = item(
        element(tag("SourceNumber"), "IS", "1"),
        element(tag("SourceIsotopeHalfLife"), "DS", "73.83"),
        element(tag("ReferenceAirKermaRate"), "DS", "40820.3"),
        element(tag("SourceStrengthReferenceDate"), "DA", "20170201"),
        element(tag("SourceStrengthReferenceTime"), "TM", "120000"),
    )
    sop_class = str(uid.RTPlanStorage)
    elements = [
        element(tag("RTPlanLabel"), "SH", "ZQPLAN"),
        element(tag("RTPlanDate"), "DA", "20170314"),
        element(tag("RTPlanTime"), "TM", "101112"),
        element(tag("RTPlanGeometry"), "CS", "PATIENT"),
        sequence(tag("SourceSequence"), source),
    ]
    return samples.file(
        samples.merged(samples.common(sop_class=sop_class, modality="RTPLAN"), elements), sop_class=sop_class
    )


def treatment() -> bytes:
    sop_class = str(uid.RTBeamsTreatmentRecordStorage)
    elements = [element(tag("TreatmentDate"), "DA", "20170321"), element(tag("TreatmentTime"), "TM", "090000")]
    return samples.file(
        samples.merged(samples.common(sop_class=sop_class, modality="RTRECORD"), elements), sop_class=sop_class
    )


@case(62)
def test_plan_treatment_and_source_strength_move_together() -> None:
    plan, record = read(released(brachytherapy())), read(released(treatment()))
    (source,) = plan.SourceSequence
    assert days_between(source.SourceStrengthReferenceDate, plan.RTPlanDate) == days_between("20170201", "20170314")
    assert days_between(plan.RTPlanDate, record.TreatmentDate) == 7
    assert (source.SourceStrengthReferenceTime, source.SourceIsotopeHalfLife) == ("120000", 73.83)
    assert left_in(released(brachytherapy()), "20170201", "20170314", "ZQPLAN") == set()


@case(62)
def test_under_basic_a_source_strength_has_no_date_to_decay_from() -> None:
    plan, record = read(released(brachytherapy(), "basic")), read(released(treatment(), "basic"))
    said = [
        plan.SourceSequence[0].get("SourceStrengthReferenceDate"),
        plan.get("RTPlanDate"),
        record.get("TreatmentDate"),
    ]
    assert set(said) <= {None, "", "19000101"}


def tracer(*, started: str = "20170314093000.00") -> bytes:
    sop_class = str(uid.PositronEmissionTomographyImageStorage)
    elements = [
        element(tag("SeriesDate"), "DA", "20170314"),
        element(tag("SeriesTime"), "TM", "103000"),
        element(tag(DA), "DA", "20170314"),
        element(tag(TM), "TM", "103015.5"),
        element(tag("DecayCorrection"), "CS", "START"),
        sequence(
            tag("RadiopharmaceuticalInformationSequence"),
            item(
                element(tag("RadiopharmaceuticalStartTime"), "TM", "093000.00"),
                element(tag("RadionuclideTotalDose"), "DS", "370000000"),
                element(tag("RadionuclideHalfLife"), "DS", "6586.2"),
                element(tag("RadiopharmaceuticalStartDateTime"), "DT", started),
            ),
        ),
        element(tag("PatientWeight"), "DS", "68.5"),
    ]
    common = samples.merged([*samples.common(sop_class=sop_class, modality="PT"), *samples.picture()], elements)
    return samples.file(common, sop_class=sop_class)


@case(63)
@pytest.mark.parametrize("started", ["20170314093000.00", "20170313233000", "20170314093000+0100"])
def test_the_time_from_injection_to_scan_is_what_it_was(started: str) -> None:
    found = read(released(tracer(started=started)))
    (given,) = found.RadiopharmaceuticalInformationSequence
    scan = datetime.strptime(f"{found.AcquisitionDate}{found.AcquisitionTime}", "%Y%m%d%H%M%S.%f")  # noqa: DTZ007
    injected = datetime.strptime(str(given.RadiopharmaceuticalStartDateTime)[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007
    was = datetime.strptime(started[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007
    assert scan - injected == datetime(2017, 3, 14, 10, 30, 15, 500000) - was  # noqa: DTZ001
    assert (given.RadiopharmaceuticalStartTime, given.RadionuclideTotalDose, found.PatientWeight) == (
        "093000.00",
        370000000,
        68.5,
    )
    assert (found.SeriesTime, found.DecayCorrection, given.RadionuclideHalfLife) == ("103000", "START", 6586.2)


@case(64)
@under_every_option
@pytest.mark.parametrize("born", ["19580228", "20170301", "1958", "195802", "1958.02.28"])
def test_a_birth_date_is_gone_under_every_option(born: str, profile: str) -> None:
    """No option of PS3.15 retains it; not even moved is it there, for with the age it would tell the shift."""
    for nests in (False, True):
        data = image(element(tag("PatientBirthDate"), "DA", born), nests=nests)
        found = clean(data, born, profile=profile)
        assert place(read(found), nests=nests).get("PatientBirthDate", "") in {"", None}
        assert left_in(found, moved("19580228")) == set()


@case(64)
def test_an_age_agrees_with_all_that_is_left() -> None:
    data = samples.ct(element(tag("PatientBirthDate"), "DA", "19580228"), element(tag("PatientAge"), "AS", "059Y"))
    found = read(released(data))
    assert (found.PatientAge, found.PatientBirthDate) == ("059Y", "")
    assert found.StudyDate == moved(samples.STUDY_DATE)


STAMPS = {
    "FrameOriginTimestamp": "OB",
    "GPSDateStamp": "DT",
    "GPSTimeStamp": "DT",
    "CertifiedTimestamp": "OB",
    "SOPAuthorizationDateTime": "DT",
    "DigitalSignatureDateTime": "DT",
    "InstanceCoercionDateTime": "DT",
    "AttributeModificationDateTime": "DT",
    "ContributionDateTime": "DT",
}


@case(65)
@pytest.mark.parametrize("profile", [one for one in (*PROFILES, *OPTIONS) if one != KEEPS_DATES])
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("keyword", STAMPS)
def test_stamps_of_frames_satellites_and_certificates_are_not_told(keyword: str, nests: bool, profile: str) -> None:
    stamp = element(tag(keyword), STAMPS[keyword], "19770513101112")
    found = clean(image(stamp, nests=nests), "19770513", profile=profile)
    assert left_in(found, moved("19770513")) == set() or STAMPS[keyword] == "DT"


@case(65)
@in_both_profiles
def test_no_attribute_of_the_standard_tells_a_date_of_its_own(profile: str) -> None:
    numbers = {
        number: entry[0] for number, entry in DicomDictionary.items() if entry[0] in {"DA", "DT"} and number >> 16 > 7
    }
    assert len(numbers) > 120
    elements = [element(number, vr, "19770513" if vr == "DA" else "19770513101112") for number, vr in numbers.items()]
    for nests in (False, True):
        clean(image(*elements, nests=nests), "19770513", profile=profile)
    listed = {row.tag for row in tables.confidentiality_rows()}
    assert {f"({tag(keyword) >> 16:04X},{tag(keyword) & 0xFFFF:04X})" for keyword in STAMPS} <= listed
