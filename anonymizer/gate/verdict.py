"""Collect the evidence of a study, search its outputs, and give the verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from anonymizer.gate import dates, earlier, references, uids
from anonymizer.gate.evidence import Evidence
from anonymizer.gate.findings import Finding, Reference, attempt, path_text
from anonymizer.gate.reading import Data
from anonymizer.gate.search import Searcher
from anonymizer.gate.spellings import needles_of

COUNTED = (
    "instances",
    "searched",
    "uids",
    "references_resolved",
    "references_dangling",
    "references_removed",
    "references_private",
    "dates",
    "pixels",
    "pointers_dangling",
    "identifiers",
    "identifiers_too_short",
    "identifiers_dummy",
)
"""What every verdict counts, 0 too."""

_PATIENT_ID = path_text((0x00100020,))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found, and how much it looked at.

    Parameters
    ----------
    findings : tuple of Finding
        Sorted; empty if everything was proven.
    references : tuple of Reference
        All references of the outputs, sorted.
    frames : tuple of str
        The frames of reference in which outputs stand, sorted.
    checks : Mapping
        What was counted: instances, outputs searched, UIDs, references, dates, pixel values, identifiers.
    """

    findings: tuple[Finding, ...]
    references: tuple[Reference, ...]
    frames: tuple[str, ...]
    checks: Mapping[str, int]

    @property
    def passed(self) -> bool:
        """Tell whether everything was proven."""
        return not self.findings


class Gate:
    """Judge what was added to it as a whole; the order of adding does not matter.

    Instances of several studies and patients may be added: dates are judged by patient, references over
    everything.

    Parameters
    ----------
    before : Earlier, optional
        Tells what was loaded before, which what is added has to fit to. Without it only what is added is judged.
    """

    def __init__(self, before: earlier.Earlier | None = None) -> None:
        self._before = before
        self._evidence: list[Evidence] = []
        self._left: set[Finding] = set()
        self._searched = 0
        self._searched_for_all = 0
        self._searcher: Searcher | None = None
        self._counts: Counter[str] = Counter()

    def add(self, evidence: Evidence) -> None:
        """Add what :func:`~anonymizer.gate.evidence.examine` found out about one instance."""
        self._evidence.append(evidence)
        self._searcher = None
        self._searched_for_all = 0

    def search(self, output: Data, name: str = "") -> None:
        """Search one output for every identifier of everything that was added.

        Parameters
        ----------
        output : bytes or what can be seen as bytes
            The whole file, such as a mapped one. To be called for every output, after the last :meth:`add`.
        name : str
            What the finding calls an output that cannot be searched: its SOPInstanceUID.
        """
        searcher = self._searcher or self._prepare()
        found, fault = attempt(lambda: list(searcher.search(output)))
        if found is None:
            rule = f"the output cannot be searched ({fault})"
            found = [Finding("unreadable", name, "", rule)]
        self._left.update(found)
        self._searched += 1
        self._searched_for_all += 1

    def verdict(self) -> Verdict:
        """Judge everything that was added and searched."""
        if self._searcher is None:
            self._prepare()
        evidence = sorted(self._evidence, key=lambda item: (item.instance, item.source))
        image = uids.image_of(evidence)
        closure = references.close(evidence, image)
        findings = {
            *self._left,
            *self._unsearched(),
            *(finding for item in evidence for finding in item.flaws),
            *uids.judge(evidence, image),
            *dates.judge(evidence),
            *_two_in_one_study(evidence),
            *_two_in_one_pseudonym(evidence),
            *(earlier.judge(evidence, self._before) if self._before else ()),
            *closure.findings,
        }
        checks = Counter(dict.fromkeys(COUNTED, 0))
        checks["searched"] = self._searched
        checks.update(self._counts)
        checks.update(closure.checks)
        for item in evidence:
            checks.update(item.checks)
        frames = {item.output.frame for item in evidence} - {""}
        return Verdict(
            findings=tuple(sorted(findings)),
            references=tuple(sorted(closure.references)),
            frames=tuple(sorted(frames)),
            checks=MappingProxyType(dict(checks)),
        )

    def _unsearched(self) -> Iterator[Finding]:
        missing = len({item.instance for item in self._evidence}) - self._searched_for_all
        if missing > 0:
            yield Finding("not-searched", "", "", "an output was not searched after the last evidence was added")

    def _prepare(self) -> Searcher:
        known = {identifier for item in self._evidence for identifier in item.identifiers}
        encodings = {encoding for item in self._evidence for encoding in item.encodings}
        own_words = frozenset(word for item in self._evidence for word in item.own_words)
        needles, self._counts = needles_of(known, encodings, own_words)
        self._searcher = Searcher(needles, _claims(self._evidence))
        return self._searcher


def _claims(evidence: Sequence[Evidence]) -> dict[str, frozenset[str]]:
    """Return what each output claims; where two evidences have one name, what both say."""
    claims: dict[str, frozenset[str]] = {}
    for item in evidence:
        claims[item.instance] = claims.get(item.instance, item.claims) & item.claims
    return claims


def _two_in_one_study(evidence: Sequence[Evidence]) -> Iterator[Finding]:
    """Yield the instances of studies with two patients."""
    studies: defaultdict[str, list[Evidence]] = defaultdict(list)
    for item in evidence:
        if item.source.study:
            studies[item.source.study].append(item)
    for items in studies.values():
        ids = {item.patient_id for item in items}
        # An absent issuer is the site's own, which the gate does not know.
        issuers = {item.issuer for item in items} - {""}
        if len(ids) > 1 or len(issuers) > 1 or len({item.output_patient_id for item in items}) > 1:
            yield from (_two_patients(item, "one study has two patients") for item in items)


def _two_in_one_pseudonym(evidence: Sequence[Evidence]) -> Iterator[Finding]:
    """Yield the instances of patients that became one."""
    people: defaultdict[str, set[str]] = defaultdict(set)
    for item in evidence:
        if item.patient_id and item.output_patient_id:
            people[item.output_patient_id].add(item.patient_id)
    for item in evidence:
        if len(people[item.output_patient_id]) > 1:
            yield _two_patients(item, "two patients have one pseudonym")


def _two_patients(item: Evidence, rule: str) -> Finding:
    return Finding("two-patients", item.instance, _PATIENT_ID, rule)
