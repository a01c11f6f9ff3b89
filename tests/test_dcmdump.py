"""A second reader, DCMTK's dcmdump, reads whole outputs without a complaint and finds nothing planted in them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]  # not in its __all__
from pydicom.uid import DeflatedExplicitVRLittleEndian

from anonymizer import Released, load_profile
from anonymizer.engine import tables
from deployments.demo import studies
from tests import samples, second_reader
from tests.samples import BIG, EXPLICIT, IMPLICIT, UNLISTED_SEQUENCE, How, element, item, released, sequence

TEXT_VRS = ("AE", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
ENCODINGS = {
    "explicit": (EXPLICIT, ""),
    "implicit": (IMPLICIT, ""),
    "big-endian": (BIG, ""),
    "deflated": (EXPLICIT, str(DeflatedExplicitVRLittleEndian)),
}
# They decide how the rest is read.
NOT_PLANTED = {0x00080005, 0x00080016}
in_each_encoding = pytest.mark.parametrize(("how", "transfer_syntax"), ENCODINGS.values(), ids=ENCODINGS)
in_both_profiles = pytest.mark.parametrize("profile", ["basic", "research"])


def dumped(data: bytes, folder: Path) -> str:
    """Return all that dcmdump reads in a file but pixels; it must have nothing to complain of."""
    return second_reader.dumped(data, folder, "-M", "+R", "16")


def is_in(dump: str, text: str) -> bool:
    """Tell whether a text is in a dump: as it is, or in hexadecimal where dcmdump does not know the attribute."""
    return text in dump or text.encode().hex("\\") in dump


def canary(number: int, vr: str) -> str:
    """Return a value that is right for its VR and stands nowhere else."""
    digits = f"{number:010d}"
    special = {"DA": "19770513", "DT": f"19770513{digits[-6:-4]}", "TM": "101530.7351", "UI": f"1.9.{digits}"}
    return special.get(vr, digits if vr in {"DS", "IS"} else f"ZQ{number:08X}")


def planted(vr: str) -> dict[int, str]:
    """Return a canary for each attribute of the standard with this VR that neither profile keeps as it is."""
    options = load_profile("research").options
    rows = {one.tag for one in tables.confidentiality_rows() if any(one.options.get(name) == "K" for name in options)}
    kept = tables.kept().text | NOT_PLANTED
    return {
        number: canary(number, vr)
        for number, entry in DicomDictionary.items()
        if entry[0] == vr and 8 <= number >> 16 < 0x7FE0 and number not in kept and _written(number) not in rows
    }


def _written(number: int) -> str:
    return f"({number >> 16:04X},{number & 0xFFFF:04X})"


@in_both_profiles
@in_each_encoding
def test_a_second_reader_finds_no_planted_text(how: How, transfer_syntax: str, profile: str, tmp_path: Path) -> None:
    vrs = [vr for vr in TEXT_VRS if vr not in {"CS", "DS", "IS", "TM"}]  # numbers, codes and times of day may stay
    texts = {number: (vr, text) for vr in vrs for number, text in planted(vr).items()}
    elements = [element(number, vr, text, how) for number, (vr, text) in sorted(texts.items())]
    inside = sequence(UNLISTED_SEQUENCE, item(*elements, how=how), how=how)
    source = samples.ct(*elements, inside, how=how, transfer_syntax=transfer_syntax)
    before = dumped(source, tmp_path)
    after = dumped(released(source, profile), tmp_path)
    assert len(texts) > 800
    assert [_written(number) for number, (_, text) in texts.items() if not is_in(before, text)] == []
    assert [_written(number) for number, (_, text) in texts.items() if is_in(after, text)] == []


@in_both_profiles
def test_a_second_reader_finds_nothing_of_the_demos_people(profile: str, tmp_path: Path) -> None:
    texts = {one.text for one in studies.PLANTED if one.text.isascii()}
    instances = {
        (one.study_instance_uid, one.modality): one.data
        for one in chain(studies.north(), studies.south())
        if one.expected == "loaded"
    }
    assert len(instances) > 10
    for data in instances.values():
        result = samples.ENGINES[profile].anonymize(data)
        assert isinstance(result, Released)
        found = dumped(result.data, tmp_path)
        assert [text for text in texts if is_in(found, text)] == []


def test_where_the_second_reader_is_missing_its_tests_fail_and_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="apt-get install dcmtk"):
        dumped(samples.ct(), tmp_path)
