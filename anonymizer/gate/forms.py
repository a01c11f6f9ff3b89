"""What recurs over a series is compared once: the files of a series are one form, filled in.

A form is what recurs in a file, and where the blanks between are. Source and output have a form each, and where both
were met before, only what stands in the blanks of either, and what is judged together with that, is compared again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from anonymizer.gate import markers
from anonymizer.gate.comparison import Claimed, Told, compare
from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.memory import Memory
from anonymizer.gate.notes import Part
from anonymizer.gate.pixels import PIXELS
from anonymizer.gate.side import Side
from anonymizer.gate.uids import OF_THE_DATA_SET

T = TypeVar("T")

_FILLED_IN = frozenset({*PIXELS, *(tag for position in OF_THE_DATA_SET.values() for tag in position)})
"""Always compared: pixel values, and what the file meta information repeats."""

_MOST_CLAIMS = 8
"""Under how many claims it is remembered what was found."""
_ENTRY = 300
"""About how many octets a top level element takes in what is remembered of two forms."""


class Split(NamedTuple):
    """What one of two forms says in those tags that are blank in one of them, and in all others."""

    beside_blanks: Part
    settled: Part


class Common:
    """What two forms say.

    Parameters
    ----------
    source, output : Side
        Two files that have them.
    """

    def __init__(self, source: Side, output: Side) -> None:
        blank = {*_FILLED_IN, *_tags_of(source), *_tags_of(output)}
        self.source, self.output = _split(source, blank), _split(output, blank)
        # The markers are judged together: one blank among them, and all are judged in each file.
        self.markers_are_settled = blank.isdisjoint(markers.ASKED)
        self.told: dict[Claimed, Told] = {}

    @property
    def size(self) -> int:
        """Return about how many octets this takes."""
        return _ENTRY * sum(len(one.top) for split in (self.source, self.output) for one in split)


class Pair:
    """A source and its output, and what their forms have in common.

    Parameters
    ----------
    source, output : Side
        The two files, whose parts become what is filled in and what is settled.
    common : Common
        What their forms say.
    """

    def __init__(self, source: Side, output: Side, common: Common) -> None:
        self.source, self.output, self._common = source, output, common
        for side, split in ((source, common.source), (output, common.output)):
            side.settle(*split)

    def told(self, claimed: Claimed) -> Told:
        """Return what was found of the output beside its source.

        Parameters
        ----------
        claimed : Claimed
            What the output claims; what was found under other claims is none of it.
        """
        told = self._common.told.get(claimed)
        if told is None:
            told = compare(self._common.source.settled, self._common.output.settled, claimed)
            if self._common.markers_are_settled:
                told.flaws.extend(self._of_markers())
            if len(self._common.told) < _MOST_CLAIMS:
                self._common.told[claimed] = told
        found = compare(self.source.filled, self.output.filled, claimed)
        if not self._common.markers_are_settled:
            found.flaws.extend(self._of_markers())
        return told.joined(found)

    def _of_markers(self) -> list[Flaw]:
        return list(markers.check(self.output, self.source))


class Forms:
    """The pairs of forms that were met.

    Parameters
    ----------
    memory : Memory
        Where they are kept.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def pair(self, source: Side, output: Side) -> Pair:
        """Return a source and its output with what their forms have in common."""
        # A passage is the same one where its octets and all that decides what they say are the same: see Passage.
        key = source.form, output.form
        notes = self._memory.notes
        common: Common | None = notes.get(key)
        if common is None:
            common = Common(source, output)
            # What was met once may not come again, and there is much of it.
            is_met = key in notes
            notes[key] = common if is_met else None
            self._memory.take(common.size if is_met else 8 * (len(source.form) + len(output.form)))
        return Pair(source, output, common)


def _tags_of(side: Side) -> set[int]:
    return {one for one in side.form if isinstance(one, int)}


def _split(side: Side, blank: AbstractSet[int]) -> Split:
    settled = Part()
    for passage in side.passages:
        settled.join(passage)
    beside = Part(
        uids=_taken(settled.uids, blank),
        dates=_taken(settled.dates, blank),
        shapes=_taken(settled.shapes, blank),
        samples=_taken(settled.samples, blank),
        top={tag: settled.top.pop(tag) for tag in blank & settled.top.keys()},
        inside={tag: settled.inside.pop(tag) for tag in blank & settled.inside.keys()},
    )
    return Split(beside, settled)


def _taken(notes: dict[Position, T], blank: AbstractSet[int]) -> dict[Position, T]:
    """Take out of notes what stands in some top level elements."""
    return {position: notes.pop(position) for position in list(notes) if position[0] in blank}
