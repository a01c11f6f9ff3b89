"""Walk a file and note, by position, everything that the gate compares.

Source and output are walked one after the other with the same code; what stands at the same position (tags,
item numbers, value number) is a pair. An element that only one of them has is no pair.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from anonymizer.gate import structure
from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.identifiers import (
    CODED,
    CODES,
    Identifier,
    Word,
    encodings_of,
    from_code,
    from_dates,
    from_uids,
    from_word,
    text_of,
)
from anonymizer.gate.items import items_of
from anonymizer.gate.memory import Element, Known
from anonymizer.gate.reading import Reading, first_value, text_values
from anonymizer.gate.uses import (
    DATE,
    LEFTOVER,
    NAME,
    POINTER,
    SAMPLES,
    SEQUENCE,
    SHAPE,
    TEXT,
    UID,
    UNKNOWN,
    creator_of,
    use_of,
)

SPECIFIC_CHARACTER_SET = 0x00080005
_DEFAULT: tuple[str, ...] = ("iso8859",)


@dataclass(slots=True)
class Notes:
    """What some elements say, by position.

    Parameters
    ----------
    uids, dates : dict of Position to tuple of str
        The values of UI, and of DA and DT.
    shapes, samples : dict of Position to Element
        What gives pictures their shape and place, and pixel values.
    identifiers : set of Identifier
        What identifies somebody; of sources only.
    encodings : set of str
        Python's names of the encodings that identifying texts are in.
    leftovers : list of Position
        Where something stands that an output may not have; of outputs only.
    tags : set of int
        Every tag, at any depth.
    pointers : list of Element
        Those that name attributes (AT).
    nested : dict of Position to Element
        What stands inside of sequences and is neither one nor a UID or date; of single top level elements only.
    items : dict of Position to int
        How many items each sequence has; as above.
    flaws : list of Flaw
        Where an output is no longer DICOM.
    """

    uids: dict[Position, tuple[str, ...]] = field(default_factory=dict)
    dates: dict[Position, tuple[str, ...]] = field(default_factory=dict)
    shapes: dict[Position, Element] = field(default_factory=dict)
    samples: dict[Position, Element] = field(default_factory=dict)
    identifiers: set[Identifier] = field(default_factory=set)
    encodings: set[str] = field(default_factory=set)
    leftovers: list[Position] = field(default_factory=list)
    tags: set[int] = field(default_factory=set)
    pointers: list[Element] = field(default_factory=list)
    nested: dict[Position, Element] = field(default_factory=dict)
    items: dict[Position, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def add(self, other: Notes) -> None:
        """Take over what others say."""
        # Written out, because it is done for every element of every file.
        if other.uids:
            self.uids.update(other.uids)
        if other.dates:
            self.dates.update(other.dates)
        if other.shapes:
            self.shapes.update(other.shapes)
        if other.samples:
            self.samples.update(other.samples)
        if other.identifiers:
            self.identifiers.update(other.identifiers)
        if other.encodings:
            self.encodings.update(other.encodings)
        if other.tags:
            self.tags.update(other.tags)
        if other.leftovers:
            self.leftovers += other.leftovers
        if other.pointers:
            self.pointers += other.pointers
        if other.flaws:
            self.flaws += other.flaws

    def has_item_of(self, position: Position) -> bool:
        """Tell whether the item that a position lies in is among those noted; the data set itself always is."""
        return len(position) == 1 or position[-2] <= self.items.get(position[:-2], 0)


class Side(Notes):
    """What one file says, by position.

    What the same element said in another file of the series is remembered with it (:class:`Known`).

    Parameters
    ----------
    reading : Reading
        The file.
    is_source : bool
        Note identifying texts too, or if not, what an output may not have.
    """

    def __init__(self, reading: Reading, *, is_source: bool) -> None:
        super().__init__()
        self.header = reading.header
        self.known: dict[int, Known] = {one.tag: one for one in reading.known}
        self.top: dict[int, Element] = {one.tag: one.element for one in reading.known}
        self.inside: dict[int, Notes] = {}
        self.tags.update(self.top)
        look = Look(is_source=is_source)
        look.at(reading.header.elements, (), _DEFAULT, self)
        creators: dict[int, str] = {}
        encodings = _DEFAULT
        for one in reading.known:
            creator = ""
            if one.tag & 0x10000:
                creator = creator_of(one.element, one.tag, creators)
            elif one.tag == SPECIFIC_CHARACTER_SET:
                encodings = encodings_of(text_values(one.element))
            key = (is_source, encodings, creator)
            notes = one.notes.get(key, self)
            if notes is self:
                notes = one.notes[key] = look.closely(one, creator, encodings)
            if notes is not None:
                self.add(notes)
                if notes.items:
                    self.inside[one.tag] = notes
        self._encodings = encodings
        if not is_source:
            self.flaws += structure.of_file(reading)

    def value(self, tag: int) -> str:
        """Return the first value of a top level element, or the empty text."""
        return first_value(self.top, tag)

    def name(self, tag: int) -> str:
        """Return what somebody is called by a top level element: all of its text, however it is written.

        A backslash in it makes no second value of it: of what is called so there is one.
        """
        element = self.top.get(tag)
        text = text_of(element.value, self._encodings) if element is not None else ""
        return unicodedata.normalize("NFC", text.rstrip("\0 ").lstrip(" "))

    def uid(self, tag: int) -> str:
        """Return the first UID of a top level element, or the empty text."""
        values = self.uids.get((tag,))
        return values[0] if values else ""

    def has_place_of(self, position: Position) -> bool:
        """Tell whether the item that a position lies in is in the file, or the data set itself."""
        inside = self.inside.get(position[0])
        return len(position) == 1 or (inside is not None and inside.has_item_of(position))


class Look:
    """Look at elements and note what they say.

    Parameters
    ----------
    is_source : bool
        See :class:`Side`.
    """

    def __init__(self, *, is_source: bool) -> None:
        self._is_source = is_source
        self._looked_for = ~LEFTOVER if is_source else ~(NAME | TEXT)

    def closely(self, one: Known, creator: str, encodings: tuple[str, ...]) -> Notes | None:
        """Return what a top level element says; None if nothing."""
        use = use_of(one.tag, one.element.VR, creator) & self._looked_for
        is_odd = not self._is_source and structure.is_odd(one.element)
        if not use and not is_odd:
            return None
        notes = Notes()
        if is_odd:
            notes.flaws.append(structure.odd((one.tag,)))
        self._one(one.element, one.tag, use, (), encodings, notes)
        return notes

    def at(self, elements: Iterable[Element], prefix: Position, encodings: tuple[str, ...], notes: Notes) -> None:
        """Note what the elements of a data set or item say."""
        creators: dict[int, str] = {}
        last = -1
        group = CODED.get(prefix[-2]) if prefix and self._is_source else None
        for element in elements:
            # A BaseTag compares in Python code, an int does not.
            tag = int(element.tag)
            notes.tags.add(tag)
            creator = creator_of(element, tag, creators) if tag & 0x10000 else ""
            use = use_of(tag, element.VR, creator) & self._looked_for
            if use:
                self._one(element, tag, use, prefix, encodings, notes)
            elif prefix:
                notes.nested[(*prefix, tag)] = element
            if group is not None and tag in CODES and element.value:
                notes.identifiers.update(from_code(Word(tag, element.value, encodings, is_name=False), group))
                notes.encodings.update(encodings)
            if tag == SPECIFIC_CHARACTER_SET:
                encodings = encodings_of(text_values(element))
            if not self._is_source:
                if tag <= last:
                    notes.flaws.append(structure.unsorted((*prefix, tag)))
                if structure.is_odd(element):
                    notes.flaws.append(structure.odd((*prefix, tag)))
                last = tag

    def _one(
        self, element: Element, tag: int, use: int, prefix: Position, encodings: tuple[str, ...], notes: Notes
    ) -> None:
        position = (*prefix, tag)
        if use & LEFTOVER:
            notes.leftovers.append(position)
        if use & (SEQUENCE | UNKNOWN) and self._items(element, use, position, encodings, notes):
            return
        if prefix and not use & (UID | DATE):
            notes.nested[position] = element
        if use & UID:
            notes.uids[position] = text_values(element)
            if self._is_source:
                notes.identifiers.update(from_uids(tag, notes.uids[position]))
        if use & DATE:
            notes.dates[position] = text_values(element)
            if self._is_source:
                notes.identifiers.update(from_dates(tag, notes.dates[position]))
        if use & (NAME | TEXT) and element.value:
            notes.identifiers.update(from_word(Word(tag, element.value, encodings, bool(use & NAME))))
            notes.encodings.update(encodings)
        if use & POINTER:
            notes.pointers.append(element)
        if use & SHAPE:
            notes.shapes[position] = element
        if use & SAMPLES and not prefix:
            notes.samples[position] = element

    def _items(self, element: Element, use: int, position: Position, encodings: tuple[str, ...], notes: Notes) -> bool:
        items = items_of(element, is_sequence=bool(use & SEQUENCE))
        if items is None:
            return False
        number = 0
        for number, item in enumerate(items, start=1):
            self.at(item.elements, (*position, number), encodings, notes)
        notes.items[position] = number
        return True
