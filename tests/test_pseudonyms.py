"""Pseudonyms, version 1: held to their formulas by a second implementation and to constants written down once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # untyped there

from anonymizer import PSEUDONYMS_VERSION, Key, Pseudonyms, Released
from anonymizer.engine import tables
from anonymizer.engine.pseudonyms import Subject
from tests import samples
from tests.samples import element, item, output, sequence

SECRET = bytes(range(32))
PROJECT = "golden"
STUDY = "1.2.826.0.1.3680043.10.990.1"

PSEUDONYMS = Pseudonyms(Key(SECRET), PROJECT)


def hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, one block of output (RFC 5869 2.2, 2.3)."""
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def mac(purpose: str, *texts: str, secret: bytes = SECRET, project: str = PROJECT) -> bytes:
    message = b""
    for text in texts:
        octets = unicodedata.normalize("NFC", text).encode()
        message += len(octets).to_bytes(4, "big") + octets
    return hmac.new(hkdf(secret, f"entwash/1/{project}/{purpose}".encode()), message, hashlib.sha256).digest()


def code(octets: bytes) -> str:
    """Base32 (RFC 4648 6), five bits at a time."""
    bits = "".join(f"{octet:08b}" for octet in octets[:10])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "".join(alphabet[int(bits[at : at + 5], 2)] for at in range(0, 80, 5))


def uid_of(uid: str) -> str:
    """A UUID of version 8 (RFC 9562 5.8) as a UID (PS3.5 B.2)."""
    number = int.from_bytes(mac("uid", uid)[:16], "big")
    number &= ~(0xF << 76) & ~(0x3 << 62)
    number |= (0x8 << 76) | (0x2 << 62)
    return f"2.25.{number}"


def shift_of(*subject: str) -> int:
    return -7 * (52 + int.from_bytes(mac("date", *subject)[:8], "big") % 469)


def test_the_version_is_the_one_that_these_tests_freeze() -> None:
    assert PSEUDONYMS_VERSION == 1


def test_the_second_implementation_knows_rfc_5869_and_rfc_4648() -> None:
    # RFC 5869 A.3 asks for 42 bytes without salt and info; the first block is enough to tell.
    assert hkdf(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert code(b"entwash!!!xx") == base64.b32encode(b"entwash!!!").decode()


GOLDEN = {
    "uid": (PSEUDONYMS.uid(STUDY), uid_of(STUDY), "2.25.231590653118693378608935351013626484274"),
    "patient id": (
        PSEUDONYMS.patient_id(Subject.of("MRN-7741902", "NORTH", STUDY)),
        "DEID-" + code(mac("patient", "id", "NORTH", "MRN-7741902")),
        "DEID-HB73LLGJYYFND4YR",
    ),
    "patient id without an issuer": (
        PSEUDONYMS.patient_id(Subject.of("MRN-7741902", "", STUDY)),
        "DEID-" + code(mac("patient", "id", "", "MRN-7741902")),
        "DEID-GM2JECEJ6XBPHL5J",
    ),
    "patient id of nobody": (
        PSEUDONYMS.patient_id(Subject.of("", "NORTH", STUDY)),
        "DEID-" + code(mac("patient", "study", STUDY)),
        "DEID-JTLQ3JIUMVQLNYSM",
    ),
    "patient name": (
        PSEUDONYMS.patient_name(Subject.of("MRN-7741902", "NORTH", STUDY)),
        "DEIDENTIFIED^" + code(mac("patient", "id", "NORTH", "MRN-7741902")),
        "DEIDENTIFIED^HB73LLGJYYFND4YR",
    ),
    "accession number": (
        PSEUDONYMS.accession_number("ACC5550101"),
        code(mac("accession", "ACC5550101")),
        "SXUBPBDQJBZJKSZ6",
    ),
    "study id": (PSEUDONYMS.study_id(STUDY), code(mac("study-id", STUDY)), "BVPPEMOIDJVOID2C"),
    "date shift": (
        str(PSEUDONYMS.date_shift(Subject.of("MRN-7741902", "NORTH", STUDY))),
        str(shift_of("id", "NORTH", "MRN-7741902")),
        "-2317",
    ),
    "key id": (PSEUDONYMS.key_id, mac("key-id").hex()[:8], "0e94fa40"),
    "a name beyond ASCII": (
        PSEUDONYMS.patient_id(Subject.of("Ængström-7", "Zürich", STUDY)),
        "DEID-" + code(mac("patient", "id", "Zürich", "Ængström-7")),
        "DEID-LRAVFUHG6HGW3LIF",
    ),
}


@pytest.mark.parametrize("what", GOLDEN)
def test_a_pseudonym_is_what_its_formula_says_and_what_it_was_when_it_was_frozen(what: str) -> None:
    engine, formula, frozen = GOLDEN[what]
    assert engine == formula
    assert engine == frozen


def test_an_output_holds_the_frozen_pseudonyms() -> None:
    result = samples.anonymizer(project=PROJECT).anonymize(samples.ct(element(0x00100021, "LO", "NORTH")))
    assert isinstance(result, Released)
    assert result.report.patient_id == GOLDEN["patient id"][2]
    assert result.report.study_instance_uid == GOLDEN["uid"][2]
    for frozen in ("uid", "patient id", "patient name", "accession number", "study id"):
        assert frozen == "study id" or GOLDEN[frozen][2].encode() in result.data


@given(st.text(max_size=80), st.binary(min_size=32, max_size=32))
def test_whatever_the_text_a_uid_is_valid_and_a_uuid(text: str, secret: bytes) -> None:
    assume(text.strip("\0 ") not in tables.REGISTERED_UIDS)  # they stay; hypothesis draws constants of our own code
    replaced = Pseudonyms(Key(secret), PROJECT).uid(text)
    if not text.strip("\0 "):
        assert replaced == ""
        return
    assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", replaced)
    assert len(replaced) <= 44
    made = uuid.UUID(int=int(replaced.removeprefix("2.25.")))
    assert made.version == 8
    assert made.variant == uuid.RFC_4122


@given(
    st.lists(
        st.from_regex(r"[1-9][0-9]{0,3}(\.[1-9][0-9]{0,5}){1,6}", fullmatch=True), unique=True, min_size=2, max_size=8
    )
)
def test_two_uids_never_share_a_pseudonym(uids: list[str]) -> None:
    assert len({PSEUDONYMS.uid(uid) for uid in uids}) == len(uids)


def test_the_level_never_enters() -> None:
    shared = "1.2.826.0.1.3680043.10.990.77"
    at = output(
        samples.ct(
            element(0x00080018, "UI", shared),
            element(0x0020000E, "UI", shared),
            element(0x00200052, "UI", shared),
            element(0x00083010, "UI", f"{shared}\\{STUDY}"),
            sequence(
                0x00081140,
                item(element(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), element(0x00081155, "UI", shared)),
            ),
            sequence(0x00081199, samples.item(samples.element(0x00081155, "UI", shared, samples.IMPLICIT)), vr="UN"),
        )
    )
    expected = samples.ENGINES["research"].pseudonyms.uid(shared)
    assert at.file_meta.MediaStorageSOPInstanceUID == at.SOPInstanceUID == expected
    assert at.SeriesInstanceUID == at.FrameOfReferenceUID == expected
    assert at.IrradiationEventUID == [expected, at.StudyInstanceUID]
    assert at.ReferencedImageSequence[0].ReferencedSOPInstanceUID == expected
    assert at.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == expected


def test_every_registered_uid_is_kept() -> None:
    assert len(UID_dictionary) > 400
    assert [uid for uid in UID_dictionary if PSEUDONYMS.uid(uid) != uid] == []


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.7741902", "1.2.840.10008.5.1.4.1.1.2.99", "1.2.840.10008", "1.2.840.10008."]
)
def test_a_uid_is_not_kept_for_its_prefix(uid: str) -> None:
    assert PSEUDONYMS.uid(uid) == uid_of(uid)


@pytest.mark.parametrize("padded", [f"{STUDY}\0", f"{STUDY} ", f"\0 {STUDY}", f"  {STUDY} \0\0"])
def test_padding_does_not_change_a_uid(padded: str) -> None:
    assert PSEUDONYMS.uid(padded) == uid_of(STUDY)


def test_a_uid_that_is_none_is_replaced_all_the_same() -> None:
    for wrong in ("1.02.3", "1.2.3.", "9" * 65, "Quillfeather"):
        assert PSEUDONYMS.uid(wrong) == uid_of(wrong)


@pytest.mark.parametrize("patient_id", ["", " ", "    ", "\\", "\\\\", " \\ "])
def test_a_patient_id_of_nothing_makes_the_study_the_subject(patient_id: str) -> None:
    here, there = Subject.of(patient_id, "NORTH", STUDY), Subject.of(patient_id, "NORTH", "1.2.3")
    assert PSEUDONYMS.patient_id(here) == "DEID-" + code(mac("patient", "study", STUDY))
    assert PSEUDONYMS.patient_id(here) != PSEUDONYMS.patient_id(there)
    assert PSEUDONYMS.date_shift(here) == shift_of("study", STUDY)


@pytest.mark.parametrize("patient_id", ["", "  ", "\\\\"])
def test_two_unknown_patients_are_not_merged(patient_id: str) -> None:
    unknown = element(0x00100020, "LO", patient_id)
    one, other = output(samples.ct(unknown)), output(samples.ct(unknown, element(0x0020000D, "UI", "1.2.3.4")))
    assert one.PatientID.startswith("DEID-")
    assert one.PatientID != other.PatientID
    assert one.PatientName != other.PatientName


def test_an_absent_patient_id_is_an_empty_one() -> None:
    absent, empty = samples.ct(without=[0x00100020]), samples.ct(element(0x00100020, "LO", ""))
    assert output(absent).PatientID == output(empty).PatientID


def test_spaces_around_a_patient_id_and_issuer_mean_nothing_but_case_and_zeros_do() -> None:
    subjects = [("  00123 ", " NORTH "), ("00123", "NORTH"), ("123", "NORTH"), ("00123", "north")]
    ids = [PSEUDONYMS.patient_id(Subject.of(patient_id, issuer, STUDY)) for patient_id, issuer in subjects]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_one_patient_id_of_two_issuers_is_two_people() -> None:
    north, south, nobody = (
        output(samples.ct(*([element(0x00100021, "LO", issuer)] if issuer else [])))
        for issuer in ("NORTH", "SOUTH", "")
    )
    assert len({north.PatientID, south.PatientID, nobody.PatientID}) == 3
    assert "IssuerOfPatientID" not in north or not north.IssuerOfPatientID


def test_a_length_goes_before_each_text_so_that_none_runs_into_the_next() -> None:
    one, other = Subject.of("BC", "A", STUDY), Subject.of("C", "AB", STUDY)
    assert PSEUDONYMS.patient_id(one) != PSEUDONYMS.patient_id(other)


def test_an_absent_issuer_is_the_default_issuer() -> None:
    said = samples.ENGINES["research"].anonymize(samples.ct(element(0x00100021, "LO", "NORTH")))
    spaces = samples.anonymizer(default_issuer="NORTH").anonymize(samples.ct(element(0x00100021, "LO", "  ")))
    absent = samples.anonymizer(default_issuer="NORTH").anonymize(samples.ct())
    other = samples.anonymizer(default_issuer="SOUTH").anonymize(samples.ct())
    assert isinstance(said, Released)
    assert isinstance(spaces, Released)
    assert isinstance(absent, Released)
    assert isinstance(other, Released)
    assert said.report.patient_id == spaces.report.patient_id == absent.report.patient_id
    assert said.report.study_date == absent.report.study_date
    assert other.report.patient_id != absent.report.patient_id


def test_a_letter_with_an_accent_is_the_same_however_it_is_composed() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Ångström-7") for form in ("NFC", "NFD"))
    assert composed != decomposed
    characters = element(0x00080005, "CS", "ISO_IR 192")
    one, other = (
        output(
            samples.ct(characters, element(0x00100020, "LO", text.encode()), element(0x00080050, "SH", text.encode()))
        )
        for text in (composed, decomposed)
    )
    assert one.PatientID == other.PatientID
    assert one.AccessionNumber == other.AccessionNumber
    assert one.StudyDate == other.StudyDate


@pytest.mark.parametrize(
    ("character_set", "codec"),
    [("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8"), ("GB18030", "gb18030"), ("ISO_IR 101", "iso8859-2")],
)
def test_a_patient_id_is_its_text_and_not_its_bytes(character_set: str, codec: str) -> None:
    characters = element(0x00080005, "CS", character_set)
    data = samples.ct(characters, element(0x00100020, "LO", "Müller-7".encode(codec)))
    assert output(data).PatientID == samples.ENGINES["research"].pseudonyms.patient_id(
        Subject.of("Müller-7", "", STUDY)
    )


def test_a_patient_id_in_iso_2022_is_its_text_too() -> None:
    text = "月蟹-7"
    written = b"\x1b$B" + text[:2].encode("iso2022_jp").removeprefix(b"\x1b$B").removesuffix(b"\x1b(B") + b"\x1b(B-7"
    data = samples.ct(element(0x00080005, "CS", "\\ISO 2022 IR 87"), element(0x00100020, "LO", written))
    assert output(data).PatientID == samples.ENGINES["research"].pseudonyms.patient_id(Subject.of(text, "", STUDY))


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_a_shift_is_whole_weeks_back_one_to_ten_years(patient_id: str, issuer: str) -> None:
    days = PSEUDONYMS.date_shift(Subject.of(patient_id, issuer, STUDY))
    assert days % 7 == 0
    assert -520 * 7 <= days <= -52 * 7


def test_shifts_reach_from_one_end_of_the_range_to_the_other() -> None:
    shifts = {PSEUDONYMS.date_shift(Subject.of(str(number), "", STUDY)) for number in range(8000)}
    assert len(shifts) == 469
    assert (min(shifts), max(shifts)) == (-3640, -364)


@pytest.mark.parametrize("accession", ["", "  "])
def test_an_empty_accession_number_stays_empty(accession: str) -> None:
    assert output(samples.ct(element(0x00080050, "SH", accession))).AccessionNumber == ""
    assert PSEUDONYMS.accession_number(accession) == ""


def test_an_accession_number_is_the_same_at_every_depth() -> None:
    nested = sequence(0x00081140, item(element(0x00080050, "SH", f"{samples.ACCESSION} ")))
    at = output(samples.ct(nested))
    assert at.ReferencedImageSequence[0].AccessionNumber == at.AccessionNumber != ""


def test_an_emptied_study_id_gets_a_code_of_its_study() -> None:
    one = output(samples.ct(element(0x00200010, "SH", "")))
    other = output(samples.ct(element(0x00200010, "SH", ""), element(0x0020000D, "UI", "1.2.3.4")))
    assert one.StudyID == samples.ENGINES["research"].pseudonyms.study_id(STUDY)
    assert one.StudyID != other.StudyID


@pytest.mark.parametrize(
    "other",
    [Pseudonyms(Key(bytes(range(1, 33))), PROJECT), Pseudonyms(Key(SECRET), "other")],
    ids=["another key", "another project"],
)
def test_two_keys_and_two_projects_share_nothing(other: Pseudonyms) -> None:
    people = [Subject.of(f"MRN-{number}", "NORTH", STUDY) for number in range(50)]
    assert not {PSEUDONYMS.patient_id(one) for one in people} & {other.patient_id(one) for one in people}
    assert not {PSEUDONYMS.uid(f"1.2.{n}") for n in range(1, 50)} & {other.uid(f"1.2.{n}") for n in range(1, 50)}
    assert PSEUDONYMS.accession_number("A1") != other.accession_number("A1")
    assert PSEUDONYMS.study_id(STUDY) != other.study_id(STUDY)
    assert PSEUDONYMS.key_id != other.key_id
    assert PSEUDONYMS.token("study", "x") != other.token("study", "x")
    shifts = [(PSEUDONYMS.date_shift(one), other.date_shift(one)) for one in people]
    assert sum(here == there for here, there in shifts) < 3  # of 469 shifts two can be equal by chance


def test_tokens_of_two_purposes_and_pseudonyms_never_match() -> None:
    tokens = {PSEUDONYMS.token(purpose, "MRN-7741902") for purpose in ("study", "state", "patient", "accession")}
    tokens |= {PSEUDONYMS.accession_number("MRN-7741902"), PSEUDONYMS.study_id("MRN-7741902")}
    assert len(tokens) == 6


def test_what_holds_source_values_does_not_show_them() -> None:
    subject = Subject.of("MRN-7741902", "NORTH", STUDY)
    assert "7741902" not in repr(subject)
    assert SECRET.hex() not in repr(PSEUDONYMS)
    assert PSEUDONYMS.key_id in repr(PSEUDONYMS)


def test_a_patient_named_again_in_an_item_is_the_same_person() -> None:
    issuer = element(0x00100021, "LO", "NORTH")
    same = item(element(0x00100020, "LO", samples.PATIENT_ID), element(0x00080022, "DA", samples.STUDY_DATE))
    blank = item(element(0x00100020, "LO", "  "))
    other = item(element(0x00100020, "LO", "SOMEBODY"))
    at = output(samples.ct(issuer, sequence(samples.UNLISTED_SEQUENCE, same, blank, other)))
    items = at[samples.UNLISTED_SEQUENCE].value
    ids = [one.PatientID for one in items]
    assert ids[:2] == [at.PatientID] * 2
    assert ids[2] != at.PatientID
    assert items[0].AcquisitionDate == at.StudyDate
