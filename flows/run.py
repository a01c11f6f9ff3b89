"""A run: what it did, counted while it goes, and recorded at its beginning and end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from prefect.runtime import flow_run

from flows.desk import Desk
from flows.errors import FlowsError, TerminalError, TransientError
from flows.inventory import Work
from flows.records import RunFinished, RunStarted, StudyOutcome, Trigger
from flows.sites import Sites

__all__ = ["Tally", "recorded_run"]


@dataclass
class Tally:
    """What became of the studies of one run."""

    site: str
    outcomes: list[StudyOutcome] = field(default_factory=list)
    waiting: list[Work] = field(default_factory=list)
    errors: list[FlowsError] = field(default_factory=list)

    def settled(self, outcome: StudyOutcome) -> None:
        """Count a study that has an outcome."""
        self.outcomes.append(outcome)

    def waits(self, work: Work, error: object) -> None:
        """Count a study that stays in flight, and why; of an unforeseen error only the type is told."""
        self.waiting.append(work)
        if not isinstance(error, FlowsError):
            name = type(error).__name__
            error = TerminalError(f"a study failed in a way that nobody foresaw ({name}); see the task's log")
        self.errors.append(error)

    @property
    def loaded(self) -> int:
        """Count the instances of this run that are loaded."""
        return sum(1 for outcome in self.outcomes for one in outcome.instances if one.status == "loaded")

    @property
    def held(self) -> int:
        """Count the instances of settled studies that stay at the hospital."""
        return sum(outcome.source_instances for outcome in self.outcomes) - self.loaded

    def raise_if_waiting(self) -> None:
        """End the run as failed when a study waits: what waits is to be seen.

        Raises
        ------
        FlowsError
            With the first reason, and how many studies wait.
        """
        if self.errors:
            kind = TransientError if all(isinstance(error, TransientError) for error in self.errors) else TerminalError
            raise kind(f"{len(self.waiting)} studies of {self.site} wait for the next run. {self.errors[0]}")


@contextmanager
def recorded_run(sites: Sites, site: str, trigger: Trigger) -> Iterator[tuple[Desk, Tally]]:
    """Open the desk of a site and record the run's beginning and its end.

    A run that is killed has no end in the ledger, and that is how it can be told.
    """
    began = time.monotonic()
    run_id = flow_run.id or str(uuid4())
    with Desk.open(sites, site, run_id) as desk:
        desk.ledger.started(
            RunStarted(run_id=run_id, site=site, project=desk.project, trigger=trigger, at=datetime.now(UTC))
        )
        tally = Tally(site)
        event: Literal["finished", "failed"] = "failed"
        try:
            yield desk, tally
            event = "finished"
        finally:
            desk.ledger.finished(
                RunFinished(
                    run_id=run_id,
                    site=site,
                    project=desk.project,
                    at=datetime.now(UTC),
                    studies=len(tally.outcomes) + len(tally.waiting),
                    instances=sum(one.source_instances for one in tally.outcomes)
                    + sum(work.instances for work in tally.waiting),
                    loaded=tally.loaded,
                    held=tally.held,
                    waiting=len(tally.waiting),
                    seconds=time.monotonic() - began,
                    event=event,
                )
            )
