"""One file, as what it says by position, in the parts in which it is compared.

Source and output are looked at one after the other with the same code; what stands at the same position (tags,
item numbers, value number) is a pair. An element that only one of them has is no pair.
"""

from __future__ import annotations

import unicodedata

from anonymizer.gate import structure
from anonymizer.gate.findings import Position
from anonymizer.gate.identifiers import text_of
from anonymizer.gate.looking import Look, Passage
from anonymizer.gate.memory import Element
from anonymizer.gate.notes import Part
from anonymizer.gate.reading import Reading, first_of


class Side:
    """What one file says, by position.

    What a run said that recurs is remembered with it (:class:`~anonymizer.gate.memory.Run`).

    Parameters
    ----------
    reading : Reading
        The file.
    look : Look
        How it is looked at.

    Attributes
    ----------
    form : tuple of Passage and int
        What recurs in its order, with the tags of what stands between, and of the file meta information.
    filled : Part
        What stands between, and the file meta information.
    passages : tuple of Part
        What recurs.
    parts : tuple of Part
        All that the file says, each top level element in one of them; `filled` is the first.
    """

    def __init__(self, reading: Reading, look: Look) -> None:
        self.header = reading.header
        self.filled = Part()
        form: list[Passage | int] = []
        passages: list[Part] = []
        context = look.start
        for run in reading.header.runs:
            passage = look.passage(run, context)
            context = passage.after
            # Not an element of the data set.
            self.filled.add(passage)
            form += run.tags
        context = look.start
        for run in reading.runs:
            if run.is_usual:
                passage = look.passage(run, context)
                context = passage.after
                passages.append(passage)
                form.append(passage)
            else:
                context = look.at_top(run, context, self.filled)
                form += run.tags
        self.form = tuple(form)
        self.passages = tuple(passages)
        self.parts = (self.filled, *passages)
        self._encodings = context.encodings
        if not look.is_source:
            self.filled.flaws += structure.of_file(reading)

    def settle(self, beside: Part, settled: Part) -> None:
        """Take two parts for what recurs: what is compared with what stands between, and what need not be again."""
        self.filled.join(beside)
        self.parts = (self.filled, settled)

    @property
    def samples(self) -> dict[Position, Element]:
        """Return pixel values."""
        return {position: element for part in self.parts for position, element in part.samples.items()}

    @property
    def tags(self) -> set[int]:
        """Return every tag, at any depth."""
        return set().union(*(part.tags for part in self.parts))

    @property
    def pointers(self) -> list[Element]:
        """Return the elements that name attributes."""
        return [element for part in self.parts for element in part.pointers]

    @property
    def claims(self) -> set[str]:
        """Return the codes in DeidentificationMethodCodeSequence."""
        return set().union(*(part.claims for part in self.parts))

    def element(self, tag: int) -> Element | None:
        """Return a top level element, or None."""
        for part in self.parts:
            if tag in part.top:
                return part.top[tag]
        return None

    def value(self, tag: int) -> str:
        """Return the first value of a top level element, or the empty text."""
        element = self.element(tag)
        return first_of(element) if element is not None else ""

    def name(self, tag: int) -> str:
        """Return what somebody is called by a top level element: all of its text, however it is written.

        A backslash in it makes no second value of it: of what is called so there is one.
        """
        element = self.element(tag)
        text = text_of(element.value, self._encodings) if element is not None else ""
        return unicodedata.normalize("NFC", text.rstrip("\0 ").lstrip(" "))

    def uid(self, tag: int) -> str:
        """Return the first UID of a top level element, or the empty text."""
        for part in self.parts:
            values = part.uids.get((tag,))
            if values:
                return values[0]
        return ""
