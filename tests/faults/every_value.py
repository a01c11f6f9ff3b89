"""Every value of every clean output, changed alone."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset

from anonymizer.gate import Gate, examine
from tests.faults.outputs import NAMES, clean, sources
from tests.gate_samples import as_bytes

_OTHERS: dict[str, Any] = {
    **dict.fromkeys(("CS", "LO", "SH", "ST", "LT", "PN", "UT"), "OTHER"),
    **dict.fromkeys(("DS", "IS", "US", "UL", "SS", "SL", "FD", "FL"), 7),
    **dict.fromkeys(("DA", "DT"), "20120305"),
    "AS": "030Y",
    "AT": 0x00100020,
    "TM": "030303",
    "UI": "2.25.77777777777",
}


def unseen() -> Iterator[tuple[str, str, str]]:
    """Yield the output, VR and keyword of each value that can be changed without a finding about its file."""
    for name in NAMES:
        for number in range(sum(1 for _ in _values(_read(name)))):
            dataset = _read(name)
            element = next(one for index, one in enumerate(_values(dataset)) if index == number)
            if not _changed(element):
                continue
            gate, output = Gate(), as_bytes(dataset)
            gate.add(examine(sources()[name], output))
            gate.search(output)
            if gate.verdict().passed:
                yield name, element.VR, element.keyword


def _read(name: str) -> FileDataset:
    return pydicom.dcmread(BytesIO(clean()[name]))


def _values(dataset: Dataset) -> Iterator[DataElement]:
    return (element for element in dataset.iterall() if element.VR != "SQ")


def _changed(element: DataElement) -> bool:
    """Change an element; tell whether that is another value now."""
    before = element.value
    other = _OTHERS.get(element.VR)
    if other is None:
        return False
    element.value = [other] * element.VM if element.VM > 1 and not isinstance(other, str) else other
    return bool(element.value != before)
