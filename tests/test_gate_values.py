"""Nothing else is said: what an output has at a position is what its source has there, or says nothing."""

from __future__ import annotations

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset

from anonymizer.engine import icc
from anonymizer.gate import colours
from anonymizer.gate.meanings import is_meaning
from tests.gate_samples import as_bytes, big_endian, ct, judged_whole, kinds, rewritten
from tests.test_icc import LONGER, MATRIX, TEXTS, WORDS, profile, xyz


def found(source: FileDataset, output: FileDataset) -> set[tuple[str, str]]:
    """Return kinds and places of all findings."""
    verdict = judged_whole([(as_bytes(source), as_bytes(output))])
    return {(item.kind, item.path) for item in verdict.findings}


def after(source: FileDataset, **attributes: object) -> set[str]:
    """Return the kinds of findings over an output that says these attributes."""
    output = rewritten(source)
    for keyword, value in attributes.items():
        setattr(output, keyword, value)
    return {kind for kind, _ in found(source, output)}


def test_a_clean_output_says_nothing_else() -> None:
    source = ct()
    assert found(source, rewritten(source)) == set()


@pytest.mark.parametrize(
    ("keyword", "before", "said", "kind"),
    [
        ("KVP", "120", "120.0", ""),
        ("KVP", "120", "121", "value-changed"),
        ("KVP", "120", "0", "value-changed"),
        ("KVP", "120", None, ""),
        ("PatientWeight", "70", "0", ""),
        ("PatientAge", "093Y", "090Y", "marker-missing"),
        ("BodyPartExamined", "HEAD", "DEIDENTIFIED", ""),
        ("BodyPartExamined", "HEAD", "NECK", "value-changed"),
        ("ImageType", ["ORIGINAL", "T.1"], ["ORIGINAL", "DEIDENTIFIED"], ""),
        ("ImageType", ["ORIGINAL", "PRIMARY"], ["PRIMARY", "ORIGINAL"], "value-changed"),
        ("SeriesTime", "10:15:30", "101530", ""),
        ("SeriesTime", "101530", "000000", ""),
        ("SeriesTime", "101530", "101531", "value-changed"),
        ("StudyDescription", "Head", "head", "value-changed"),
        ("StudyDescription", "Head", "Head  ", ""),
        ("StudyID", "7", "ABCDEFGH23456789", ""),
        ("StudyID", "7", "8", "value-changed"),
        ("AccessionNumber", "7", "Somebody", "value-changed"),
        ("WindowWidth", "400", None, "value-lost"),
        ("WindowWidth", "four", None, ""),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_value_is_the_source_s_or_says_nothing(keyword: str, before: object, said: object, kind: str) -> None:
    source = ct()
    vr = {"WindowWidth": "DS"}.get(keyword)
    if vr and isinstance(before, str) and before.isalpha():
        source[keyword] = DataElement(keyword, "LO", before)
    else:
        setattr(source, keyword, before)
    assert after(source, **{keyword: said}) == {kind} - {""}


def test_an_age_is_capped_and_nothing_else() -> None:
    for before, said, kind in (
        ("093Y", "090Y", ""),
        ("044Y", "090Y", "value-changed"),
        ("093Y", "091Y", "value-changed"),
    ):
        source = ct()
        source.PatientAge = before
        assert after(source, PatientAge=said) - {"marker-missing"} == {kind} - {""}


def test_numbers_in_the_other_order_of_octets_are_the_same() -> None:
    source = ct()
    output = rewritten(source)
    source.PixelData = b"".join(source.PixelData[at : at + 2][::-1] for at in range(0, len(source.PixelData), 2))
    source.PregnancyStatus = output.PregnancyStatus = 4
    assert kinds(judged_whole([(big_endian(source), as_bytes(output))])) == set()
    output.PregnancyStatus = 3
    assert "value-changed" in kinds(judged_whole([(big_endian(source), as_bytes(output))]))


def test_a_sequence_has_its_items_or_none() -> None:
    source = ct()
    first, second = Dataset(), Dataset()
    first.KVP, second.KVP = "100", "120"
    source.CTExposureSequence = [first, second]
    assert after(source, CTExposureSequence=[]) == set()
    assert after(source, CTExposureSequence=[first, second]) == set()
    assert after(source, CTExposureSequence=[first]) == {"value-changed"}
    assert after(source, CTExposureSequence=[second, first]) == {"value-changed"}
    assert "value-added" in after(ct(), CTExposureSequence=[first])


def test_a_code_has_a_meaning_of_the_standard_s_or_its_source_s() -> None:
    def coded(meaning: str) -> Dataset:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D1100", "SRT", meaning
        return code

    source = ct()
    source.AnatomicRegionSequence = [coded("Kopf")]
    assert is_meaning("T-D1100", "Head")
    assert after(source, AnatomicRegionSequence=[coded("Head")]) == set()
    assert after(source, AnatomicRegionSequence=[coded("DEIDENTIFIED")]) == set()
    assert after(source, AnatomicRegionSequence=[coded("Neck")]) == {"value-changed"}


@pytest.mark.parametrize("case", LONGER)
@pytest.mark.parametrize("version", [2, 4])
def test_a_profile_of_colours_is_its_source_s_without_words(case: str, version: int) -> None:
    name, _, wordy = LONGER[case]
    before = profile({**TEXTS, **MATRIX, name: wordy}, version=version, between=WORDS)
    clean = icc.clean(before)
    assert clean is not None
    assert colours.is_cut(before, clean)
    assert colours.is_cut(before, clean + bytes(2))
    assert not colours.is_cut(before, before)
    assert not colours.is_cut(before, clean + WORDS)
    assert not colours.is_cut(before, b"")
    for place in (5, 17, 30, 50, 100, clean.index(b"rXYZ"), clean.rindex(b"XYZ ") + 9):
        changed = bytearray(clean)
        changed[place] ^= 1
        assert not colours.is_cut(before, bytes(changed)), place


def test_a_profile_in_an_output_is_compared() -> None:
    source = ct()
    source.ICCProfile = profile({**TEXTS, **MATRIX})
    assert after(source, ICCProfile=icc.clean(source.ICCProfile)) == set()
    assert after(source, ICCProfile=icc.clean(profile({**MATRIX, b"rXYZ": xyz(9)}))) == {"value-changed"}
    assert after(ct(), ICCProfile=icc.clean(source.ICCProfile)) == {"value-added"}
