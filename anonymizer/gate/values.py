"""Nothing else is said: what stands in an output is what its source has there, or says nothing.

At each position an output has the source's value, or none, or a dummy, or a pseudonym where one belongs. UIDs, dates
and pixels are other modules' to compare. This asks nothing of what is gone, but for that without which a picture or a
plan would be another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement

from anonymizer.gate.codestreams import EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS
from anonymizer.gate.equality import is_empty, is_measure, is_of_dictionary, is_same, says_nothing
from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.markers import INSERTED
from anonymizer.gate.measures import MEASURES, WHOLE
from anonymizer.gate.memory import Element
from anonymizer.gate.pixels import GEOMETRY
from anonymizer.gate.structure import INVALID
from anonymizer.gate.uses import DATE, SAMPLES, UID, use_of

if TYPE_CHECKING:
    from anonymizer.gate.notes import Notes, Part

CHANGED, ADDED, LOST = "value-changed", "value-added", "value-lost"
"""The kinds of findings; `INVALID` besides."""

_WITHOUT = "something is gone without which the object is another one"

_OTHERS = frozenset({*GEOMETRY, EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS})
"""What :mod:`anonymizer.gate.pixels` compares."""

_ELSEWHERE = INSERTED | _OTHERS
"""What others compare."""

_KEPT = MEASURES | WHOLE
"""What does not go."""


def compare(source: Part, output: Part) -> Iterator[Flaw]:
    """Yield what an output says that its source does not.

    Parameters
    ----------
    source, output : Part
        The same part of the two files.
    """
    for tag, element in output.top.items():
        inside = output.inside.get(tag)
        if tag in _ELSEWHERE or (inside is None and use_of(tag, element.VR, "") & (UID | DATE | SAMPLES)):
            continue
        origin = source.top.get(tag)
        if origin is not None and _has_same_octets(origin, element):
            continue
        if inside is not None:
            yield from _inside(source.inside.get(tag), inside)
        else:
            yield from _judged((tag,), origin, element, {})
    for tag in (source.top.keys() - output.top.keys()) & _KEPT:
        if tag in MEASURES:
            yield from _lost((tag,), source.top[tag])
        elif source.inside[tag].items.get((tag,)):
            yield Flaw(LOST, (tag,), _WITHOUT)


def _inside(before: Notes | None, after: Notes) -> Iterator[Flaw]:
    """Yield what is wrong inside of a top level sequence."""
    nested: Mapping[Position, Element] = before.nested if before else {}
    items: Mapping[Position, int] = before.items if before else {}
    for position, count in after.items.items():
        expected = items.get(position, 0)
        if count and count != expected:
            kind = CHANGED if expected else ADDED
            yield Flaw(kind, position, "a sequence has not as many items as in the source")
    for position, element in after.nested.items():
        origin = nested.get(position)
        if origin is not None and _has_same_octets(origin, element):
            continue
        if position[-1] not in _OTHERS:
            yield from _judged(position, origin, element, after.nested)
    for position, count in items.items():
        if count and position[-1] in WHOLE and not after.items.get(position) and after.has_item_of(position):
            yield Flaw(LOST, position, _WITHOUT)
    for position, element in nested.items():
        if position[-1] in MEASURES and position not in after.nested and after.has_item_of(position):
            yield from _lost(position, element)


def _judged(
    position: Position, before: Element | None, after: Element, beside: Mapping[Position, Element]
) -> Iterator[Flaw]:
    """Yield what is wrong with one element that is no sequence."""
    if before is not None and is_same(before, after):
        if before.VR != after.VR and not is_of_dictionary(after):
            yield Flaw(INVALID, position, "the value representation is neither the dictionary's nor the source's")
    elif position[-1] in MEASURES:
        if before is not None and is_measure(before):
            kind, rule = (LOST, _WITHOUT) if is_empty(after) else (CHANGED, "a measure is not that of the source")
            yield Flaw(kind, position, rule)
        elif not is_empty(after):
            yield Flaw(ADDED, position, "the source has no such measure here")
    elif not says_nothing(position, before, after, beside):
        if before is None or is_empty(before):
            yield Flaw(ADDED, position, "the source says nothing here")
        else:
            yield Flaw(CHANGED, position, "the value is neither the source's nor one that says nothing")


def _lost(position: Position, before: Element) -> Iterator[Flaw]:
    # A number that is none cannot be kept by anybody.
    if not is_empty(before) and is_measure(before):
        yield Flaw(LOST, position, _WITHOUT)


def _has_same_octets(before: Element, after: Element) -> bool:
    return (
        isinstance(before, RawDataElement)
        and isinstance(after, RawDataElement)
        and before.value == after.value
        and before.VR == after.VR
        and before.is_little_endian == after.is_little_endian
    )
