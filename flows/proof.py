"""The proof of one study: what of it may leave, and what is held, with the reasons.

A site holds a study whole (`hold = "study"`), or an instance with all that points at it (`hold = "instance"`). In
either case nothing leaves that the gate has not passed as a whole: what is left is proven again without the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anonymizer import Held, Pseudonyms, Report
from anonymizer.folder import contents
from anonymizer.gate import Earlier, Evidence, Gate, Verdict
from anonymizer.gate.findings import path_text
from flows.ledger import records
from flows.orthanc import orthanc_id
from flows.outcome import POINTS_AT_HELD, hold_of

__all__ = ["OF_THE_STUDY", "Kept", "Output", "Proof", "prove", "prove_one_by_one"]

OF_THE_STUDY = frozenset({"two-patients"})
"""Codes that say something of all instances, whichever they name."""


@dataclass(frozen=True, slots=True)
class Output:
    """An anonymized instance in the spool, with what the gate saw of it and its source.

    Attributes
    ----------
    record : Instance
        What is recorded of it once it is loaded.
    copy : Instance or None
        What was recorded of it when an earlier run loaded it.
    is_fetched : bool
        What is in the spool is the cloud's own copy, because the engine makes other bytes now.
    is_replaced : bool
        The hospital has other bytes than those that the copy was made of.
    """

    report: Report
    evidence: Evidence
    path: Path
    record: records.Instance
    copy: records.Instance | None = None
    is_fetched: bool = False
    is_replaced: bool = False

    @property
    def orthanc_id(self) -> str:
        """What the cloud calls it."""
        of = self.report
        return orthanc_id(of.patient_id, of.study_instance_uid, of.series_instance_uid, of.sop_instance_uid)

    @property
    def orthanc_study_id(self) -> str:
        """What the cloud calls its study."""
        return orthanc_id(self.report.patient_id, self.report.study_instance_uid)


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance that the engine holds, with what the gate knows of its source; None if nothing.

    `copy` and `is_replaced` are as in :class:`Output`.
    """

    held: Held
    evidence: Evidence | None = None
    copy: records.Instance | None = None
    is_replaced: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven of a study. Where nothing was, the study is held whole.

    Attributes
    ----------
    proven : tuple of Output
        What may leave.
    holds : tuple of Hold
        Why the rest may not.
    verdict : Verdict or None
        Of the gate: over what may leave, or over what it was asked about last.
    """

    proven: tuple[Output, ...]
    holds: tuple[records.Hold, ...]
    verdict: Verdict | None = None


def prove(outputs: Sequence[Output], holds: Sequence[records.Hold], before: Earlier | None = None) -> Proof:
    """Prove a study that leaves whole or not at all; `before` tells what was loaded earlier."""
    if holds:
        return Proof((), tuple(holds))
    verdict = _verdict(outputs, before)
    if not verdict.passed:
        return Proof((), tuple(hold_of(finding) for finding in verdict.findings), verdict)
    return Proof(tuple(outputs), (), verdict)


def prove_one_by_one(
    outputs: Sequence[Output],
    kept: Sequence[Kept],
    holds: Sequence[records.Hold],
    pseudonyms: Pseudonyms,
    before: Earlier | None = None,
) -> Proof:
    """Prove what is left of a study when each held instance takes with it only what points at it.

    Parameters
    ----------
    outputs : sequence of Output
        What the engine stands for.
    kept : sequence of Kept
        What it does not.
    holds : sequence of Hold
        What is held so far, and why: all of `kept`, and outputs too. One that names no instance holds the study.
    pseudonyms : Pseudonyms
        Tell what the engine made of a UID: a held instance has no output that would say it.
    before : Earlier, optional
        Tells what was loaded earlier.
    """
    found = list(holds)
    if any(_is_of_the_study(hold) for hold in found):
        return Proof((), tuple(found))
    known = [*(each.evidence for each in outputs), *(each.evidence for each in kept if each.evidence)]
    graph = _Graph(outputs, kept, pseudonyms)
    held = {hold.sop_instance_uid for hold in found}
    left = [output for output in outputs if output.report.sop_instance_uid not in held]
    while left:
        # The first round asks about all, so that what only shows between two instances is seen.
        verdict = _verdict(left, before, known)
        named = {output.report.sop_instance_uid for output in left}
        findings = [hold_of(finding) for finding in verdict.findings]
        if any(_is_of_the_study(hold) or hold.sop_instance_uid not in named for hold in findings):
            return Proof((), (*found, *findings), verdict)
        found += findings
        found += graph.pointing({hold.sop_instance_uid for hold in found}, left)
        held = {hold.sop_instance_uid for hold in found}
        rest = [output for output in left if output.report.sop_instance_uid not in held]
        if len(rest) == len(left):
            return Proof(tuple(left), tuple(found), verdict)
        left = rest
    return Proof((), tuple(found))


def _is_of_the_study(hold: records.Hold) -> bool:
    return hold.code in OF_THE_STUDY or not hold.sop_instance_uid


def _verdict(outputs: Sequence[Output], before: Earlier | None, known: Iterable[Evidence] = ()) -> Verdict:
    """Ask the gate about outputs; they are searched for what identifies in other instances of the study, too."""
    gate = Gate(before)
    known = list(known)
    for place, output in enumerate(outputs):
        evidence = output.evidence
        if place == 0 and known:
            evidence = replace(
                evidence,
                identifiers=evidence.identifiers.union(*(each.identifiers for each in known)),
                encodings=evidence.encodings.union(*(each.encodings for each in known)),
            )
        gate.add(evidence)
    for output in outputs:
        gate.search(contents(output.path), output.report.sop_instance_uid)
    return gate.verdict()


class _Graph:
    """Who points at whom in the sources of one study. A source's UID is known by what the engine makes of it."""

    def __init__(self, outputs: Sequence[Output], kept: Sequence[Kept], pseudonyms: Pseudonyms) -> None:
        self._uid = pseudonyms.uid
        self._series: defaultdict[str, set[str]] = defaultdict(set)
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        for identity in (*(each.report for each in outputs), *(each.held.identity for each in kept)):
            if identity:
                self._series[identity.series_instance_uid].add(identity.sop_instance_uid)
        for output in outputs:
            # An output whose UIDs are not what they should be is still pointed at by its source's.
            source = output.evidence.source
            self._names[source.instance].add(output.report.sop_instance_uid)
            self._names[source.series].add(output.report.series_instance_uid)

    def pointing(self, held: set[str], left: Sequence[Output]) -> Iterator[records.Hold]:
        """Yield a hold for everything that points at a held instance, or at what does, and is not held itself."""
        held = set(held)
        more = True
        while more:
            more = False
            for output in left:
                instance = output.report.sop_instance_uid
                if instance not in held and (place := self._place(output, held)) is not None:
                    held.add(instance)
                    more = True
                    yield records.Hold(
                        sop_instance_uid=instance,
                        code=POINTS_AT_HELD,
                        place=place,
                        message="points at an instance that is held, and stays with it",
                    )

    def _place(self, output: Output, held: set[str]) -> str | None:
        """Return where an instance points at a held one; None if it does not."""
        edges = output.evidence.source_edges
        targets = {target: self._known(target) for target in {*edges.private, *(uid for _, uid in edges.public)}}
        for (_, target), position in edges.public.items():
            if targets[target] & held:
                return path_text(position)
        if any(targets[target] & held for target in edges.private):
            return ""
        named = set().union(*targets.values())
        for (_, target), position in edges.public.items():
            for series in targets[target]:
                members = self._series.get(series, set())
                # A series of which no instance is named is meant as a whole.
                if members & held and not members & named:
                    return path_text(position)
        return None

    def _known(self, target: str) -> set[str]:
        return {target, self._uid(target), *self._names.get(target, ())}
