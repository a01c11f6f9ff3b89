"""Code items (PS3.3 8.8): a public concept stays, whatever else stands in its place does not."""

from __future__ import annotations

import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sr import _concepts_dict

from anonymizer.engine import concepts
from anonymizer.engine.concepts import DUMMY, meaning, public_code, public_version
from anonymizer.engine.vocabulary import Vocabulary

CORPUS = Path(__file__).parents[2] / "shared" / "data" / "dicom"
SHIPPED = Vocabulary()

CONCEPTS: dict[str, dict[str, dict[str, object]]] = _concepts_dict.concepts  # type: ignore[assignment]  # untyped there
KNOWN = {scheme: {code for codes in concepts.values() for code in codes} for scheme, concepts in CONCEPTS.items()}

PUBLIC = [
    ("SCT", "10200004"),
    ("SCT", "445405002"),  # in no context group, but its check digit is right
    ("SRT", "T-A0100"),
    ("SRT", "P5-09024"),
    ("SNM3", "C-B1031"),
    ("DCM", "113076"),
    ("DCM", "MG"),
    ("LN", "18748-4"),
    ("LN", "44139-4"),
    ("UCUM", "mm"),
    ("UCUM", "1"),
    ("UCUM", "[hnsf'U]"),
    ("UCUM", "{SUVbw}g/ml"),
    ("UCUM", "ml/100ml/s"),
    ("UCUM", "/min"),
    ("UCUM", "10*-6.mm2/s"),
    ("RADLEX", "RID10311"),
    ("FMA", "276650"),
    ("NCIt", "C122989"),
    ("UMLS", "C2347976"),
    ("IBSI", "X6K6"),
    ("MDC", "2:15870"),
    ("I10", "C34.90"),
    ("I9C", "162.9"),
    ("ICDO3", "8140/3"),
    ("C4", "71260"),
    ("I10P", "B030ZZZ"),
    ("ATC", "V08AB02"),
    ("RFC5646", "en-US"),
    ("ISO639_2", "deu"),
    ("ISO3166_1", "US"),
]

NOT_PUBLIC = [
    ("99PMP", "250137"),
    ("SIEMENS_RIS", "CT0001"),
    ("", "113076"),
    ("DCM", ""),
    ("SCT", "123456"),
    ("SCT", "10200005"),
    ("SCT", "7741902"),
    ("SCT", "SMITH"),
    ("SRT", "SMITH"),
    ("SRT", "T-A0100 SMITH"),
    ("DCM", "774190"),
    ("DCM", "11307"),
    ("DCM", "QUILLFEATHER"),
    ("LN", "18748-5"),
    ("LN", "5550101"),
    ("UCUM", "SMITH"),
    ("UCUM", "{SMITH}"),
    ("UCUM", "{SMITH}/min"),
    ("UCUM", "12/05/1956"),
    ("UCUM", "7741902"),
    ("RADLEX", "7741902"),
    ("FMA", "7741902"),
    ("FMA", "12345"),
    ("NCIt", "C7741902"),
    ("UMLS", "C7741902"),
    ("IBSI", "KING"),
    ("NDC", "5550-101-77"),
    ("RxNorm", "7741902"),
    ("MDC", "7741902"),
    ("I10", "SMITH"),
    ("I9CP", "14.03"),
    ("C4", "19560"),
    ("I10P", "BARKLEY"),
    ("RFC5646", "Lee"),
    ("ISO3166_1", "LEE"),
    ("ISO639_2", "LEE"),
    ("DCM", "113076\nSMITH"),
    ("SCT", "\u0661\u0660\u0662\u0660\u0660\u0660\u0660\u0664"),
]


@pytest.mark.parametrize(("designator", "value"), PUBLIC)
def test_the_code_of_a_public_concept_stays(designator: str, value: str) -> None:
    assert public_code(designator, value)


@pytest.mark.parametrize(("designator", "value"), NOT_PUBLIC)
def test_a_code_that_the_scheme_cannot_have_given_goes(designator: str, value: str) -> None:
    assert not public_code(designator, value)


@pytest.mark.parametrize(
    "value", ["7741902", "MRN-7741902", "ACC5550101", "SMITH^JOHN", "19560314", "5550101", "123-45-678"]
)
def test_no_scheme_takes_an_identifier_of_the_samples(value: str) -> None:
    assert not [designator for designator in concepts.schemes() if public_code(designator, value)]


@settings(deadline=None)
@given(st.sampled_from(sorted(concepts.schemes())), st.text(string.ascii_letters + " ^,", min_size=7, max_size=16))
def test_no_scheme_takes_a_long_name(designator: str, value: str) -> None:
    assert value in KNOWN.get(designator, ()) or not public_code(designator, value)


@settings(deadline=None)
@given(st.integers(10**6, 10**17))
def test_of_numbers_few_are_snomed_s(number: int) -> None:
    value = str(number)
    others = [value[:-1] + digit for digit in string.digits if public_code("SCT", value[:-1] + digit)]
    assert len(others) <= 1 or KNOWN["SCT"].intersection(others)


def test_almost_every_code_of_the_dictionary_is_of_its_schemes_pattern() -> None:
    for designator, scheme in concepts.schemes().items():
        if scheme.values and designator not in {"UCUM", "DCM"}:
            codes = KNOWN.get(designator, set())
            assert sum(not scheme.has(code) for code in codes) <= max(1, len(codes) // 50), designator


@pytest.mark.parametrize(
    ("designator", "value", "text", "written"),
    [
        ("SCT", "10200004", "Liver", "Liver"),
        ("SCT", "10200004", "LIVER", "LIVER"),
        ("SCT", "10200004", "JOHN SMITH", "Liver"),
        ("SCT", "10200004", "Liver of Mrs Quillfeather", "Liver"),
        ("SCT", "10200004", "Leber", "Leber"),
        ("SCT", "10200004", "\u809d\u81d3", "Liver"),
        ("SCT", "10200004", "", ""),
        ("SCT", "91723000", "Anatomical Stucture", "Anatomical Structure"),
        ("SRT", "T-A0100", "Brain", "Brain"),
        ("SRT", "T-A0100", "SMITH", "Brain"),
        ("SNM3", "T-A0100", "SMITH", "Brain"),
        ("SCT", "260753009", "SMITH", "Source (attribute)"),
        ("SCT", "445405002", "SMITH", DUMMY),
        ("NCIt", "C67447", "Session of Quillfeather", DUMMY),
        ("UCUM", "mm", "millimeters of Smith", "mm"),
    ],
)
def test_a_meaning_that_is_not_the_codes_is_replaced(designator: str, value: str, text: str, written: str) -> None:
    assert meaning(designator, value, text, SHIPPED).lower() == written.lower()


def test_a_sites_words_hold_for_meanings_too() -> None:
    assert meaning("SCT", "445405002", "Quillfeather protocol", SHIPPED) == DUMMY
    assert meaning("SCT", "445405002", "Quillfeather protocol", Vocabulary(["quillfeather"])) == "Quillfeather protocol"


@settings(deadline=None)
@given(st.sampled_from(PUBLIC), st.text(max_size=70))
def test_a_meaning_that_is_written_is_ascii_and_fits(code: tuple[str, str], text: str) -> None:
    written = meaning(*code, text, SHIPPED)
    assert written.isascii()
    assert written == text or len(written) <= 64


@pytest.mark.parametrize("version", ["1.4", "01", "2016", "2.0.1", "3"])
def test_the_number_of_a_release_is_a_version(version: str) -> None:
    assert public_version(version)


@pytest.mark.parametrize(
    "version", ["19560314", "SMITH", "7741902", "1.4 SMITH", "", "14.03.1956", "1956-03-14", "1950.03.14", "14.3.56"]
)
def test_anything_else_is_no_version(version: str) -> None:
    assert not public_version(version)


def test_the_dictionaries_are_read_when_the_first_code_comes() -> None:
    code = (
        "import sys, anonymizer; from anonymizer.engine.concepts import public_code as f; "
        "before = 'pydicom.sr._concepts_dict' in sys.modules; f('DCM', '113076'); "
        "print(before, 'pydicom.sr._concepts_dict' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True"]


def test_the_digest_is_that_of_the_table() -> None:
    assert len(concepts.digest()) == 64


RICH = ("dcmqi_seg_sr_pm", "deid_data_us", "highdicom_seg_sr_sm")
"""Where the reports, segmentations and slides are: all but a dozen of the codes of the corpus."""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the real files are not here")
@pytest.mark.filterwarnings("ignore")  # of values that are too long and the like
def test_of_real_codes_all_of_public_schemes_stay_and_few_meanings_change() -> None:
    paths = [path for folder in RICH for path in sorted((CORPUS / folder).rglob("*")) if path.is_file()]
    files = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths if pydicom.misc.is_dicom(path)]
    codes = {code for file in files for code in codes_of(file)}
    kept = {code for code in codes if public_code(*code[:2])}
    changed = {code for code in kept if meaning(*code, SHIPPED) != code[2]}
    assert len(kept) > 150
    assert len(changed) <= 5
    assert {designator for designator, *_ in codes - kept} == {
        "99PMP", "Fuji Standard", "GEIIS", "RP", "SIEMENS_RIS"
    }  # fmt: skip


def codes_of(ds: Dataset) -> Iterator[tuple[str, str, str]]:
    """Yield designator, value and meaning of every code item of a data set."""
    if ds.get("CodingSchemeDesignator") and ds.get("CodeValue"):
        yield ds.CodingSchemeDesignator, ds.CodeValue, ds.get("CodeMeaning", "")
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from codes_of(item)
