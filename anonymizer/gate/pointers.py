"""Pointers at attributes (VR AT): one whose attribute went still tells which one it was, and is counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from pydicom.dataelem import RawDataElement

from anonymizer.gate.memory import Element

_LITTLE, _BIG = Struct("<HH"), Struct(">HH")


def dangling(pointers: Iterable[Element], gone: set[int]) -> int:
    """Count the pointers of an output that lead to what its source has and it has not.

    Parameters
    ----------
    pointers : iterable of Element
        Those of the output.
    gone : set of int
        The tags that stand in the source alone, at any depth.
    """
    return sum(tag in gone for element in pointers for tag in _tags(element)) if gone else 0


def _tags(element: Element) -> Iterator[int]:
    value = element.value
    if not isinstance(element, RawDataElement) or not isinstance(value, bytes):
        values = value if isinstance(value, (list, tuple)) else [value]
        yield from (int(tag) for tag in values if isinstance(tag, int))
        return
    order = _LITTLE if element.is_little_endian else _BIG
    for group, number in order.iter_unpack(value[: len(value) // 4 * 4]):
        yield group << 16 | number
