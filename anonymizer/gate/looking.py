"""Look at elements and note, by position, everything that the gate compares.

What a run of elements says is noted once for a series, in each context in which the run stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from anonymizer.gate import markers, structure
from anonymizer.gate.findings import Position
from anonymizer.gate.identifiers import (
    CODED,
    CODES,
    Word,
    encodings_of,
    from_code,
    from_dates,
    from_uids,
    from_word,
)
from anonymizer.gate.items import items_of
from anonymizer.gate.memory import Element, Memory, Run
from anonymizer.gate.notes import Notes, Part
from anonymizer.gate.reading import SPECIFIC_CHARACTER_SET, text_values
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

_DEFAULT: tuple[str, ...] = ("iso8859",)
_METHOD_CODES: Position = (markers.DEIDENTIFICATION_METHOD_CODE_SEQUENCE,)


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What stands before an element and decides what it says; the same one wherever the same stands before it.

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
class Passage(Part):
    """What a run says that recurs, on one side and in one context: the octets, and all that decides what they say.

    Parameters
    ----------
    after : Context
        What is in force behind it.
    """

    after: Context = field(default_factory=Context)


class Look:
    """Look at elements and note what they say.

    Parameters
    ----------
    is_source : bool
        Note identifying texts too, or if not, what an output may not have.
    memory : Memory
        Where contexts are kept.
    """

    def __init__(self, *, is_source: bool, memory: Memory) -> None:
        self.is_source = is_source
        self.start = Context()
        self._memory = memory
        self._looked_for = ~LEFTOVER if is_source else ~(NAME | TEXT)

    def passage(self, run: Run, context: Context) -> Passage:
        """Return what a run of top level elements says; it is remembered if that recurs.

        What was joined says what the runs say that it was joined of.
        """
        passage: Passage | None = run.notes.get(context)
        if passage is None:
            passage = Passage(after=context)
            if run.joined_of:
                for one in run.joined_of:
                    part = self.passage(one, passage.after)
                    passage.join(part)
                    passage.after = part.after
            else:
                passage.after = self.at_top(run, context, passage)
            if run.is_usual:
                run.notes[context] = passage
        return passage

    def at_top(self, run: Run, context: Context, part: Part) -> Context:
        """Note what top level elements of a file say, or of its file meta information; return what is in force then."""
        encodings, creators = context.encodings, dict(context.creators)
        for tag, element in zip(run.tags, run.elements, strict=True):
            creator = ""
            if tag & 0x10000:
                creator = creator_of(element, tag, creators)
            elif tag == SPECIFIC_CHARACTER_SET:
                encodings = encodings_of(text_values(element))
            part.tags.add(tag)
            part.top[tag] = element
            if not self.is_source and structure.is_odd(element):
                part.flaws.append(structure.odd((tag,)))
            use = use_of(tag, element.VR, creator) & self._looked_for
            if use & (SEQUENCE | UNKNOWN):
                notes = Notes()
                self._one(element, tag, use, (), encodings, notes)
                part.add(notes)
                if notes.items:
                    part.inside[tag] = notes
            elif use:
                self._one(element, tag, use, (), encodings, part)
        return self._context(context, encodings, tuple(creators.items()))

    def _context(self, before: Context, encodings: tuple[str, ...], creators: tuple[tuple[int, str], ...]) -> Context:
        if encodings == before.encodings and creators == before.creators:
            return before
        key = Context, self.is_source, encodings, creators
        context: Context | None = self._memory.notes.get(key)
        if context is None:
            context = self._memory.notes[key] = Context(encodings, creators)
            self._memory.take(0)
        return context

    def in_item(self, elements: Iterable[Element], prefix: Position, encodings: tuple[str, ...], notes: Notes) -> None:
        """Note what the elements of an item say."""
        creators: dict[int, str] = {}
        last = -1
        group = CODED.get(prefix[-2]) if self.is_source else None
        for element in elements:
            # A BaseTag compares in Python code, an int does not.
            tag = int(element.tag)
            notes.tags.add(tag)
            creator = creator_of(element, tag, creators) if tag & 0x10000 else ""
            use = use_of(tag, element.VR, creator) & self._looked_for
            if use:
                self._one(element, tag, use, prefix, encodings, notes)
            else:
                notes.nested[(*prefix, tag)] = element
            if group is not None and tag in CODES and element.value:
                notes.identifiers.update(from_code(Word(tag, element.value, encodings, is_name=False), group))
                notes.encodings.update(encodings)
            if tag == SPECIFIC_CHARACTER_SET:
                encodings = encodings_of(text_values(element))
            if not self.is_source:
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
            if self.is_source:
                notes.identifiers.update(from_uids(tag, notes.uids[position]))
        if use & DATE:
            notes.dates[position] = text_values(element)
            if self.is_source:
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
            self.in_item(item.elements, (*position, number), encodings, notes)
            if position == _METHOD_CODES:
                code = {int(one.tag): one for one in item.elements}
                notes.claims.update(markers.claimed_by(code))
                if not self.is_source:
                    notes.flaws += markers.check_code(code, (*position, number))
        notes.items[position] = number
        return True
