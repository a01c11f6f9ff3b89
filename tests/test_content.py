"""Content items: what becomes of their values, by the concept that names them."""

from __future__ import annotations

import struct
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from anonymizer import Released
from anonymizer.engine import content
from anonymizer.engine.concepts import public_code
from tests import samples
from tests.samples import EXPLICIT, IMPLICIT, How, element, item, sequence, tag

BORN = "19200314"
FULL, MODIFIED, CLEAN = (
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_structured_content",
)
BIRTH, STARTED, FINDING = ("121031", "DCM"), ("111526", "DCM"), ("121071", "DCM")
OURS = ("111526", "99HOSP")

in_both_ways = pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])


def named(concept: tuple[str, str], *values: bytes, how: How = EXPLICIT) -> bytes:
    """Return a report whose content item is of this concept."""
    value, scheme = concept
    code = item(
        element(0x00080100, "SH", value, how),
        element(0x00080102, "SH", scheme, how),
        element(0x00080104, "LO", "Heading", how),
        how=how,
    )
    return samples.report(*values, sequence(tag("ConceptNameCodeSequence"), code, how=how), how=how)


def content_of(data: bytes, *options: str) -> Dataset:
    """Return the content item of a report as it comes out, the same by both ways through the engine."""
    results = [samples.engine(*options).anonymize(data), samples.slowly(*options).anonymize(data)]
    outputs = {result.data for result in results if isinstance(result, Released)}
    assert len(outputs) == len(set(map(type, results))) == 1
    found: Dataset = pydicom.dcmread(BytesIO(outputs.pop())).ContentSequence[0]
    return found


def date(how: How = EXPLICIT) -> bytes:
    return element(tag("Date"), "DA", BORN, how)


@in_both_ways
@pytest.mark.parametrize("options", [(), (MODIFIED,), (FULL,), (CLEAN, MODIFIED), (CLEAN, FULL)])
@pytest.mark.parametrize("concept", [BIRTH, FINDING, OURS], ids=["birth", "finding", "a hospital's own"])
def test_a_date_that_could_be_of_a_birth_becomes_a_dummy(
    concept: tuple[str, str], options: tuple[str, ...], how: How
) -> None:
    assert content_of(named(concept, date(how), how=how), *options).Date == "19000101"


@in_both_ways
def test_a_date_of_no_concept_becomes_a_dummy(how: How) -> None:
    assert content_of(samples.report(date(how), how=how), MODIFIED).Date == "19000101"


@pytest.mark.parametrize("names", [0, 2])
def test_a_date_of_a_concept_that_cannot_be_read_becomes_a_dummy(names: int) -> None:
    code = samples.code("111526", "DCM", "DateTime Started")
    data = samples.report(date(), sequence(tag("ConceptNameCodeSequence"), *([code] * names)))
    assert content_of(data, MODIFIED).Date == "19000101"


@in_both_ways
def test_the_start_of_an_irradiation_moves_with_the_dates_of_its_study(how: How) -> None:
    study = samples.STUDY_DATE
    values = [element(tag("DateTime"), "DT", f"{study}101530", how), element(tag("Time"), "TM", "101530", how)]
    moved = samples.engine(MODIFIED).anonymize(samples.report())
    assert isinstance(moved, Released)
    found = content_of(named(STARTED, *values, how=how), MODIFIED)
    assert (found.DateTime, found.Time) == (f"{pydicom.dcmread(BytesIO(moved.data)).StudyDate}101530", "101530")
    assert found.DateTime[:8] != study


def test_the_start_of_an_irradiation_stays_where_dates_do_and_nothing_takes_them() -> None:
    value = element(tag("DateTime"), "DT", f"{samples.STUDY_DATE}101530")
    assert content_of(named(STARTED, value), FULL, CLEAN).DateTime == f"{samples.STUDY_DATE}101530"
    assert content_of(named(STARTED, value), FULL).DateTime == "19000101000000"  # in a sequence coded D no option holds
    assert content_of(named(STARTED, value)).DateTime == "19000101000000"


def measured(number: str) -> bytes:
    return sequence(tag("MeasuredValueSequence"), item(element(tag("NumericValue"), "DS", number)))


@pytest.mark.parametrize(
    "concept",
    [
        ("121033", "DCM"),
        ("30525-0", "LN"),
        ("397669002", "SCT"),
        ("F-01860", "SRT"),
        ("7741902", "99HOSP"),
        ("zq", "DCM"),
    ],
)
def test_no_age_passes_as_a_number_of_cleaned_content(concept: tuple[str, str]) -> None:
    found = content_of(named(concept, measured("97")), CLEAN)
    assert str(found.MeasuredValueSequence[0].NumericValue) == "0"


@in_both_ways
@pytest.mark.parametrize("options", [(), (CLEAN,)])
def test_no_age_passes_as_a_fraction_or_in_a_cell_of_a_table(options: tuple[str, ...], how: How) -> None:
    order = "<" if how.little else ">"
    fraction = [
        element(tag("RationalNumeratorValue"), "SL", struct.pack(f"{order}l", 97), how),
        element(tag("RationalDenominatorValue"), "UL", struct.pack(f"{order}L", 1), how),
    ]
    cell = [
        element(tag("SelectorCSValue"), "CS", "FEMALE", how),
        element(tag("SelectorULValue"), "UL", struct.pack(f"{order}L", 97), how),
        element(tag("SelectorUSValue"), "US", struct.pack(f"{order}H", 97), how),
    ]
    values = [
        sequence(tag("MeasuredValueSequence"), item(*fraction, how=how), how=how),
        sequence(tag("CellValuesSequence"), item(*cell, how=how), how=how),
    ]
    found = content_of(named(("121033", "DCM"), *values, how=how), *options)
    assert not found.MeasuredValueSequence[0]
    assert [one.value for one in found.CellValuesSequence[0]] == ["DEIDENTIFIED", 0, 0]


@in_both_ways
@pytest.mark.parametrize("options", [(), (MODIFIED,), (FULL,), (CLEAN, MODIFIED), (CLEAN, FULL)])
def test_no_birth_date_and_no_age_passes_in_a_cell_of_a_table(options: tuple[str, ...], how: How) -> None:
    cell = [
        element(tag("SelectorDAValue"), "DA", BORN, how),
        element(tag("SelectorDTValue"), "DT", f"{BORN}0410", how),
        element(tag("SelectorDSValue"), "DS", "97", how),
        element(tag("SelectorFDValue"), "FD", struct.pack("<d" if how.little else ">d", 97), how),
    ]
    cells = sequence(tag("CellValuesSequence"), item(*samples.merged(cell, [], how), how=how), how=how)
    table = sequence(tag("TabulatedValuesSequence"), item(cells, how=how), how=how)
    (found,) = content_of(named(FINDING, table, how=how), *options).TabulatedValuesSequence[0].CellValuesSequence
    assert {one.value for one in found} <= {"19000101", "19000101000000", 0}


def test_a_fraction_of_a_public_concept_stays_in_cleaned_content() -> None:
    numerator = element(tag("RationalNumeratorValue"), "SL", struct.pack("<l", 13))
    found = content_of(named(("81827009", "SCT"), sequence(tag("MeasuredValueSequence"), item(numerator))), CLEAN)
    assert found.MeasuredValueSequence[0].RationalNumeratorValue == 13


def test_a_measure_of_a_public_concept_stays_in_cleaned_content() -> None:
    found = content_of(named(("81827009", "SCT"), measured("13.4")), CLEAN)  # Diameter
    assert found.MeasuredValueSequence[0].NumericValue == 13.4


@pytest.mark.parametrize("options", [(CLEAN,), (CLEAN, "retain_patient_characteristics")])
def test_a_code_or_a_text_that_says_who_somebody_is_becomes_a_dummy_in_cleaned_content(
    options: tuple[str, ...],
) -> None:
    sex = sequence(tag("ConceptCodeSequence"), samples.code("248153007", "SCT", "Male"))
    assert content_of(named(("121032", "DCM"), sex), *options).ConceptCodeSequence[0].CodeValue == "DEIDENTIFIED"
    text = element(tag("TextValue"), "UT", "774 head")
    assert content_of(named(("121030", "DCM"), text), *options).TextValue == "DEIDENTIFIED"
    assert content_of(named(FINDING, text), *options).TextValue == "774 head"
    assert content_of(named(FINDING, sex), *options).ConceptCodeSequence[0].CodeValue == "248153007"


@in_both_ways
@pytest.mark.parametrize("options", [(), (CLEAN,), ("retain_patient_characteristics",)])
def test_a_content_item_about_a_person_says_nothing_in_whatever_sequence_it_stands(
    options: tuple[str, ...], how: How
) -> None:
    def of(concept: str, value: bytes) -> bytes:
        values = [element(0x00080100, "SH", concept, how), element(0x00080102, "SH", "DCM", how)]
        return item(sequence(tag("ConceptNameCodeSequence"), item(*values, how=how), how=how), value, how=how)

    sex = [element(0x00080100, "SH", "248153007", how), element(0x00080102, "SH", "SCT", how)]
    context = [
        of("121033", element(tag("NumericValue"), "DS", "97", how)),
        of("121032", sequence(tag("ConceptCodeSequence"), item(*sex, how=how), how=how)),
        of("113733", element(tag("NumericValue"), "DS", "120", how)),  # KVP
        of("", element(tag("NumericValue"), "DS", "97", how)),
    ]
    protocol = item(sequence(tag("ProtocolContextSequence"), *context, how=how), how=how)
    data = samples.ct(sequence(tag("PerformedProtocolCodeSequence"), protocol, how=how), how=how)
    results = [one(*options).anonymize(data) for one in (samples.engine, samples.slowly)]
    outputs = {result.data for result in results if isinstance(result, Released)}
    assert len(outputs) == 1
    found = pydicom.dcmread(BytesIO(outputs.pop())).PerformedProtocolCodeSequence[0].ProtocolContextSequence
    assert [str(found[number].NumericValue) for number in (0, 2, 3)] == ["0", "120", "0"]
    assert found[1].ConceptCodeSequence[0].CodeValue == "DEIDENTIFIED"


def test_every_concept_of_the_table_is_public_and_of_one_kind() -> None:
    kinds = content._table()
    assert set(kinds) == {"events", "people"}
    assert not kinds["events"] & kinds["people"]
    assert [concept for kind in kinds.values() for concept in kind if not public_code(*concept)] == []
