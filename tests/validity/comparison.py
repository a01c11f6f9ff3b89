"""A profile over many instances: what dciodvfy finds in the outputs that it did not find in their sources."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from pydicom.uid import UID

from anonymizer import Anonymizer, Released
from anonymizer.engine.profile import OPTION_CODES
from tests import samples
from tests.validity.validator import Finding, Verdict, verdict

Source = tuple[str, Callable[[], bytes]]
"""A name for people, and how to get the bytes."""

_RETIRED = "dciodvfy has the Structure Set module in the RT Dose IOD, which the standard retired there"
KNOWN: dict[tuple[str, ...], str] = {
    ("ClinicalTrialProtocolEthicsCommitteeName", "ClinicalTrialSubject"): (
        "D, and its condition is an Approval Number, which is X"
    ),
    ("ICCProfile", "ICCProfile"): "the eight zero bytes of a complete instance are no profile, and what is none goes",
    ("StructureSetLabel", "StructureSet"): _RETIRED,
    ("SeriesDescription", "StructureSet"): "as Structure Set Label",
    ("SeriesDate", "StructureSet"): "as Structure Set Label",
    ("SeriesTime", "StructureSet"): "as Structure Set Label",
}
"""Attribute and module where complete instances show a new error, and why that is. No instance of the corpus does."""


@dataclass(slots=True)
class Tally:
    """What came of a profile.

    Attributes
    ----------
    sources, released, unread : int
        Instances; of them those with an output; of those the ones of which dciodvfy cannot read the source.
    before, after, gone : int
        Errors in the sources of the outputs, in the outputs, and in sources alone.
    new, warnings : Counter
        What outputs alone have, by SOP class.
    inherited : Counter
        Errors that outputs have from their sources.
    places : dict
        The first instance for each new error.
    """

    sources: int = 0
    released: int = 0
    unread: int = 0
    before: int = 0
    after: int = 0
    gone: int = 0
    new: Counter[tuple[str, Finding]] = field(default_factory=Counter)
    warnings: Counter[tuple[str, Finding]] = field(default_factory=Counter)
    inherited: Counter[Finding] = field(default_factory=Counter)
    places: dict[tuple[str, Finding], str] = field(default_factory=dict)

    def unforeseen(self) -> list[Finding]:
        """Return the new errors that are not known."""
        return sorted({finding for _, finding in self.new if finding.names not in KNOWN})

    def add(self, name: str, sop_class: str, source: Verdict, output: Verdict) -> None:
        """Count one output."""
        self.released += 1
        if source.failed:
            self.unread += 1
        self.before += source.errors.total()
        self.after += output.errors.total()
        self.gone += (source.errors - output.errors).total()
        self.inherited += source.errors & output.errors
        for finding, count in output.new_errors(source).items():
            self.new[sop_class, finding] += count
            self.places.setdefault((sop_class, finding), name)
        for finding, count in (output.warnings - source.warnings).items():
            self.warnings[sop_class, finding] += count


def engines(names: Iterable[str] = ()) -> dict[str, Anonymizer]:
    """Return the anonymizers of the shipped profiles and of each option over the Basic profile, by name."""
    every = {**samples.ENGINES, **{option: samples.engine(option) for option in OPTION_CODES}}
    return {name: every[name] for name in names or every}


def compare(sources: Iterable[Source], anonymizers: dict[str, Anonymizer]) -> dict[str, Tally]:
    """Anonymize every source under every profile and ask dciodvfy about all of them, in threads."""
    tallies = {name: Tally() for name in anonymizers}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(partial(_answers, anonymizers), sources):
            for name, answer in one.items():
                tallies[name].sources += 1
                if answer:
                    tallies[name].add(*answer)
    return tallies


def _answers(anonymizers: dict[str, Anonymizer], source: Source) -> dict[str, tuple[str, str, Verdict, Verdict] | None]:
    """Return name, SOP class and both verdicts for each profile that releases the source."""
    name, read = source
    data = read()
    results = {profile: anonymizer.anonymize(data) for profile, anonymizer in anonymizers.items()}
    answers: dict[str, tuple[str, str, Verdict, Verdict] | None] = dict.fromkeys(results)
    before: Verdict | None = None
    for profile, result in results.items():
        if isinstance(result, Released):
            before = before or verdict(data)
            sop_class = UID(result.report.sop_class_uid).name
            answers[profile] = (name, sop_class, before, verdict(result.data))
    return answers


def lines(tallies: dict[str, Tally]) -> Iterator[str]:
    """Yield what a person needs who has to mend a rule: each new error and where it was first seen."""
    for profile, tally in tallies.items():
        yield (
            f"{profile}: {tally.released} of {tally.sources} released, errors {tally.before} -> {tally.after}, "
            f"new {tally.new.total()}, gone {tally.gone}, sources that dciodvfy cannot read {tally.unread}"
        )
        for finding in sorted({finding for _, finding in tally.new}):
            found = {key: count for key, count in tally.new.items() if key[1] == finding}
            sop_class, _ = first = min(found)
            where = f"{len(found)} SOP classes: first {sop_class}, {tally.places[first]}"
            yield f"    {sum(found.values())} x {finding} ({where})"
