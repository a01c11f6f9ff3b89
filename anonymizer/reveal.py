"""Showing what stands in a source: for a person at the hospital's own terminal, and for nobody else.

The one module that hands out values of a patient as text. Nothing here logs, warns or raises with one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import dictionary_description, dictionary_has_tag, repeater_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

__all__ = ["name_of", "sop_instance_uid_of", "values_at"]

_STEP = re.compile(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)(?:\[(\d+)\])?")
_SOP_INSTANCE = 0x00080018
_SAMPLES = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONGEST = 120
_MOST = 5

_Step = tuple[int, int]
"""A tag and the number of the item in it that the path goes on in; zero at its end."""


def name_of(path: str) -> str:
    """Return the names of the attributes on a path of tags, such as that of a finding; empty for no path."""
    return " > ".join(_name(tag) for tag, _ in _steps(path))


def sop_instance_uid_of(data: bytes) -> str:
    """Return the SOPInstanceUID of a source, or the empty text if that cannot be read."""
    dataset, _ = _read(data)
    return str(dataset.get(_SOP_INSTANCE, DataElement(_SOP_INSTANCE, "UI", "")).value or "") if dataset else ""


def values_at(data: bytes, path: str) -> list[str]:
    """Return what stands at a place of a source, in characters that a terminal only prints.

    Parameters
    ----------
    data : bytes
        A DICOM file.
    path : str
        Tags and items, as a finding of the gate has them (``(0040,A730)[2].(0040,A160)``), or a tag and its VR, as the
        engine's reasons have them. A single tag that does not stand at the top is looked for in every item.
    """
    steps = list(_steps(path))
    dataset, fault = _read(data)
    if not steps:
        return []
    if dataset is None:
        return [f"(the instance cannot be read: {fault})"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote values
            return [_shown(element) for element in _found(dataset, steps)][:_MOST] or ["(nothing stands there)"]
    except Exception as error:  # noqa: BLE001 - its text could hold a value; that it failed is all that is told
        return [f"(cannot be read: {type(error).__name__})"]


def _read(data: bytes) -> tuple[Dataset | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(BytesIO(data), force=True), ""
    except Exception as error:  # noqa: BLE001 - as above
        return None, type(error).__name__


def _steps(path: str) -> Iterator[_Step]:
    for group, element, item in _STEP.findall(path):
        yield int(group + element, 16), int(item or 0)


def _name(tag: int) -> str:
    if tag >> 16 & 1:
        return "a private attribute"
    if dictionary_has_tag(tag) or repeater_has_tag(tag):
        return dictionary_description(tag)
    return "an attribute that the dictionary does not know"


def _found(dataset: Dataset, steps: list[_Step]) -> Iterator[DataElement]:
    (tag, item), rest = steps[0], steps[1:]
    place = dataset.file_meta if tag >> 16 == 2 and hasattr(dataset, "file_meta") else dataset
    if tag in place:
        element = place[tag]
        if not rest:
            yield element
        elif isinstance(element.value, Sequence) and 0 < item <= len(element.value):
            yield from _found(element.value[item - 1], rest)
    elif not rest:
        for element in dataset:
            if isinstance(element.value, Sequence):
                for one in element.value:
                    yield from _found(one, steps)


def _shown(element: DataElement) -> str:
    value = element.value
    if isinstance(value, Sequence):
        return f"({len(value)} items)"
    if isinstance(value, bytes):
        octets = f"({len(value)} octets)"
        return octets if element.tag in _SAMPLES or not value else f"{octets} {_printable(value.decode('latin-1'))}"
    if value is None or value == "":
        return "(empty)"
    return _printable("\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value))


def _printable(text: str) -> str:
    # An escape sequence in a value must not speak to the terminal.
    cut = text[:_LONGEST] + (f"… ({len(text)} characters)" if len(text) > _LONGEST else "")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in cut)
