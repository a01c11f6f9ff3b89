"""Files that are mapped into memory instead of read, and how little of them the gate copies."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from anonymizer.gate import Gate, Verdict, examine
from anonymizer.gate.reading import Data
from tests.gate_frames import JPEG, image, items, jpeg, segment
from tests.gate_samples import as_bytes, big_endian, ct, deflated, kinds, rewritten, study

LARGE = 1 << 25
"""Bytes of a picture that is not copied."""


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Callable[[bytes], mmap]]:
    """Offer a function that maps bytes as a file; in the end nobody holds one open."""
    maps: list[mmap] = []

    def make(data: bytes) -> mmap:
        path = tmp_path / str(len(maps))
        path.write_bytes(data)
        with path.open("rb") as file:
            maps.append(mmap(file.fileno(), 0, access=ACCESS_READ))
        return maps[-1]

    yield make
    for one in maps:
        one.close()


def _judged(pairs: list[tuple[Data, Data]]) -> Verdict:
    gate = Gate()
    for source, output in pairs:
        gate.add(examine(source, output))
    for _, output in pairs:
        gate.search(output)
    return gate.verdict()


def _large(syntax: UID = ExplicitVRLittleEndian) -> tuple[bytes, bytes]:
    source = ct()
    source.file_meta.TransferSyntaxUID = syntax
    source.Rows, source.Columns = 4096, LARGE // 2 // 4096
    source.PixelData = bytes(LARGE)
    del source[0x00091001]  # without its VR nobody can tell that it is a UID
    writer = big_endian if syntax == ExplicitVRBigEndian else as_bytes
    return writer(source), writer(rewritten(source))


@pytest.mark.parametrize("view", [memoryview, bytearray])
def test_whatever_can_be_seen_as_bytes_is_judged_as_bytes_are(view: Callable[[bytes], Data]) -> None:
    pairs = [(as_bytes(source), as_bytes(rewritten(source))) for source in study()]
    assert _judged([(view(a), view(b)) for a, b in pairs]) == _judged(list(pairs))


def test_mapped_files_are_judged_as_bytes_are(mapped: Callable[[bytes], mmap]) -> None:
    pairs = [(as_bytes(source), as_bytes(rewritten(source))) for source in study()]
    assert _judged([(mapped(a), mapped(b)) for a, b in pairs]) == _judged(list(pairs))
    source = ct()
    assert _judged([(mapped(deflated(source)), mapped(deflated(rewritten(source))))]).passed


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_large_mapped_files_are_judged_as_bytes_are(mapped: Callable[[bytes], mmap], syntax: UID) -> None:
    source, output = _large(syntax)
    assert _judged([(mapped(source), mapped(output))]).passed
    wrong = output[:-1] + b"\1"
    assert kinds(_judged([(mapped(source), mapped(wrong))])) == {"pixels-differ"}
    assert kinds(_judged([(source, wrong)])) == {"pixels-differ"}
    assert kinds(_judged([(mapped(source), mapped(output[:-2]))])) == {"unreadable"}
    assert kinds(_judged([(source, output[:-2])])) == {"unreadable"}


def test_large_mapped_files_of_compressed_frames_are_judged_as_bytes_are(mapped: Callable[[bytes], mmap]) -> None:
    comment = segment(0xFE, b"for nobody")
    scan = bytes(LARGE)
    source = image(items(jpeg(comment, scan=scan)), JPEG)
    output = rewritten(source)
    assert kinds(_judged([(mapped(as_bytes(source)), mapped(as_bytes(output)))])) == {"codestream-metadata"}
    output.PixelData = items(jpeg(scan=scan))
    output["PixelData"].is_undefined_length = True
    assert _judged([(mapped(as_bytes(source)), mapped(as_bytes(output)))]).passed


def test_a_name_in_a_large_mapped_file_is_seen_at_its_place(mapped: Callable[[bytes], mmap]) -> None:
    source, _ = _large()
    big = ct()
    big.Rows, big.Columns = 4096, LARGE // 2 // 4096
    big.PixelData = bytes(LARGE)
    output = rewritten(big)
    output.RequestAttributesSequence[0].ScheduledProcedureStepDescription = "for Quillfeather"
    output.RequestAttributesSequence[0].ScheduledProcedureStepLocation = "x" * 16
    output["RequestAttributesSequence"].is_undefined_length = True
    verdict = _judged([(mapped(source), mapped(as_bytes(output)))])
    left = {item.path for item in verdict.findings if item.kind == "identifier-left"}
    assert left == {"(0040,0275)[1].(0040,0007)"}


@pytest.mark.parametrize("is_mapped", [False, True])
def test_large_pixels_are_not_copied(mapped: Callable[[bytes], mmap], is_mapped: bool) -> None:
    source, output = _large()
    pair: tuple[Data, Data] = (mapped(source), mapped(output)) if is_mapped else (source, output)
    assert _judged([pair]).passed
    tracemalloc.start()
    try:
        assert _judged([pair]).passed
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < LARGE // 4
