"""Compare the same part of source and output: what every module that compares by tag found of it."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from anonymizer.gate import dates, leftovers, markers, pixels, uids, values
from anonymizer.gate.dates import Dates
from anonymizer.gate.findings import Flaw
from anonymizer.gate.notes import Part
from anonymizer.gate.references import Edges, edges_of
from anonymizer.gate.uids import Uids


class Claimed(NamedTuple):
    """What decides, besides the two files, what an output may say.

    Parameters
    ----------
    claims : frozenset of str
        Codes of CID 7050 that the output claims and its source does not.
    dates : str
        What the output claims of its dates.
    today : date
        After which no moved date may lie.
    """

    claims: frozenset[str]
    dates: str
    today: date


class Told(NamedTuple):
    """What was found.

    Parameters
    ----------
    flaws : list of Flaw
        But for those of UIDs and dates.
    uids : Uids
        The UIDs compared.
    dates : Dates
        The dates compared.
    source_edges, output_edges : Edges
        The references of either side.
    """

    flaws: list[Flaw]
    uids: Uids
    dates: Dates
    source_edges: Edges
    output_edges: Edges

    def joined(self, other: Told) -> Told:
        """Return what was found in two parts together."""
        return Told(
            [*self.flaws, *other.flaws],
            self.uids.joined(other.uids),
            self.dates.joined(other.dates),
            self.source_edges.joined(other.source_edges),
            self.output_edges.joined(other.output_edges),
        )


def compare(source: Part, output: Part, claimed: Claimed) -> Told:
    """Compare a part of a file with the same part of its source.

    What was found in all parts of a file, joined, is what would be found in the whole: the modules that are asked here
    look at one top level element at a time, but for what the file meta information repeats.

    Parameters
    ----------
    source, output : Part
        What the two files say in some top level elements, the same in both.
    claimed : Claimed
        What the output claims.
    """
    may_have_private = markers.SAFE_PRIVATE in claimed.claims
    return Told(
        [
            *output.flaws,
            *pixels.compare(source, output),
            *values.compare(source, output),
            *leftovers.check(output, may_have_private=may_have_private),
        ],
        uids.compare(source, output, are_retained=markers.UIDS in claimed.claims),
        dates.compare(
            source.dates,
            output.dates,
            claimed.dates,
            today=claimed.today,
            retained=dates.OF_THE_DEVICE if markers.DEVICE_IDENTITY in claimed.claims else frozenset(),
        ),
        edges_of(source.uids),
        edges_of(output.uids),
    )
