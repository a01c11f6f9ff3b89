"""What a run did, counted while it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from flows.errors import FlowsError, TerminalError, TransientError
from flows.inventory import Work
from flows.ledger.records import Settled, StudyOutcome

__all__ = ["Elsewhere", "Result", "Tally", "Waits", "counted"]


@dataclass(frozen=True, slots=True)
class Waits:
    """A study stays in flight, for this reason."""

    error: TransientError


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another worker moves the study at this moment."""


Result: TypeAlias = StudyOutcome | Waits | Elsewhere | Settled
"""What became of a study in a run; `Settled` says that another worker settled it since it was found."""


@dataclass
class Tally:
    """What became of the studies of one run."""

    site: str
    outcomes: list[StudyOutcome] = field(default_factory=list)
    waiting: list[Work] = field(default_factory=list)
    elsewhere: list[Work] = field(default_factory=list)
    errors: list[FlowsError] = field(default_factory=list)
    untold: bool = False
    """Whether a study was held since Prefect was told of what is held."""
    _forgotten: Counter[str] = field(default_factory=Counter, init=False)

    def counts(self, work: Work, result: object) -> None:
        """Count a study by what became of it; whatever is no result is what went wrong."""
        if isinstance(result, StudyOutcome):
            self.settles(result)
        elif isinstance(result, Elsewhere):
            self.elsewhere.append(work)
        elif not isinstance(result, Settled):
            self.waits(work, result.error if isinstance(result, Waits) else result)

    def settles(self, outcome: StudyOutcome) -> None:
        """Count a study that has an outcome."""
        self.outcomes.append(outcome)
        if outcome.status == "held":
            self.untold = True

    def waits(self, work: Work, error: object) -> None:
        """Count a study that stays in flight, and why; of an unforeseen error only the type is told."""
        self.waiting.append(work)
        if not isinstance(error, FlowsError):
            name = type(error).__name__
            error = TerminalError(f"a study failed in a way that nobody foresaw ({name}); see the task's log")
        self.errors.append(error)

    def stops(self, error: FlowsError) -> None:
        """Note why the run could not go on."""
        self.errors.append(error)

    def forget(self) -> None:
        """Keep of the outcomes so far their counts alone: a backfill has too many of them."""
        counts = {"studies": self.studies, "instances": self.instances, "loaded": self.loaded}
        self.outcomes.clear()
        self._forgotten = Counter(counts)

    @property
    def studies(self) -> int:
        """Count the studies that this run settled."""
        return self._forgotten["studies"] + len(self.outcomes)

    @property
    def instances(self) -> int:
        """Count the instances of settled studies."""
        return self._forgotten["instances"] + sum(outcome.source_instances for outcome in self.outcomes)

    @property
    def loaded(self) -> int:
        """Count the instances of this run that are loaded."""
        loaded = sum(1 for outcome in self.outcomes for one in outcome.instances if one.status == "loaded")
        return self._forgotten["loaded"] + loaded

    @property
    def held(self) -> int:
        """Count the instances of settled studies that stay at the hospital."""
        return self.instances - self.loaded

    @property
    def is_incomplete(self) -> bool:
        """Tell whether the next run has to find again what this one found."""
        return bool(self.waiting or self.elsewhere)

    @property
    def said(self) -> str:
        """Say in a line what the run did."""
        studies = f"{counted(self.studies)} settled"
        waiting = f", {len(self.waiting):,} in flight" if self.waiting else ""
        return f"{studies}{waiting}; instances: {self.loaded:,} loaded, {self.held:,} kept at the hospital"

    @property
    def terminal(self) -> FlowsError | None:
        """Return the first error that is for a person."""
        return next((error for error in self.errors if error.is_for_a_person), None)

    @property
    def left(self) -> str:
        """Say how many studies the run left and why, by the gravest error; nothing if there was none."""
        if not self.errors:
            return ""
        waiting = f"{self.site} leaves {counted(len(self.waiting))} to the next run. " if self.waiting else ""
        return f"{waiting}{self.terminal or self.errors[0]}"


def counted(studies: int) -> str:
    """Say how many studies."""
    return f"{studies:,} {'study' if studies == 1 else 'studies'}"
