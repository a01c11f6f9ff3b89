"""Pointers at attributes (VR AT): one whose attribute went still tells which one it was, and is counted."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement

from anonymizer.gate.memory import Element

if TYPE_CHECKING:
    from anonymizer.gate.side import Side

_LITTLE, _BIG = Struct("<HH"), Struct(">HH")


def dangling(output: Side, source: Side) -> int:
    """Count the pointers of an output that lead to what its source has and it has not, at any depth."""
    elements = output.pointers
    gone = source.tags - output.tags if elements else set()
    return sum(tag in gone for element in elements for tag in _tags(element))


def _tags(element: Element) -> Iterator[int]:
    value = element.value
    if not isinstance(element, RawDataElement) or not isinstance(value, bytes):
        values = value if isinstance(value, (list, tuple)) else [value]
        yield from (int(tag) for tag in values if isinstance(tag, int))
        return
    order = _LITTLE if element.is_little_endian else _BIG
    for group, number in order.iter_unpack(value[: len(value) // 4 * 4]):
        yield group << 16 | number
