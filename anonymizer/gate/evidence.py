"""Examine one instance: read source and output side by side and keep what the study's verdict needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from anonymizer.gate import leftovers, markers, pixels, pointers
from anonymizer.gate.comparison import Claimed
from anonymizer.gate.findings import Finding, Position, attempt
from anonymizer.gate.forms import Forms, Pair
from anonymizer.gate.identifiers import Identifier
from anonymizer.gate.looking import Look
from anonymizer.gate.memory import Memory
from anonymizer.gate.reading import Data, read
from anonymizer.gate.references import NO_EDGES, NO_NODE, Edges, Node
from anonymizer.gate.side import Side

PATIENT_ID, ISSUER_OF_PATIENT_ID = 0x00100020, 0x00100021
SOP_INSTANCE, META_INSTANCE = 0x00080018, 0x00020003
SERIES, STUDY, FRAME_OF_REFERENCE = 0x0020000E, 0x0020000D, 0x00200052
"""The UIDs of a :class:`~anonymizer.gate.references.Node`."""


class UnnamedInstanceError(ValueError):
    """An instance has no SOPInstanceUID, so that nothing can be said about it."""


@dataclass(frozen=True, slots=True, repr=False)
class Evidence:
    """What the gate keeps of one instance: UIDs, dates moved, identifiers; never bytes or pixels.

    It holds identifying values and stays on the machine that made it.

    Parameters
    ----------
    instance : str
        The SOPInstanceUID of the output; empty if that cannot be read.
    source, output : Node
        The UIDs that either side has for itself.
    issuer, patient_id, output_patient_id : str
        Who it is about.
    pairs : dict of (str, str) to Position
        Source and output UID with where they stand first; no registered ones.
    replaced : dict of (str, str) to Position
        The same of those that are replaced though all others are retained.
    source_edges, output_edges : Edges
        The references of either side.
    intervals : dict of int to Position
        By how many days dates moved, with where they stand first.
    identifiers : frozenset of Identifier
        What must not stand in any output.
    encodings : frozenset of str
        Python's names of the encodings that identifying texts are in.
    claims : frozenset of str
        Codes of CID 7050 that the output claims and its source does not.
    flaws : tuple of Finding
        What the instance alone shows.
    checks : Mapping
        How much was compared.
    """

    instance: str
    source: Node = NO_NODE
    output: Node = NO_NODE
    issuer: str = ""
    patient_id: str = ""
    output_patient_id: str = ""
    pairs: dict[tuple[str, str], Position] = field(default_factory=dict)
    replaced: dict[tuple[str, str], Position] = field(default_factory=dict)
    source_edges: Edges = NO_EDGES
    output_edges: Edges = NO_EDGES
    intervals: dict[int, Position] = field(default_factory=dict)
    identifiers: frozenset[Identifier] = frozenset()
    encodings: frozenset[str] = frozenset()
    claims: frozenset[str] = frozenset()
    flaws: tuple[Finding, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Name the output only; everything else may identify the patient."""
        return f"Evidence(instance={self.instance!r})"

    @property
    def subject(self) -> tuple[str, ...]:
        """Whose dates move together: the patient, or the study where the patient has no ID."""
        if self.patient_id:
            return (self.issuer, self.patient_id)
        return ("", "", self.source.study)

    @property
    def own_words(self) -> frozenset[str]:
        """The words in front of the pseudonym's code, such as its prefix."""
        return frozenset(re.split(r"[^0-9a-z]+", self.output_patient_id.lower())[:-1])


def examine(source: Data, output: Data) -> Evidence:
    """Compare one instance with its source: see :meth:`Examiner.examine`."""
    return Examiner().examine(source, output)


class Examiner:
    """Compare the instances of a study, one after the other or in threads: what recurs is read once.

    Parameters
    ----------
    today : date, optional
        After which no moved date may lie; the day that it is without it.
    """

    def __init__(self, *, today: date | None = None) -> None:
        self._memory = Memory()
        self._forms = Forms(self._memory)
        self._looks = {is_source: Look(is_source=is_source, memory=self._memory) for is_source in (True, False)}
        self._today = today or datetime.now(UTC).date()

    def examine(self, source: Data, output: Data) -> Evidence:
        """Compare one instance with its source.

        Parameters
        ----------
        source, output : bytes or what can be seen as bytes
            Whole files, such as mapped ones; the pixels of large ones are not copied. Data that cannot be read give
            evidence with the finding ``unreadable``; nothing is raised.

        Returns
        -------
        Evidence
            To be added to a :class:`~anonymizer.gate.verdict.Gate`.
        """
        after, fault = attempt(lambda: self._side(output, is_source=False))
        if after is None:
            return _unreadable("", "output", fault)
        name = _name(after)
        before, fault = attempt(lambda: self._side(source, is_source=True))
        if before is None:
            return _unreadable(name, "source", fault)
        evidence, fault = attempt(lambda: _compare(self._forms.pair(before, after), name, self._today))
        return evidence if evidence is not None else _unreadable(name, "pair of source and output", fault)

    def _side(self, data: Data, *, is_source: bool) -> Side:
        side = Side(read(data, force=is_source, memory=self._memory), self._looks[is_source])
        if not _name(side):
            raise UnnamedInstanceError
        return side


def _unreadable(name: str, what: str, fault: str) -> Evidence:
    rule = f"the {what} cannot be examined ({fault})"
    return Evidence(name, flaws=(Finding("unreadable", name, "", rule),), checks={"instances": 1})


def _name(side: Side) -> str:
    # A DICOMDIR has a SOPInstanceUID in its file meta information only.
    return side.uid(SOP_INSTANCE) or side.uid(META_INSTANCE)


def _node(side: Side) -> Node:
    return Node(_name(side), side.uid(SERIES), side.uid(STUDY), side.uid(FRAME_OF_REFERENCE))


def _called(side: Side) -> str:
    """Return whom a file is about; a patient ID of backslashes and spaces alone names nobody."""
    text = side.name(PATIENT_ID)
    return text if text.strip(" \\") else ""


def _compare(pair: Pair, name: str, today: date) -> Evidence:
    source, output = pair.source, pair.output
    claims = markers.claims_of(output) - markers.claims_of(source)
    told = pair.told(Claimed(claims, markers.longitudinal_claim(output, source, claims), today))
    flaws = [
        *told.flaws,
        *told.uids.flaws,
        *told.dates.flaws,
        *pixels.compare_samples(source, output),
        *leftovers.check_preamble(output.header.preamble),
    ]
    return Evidence(
        instance=name,
        source=_node(source),
        output=_node(output),
        issuer=source.name(ISSUER_OF_PATIENT_ID),
        patient_id=_called(source),
        output_patient_id=output.value(PATIENT_ID),
        pairs=told.uids.pairs,
        replaced=told.uids.replaced,
        source_edges=told.source_edges,
        output_edges=told.output_edges,
        intervals=told.dates.intervals,
        identifiers=frozenset().union(*(part.identifiers for part in source.parts)),
        encodings=frozenset().union(*(part.encodings for part in source.parts)),
        claims=claims,
        flaws=tuple(sorted(flaw.named(name) for flaw in flaws)),
        checks={
            "instances": 1,
            "uids": told.uids.total,
            "dates": told.dates.total,
            "pixels": len(source.samples),
            "pointers_dangling": pointers.dangling(output, source),
        },
    )
