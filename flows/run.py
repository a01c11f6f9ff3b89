"""A run: what it did, counted while it goes, and recorded at its beginning and end."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from prefect.client.schemas import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.desk import Desk
from flows.errors import FlowsError, TerminalError, TransientError
from flows.inventory import Work
from flows.ledger.records import RunFinished, RunStarted, Settled, StudyOutcome, Trigger
from flows.settings.sites import Sites

__all__ = ["WAITING", "Elsewhere", "Result", "Tally", "Waits", "counted", "loaded_for_good", "recorded_run"]

WAITING = "Waiting"
"""The state of a run, or of a study's task, that left something in flight for which nobody has to act."""


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
    untold: Counter[str] = field(default_factory=Counter)
    """Studies that were held, by their commonest code, and of which nobody was told yet."""
    _forgotten: Counter[str] = field(default_factory=Counter)

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
            self.untold[outcome.reason] += 1

    def waits(self, work: Work, error: object) -> None:
        """Count a study that stays in flight, and why; of an unforeseen error only the type is told."""
        self.waiting.append(work)
        if not isinstance(error, FlowsError):
            name = type(error).__name__
            error = TerminalError(f"a study failed in a way that nobody foresaw ({name}); see the task's log")
        self.errors.append(error)

    def stops(self, error: TransientError) -> None:
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
        return f"{studies}{waiting}: {self.loaded:,} instances loaded, {self.held:,} stay at the hospital"

    def ending(self) -> State[Any] | None:
        """Return the state that the run ends in: `Waiting` if it left something for which nobody has to act.

        Raises
        ------
        TerminalError
            A person must act: the run is to be seen as failed.
        """
        if not self.errors:
            return None
        terminal = next((error for error in self.errors if not isinstance(error, TransientError)), None)
        waiting = f"{len(self.waiting)} studies of {self.site} wait for the next run. " if self.waiting else ""
        said = f"{waiting}{terminal or self.errors[0]}"
        if terminal:
            raise TerminalError(said)
        return Completed(name=WAITING, message=said)


def counted(studies: int) -> str:
    """Say how many studies."""
    return f"{studies:,} {'study' if studies == 1 else 'studies'}"


@contextmanager
def loaded_for_good() -> Iterator[None]:
    """Let the collector leave alone what is loaded by now; beside Prefect its looks cost a study some 300 ms."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def recorded_run(sites: Sites, site: str, trigger: Trigger) -> Iterator[tuple[Desk, Tally]]:
    """Open the desk of a site and record the run's beginning and its end.

    A run that is killed has no end in the ledger, and that is how it can be told.
    """
    began = time.monotonic()
    run_id = flow_run.id or str(uuid4())
    with loaded_for_good(), Desk.open(sites, site, run_id) as desk:
        desk.ledger.started(
            RunStarted(run_id=run_id, site=site, project=desk.project, trigger=trigger, at=datetime.now(UTC))
        )
        tally = Tally(site)
        event: Literal["finished", "waiting", "failed"] = "failed"
        try:
            yield desk, tally
            event = "waiting" if tally.errors else "finished"
        finally:
            desk.ledger.finished(
                RunFinished(
                    run_id=run_id,
                    site=site,
                    project=desk.project,
                    at=datetime.now(UTC),
                    studies=tally.studies + len(tally.waiting),
                    instances=tally.instances + sum(work.instances for work in tally.waiting),
                    loaded=tally.loaded,
                    held=tally.held,
                    waiting=len(tally.waiting),
                    seconds=time.monotonic() - began,
                    event=event,
                )
            )
