"""Walk a file and note, by position, everything that the gate compares.

Source and output are walked one after the other with the same code; what stands at the same position (tags,
item numbers, value number) is a pair. An element that only one of them has is no pair. What a run of elements says is
noted once for a series, in each context in which the run stands.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from anonymizer.gate import markers, structure
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
from anonymizer.gate.memory import Element, Run
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
_METHOD_CODES: Position = (markers.DEIDENTIFICATION_METHOD_CODE_SEQUENCE,)


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
    claims : set of str
        The codes in DeidentificationMethodCodeSequence.
    flaws : list of Flaw
        Where an output is no longer DICOM, or says of itself what no standard says.
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
    claims: set[str] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)

    def add(self, other: Notes) -> None:
        """Take over what others say."""
        # Written out, because it is done for every run of every file.
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
        if other.claims:
            self.claims.update(other.claims)
        if other.flaws:
            self.flaws += other.flaws

    def has_item_of(self, position: Position) -> bool:
        """Tell whether the item that a position lies in is among those noted; the data set itself always is."""
        return len(position) == 1 or position[-2] <= self.items.get(position[:-2], 0)


class Context(NamedTuple):
    """What stands before an element and decides what it says.

    Parameters
    ----------
    encodings : tuple of str
        Python's names of the encodings in force.
    creators : tuple of (int, str)
        The private creators in force; see :func:`~anonymizer.gate.uses.creator_of`.
    """

    encodings: tuple[str, ...] = _DEFAULT
    creators: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True, eq=False)
class Passage:
    """A run as it is read on one side and in one context: the octets, and all that decides what they say.

    Parameters
    ----------
    elements : dict of int to Element
        Its elements by tag.
    notes : Notes
        What they say together.
    inside : dict of int to Notes
        What each of them says that is a sequence.
    after : Context
        What is in force behind it.
    is_kept : bool
        Whether it is remembered, and will be this passage again.
    compared : dict of Passage to tuple of Flaw
        What was found of passages of outputs beside this one of a source (:mod:`anonymizer.gate.values`).
    """

    elements: dict[int, Element]
    notes: Notes
    inside: dict[int, Notes]
    after: Context
    is_kept: bool
    compared: dict[Passage, tuple[Flaw, ...]] = field(default_factory=dict)


class Side(Notes):
    """What one file says, by position.

    What the same run said in another file of the series is remembered with it (:class:`~anonymizer.gate.memory.Run`).

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
        self.top: dict[int, Element] = {}
        self.inside: dict[int, Notes] = {}
        self.tags.update(reading.tags)
        look = Look(is_source=is_source)
        for passage in look.through(reading.header.runs):
            self.tags.update(passage.elements)
            self.add(passage.notes)
        self.passages: list[Passage] = []
        self.passage_of: dict[int, Passage] = {}
        for passage in look.through(reading.runs):
            self.passages.append(passage)
            self.passage_of.update(dict.fromkeys(passage.elements, passage))
            self.top.update(passage.elements)
            if passage.inside:
                self.inside.update(passage.inside)
            self.add(passage.notes)
        self._encodings = self.passages[-1].after.encodings if self.passages else _DEFAULT
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

    def through(self, runs: Iterable[Run]) -> Iterator[Passage]:
        """Yield what the top level elements of a file say, or its file meta information."""
        context = Context()
        for run in runs:
            key = self._is_source, context
            passage = run.notes.get(key)
            if passage is None:
                passage = self._passage(run, context)
                if run.is_usual:
                    run.notes[key] = passage
            context = passage.after
            yield passage

    def _passage(self, run: Run, context: Context) -> Passage:
        encodings, creators = context.encodings, dict(context.creators)
        elements = dict(zip(run.tags, run.elements, strict=True))
        passage = Passage(elements, Notes(), {}, context, run.is_usual)
        for tag, element in zip(run.tags, run.elements, strict=True):
            creator = ""
            if tag & 0x10000:
                creator = creator_of(element, tag, creators)
            elif tag == SPECIFIC_CHARACTER_SET:
                encodings = encodings_of(text_values(element))
            if not self._is_source and structure.is_odd(element):
                passage.notes.flaws.append(structure.odd((tag,)))
            use = use_of(tag, element.VR, creator) & self._looked_for
            notes = Notes() if use & (SEQUENCE | UNKNOWN) else passage.notes
            self._one(element, tag, use, (), encodings, notes)
            if notes is not passage.notes:
                passage.notes.add(notes)
                if notes.items:
                    passage.inside[tag] = notes
        if creators or encodings != context.encodings:
            passage.after = Context(encodings, tuple(creators.items()))
        return passage

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
            if position == _METHOD_CODES:
                code = {int(one.tag): one for one in item.elements}
                notes.claims.update(markers.claimed_by(code))
                if not self._is_source:
                    notes.flaws += markers.check_code(code, (*position, number))
        notes.items[position] = number
        return True
