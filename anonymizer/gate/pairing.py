"""Walk a file and note, by position, everything that the gate compares.

Source and output are walked one after the other with the same code; what stands at the same position (tags,
item numbers, value number) is a pair. An element that only one of them has is no pair.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from anonymizer.gate import structure
from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.identifiers import (
    TEXT_TAGS,
    Identifier,
    Word,
    encodings_of,
    from_dates,
    from_uids,
    from_word,
    text_of,
)
from anonymizer.gate.leftovers import has_to_go, is_private_tag
from anonymizer.gate.memory import Element, Known
from anonymizer.gate.pixels import GEOMETRY, PIXELS
from anonymizer.gate.reading import Item, Reading, read_items, text_values

UID, DATE, SEQUENCE, NAME, TEXT, SHAPE, SAMPLES, UNKNOWN, LEFTOVER, POINTER = (1 << bit for bit in range(10))
"""What the gate does with an element; bits, because one element may be looked at in several ways."""

SPECIFIC_CHARACTER_SET = 0x00080005
_DEFAULT: tuple[str, ...] = ("iso8859",)
ITEM_STARTS = {b"\xfe\xff\x00\xe0": True, b"\xff\xfe\xe0\x00": False}
"""The tag of an item, by whether the bytes are little endian (PS3.5 7.5)."""


@dataclass(slots=True)
class Notes:
    """What some elements say, by position.

    Parameters
    ----------
    identifiers : set of Identifier
        What identifies somebody; of sources only.
    encodings : set of str
        Python's names of the encodings that identifying texts are in.
    leftovers : list of Position
        Where something stands that an output may not have; of outputs only.
    tags : set of int
        Every tag, at any depth.
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
        element = self.top.get(tag)
        values = text_values(element) if element is not None else ()
        return values[0] if values else ""

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


def creator_of(element: Element, tag: int, creators: dict[int, str]) -> str:
    """Return the private creator in force for a private element; note it if it is one itself.

    The block that (gggg,00bb) reserves is (gggg,bb00) to (gggg,bbFF) (PS3.5 7.8.1).

    Parameters
    ----------
    element : Element
        The element.
    tag : int
        Its tag.
    creators : dict of int to str
        The creators of this data set so far, by the upper three bytes of the tags in their block.
    """
    if tag & 0xFF00 == 0:
        creators[tag >> 16 << 8 | tag & 0xFF] = "".join(text_values(element)[:1])
    return creators.get(tag >> 8, "")


def items_of(element: Element, *, is_sequence: bool) -> Iterable[Item] | None:
    """Return the items of an element, or None if it is opaque.

    An element of unknown VR may hold a sequence, which then is in implicit VR (PS3.5 6.2.2); every item shows
    whether the writer kept to that.
    """
    value = element.value
    if not isinstance(element, RawDataElement):
        items = cast("Iterable[Dataset]", value) if element.VR == "SQ" else None
        return None if items is None else [Item(tuple(item.values()), 0) for item in items]
    if not value:
        return () if is_sequence else None
    content = cast("bytes", value)
    little = ITEM_STARTS.get(content[:4])
    if little is None and not is_sequence:
        return None
    if little is None or element.VR != "UN":
        little = element.is_little_endian
    return read_items(content, implicit=element.is_implicit_VR, little=little)


@lru_cache(maxsize=1 << 16)
def use_of(tag: int, vr: str | None, creator: str) -> int:
    """Say what the gate does with an element.

    Both the VR in the file and the one in the dictionary count, so that a date remains a date where a vendor
    wrote it as text.

    Parameters
    ----------
    tag : int
        The tag.
    vr : str or None
        The VR in the file; None in implicit VR.
    creator : str
        The private creator in force; empty for public tags.
    """
    known = vr_of(tag, creator)
    kinds = {str(vr) if vr else known, known}
    use = LEFTOVER if has_to_go(tag) or is_private_tag(tag) else 0
    if vr == "SQ" or (known == "SQ" and vr in (None, "UN")):
        return use | SEQUENCE
    if "UI" in kinds:
        use |= UID
    if kinds & {"DA", "DT"}:
        use |= DATE
    if "PN" in kinds:
        use |= NAME
    elif tag in TEXT_TAGS:
        use |= TEXT
    if "AT" in kinds:
        use |= POINTER
    if tag in GEOMETRY:
        use |= SHAPE
    if tag in PIXELS:
        use |= SAMPLES
    if vr in (None, "UN") and not known:
        use |= UNKNOWN
    return use


def vr_of(tag: int, creator: str) -> str:
    """Return the VR of a tag in pydicom's dictionaries; empty if it is unknown or depends."""
    try:
        vr = private_dictionary_VR(tag, creator) if tag >> 16 & 1 else dictionary_VR(tag)
    except KeyError:
        return ""
    return str(vr)
