"""Values: names, numbers of patients, ages, codes, and whatever else stands in an element (cases 31 to 50)."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import config
from pydicom.data import get_charset_files
from pydicom.datadict import (  # type: ignore[attr-defined]  # DicomDictionary is not in its __all__
    DicomDictionary,
    dictionary_has_tag,
    dictionary_VR,
)
from pydicom.dataset import Dataset
from pydicom.valuerep import validate_value

from anonymizer import Key
from anonymizer.engine import tables
from anonymizer.folder import Settings, anonymize_folder
from anonymizer.gate import Gate, examine
from tests import samples
from tests.cases import (
    case,
    clean,
    held,
    image,
    in_both_profiles,
    place,
    read,
    released,
    under_every_option,
    written,
)
from tests.samples import UNLISTED_SEQUENCE, code, element, item, sequence, tag

OTHER_STUDY = "1.2.826.0.1.3680043.10.990.2"


def patient(patient_id: bytes | str, *others: bytes, profile: str = "research", issuer: str = "") -> Dataset:
    """Return the output for a patient of that ID."""
    issued = [element(tag("IssuerOfPatientID"), "LO", issuer)] if issuer else []
    return read(released(samples.ct(element(0x00100020, "LO", patient_id), *issued, *others), profile))


# Names


ALPHABETS = {
    "UTF-8": (
        "ISO_IR 192",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "utf-8",
        ("山田", "太郎", "やまだ", "Yamada", "Tarou"),
    ),
    "Japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう", "iso2022_jp", ("山田", "太郎", "やまだ")),
    "Korean": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", "euc_kr", ("Gildong",)),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东", "gb18030", ("XiaoDong", "小东")),
    "Chinese, short": ("GBK", "Wang^XiaoDong=王^小东", "gbk", ("XiaoDong", "小东")),
    "Russian": ("ISO_IR 144", "Люксембург^Роза", "iso8859_5", ("Люксембург", "Роза")),
    "Greek": ("ISO_IR 126", "Διονυσιος^Σολωμος", "iso8859_7", ("Διονυσιος", "Σολωμος")),
    "German": ("ISO_IR 100", "Äneas^Rüdiger", "latin-1", ("Äneas", "Rüdiger")),
}


@case(31)
@in_both_profiles
@pytest.mark.parametrize("keyword", ["PatientName", "ReferringPhysicianName", "OperatorsName", "PersonName"])
def test_all_three_groups_of_a_name_are_replaced(keyword: str, profile: str) -> None:
    name = element(tag(keyword), "PN", "Zqalpha^Bet=山田^太郎=やまだ^たろう".encode())
    data = samples.ct(
        element(0x00080005, "CS", "ISO_IR 192"),
        name,
        sequence(UNLISTED_SEQUENCE, item(name, element(0x00280010, "US", b"\4\0"))),
    )
    found = read(clean(data, "Zqalpha", "山田", "太郎", "やまだ", "たろう", profile=profile))
    allowed = {str(found.PatientName), "DEIDENTIFIED^DUMMY", ""}
    assert {str(one.value or "") for one in found.iterall() if one.VR == "PN"} <= allowed
    assert "=" not in "".join(allowed)


@case(32)
@in_both_profiles
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_a_name_in_any_alphabet_is_replaced_and_the_character_set_stays_true(alphabet: str, profile: str) -> None:
    terms, name, encoding, planted = ALPHABETS[alphabet]
    spelt = name.encode(encoding)
    character_set = element(0x00080005, "CS", terms)
    names = [element(tag(keyword), "PN", spelt) for keyword in ("ReferringPhysicianName", "PerformingPhysicianName")]
    inside = item(*samples.merged([element(0x00100010, "PN", spelt)], names))
    data = samples.ct(character_set, element(0x00100010, "PN", spelt), *names, sequence(UNLISTED_SEQUENCE, inside))
    found = clean(data, *planted, profile=profile)
    assert [part for part in re.split(rb"[\^=]", spelt) if len(part) > 3 and part in found] == []
    assert element(0x00080005, "CS", terms) in found
    read(found).decode()  # every text that is left can be read by it
    assert read(found).PatientName == patient(samples.PATIENT_ID, profile=profile).PatientName


@case(32)
@in_both_profiles
def test_names_of_the_standards_own_examples_are_replaced(profile: str) -> None:
    """PS3.5 annexes H to K give names in every character set; pydicom has them as files."""
    treated = 0
    for path in map(Path, get_charset_files("*.dcm")):
        source = pydicom.dcmread(path)
        original = source.get("PatientName")
        if not original or not original.original_string:
            continue
        inside = element(tag("SpecificCharacterSet"), "CS", b"\\".join(charset_terms(source)))
        data = samples.ct(inside, element(0x00100010, "PN", bytes(original.original_string)))
        parts = re.split(rb"[\^=]", bytes(original.original_string))
        found = released(data, profile)
        assert [part for part in parts if len(part) > 3 and part in found] == []
        treated += 1
    assert treated > 10


def charset_terms(source: Dataset) -> list[bytes]:
    terms = source.get("SpecificCharacterSet", "ISO_IR 6")
    return [term.encode() for term in ([terms] if isinstance(terms, str) else terms)]


@case(33)
@in_both_profiles
def test_names_that_no_character_set_explains_are_replaced_all_the_same(profile: str) -> None:
    name = "Zqvonhöhenstein".encode("latin-1")
    data = samples.ct(element(0x00100010, "PN", name), element(0x00080090, "PN", name), without=[0x00080005])
    clean(data, "Zqvonh", "henstein", profile=profile)


@case(33)
@in_both_profiles
@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName", "SoftwareVersions"])
def test_a_text_that_stays_and_that_nobody_can_read_holds_the_instance(keyword: str, profile: str) -> None:
    unreadable = element(tag(keyword), "LO", "Müller".encode("latin-1"))
    assert held(samples.ct(unreadable, without=[0x00080005]), profile).code == "undecodable-text"
    utf8 = element(0x00080005, "CS", "ISO_IR 192")
    assert held(samples.ct(utf8, unreadable), profile).code == "undecodable-text"
    assert read(released(samples.ct(unreadable), profile))[keyword].value == "Müller"


@case(34)
@in_both_profiles
def test_one_person_has_one_name_however_it_was_written(profile: str) -> None:
    spellings = ["Smith^John", "SMITH^JOHN^^^", "smith^john", "Smith^John\\Smith^J", " Smith ^ John ", "JOHN SMITH", ""]
    names = {str(patient("MRN-1", element(0x00100010, "PN", one), profile=profile).PatientName) for one in spellings}
    assert len(names) == 1
    assert "mith" not in names.pop().lower()


ECHOES = {
    "SeriesDescription": "JOHN QUILLFEATHER",
    "StudyID": "QUILLFEATHER_J",
    "ProtocolName": "quillfeatherj head",
    "ImageComments": "Mr Quillfeather's second visit",
    "PerformedProcedureStepDescription": "CT HEAD (QUILLFEATHER, J)",
    "RequestedProcedureDescription": "Head^Quillfeather",
}


@case(35)
@under_every_option
def test_a_name_that_is_repeated_elsewhere_is_gone_there_too(profile: str) -> None:
    echoes = [element(tag(keyword), "LO", text) for keyword, text in ECHOES.items()]
    data = samples.ct(element(0x00100010, "PN", "Quillfeather^John"), *echoes)
    clean(data, "Quillfeather", "Quillfeatherj", profile=profile)


@case(35)
def test_a_name_in_the_name_of_a_file_is_gone(tmp_path: Path) -> None:
    source, key = tmp_path / "quillfeather", tmp_path / "site.key"
    source.mkdir()
    (source / "quillfeatherj.dcm").write_bytes(samples.ct())
    Key.generate(key)
    anonymize_folder(source, tmp_path / "out", Settings(key, "cases"))
    (output,) = (tmp_path / "out").iterdir()
    assert re.fullmatch(r"2\.25\.[1-9][0-9]*\.dcm", output.name)


@case(35)
@pytest.mark.parametrize("keyword", ["SeriesDescription", "ProtocolName", "ImageComments", "PatientComments"])
@pytest.mark.parametrize("echo", ["JOHN QUILLFEATHER", "QUILLFEATHER_J", "Quillfeather, John"])
def test_the_gate_finds_the_echo_of_a_name_that_an_engine_would_leave(echo: str, keyword: str) -> None:
    source = samples.ct(element(0x00100010, "PN", "Quillfeather^John"))
    left = read(released(source))
    setattr(left, keyword, echo)
    buffer = BytesIO()
    left.save_as(buffer)
    gate = Gate()
    gate.add(examine(source, buffer.getvalue()))
    gate.search(buffer.getvalue())
    where = f"({tag(keyword) >> 16:04X},{tag(keyword) & 0xFFFF:04X})"
    assert where in {finding.path for finding in gate.verdict().findings}
    plain = Gate()
    plain.add(examine(source, released(source)))
    plain.search(released(source))
    assert plain.verdict().findings == ()


@case(35)
@pytest.mark.parametrize(("name", "echo"), [("Chest^Axial", "CHEST AXIAL"), ("Head^Brain", "BRAIN HEAD ROUTINE")])
def test_the_gate_sees_a_name_that_is_made_of_known_words(name: str, echo: str) -> None:
    """The vocabulary lets such a description pass; what it says of this patient only the gate can see."""
    description = element(tag("SeriesDescription"), "LO", echo)
    source = samples.ct(element(0x00100010, "PN", name), description)
    found = released(source)
    assert read(found).SeriesDescription == echo
    gate = Gate()
    gate.add(examine(source, found))
    gate.search(found)
    assert "(0008,103E)" in {finding.path for finding in gate.verdict().findings}


# Numbers of patients


@case(36)
@under_every_option
@pytest.mark.parametrize("number", [samples.PATIENT_ID, "7741902", "T7741902"])
def test_a_patients_number_is_gone_wherever_somebody_typed_it(number: str, profile: str) -> None:
    places = {
        "ImageComments": "see {}, head",
        "ProtocolName": "HEAD {}",
        "SeriesDescription": "{} head axial",
        "StudyDescription": "CT {}",
        "PatientComments": "{}",
        "RequestedProcedureID": "{}",
        "ContrastBolusAgent": "Iodine {}",
    }
    identities = {"StationName": "CT{}", "DeviceSerialNumber": "{}", "InstitutionName": "Ward {}", "GantryID": "{}"}
    if "identity" not in profile:
        places |= identities
    elements = [element(tag(keyword), "LO", text.format(number)) for keyword, text in places.items()]
    data = samples.ct(element(0x00100020, "LO", number), *elements)
    clean(data, number, profile=profile)


@case(37)
@in_both_profiles
@pytest.mark.parametrize("empty", ["", " ", "      ", "\\", "\\\\", " \\ ", "\0\0"])
def test_an_empty_patient_id_has_no_pseudonym_of_its_own(empty: str, profile: str) -> None:
    one = patient(empty, profile=profile)
    other = patient(empty, element(0x0020000D, "UI", OTHER_STUDY), profile=profile)
    assert one.PatientID != other.PatientID
    assert one.PatientName != other.PatientName
    assert one.PatientID == patient("", profile=profile).PatientID  # one study is one unknown patient
    assert one.PatientID.startswith("DEID-")


@case(37)
def test_two_files_without_a_patient_are_nobody_and_not_each_other() -> None:
    missing = read(released(samples.ct(without=[0x00100020, 0x00100010])))
    assert missing.PatientID == patient("").PatientID
    assert missing.PatientID != patient("DEIDENTIFIED").PatientID


@case(38)
@in_both_profiles
def test_one_number_from_two_issuers_is_two_patients(profile: str) -> None:
    numbers = {patient("00123", profile=profile, issuer=issuer).PatientID for issuer in ("", "NORTH", "SOUTH")}
    assert len(numbers) == 3
    assert patient("00123", profile=profile, issuer=" NORTH ").PatientID in numbers
    assert "IssuerOfPatientID" not in patient("00123", profile=profile, issuer="NORTH")


@case(39)
@in_both_profiles
def test_spaces_around_a_number_do_not_matter_and_all_else_does(profile: str) -> None:
    """As design and decisions say: surrounding spaces go, the text is brought to NFC, and nothing else is guessed."""
    trimmed = patient("00123", profile=profile).PatientID
    assert {patient(one, profile=profile).PatientID for one in (" 00123", "00123 ", "  00123  ", "00123")} == {trimmed}
    others = ["123", "0123", "00123A", "00123a", "00 123", "00123-", "O0123"]
    assert len({trimmed, *(patient(one, profile=profile).PatientID for one in others)}) == len(others) + 1
    utf8 = element(0x00080005, "CS", "ISO_IR 192")
    written = [unicodedata.normalize(form, "Müller-1").encode() for form in ("NFC", "NFD")]
    assert written[0] != written[1]
    assert len({patient(one, utf8, profile=profile).PatientID for one in written}) == 1


@case(40)
@in_both_profiles
@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("TextValue", "UT", "DEIDENTIFIED"),
        ("PersonName", "PN", "DEIDENTIFIED"),
        ("PersonName", "PN", "DEIDENTIFIED^DUMMY"),
        ("PersonName", "PN", "DEIDENTIFIED^ANONYMOUS"),
        ("Date", "DA", "19000101"),
        ("DateTime", "DT", "19000101000000"),
        ("Time", "TM", "000000"),
    ],
)
def test_a_value_that_is_the_dummy_already_becomes_another(keyword: str, vr: str, value: str, profile: str) -> None:
    """Who finds a dummy shall know that it is one: nothing stays because it looked replaced."""
    (content,) = read(released(samples.report(element(tag(keyword), vr, value)), profile)).ContentSequence
    assert content[keyword].value not in {value, value.strip(), None, ""}
    again = read(released(samples.report(element(tag(keyword), vr, value)), profile)).ContentSequence[0]
    assert content[keyword].value == again[keyword].value


@case(40)
@in_both_profiles
def test_a_patient_who_has_a_pseudonym_already_gets_a_new_one(profile: str) -> None:
    once = read(released(samples.ct(), profile))
    twice = patient(once.PatientID, element(0x00100010, "PN", str(once.PatientName)), profile=profile)
    assert twice.PatientID != once.PatientID
    assert twice.PatientName != once.PatientName


# Values that do not fit, and values that hide something


MISFITS = {
    "LO of 65 characters": ("Manufacturer", "LO", "ACME " * 13),
    "UI of 65 characters": ("FrameOfReferenceUID", "UI", "1.2." + "3" * 61),
    "UI of letters": ("FrameOfReferenceUID", "UI", "1.2.zq.7741902"),
    "DS of letters": ("SliceThickness", "DS", "zqname"),
    "DS with a comma": ("SliceThickness", "DS", "2,5"),
    "DS that is not finite": ("SliceThickness", "DS", "NaN"),
    "IS with a fraction": ("InstanceNumber", "IS", "1.5"),
    "CS of 17 characters": ("BodyPartExamined", "CS", "HEADHEADHEADHEADX"),
    "CS in small letters": ("BodyPartExamined", "CS", "head"),
    "AS without a unit": ("PatientAge", "AS", "45"),
    "DA of a month": ("AcquisitionDate", "DA", "201703"),
    "TM of a day": ("AcquisitionTime", "TM", "20170314"),
}


@case(41)
@in_both_profiles
@pytest.mark.parametrize("misfit", MISFITS)
@pytest.mark.parametrize("nests", [False, True])
def test_a_value_that_breaks_its_vr_comes_out_valid_or_not_at_all(misfit: str, nests: bool, profile: str) -> None:
    keyword, vr, value = MISFITS[misfit]
    found = released(image(element(tag(keyword), vr, value), nests=nests), profile)
    at = place(read(found), nests=nests)
    if keyword not in at:
        return
    left = at.get_item(keyword)
    for text in left.value.decode("latin-1").rstrip("\0 ").split("\\"):
        validate_value(left.VR, text, config.RAISE)
        assert left.VR != "IS" or not text or int(text)


@case(42)
@under_every_option
@pytest.mark.parametrize(
    "text",
    [
        "zqname\r\nborn 1958-02-28\r\n",
        "\x1b$Bzqname\x1b(B",
        "\0zqname\0",
        "\x07\x08\x7fzqname",
        "<a href='https://zqname.example/1958-02-28'>zqname</a>",
        "https://zqname.example/?id=1958-02-28",
        "{\\rtf1 zqname}",
        "head\tzqname\faxial",
    ],
)
def test_no_control_character_and_no_markup_carries_a_text_through(text: str, profile: str) -> None:
    carriers = {"SeriesDescription": "LO", "ImageComments": "LT", "InstitutionAddress": "ST", "TextValue": "UT"}
    if profile == "retain_institution_identity":
        del carriers["InstitutionAddress"]
    elements = [element(tag(keyword), vr, text) for keyword, vr in carriers.items()]
    clean(
        samples.ct(*elements, sequence(UNLISTED_SEQUENCE, item(*samples.merged(elements, [])))),
        "zqname",
        profile=profile,
    )


@case(43)
@under_every_option
def test_a_name_in_base64_or_in_hexadecimal_digits_goes_with_what_carries_it(profile: str) -> None:
    encoded = [base64.b64encode(b"Quillfeather^B!!"), b"Quillfeather^B!!".hex().encode()]
    carriers = {
        "TextValue": "UT",
        "ReasonForStudy": "LO",
        "EncapsulatedDocument": "OB",
        "MAC": "OB",
        "ICCProfile": "OB",
        "SelectorUNValue": "UN",
        "SelectorOBValue": "OB",
        "SeriesDescription": "LO",
        "LongCodeValue": "UC",
    }
    for text in encoded:
        elements = [element(tag(keyword), vr, text) for keyword, vr in carriers.items()]
        private = [element(0x00290010, "LO", "SAMPLE VENDOR"), element(0x00291001, "UN", text)]
        clean(samples.ct(*elements, *private), text.decode(), profile=profile)


# What a patient is like


AGES = {
    "091Y": "090Y",
    "120Y": "090Y",
    "999Y": "090Y",
    "090Y": "090Y",
    "089Y": "089Y",
    "045Y": "045Y",
    "999M": "999M",
    "006D": "006D",
    "1092M": "",
    "95": "",
    "95Y": "",
    "ninety-five": "",
}


@case(44)
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("nests", [False, True])
def test_no_age_over_ninety_is_told(age: str, nests: bool) -> None:
    data = image(element(tag("PatientAge"), "AS", age), nests=nests)
    for profile in ("research", "retain_patient_characteristics"):
        assert place(read(released(data, profile)), nests=nests).get("PatientAge", "") == AGES[age]
    assert "PatientAge" not in place(read(released(data, "basic")), nests=nests)


@case(44)
@under_every_option
def test_a_year_of_birth_is_never_told_whatever_the_age(profile: str) -> None:
    data = samples.ct(
        element(tag("PatientBirthDate"), "DA", "19200229"),
        element(tag("PatientBirthTime"), "TM", "041200"),
        element(tag("PatientBirthDateInAlternativeCalendar"), "LO", "19200229"),
        element(tag("PatientComments"), "LT", "born 19200229, aged 97"),
        element(tag("PatientAge"), "AS", "097Y"),
    )
    found = read(clean(data, "19200229", "097Y", "aged 97", profile=profile))
    assert found.get("PatientBirthDate", "") == ""
    assert "PatientBirthTime" not in found


@case(45)
def test_sex_size_and_weight_stay_as_they_are_where_they_are_asked_for_and_go_where_not() -> None:
    """An outlier is a fact of the patient: whoever must not have it takes a profile without characteristics."""
    said = {"PatientSex": ("CS", "O"), "PatientSize": ("DS", "2.31"), "PatientWeight": ("DS", "317.5")}
    data = samples.ct(*(element(tag(keyword), vr, value) for keyword, (vr, value) in said.items()))
    for profile in ("research", "retain_patient_characteristics"):
        found = released(data, profile)
        assert {keyword: written(found, keyword) for keyword in said} == {
            keyword: value for keyword, (_, value) in said.items()
        }
    left = read(released(data, "basic"))
    assert (left.PatientSex, "PatientSize" in left, "PatientWeight" in left) == ("", False, False)
    odd = read(released(samples.ct(element(tag("PatientSex"), "CS", "Quillfeather"))))
    assert odd.get("PatientSex", "") == ""


IDENTITY = {
    0x00100011: "Person Names to Use Sequence",
    0x00100014: "Third Person Pronouns Sequence",
    0x00100015: "Pronoun Code Sequence",
    0x00100041: "Gender Identity Sequence",
    0x00100043: "Sex Parameters for Clinical Use Category Sequence",
    0x00100044: "Gender Identity Code Sequence",
    0x00100046: "Sex Parameters for Clinical Use Category Code Sequence",
}
KEPT_IDENTITY = {0x00100043, 0x00100046}  # K under Retain Patient Characteristics


@case(46)
@under_every_option
@pytest.mark.parametrize("number", IDENTITY, ids=IDENTITY.values())
def test_sequences_of_names_to_use_pronouns_and_gender_are_gone(number: int, profile: str) -> None:
    """They are newer than the dictionary, and stand in Table E.1-1 all the same."""
    inside = item(
        element(0x00100012, "LT", "zqnametouse"),
        element(0x00100013, "LT", "zqcomment"),
        element(0x00100016, "LT", "zqpronoun"),
        element(0x00100042, "LT", "zqcategory"),
        element(0x00100045, "LT", "zqgender"),
        element(0x00104000, "LT", "zqpatient"),
    )
    planted = ("zqnametouse", "zqcomment", "zqpronoun", "zqcategory", "zqgender", "zqpatient")
    for data in (
        samples.ct(sequence(number, inside)),
        samples.ct(sequence(UNLISTED_SEQUENCE, item(sequence(number, inside)))),
    ):
        found = read(clean(data, *planted, profile=profile))
        there = any(one.tag == number for one in found.iterall())
        if number not in KEPT_IDENTITY or profile not in {"research", "retain_patient_characteristics"}:
            assert not there


@case(46)
@under_every_option
def test_texts_and_references_of_gender_and_ethnicity_are_gone(profile: str) -> None:
    texts = {0x00100012: "LT", 0x00100013: "LT", 0x00100016: "LT", 0x00100042: "LT", 0x00100045: "LT", 0x00100047: "UR"}
    elements = [element(number, vr, f"zqtext{number:08x}") for number, vr in texts.items()]
    kept = profile in {"research", "retain_patient_characteristics"}
    ethnic = element(tag("EthnicGroup"), "SH", "ZQGROUP")
    planted = [f"zqtext{number:08x}" for number in texts] + ([] if kept else ["ZQGROUP"])
    clean(samples.ct(ethnic, *elements), *planted, profile=profile)


def table_rows() -> dict[int, tables.Row]:
    """Return the rows of Table E.1-1 that name one attribute, by tag."""
    rows = [row for row in tables.confidentiality_rows() if re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", row.tag)]
    return {int(row.tag[1:5] + row.tag[6:10], 16): row for row in rows}


def rows_of(group: int) -> dict[int, tables.Row]:
    return {number: row for number, row in table_rows().items() if number >> 16 == group}


def is_sequence(number: int) -> bool:
    return dictionary_has_tag(number) and dictionary_VR(number) == "SQ"


def planted_texts(numbers: Iterable[int]) -> tuple[list[bytes], list[str]]:
    """Return an element for each attribute that can hold a text, and what was planted in them."""
    elements, planted = [], []
    for number in numbers:
        if not dictionary_has_tag(number):
            continue
        vr = dictionary_VR(number)
        text = f"zq{number:08x}"
        if vr == "SQ":
            elements.append(sequence(number, item(element(0x00104000, "LT", text))))
        elif vr in {"LO", "SH", "LT", "ST", "UT", "UC", "PN", "AE"}:
            elements.append(element(number, vr, text))
        else:
            continue
        planted.append(text)
    return elements, planted


@case(47)
@under_every_option
@pytest.mark.parametrize("nests", [False, True])
def test_names_and_numbers_of_a_clinical_trial_are_not_told(nests: bool, profile: str) -> None:
    numbers = {number for number, row in rows_of(0x0012).items() if row.options.get(profile) != "K"}
    assert len(numbers) >= 18
    elements, planted = planted_texts(numbers)
    data = image(*elements, nests=nests)
    clean(data, *planted, profile=profile)


@case(47)
@in_both_profiles
def test_what_a_trial_needs_is_there_without_saying_anything(profile: str) -> None:
    """Type 1 of PS3.3 C.7.1.3: a sponsor, a protocol and a subject have to be named."""
    said = {
        "ClinicalTrialSponsorName": "Zq Pharma",
        "ClinicalTrialProtocolID": "ZQ-1",
        "ClinicalTrialSubjectID": "ZQ-007",
    }
    data = samples.ct(*(element(tag(keyword), "LO", text) for keyword, text in said.items()))
    found = read(clean(data, "Zq Pharma", "ZQ-1", "ZQ-007", profile=profile))
    assert {keyword: bool(found.get(keyword)) for keyword in said} == dict.fromkeys(said, True)


@case(48)
@under_every_option
@pytest.mark.parametrize("nests", [False, True])
def test_admission_visit_insurance_religion_rank_telephone_and_address_are_gone(nests: bool, profile: str) -> None:
    keywords = (
        "PatientAddress PatientTelephoneNumbers PatientTelecomInformation InsurancePlanIdentification MilitaryRank "
        "PatientInsurancePlanCodeSequence BranchOfService PatientReligiousPreference CountryOfResidence MedicalAlerts "
        "RegionOfResidence MedicalRecordLocator PatientMotherBirthName PatientBirthName OtherPatientIDs Occupation "
        "OtherPatientNames OtherPatientIDsSequence ResponsiblePerson ResponsibleOrganization AdditionalPatientHistory "
        "ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers PersonAddress PersonTelephoneNumbers "
        "PersonTelecomInformation OrderCallbackPhoneNumber"
    )
    numbers = {tag(keyword) for keyword in keywords.split()} | set(rows_of(0x0038))
    elements, planted = planted_texts(numbers)
    assert len(planted) > 40
    data = image(*elements, nests=nests)
    clean(data, *planted, profile=profile)


# Codes


@case(49)
@in_both_profiles
@pytest.mark.parametrize("scheme", ["99HOSP", "99X", "", "L", "HOSPITAL", "zqscheme"])
def test_a_hospitals_own_code_says_nothing(scheme: str, profile: str) -> None:
    own = code("ZQCODE", scheme, "zqmeaning")
    data = samples.ct(
        sequence(tag("AnatomicRegionSequence"), own),
        sequence(UNLISTED_SEQUENCE, item(sequence(tag("AnatomicRegionSequence"), own))),
    )
    clean(data, "ZQCODE", "zqmeaning", *(["zqscheme"] if scheme == "zqscheme" else []), profile=profile)


@case(49)
@in_both_profiles
@pytest.mark.parametrize(
    ("value", "scheme"), [("69536005", "SCT"), ("T-D1100", "SRT"), ("113076", "DCM"), ("18748-4", "LN")]
)
def test_a_name_that_stands_as_the_meaning_of_a_public_code_is_gone(value: str, scheme: str, profile: str) -> None:
    data = samples.ct(sequence(tag("AnatomicRegionSequence"), code(value, scheme, "Quillfeather, John")))
    found = read(clean(data, "Quillfeather", profile=profile))
    (one,) = found.AnatomicRegionSequence
    assert one.CodeMeaning  # Type 1 in PS3.3 table 8.8-1
    assert (one.CodeValue, one.CodingSchemeDesignator) == (value, scheme)


@case(49)
@in_both_profiles
def test_what_calls_itself_a_public_code_and_is_a_name_is_gone(profile: str) -> None:
    for value in ("QUILLFEATHER", "MRN-7741902", "7741902-1"):
        clean(samples.ct(sequence(tag("AnatomicRegionSequence"), code(value, "SCT", "Head"))), value, profile=profile)


@case(49)
@in_both_profiles
def test_a_public_code_keeps_its_own_meaning(profile: str) -> None:
    found = read(
        released(samples.ct(sequence(tag("AnatomicRegionSequence"), code("69536005", "SCT", "Head"))), profile)
    )
    (one,) = found.AnatomicRegionSequence
    assert (one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning) == ("69536005", "SCT", "Head")


@case(50)
@under_every_option
@pytest.mark.parametrize("nests", [False, True])
def test_every_physician_and_operator_is_gone_and_the_sequences_that_identify_them(nests: bool, profile: str) -> None:
    names = {number for number, entry in DicomDictionary.items() if entry[0] == "PN"}
    # Of people who are no patients: those of Table E.1-1 go whole.
    words = ("Identification", "Performers", "Participant", "Observer", "Approver", "Custodial")
    sequences = {number for number, row in table_rows().items() if any(word in row.name for word in words)}
    sequences = {number for number in sequences if is_sequence(number)}
    sequences -= {tag("VerifyingObserverSequence"), tag("TransducerIdentificationSequence")}
    elements, planted = planted_texts(names | sequences)
    assert len(planted) >= 38
    data = image(*elements, nests=nests)
    found = read(clean(data, *planted, profile=profile))
    assert {one.keyword for one in found.iterall() if one.VR == "SQ" and one.tag in sequences and one.value} == set()


@case(50)
@in_both_profiles
def test_an_institution_is_not_told_through_its_people(profile: str) -> None:
    person = item(
        sequence(tag("PersonIdentificationCodeSequence"), code("ZQ-STAFF-17", "99HOSP", "Zq Nurse")),
        element(tag("PersonAddress"), "ST", "zqstreet 5"),
        element(tag("InstitutionName"), "LO", "zqhospital"),
    )
    names = ["OperatorIdentificationSequence", "ReferringPhysicianIdentificationSequence"]
    data = samples.ct(*(sequence(tag(keyword), person) for keyword in names))
    clean(data, "ZQ-STAFF-17", "Zq Nurse", "zqstreet", "zqhospital", profile=profile)
