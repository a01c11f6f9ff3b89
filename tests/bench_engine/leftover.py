"""What an output still has of its source, counted: a fast engine that leaves half is no fast engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

import pydicom

_DATES = frozenset({"DA", "DT"})


@dataclass
class Leftover:
    """Elements of one file, at every depth: how many had a value, and how many have the same value afterwards."""

    private: int = 0
    private_left: int = 0
    names: int = 0
    names_left: int = 0
    dates: int = 0
    dates_left: int = 0
    uids: int = 0
    uids_left: int = 0
    elements: int = 0
    elements_left: int = 0


def leftover(source: bytes, output: bytes) -> dict[str, int]:
    """Count what is left; UIDs that the standard registers are not counted, they are to stay."""
    counts = Leftover()
    after = dict(_values(output))
    for path, (kind, value) in _values(source):
        left = after.get(path) == (kind, value)
        counts.elements += 1
        counts.elements_left += path in after
        if kind:
            setattr(counts, kind, getattr(counts, kind) + 1)
            setattr(counts, f"{kind}_left", getattr(counts, f"{kind}_left") + left)
    return asdict(counts)


Path = tuple[int, ...]


def _values(data: bytes) -> Iterator[tuple[Path, tuple[str, str]]]:
    yield from _of(pydicom.dcmread(BytesIO(data), force=True), ())


def _of(dataset: Any, path: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    for element in dataset:
        here = (*path, int(element.tag))
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _of(item, (*here, number))
        elif element.tag.element:  # a group length says nothing
            yield here, (_kind(element), str(element.value))


def _kind(element: Any) -> str:
    if not str(element.value):
        return ""
    if element.tag.is_private:
        return "" if element.tag.is_private_creator else "private"
    if element.VR == "PN":
        return "names"
    if element.VR in _DATES:
        return "dates"
    if element.VR == "UI" and not str(element.value).startswith("1.2.840.10008."):
        return "uids"
    return ""
