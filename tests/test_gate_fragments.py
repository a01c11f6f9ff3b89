"""Fragments and offset tables of an output, as the gate sees them."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

import pytest

from anonymizer.gate import Verdict
from tests.gate_frames import JPEG, image, items, jpeg, segment, verdict_on
from tests.gate_samples import kinds

COMMENT = segment(0xFE, b"for nobody..")
FRAMES = [jpeg(scan=bytes([number, 0])) for number in (1, 2, 3)]
SIZE = len(FRAMES[0])
OFFSETS = [0, SIZE + 8, 2 * (SIZE + 8)]
SOURCE = items(*(jpeg(COMMENT, scan=bytes([number, 0])) for number in (1, 2, 3)))


def _wide(numbers: Sequence[int]) -> bytes:
    return b"".join(pack("<Q", number) for number in numbers)


def _verdict(value: bytes, offsets: Sequence[int] = (), sizes: Sequence[int] = ()) -> Verdict:
    tables: dict[str, object] = {}
    if offsets:
        tables["ExtendedOffsetTable"] = _wide(offsets)
    if sizes:
        tables["ExtendedOffsetTableLengths"] = _wide(sizes)
    return verdict_on(image(SOURCE, JPEG, frames=3), value, **tables)


def test_frames_are_of_even_length() -> None:
    assert SIZE % 2 == 0


@pytest.mark.parametrize("table", [(), OFFSETS])
def test_a_basic_offset_table_is_right_or_empty(table: Sequence[int]) -> None:
    assert _verdict(items(*FRAMES, table=table)).passed


@pytest.mark.parametrize("table", [[0], [*OFFSETS, 0], [0, 0, 0], [0, OFFSETS[1], OFFSETS[2] + 2], [8, *OFFSETS[1:]]])
def test_a_wrong_basic_offset_table_is_seen(table: Sequence[int]) -> None:
    assert kinds(_verdict(items(*FRAMES, table=table))) == {"offsets-wrong"}


@pytest.mark.parametrize("size", [SIZE, SIZE - 1])
def test_an_extended_offset_table_that_is_right_passes(size: int) -> None:
    assert _verdict(items(*FRAMES), OFFSETS, [size] * 3).passed


@pytest.mark.parametrize(
    ("table", "offsets", "sizes"),
    [
        ((), [0, 1, 2], [SIZE] * 3),
        ((), OFFSETS[:2], [SIZE] * 3),
        ((), OFFSETS, [SIZE] * 2),
        ((), OFFSETS, [SIZE, SIZE, SIZE + 1]),
        ((), OFFSETS, ()),
        ((), (), [SIZE] * 3),
        (OFFSETS, OFFSETS, [SIZE] * 3),
    ],
)
def test_a_wrong_extended_offset_table_is_seen(
    table: Sequence[int], offsets: Sequence[int], sizes: Sequence[int]
) -> None:
    assert kinds(_verdict(items(*FRAMES, table=table), offsets, sizes)) == {"offsets-wrong"}


def test_a_table_that_was_wrong_in_the_source_has_to_be_right_in_the_output() -> None:
    value = items(*FRAMES, table=[0, 2, 4])
    assert kinds(verdict_on(image(value, JPEG, frames=3), value)) == {"offsets-wrong"}


@pytest.mark.parametrize("table", [(), (0, SIZE + 16, 2 * SIZE + 24)])
def test_a_frame_of_two_fragments_is_one_frame(table: Sequence[int]) -> None:
    value = items(FRAMES[0][:60], FRAMES[0][60:], *FRAMES[1:], table=table)
    assert verdict_on(image(value, JPEG, frames=3), items(*FRAMES)).passed
    assert _verdict(value).passed


def test_frames_of_an_extended_table_that_are_not_each_in_one_fragment_are_seen() -> None:
    value = items(FRAMES[0][:60], FRAMES[0][60:], *FRAMES[1:])
    offsets = (0, SIZE + 16, 2 * SIZE + 24)
    assert kinds(_verdict(value, offsets, [SIZE] * 3)) == {"offsets-wrong"}


@pytest.mark.parametrize("value", [items(*FRAMES[:2]), items(b"".join(FRAMES)), items(b"".join(FRAMES), b"", b"", b"")])
def test_fragments_that_are_not_the_frames_are_seen(value: bytes) -> None:
    assert "pixels-differ" in kinds(_verdict(value))


def test_fragments_of_nobody_s_frames_are_held_though_they_are_the_source_s() -> None:
    value = items(b"".join(FRAMES))
    assert kinds(verdict_on(image(value, JPEG, frames=3), value)) == {"codestream-metadata"}
