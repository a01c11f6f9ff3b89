"""Files in which every row of Table E.1-1 is planted, at one kind of place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from pydicom import uid

from tests import samples
from tests.oracle import DESCRIPTIONS, Attribute, Place, Step
from tests.oracle_plants import (
    HARMLESS,
    ISSUER,
    MEDIA_STORAGE_SOP_INSTANCE,
    PATIENT_ID,
    SOP_INSTANCE,
    STUDY,
    Item,
    Plant,
    Spot,
    canary,
    is_creator,
    planted_for,
)
from tests.oracle_table import Row, is_newer, rows, rows_by_tag, tag_of, vr_of
from tests.oracle_types import types_of
from tests.samples import IMPLICIT, How

_METHOD_CODES = 0x00120064
_CONCEPT_NAME = 0x0040A043
# Inside the item of a sequence that a row names: a reference, a date, something that an option retains, and a text
# of the device, which stays wherever nothing is replaced.
_CHILDREN = (0x00081155, 0x00080022, 0x00080080, 0x00080070)


@dataclass(frozen=True)
class Scene:
    """A file with the rows planted in some spots.

    Attributes
    ----------
    spots : tuple of Spot
        No two of them in the same outermost sequence; none at all to plant wherever the IOD defines an attribute.
    harmless : bool
        Whether descriptions are words of the vocabulary, not canaries.
    unknown : bool
        Whether everything planted calls itself UN (PS3.5 6.2.2), in explicit VR.
    """

    name: str
    sop_class: str
    how: How
    spots: tuple[Spot, ...] = ()
    harmless: bool = False
    unknown: bool = False

    def __str__(self) -> str:
        kind = uid.UID(self.sop_class).keyword.removesuffix("Storage")
        words = ["harmless"] if self.harmless else []
        return ", ".join([kind, self.name, "explicit" if self.how.explicit else "implicit", *words])

    @cached_property
    def plants(self) -> tuple[Plant, ...]:
        """Return what is planted; what stands in an item comes behind its sequence."""
        return tuple(self._at_spots() if self.spots else self._wherever_defined())

    @cached_property
    def source(self) -> bytes:
        """Return the file."""
        own = [*self.own(), *self._elements((), self.how)]
        return samples.file(samples.merged(own, ()), self.how, sop_class=self.sop_class)

    @cached_property
    def bare(self) -> bytes:
        """Return the file with nothing planted."""
        return samples.file(samples.merged(self.own(), ()), self.how, sop_class=self.sop_class)

    def subject(self, item: Item) -> tuple[str, str]:
        """Return patient ID and issuer of whom an item is about."""
        if item not in self._people and item:
            return self.subject(item[:-1])
        return self._people.get(item, (samples.PATIENT_ID, ""))

    def items(self, plant: Plant) -> set[Item]:
        """Return the items of a planted sequence."""
        step = Step(plant.attribute.tag)
        return {(*plant.item, (step, number)) for number in self._items[plant.item][step]}

    @cached_property
    def study(self) -> str:
        """Return the study that the file says it is of."""
        found = [plant for plant in self._by_item[()] if plant.attribute.tag == STUDY]
        return found[0].value.decode() if found else samples.STUDY

    def own(self) -> list[bytes]:
        """Return what the file says beside what is planted."""
        own = samples.common(self.how, sop_class=self.sop_class)
        is_picture = "Image" in uid.UID(self.sop_class).name or "Segmentation" in uid.UID(self.sop_class).name
        return [*own, *samples.picture(self.how)] if is_picture else own

    def _at_spots(self) -> Iterator[Plant]:
        numbers = count(1)
        for spot in self.spots:
            place = spot.path[:-1]
            around = tuple((step, 0) for step in place)
            # Who stands in an item of its own: a patient ID changes whom everything beside it is about.
            first, second = ((*around, (spot.path[-1], one)) if spot.path else () for one in (0, 1))
            for row in rows():
                item = second if tag_of(row) in {PATIENT_ID, ISSUER} else first
                for tag, vr, creator in planted_for(row):
                    yield from self._planted(row, spot, item, tag, vr, creator, numbers)

    def _wherever_defined(self) -> Iterator[Plant]:
        numbers = count(1)
        for *sequences, tag in types_of(self.sop_class).paths():
            if _METHOD_CODES in sequences:
                continue  # the engine's own words stand there
            steps = tuple(Step(one) for one in sequences)
            spot = Spot(
                "/".join(f"({one >> 16:04X},{one & 0xFFFF:04X})" for one in sequences) or "the top level", steps
            )
            item = tuple((step, 0) for step in steps)
            yield from self._planted(rows_by_tag()[tag], spot, item, tag, vr_of(tag), "", numbers)

    def _planted(
        self, row: Row | None, spot: Spot, item: Item, tag: int, vr: str, creator: str, numbers: Iterator[int]
    ) -> Iterator[Plant]:
        place = Place(self.sop_class, tuple(step for step, _ in item))
        if vr == "SQ":
            yield Plant(row, spot, item, place, Attribute(tag, vr), vr, b"")
            inside = (*item, (Step(tag), 0))
            path = tuple(step.tag for step, _ in inside)
            for child in _CHILDREN:
                if self.spots or not types_of(self.sop_class).type_of((*path, child)):
                    of = rows_by_tag().get(child)
                    yield from self._planted(of, spot, inside, child, vr_of(child), "", numbers)
            return
        implicit = spot.unknown or self.unknown or not self.how.explicit
        harmless = self.harmless and vr in DESCRIPTIONS and not is_creator(tag)
        value = creator.encode() if is_creator(tag) else HARMLESS if harmless else canary(vr, next(numbers))
        if not item and tag in {SOP_INSTANCE, MEDIA_STORAGE_SOP_INSTANCE}:
            value = samples.INSTANCE.encode()  # one and the same, in file meta and data set
        attribute = Attribute(tag, "UN" if implicit and is_newer(tag) else vr, creator, harmless)
        yield Plant(row, spot, item, place, attribute, vr, value)

    @cached_property
    def _by_item(self) -> dict[Item, list[Plant]]:
        by_item: dict[Item, list[Plant]] = defaultdict(list)
        for plant in self.plants:
            by_item[plant.item].append(plant)
        return by_item

    @cached_property
    def _people(self) -> dict[Item, tuple[str, str]]:
        """Return patient ID and issuer of every item that has a patient ID of its own."""
        people = {plant.item: plant for plant in self.plants if plant.attribute.tag == PATIENT_ID}
        issuers = {plant.item: plant.value.decode() for plant in self.plants if plant.attribute.tag == ISSUER}
        return {item: (plant.value.decode(), issuers.get(item, "")) for item, plant in people.items()}

    @cached_property
    def _items(self) -> dict[Item, dict[Step, set[int]]]:
        """Return which sequences stand in an item, and their items."""
        items: dict[Item, dict[Step, set[int]]] = defaultdict(lambda: defaultdict(set))
        for plant in self.plants:
            for depth, (step, number) in enumerate(plant.item):
                items[plant.item[:depth]][step].add(number)
        return items

    def _elements(self, item: Item, how: How) -> list[bytes]:
        elements = [
            samples.element(plant.attribute.tag, "UN" if self.unknown else plant.vr, plant.value, how)
            for plant in self._by_item[item]
            if plant.vr != "SQ" and (item or plant.attribute.tag != MEDIA_STORAGE_SOP_INSTANCE)
        ]
        if item and item[-1][0].tag == _CONCEPT_NAME:  # what a content item is of is public, and none of a person's
            elements += _finding(how)
        styles = {spot.path[0]: spot for spot in self.spots if spot.path} if not item else {}
        for step, numbers in self._items[item].items():
            spot = styles.get(step, Spot("", unknown=self.unknown))
            inner = IMPLICIT if spot.unknown else how
            # Only an undefined length tells that something newer than the dictionary is a sequence.
            undefined = spot.undefined or (is_newer(step.tag) and not inner.explicit)
            items = [
                samples.item(*samples.merged(self._elements((*item, (step, one)), inner), (), inner), how=inner)
                for one in sorted(numbers)
            ]
            vr = "UN" if spot.unknown else "SQ"
            elements.append(samples.sequence(step.tag, *items, how=how, undefined=undefined, vr=vr))
            if step.creator:
                elements.append(samples.element(step.tag & 0xFFFF0000 | step.tag >> 8 & 0xFF, "LO", step.creator, how))
        return elements


def _finding(how: How) -> list[bytes]:
    """Return the code (121071, DCM, "Finding")."""
    code = ((0x00080100, "SH", "121071"), (0x00080102, "SH", "DCM"), (0x00080104, "LO", "Finding"))
    return [samples.element(tag, vr, text, how) for tag, vr, text in code]
