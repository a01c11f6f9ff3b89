"""What the gate read before is what it would read now: evidence does not depend on what came before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import data as pydicom_data

from anonymizer import Released
from anonymizer.gate import Evidence, Examiner, examine
from anonymizer.gate.forms import Common
from anonymizer.gate.memory import Memory, Run
from anonymizer.gate.reading import read
from deployments.demo import studies
from tests import samples
from tests.faults.outputs import Outputs, clean, sources
from tests.faults.page import all_faults
from tests.samples import BIG, EXPLICIT, IMPLICIT, REFERENCED_IMAGES, How, element, item, sequence

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data" / "dicom"
HOWS = [EXPLICIT, IMPLICIT, BIG]


def told(evidence: Evidence) -> list[object]:
    """Return all that evidence says."""
    return [getattr(evidence, name) for name in Evidence.__slots__]


def outputs_of(files: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Return sources and outputs of what is released."""
    results = [(data, samples.ENGINES["research"].anonymize(data)) for data in files]
    return [(data, result.data) for data, result in results if isinstance(result, Released)]


def agree(pairs: list[tuple[bytes, bytes]]) -> None:
    """Assert that an examiner says of each pair what a new one says."""
    examiner = Examiner()
    for source, output in pairs:
        assert told(examiner.examine(source, output)) == told(examine(source, output))


def test_a_demo_is_judged_as_if_every_instance_were_the_first() -> None:
    files = [bytes(one.data) for one in (*studies.north(), *studies.south())]
    pairs = outputs_of(files)
    assert len(pairs) > 50
    agree(pairs)


def test_the_files_that_pydicom_ships_are_judged_as_if_each_were_the_first() -> None:
    folder = Path(pydicom_data.__file__).parent / "test_files"
    agree([(path.read_bytes(), path.read_bytes()) for path in sorted(folder.rglob("*.dcm"))])


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not beside the project")
def test_real_studies_are_judged_as_if_every_instance_were_the_first() -> None:
    files = [path.read_bytes() for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    agree(outputs_of(files)[::3])


@st.composite
def instances(draw: st.DrawFn) -> bytes:
    """Draw small instances, of which many have elements in common."""
    how: How = draw(st.sampled_from(HOWS))
    text = st.sampled_from(["A", "AB", "ABCD^EF", "1.2.3", "20170314", "", "1.2.840.10008.1.2"])
    tags = {0x00080020: "DA", 0x00081030: "LO", 0x00100010: "PN", 0x00181000: "LO", 0x00200052: "UI", 0x00400275: "UN"}
    chosen = draw(st.lists(st.sampled_from(sorted(tags)), unique=True))
    elements = [element(tag, tags[tag], draw(text), how) for tag in chosen]
    if draw(st.booleans()):
        inner = item(element(0x00081155, "UI", draw(text), how), how=how, undefined=draw(st.booleans()))
        many = draw(st.integers(0, 2))
        elements.append(sequence(REFERENCED_IMAGES, *[inner] * many, how=how, undefined=draw(st.booleans())))
    if draw(st.booleans()):
        elements += [element(0x00290010, "LO", draw(text), how), element(0x00291001, "UI", draw(text), how)]
    if draw(st.booleans()):
        elements.append(element(0x00080005, "CS", draw(st.sampled_from(["ISO_IR 100", "ISO_IR 192"])), how))
    whole = samples.ct(*elements, how=how)
    return whole[: draw(st.integers(400, len(whole)))] if draw(st.integers(0, 9)) == 0 else whole


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(instances(), instances()), min_size=2, max_size=5))
def test_no_history_changes_what_is_said_of_a_pair(pairs: list[tuple[bytes, bytes]]) -> None:
    agree(pairs)


def test_what_changes_from_instance_to_instance_is_no_part_of_what_is_compared_once() -> None:
    examiner = Examiner()
    for number in range(300):
        ((source, output),) = outputs_of([samples.ct(element(0x00080090, "PN", f"Quillfeather^{number}"))])
        assert not [flaw for flaw in examiner.examine(source, output).flaws if flaw.kind.startswith("value")]
    runs = _remembered(examiner)
    assert sum(run.tags == (0x00080090,) and not run.notes for run in runs) > 200
    assert 0 < len(common(examiner)) < 10


def test_two_forms_are_remembered_when_they_come_again_and_all_together_are_bounded() -> None:
    examiner = Examiner()
    examiner._memory._most = 400_000
    most = forgotten = 0
    for number in [*range(100)] * 7:
        data = samples.ct(element(0x00081030, "LO", f"another {number}"), element(0x00280010, "US", b"\x10\x00"))
        examiner.examine(data, data)
        forgotten += len(common(examiner)) < most
        most = max(most, len(common(examiner)))
        assert examiner._memory._used <= 400_000
    assert 1 < most < 100
    assert forgotten


def common(examiner: Examiner) -> list[Common]:
    """Return what an examiner remembers of pairs of forms."""
    return [one for one in examiner._memory.notes.values() if isinstance(one, Common)]


def _remembered(examiner: Examiner) -> list[Run]:
    pages = examiner._memory._pages.values()
    joined = [run for page in pages for runs in page._runs.values() for _, run in runs]
    return [*joined, *(run for page in pages for run in page._known.values())]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(instances(), instances()), min_size=2, max_size=4), st.data())
def test_nothing_that_was_met_often_changes_what_is_said_of_a_pair(
    pairs: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    order = data.draw(st.lists(st.sampled_from(pairs), max_size=8))
    agree([*(pairs[:1] * 8), *order, *(pairs * 5)])


def test_a_row_of_elements_says_what_it_says_behind_another_creator_and_character_set() -> None:
    row = [element(0x00100010, "PN", "Bärenfeld^Ägidius".encode("latin-1")), element(0x00100040, "CS", "F ")]
    private = [element(0x00291001, "UN", b"1.2.3.4\0"), element(0x00291002, "UN", b"20170314")]
    files = [
        samples.ct(
            element(0x00080005, "CS", character_set), *row, element(0x00290010, "LO", creator), *private, how=EXPLICIT
        )
        for character_set in ("ISO_IR 100", "ISO_IR 144")
        for creator in ("SIEMENS CSA HEADER", "ACUSON:1.2.840.113680.1.0:7f10", "NOBODY")
    ]
    examiner = Examiner()
    for _ in range(8):
        examiner.examine(files[0], files[0])
    assert max(len(run.tags) for run in _remembered(examiner)) > 3
    for source in files:
        for output in files:
            assert told(examiner.examine(source, output)) == told(examine(source, output))


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory(most=100_000)
    for number in range(300):
        read(samples.ct(element(0x00081030, "LO", f"description {number}")), memory=memory)
        assert memory._used <= 100_000
    pages = memory._pages.values()
    assert sum(len(one) for page in pages for one in page._known) < 100_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of what it is made to write
def test_a_fault_is_told_in_the_same_way_behind_instances_without_one() -> None:
    examiner = Examiner()
    for _ in range(8):
        for name, output in clean().items():
            examiner.examine(sources()[name], output)
    for fault in all_faults():
        outputs = Outputs()
        fault.breaks(outputs)
        broken = {name: output for name, output in outputs.write().items() if clean().get(name, output) != output}
        for name, output in broken.items():
            source = sources()[name]
            assert told(examiner.examine(source, output)) == told(examine(source, output)), fault.what
