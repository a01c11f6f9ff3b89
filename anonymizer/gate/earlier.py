"""One UID, one pseudonym and one interval a patient, over everything that was loaded before.

The gate keeps nothing from study to study. What became of what it hands out as links, and whoever keeps them tells
it against which ones something stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from anonymizer.gate.findings import Finding, Position, path_text
from anonymizer.gate.markers import FULL_DATES

if TYPE_CHECKING:
    from anonymizer.gate.evidence import Evidence

UID = "uid"
UID_APART = "apart"
"""A UID that is replaced though all others are retained."""
PATIENT = "patient"
UNNAMED = "unnamed"
"""A patient whose issuer is not named: whoever knows the site knows the issuer."""
INTERVAL = "interval"

_PATIENT_ID: Position = (0x00100020,)
_FULL_DATES: Position = (0x00120064,)
_SPLIT = {
    UID: "the UID of the source has another pseudonym in what was loaded before",
    UID_APART: "the UID of the source has another pseudonym in what was loaded before",
    PATIENT: "the patient has another pseudonym in what was loaded before",
    UNNAMED: "the patient has another pseudonym in what was loaded before",
    INTERVAL: "dates of the patient moved by another interval in what was loaded before",
}
_MERGED = {
    UID: "another UID of the source has this pseudonym in what was loaded before",
    UID_APART: "another UID of the source has this pseudonym in what was loaded before",
    PATIENT: "another patient has this pseudonym in what was loaded before",
}


class Link(NamedTuple):
    """One thing of the source, and what became of it.

    It holds identifying values and stays on the machine that made it.

    Parameters
    ----------
    kind : str
        `UID`, `UID_APART`, `PATIENT`, `UNNAMED` or `INTERVAL`.
    source : tuple of str
        The UID; issuer (empty if absent) and patient ID; patient ID alone; the subject of the dates.
    output : str
        The UID; the patient ID; by how many days dates moved.
    """

    kind: str
    source: tuple[str, ...]
    output: str

    def __repr__(self) -> str:
        """Name the kind alone."""
        return f"Link({self.kind})"


class Against(NamedTuple):
    """The links that what was loaded before stands against.

    Parameters
    ----------
    split : collection of Link
        Their sources became something else.
    merged : collection of Link
        Their outputs came from something else.
    """

    split: Collection[Link] = ()
    merged: Collection[Link] = ()


class Earlier(Protocol):
    """Whoever knows what was loaded before, for the same project and key."""

    def against(self, links: Collection[Link]) -> Against:
        """Tell which links cannot stand beside earlier ones."""
        ...


def links_of(evidence: Iterable[Evidence]) -> frozenset[Link]:
    """Return what became of what in these instances: what is to be remembered once they are loaded."""
    return frozenset(link for item in evidence for link, _ in _links(item))


def judge(evidence: Iterable[Evidence], earlier: Earlier) -> Iterator[Finding]:
    """Yield where instances do not fit to what was loaded before."""
    evidence = list(evidence)
    against = earlier.against(links_of(evidence))
    told = [(frozenset(against.split), _SPLIT), (frozenset(against.merged), _MERGED)]
    for item in evidence:
        for link, position in _links(item):
            for links, words in told:
                if link in links and link.kind in words:
                    yield Finding("not-as-before", item.instance, path_text(position), words[link.kind])


def _links(item: Evidence) -> Iterator[tuple[Link, Position]]:
    for kind, pairs in ((UID, item.pairs), (UID_APART, item.replaced)):
        for (old, new), position in pairs.items():
            yield Link(kind, (old,), new), position
    if item.patient_id and item.output_patient_id:
        yield Link(PATIENT, (item.issuer, item.patient_id), item.output_patient_id), _PATIENT_ID
        if not item.issuer:
            yield Link(UNNAMED, (item.patient_id,), item.output_patient_id), _PATIENT_ID
    for days, position in item.intervals.items():
        yield Link(INTERVAL, item.subject, str(days)), position
    if FULL_DATES in item.claims:
        # True dates beside moved ones of the same patient would tell by how much those moved.
        yield Link(INTERVAL, item.subject, "0"), _FULL_DATES
