"""The judge: hold an output against what the oracle says of every planted element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from io import BytesIO
from typing import Final, NamedTuple, TypeAlias

import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.values import convert_SQ

from anonymizer.engine.pseudonyms import Pseudonyms, Subject
from tests.oracle import Fate, Oracle, Step
from tests.oracle_plants import MEDIA_STORAGE_SOP_INSTANCE, SOP_INSTANCE, Item, Plant, survivors
from tests.oracle_scenes import Scene

_ITEM = b"\xfe\xff\x00\xe0"
_CAPPED = b"090Y"
# The four with a formula of their own, from the subject, the value and the study.
_PSEUDONYMS: Final[dict[int, Callable[[Pseudonyms, Subject, str, str], str]]] = {
    0x00100010: lambda pseudonyms, subject, _value, _study: pseudonyms.patient_name(subject),
    0x00100020: lambda pseudonyms, subject, _value, _study: pseudonyms.patient_id(subject),
    0x00080050: lambda pseudonyms, _subject, value, _study: pseudonyms.accession_number(value),
    0x00200010: lambda pseudonyms, _subject, _value, study: pseudonyms.study_id(study),
}
_BINARY = frozenset({"OB", "OW", "UN"})

# The dummy of each VR, word by word as the conformance statement has it. No canary is one, so no second one is needed;
# the dummy of a UID is its pseudonym.
_WORD: Final = b"DEIDENTIFIED"
DUMMIES: Final = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), _WORD),
    **dict.fromkeys(("DS", "IS"), b"0"),
    "AS": b"000D",
    "DA": b"19000101",
    "DT": b"19000101000000",
    "PN": b"DEIDENTIFIED^DUMMY",
    "TM": b"000000",
    "UR": b"urn:deidentified",
}


Elements: TypeAlias = dict[int, DataElement | RawDataElement]


class Complaint(NamedTuple):
    """A planted element of which something else came out than the oracle says."""

    plant: Plant
    expected: Fate
    found: str

    def __str__(self) -> str:
        tag = _name(self.plant.attribute.tag)
        row = str(self.plant.row or tag)
        which = row if row.startswith(tag) else f"{tag} of {row}"
        where = " > ".join(f"{_name(step.tag)}[{number}]" for step, number in self.plant.item) or "the top level"
        return f"{which} {self.plant.vr}, {where}: expected {self.expected.value}, found {self.found}"


class Judge:
    """Hold an output against the oracle.

    Parameters
    ----------
    scene : Scene
        What was planted.
    output : bytes
        What came out.
    pseudonyms : Pseudonyms
        The key's.
    """

    def __init__(self, scene: Scene, output: bytes, pseudonyms: Pseudonyms) -> None:
        self._scene = scene
        self._pseudonyms = pseudonyms
        self._survivors = survivors(output)
        self._shifts: dict[Item, int] = {}
        file = pydicom.dcmread(BytesIO(output))
        self._meta = _elements(file.file_meta)
        self._items: dict[Item, Elements] = {(): _elements(file)}

    def complaints(self, oracle: Oracle) -> list[Complaint]:
        """Return every planted element of which something else came out than the oracle says."""
        expected = [(plant, self._expected(plant, oracle)) for plant in self._scene.plants]
        wrong = list(self._misjudged(expected))
        return [*wrong, *self._survived(expected, {complaint.plant.canary for complaint in wrong})]

    def fate(self, plant: Plant) -> Fate:
        """Tell what became of a planted element."""
        if plant.vr == "SQ":
            return self._fate_of_sequence(plant)
        value = self._value(plant)
        if value is None:
            return Fate.REMOVED
        if not value:
            return Fate.EMPTY
        return Fate.KEPT if value == plant.value else fate_of(plant, value, self._answers(plant))

    def _expected(self, plant: Plant, oracle: Oracle) -> Fate:
        attribute = plant.attribute
        if attribute.tag == MEDIA_STORAGE_SOP_INSTANCE and not plant.item:
            attribute = attribute._replace(tag=SOP_INSTANCE)  # the file meta repeats it
        fate = oracle.fate(attribute, plant.place)
        return Fate.ITEMS if fate is Fate.DUMMY and plant.vr == "SQ" else fate

    def _misjudged(self, expected: list[tuple[Plant, Fate]]) -> Iterator[Complaint]:
        for plant, fate in expected:
            found = self.fate(plant)
            if found is not fate:
                yield Complaint(plant, fate, found.value)

    def _survived(self, expected: list[tuple[Plant, Fate]], told: set[bytes]) -> Iterator[Complaint]:
        """Find canaries that stand anywhere, though none of the attributes that they were planted in is kept."""
        may_stay = {plant.canary for plant, fate in expected if fate is Fate.KEPT}
        left = self._survivors - may_stay - told
        for plant, fate in expected:
            if plant.canary in left:
                yield Complaint(plant, fate, "its canary elsewhere")

    def _fate_of_sequence(self, plant: Plant) -> Fate:
        found = self._sequence(plant.item, plant.attribute.tag)
        if found is None:
            return Fate.REMOVED
        if not found:
            return Fate.EMPTY
        return Fate.ITEMS if len(found) == len(self._scene.items(plant)) else Fate.OTHER

    def _answers(self, plant: Plant) -> dict[bytes, Fate]:
        """Return what the value may have become by the key, and which fate that is."""
        text, tag = plant.value.decode("latin-1"), plant.attribute.tag
        if tag in _PSEUDONYMS:
            subject, study = self._subject(plant.item), self._scene.study
            return {_PSEUDONYMS[tag](self._pseudonyms, subject, text, study).encode(): Fate.PSEUDONYM}
        if plant.vr in {"DA", "DT"}:
            day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) + timedelta(days=self._shift(plant.item))
            return {f"{day:%Y%m%d}{text[8:]}".encode(): Fate.MOVED}
        if plant.vr == "UI":
            return {self._pseudonyms.uid(text).encode(): Fate.UID}
        return {_CAPPED: Fate.CAPPED} if plant.vr == "AS" else {}

    def _subject(self, item: Item) -> Subject:
        return Subject.of(*self._scene.subject(item), self._scene.study)

    def _shift(self, item: Item) -> int:
        """Return by how many days the dates of whom an item is about move."""
        if item not in self._shifts:
            self._shifts[item] = self._pseudonyms.date_shift(self._subject(item))
        return self._shifts[item]

    def _value(self, plant: Plant) -> bytes | None:
        """Return a value as it stands, without padding."""
        tag = plant.attribute.tag
        at = self._meta if tag == MEDIA_STORAGE_SOP_INSTANCE and not plant.item else self._item(plant.item)
        found = at.get(tag)
        if found is None:
            return None
        value = (found.value or b"") if isinstance(found, RawDataElement) else str(found.value or "").encode()
        return value if plant.vr in _BINARY else value.rstrip(b"\0 ")

    def _item(self, item: Item) -> Elements:
        """Return the elements of an item; none where there is no such item."""
        if item not in self._items:
            step, number = item[-1]
            found = self._sequence(item[:-1], step.tag) or ()
            self._items[item] = _elements(found[number]) if number < len(found) else {}
        return self._items[item]

    def _sequence(self, around: Item, tag: int) -> Sequence[Dataset] | None:
        """Return the items of a sequence, also of one that only its bytes show to be one."""
        found = self._item(around).get(tag)
        if not isinstance(found, RawDataElement):
            return found.value if found and found.VR == "SQ" else None
        value = found.value or b""
        if value and not value.startswith(_ITEM):
            return None
        return convert_SQ(value, found.is_implicit_VR or found.VR == "UN", found.is_little_endian)


def _elements(data_set: Dataset) -> Elements:
    """Return the elements of a data set as they were read: of most the bytes."""
    return {int(tag): element for tag, element in data_set.items()}


def told(complaints: Iterable[Complaint]) -> str:
    """Return complaints as a list to be read; nothing of what stands in a sequence that is in the list itself."""
    lines: list[str] = []
    wrong: set[Item] = set()
    for complaint in complaints:
        plant = complaint.plant
        if not any(plant.item[:depth] in wrong for depth in range(1, len(plant.item) + 1)):
            lines.append(str(complaint))
        if plant.vr == "SQ":
            wrong.add((*plant.item, (Step(plant.attribute.tag), 0)))
    return "\n".join(lines)


def fate_of(plant: Plant, value: bytes, answers: dict[bytes, Fate]) -> Fate:
    """Tell what a value is that stands where another was planted.

    Parameters
    ----------
    answers : dict of bytes to Fate
        What the value may have become by the key.
    """
    if value.strip(b"\0 ") == plant.value.strip(b"\0 "):
        return Fate.KEPT
    if value in answers:
        return answers[value]
    if plant.canary and plant.canary in value:
        return Fate.OTHER
    return Fate.DUMMY if value == dummy_of(plant) else Fate.OTHER


def dummy_of(plant: Plant) -> bytes | None:
    """Return the one value that stands for a planted one where the table says D; None where a VR has none."""
    if plant.vr in {"OB", "OW"}:
        return bytes(min(len(plant.value), 2))
    return bytes(len(plant.value)) if plant.vr == "US" else DUMMIES.get(plant.vr)


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
