"""What elements say that the gate compares, by position."""

from __future__ import annotations

from dataclasses import dataclass, field

from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.identifiers import Identifier
from anonymizer.gate.memory import Element


@dataclass(slots=True, eq=False)
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


@dataclass(slots=True, eq=False)
class Part(Notes):
    """What some top level elements of a file say.

    Parameters
    ----------
    top : dict of int to Element
        The elements by tag.
    inside : dict of int to Notes
        What each of them says that is a sequence.
    """

    top: dict[int, Element] = field(default_factory=dict)
    inside: dict[int, Notes] = field(default_factory=dict)

    def join(self, other: Part) -> None:
        """Take over other elements with what they say."""
        self.add(other)
        self.top.update(other.top)
        self.inside.update(other.inside)

    def has_place_of(self, position: Position) -> bool:
        """Tell whether the item that a position lies in is in the file, or the data set itself."""
        inside = self.inside.get(position[0])
        return len(position) == 1 or (inside is not None and inside.has_item_of(position))
