"""Pointers at attributes, as the gate sees them: one whose attribute went is counted."""

from __future__ import annotations

import struct

import pytest

from anonymizer.gate import Gate, examine
from tests import samples
from tests.samples import BIG, EXPLICIT, IMPLICIT, UNLISTED_SEQUENCE, How, element, item, sequence, tag

in_every_encoding = pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])


def pointing(at: int, how: How) -> bytes:
    """Return an image with a private attribute, a time of frames, and a pointer in it and one in an item."""
    pair = struct.pack("<HH" if how.little else ">HH", at >> 16, at & 0xFFFF)
    inside = item(element(tag("DimensionIndexPointer"), "AT", pair, how), how=how)
    return samples.ct(
        element(tag("FrameTime"), "DS", "40", how),
        element(0x00190010, "LO", "ZQ VENDOR", how),
        element(0x00191023, "DS", "77419.02", how),
        sequence(UNLISTED_SEQUENCE, inside, how=how),
        element(tag("FrameIncrementPointer"), "AT", pair, how),
        how=how,
    )


@in_every_encoding
@pytest.mark.parametrize(("at", "count"), [(0x00191023, 2), (0x00181063, 0), (0x00180072, 0)])
def test_a_pointer_whose_attribute_went_is_counted_and_holds_nothing(at: int, count: int, how: How) -> None:
    source = pointing(at, how)
    output = samples.released(source)
    gate = Gate()
    gate.add(examine(source, output))
    gate.search(output)
    verdict = gate.verdict()
    assert verdict.passed
    assert verdict.checks["pointers_dangling"] == count
