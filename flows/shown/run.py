"""What a person sees of a run while it works and when it is over: its name, its progress, its artifacts, its alarms.

All of it is for people alone. A Prefect server that refuses any of it makes no good run a bad one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.desk import Desk
from flows.errors import AwayError
from flows.inventory import Work
from flows.ledger.records import Trigger
from flows.settings.hours import Hours
from flows.shown import page
from flows.shown.alarms import alarm, harmless
from flows.shown.noted import heard_lately
from flows.shown.table import publish
from flows.tally import Tally, counted

__all__ = ["Shown", "alarm_of_held", "renew_and_alarm", "shown"]

EVERY: Final = 5.0
"""Seconds between two updates of the progress: each is a call to the server and a row in its database."""


class Shown:
    """Show how far a run is.

    Parameters
    ----------
    site : str
        Where it runs.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.new = 0
        self._found: Counter[str] = Counter()
        self._began = 0.0
        self._ended = 0.0
        self._studies = 0
        self._instances = 0
        self._done_studies = 0
        self._done = 0
        self._artifact: UUID | None = None
        self._updated = 0.0

    @property
    def seconds(self) -> float:
        """How long it took from the first study that was found to the last that was done; never quite zero."""
        return max(self._ended - self._began, 0.001)

    def found(self, works: Sequence[Work]) -> None:
        """Name the run by what it found, and begin to show its progress."""
        self._began = self._began or time.monotonic()
        self.new += sum(1 for work in works if work.found_by != "retry")
        self._found.update(work.found_by for work in works)
        self._studies += len(works)
        self._instances += sum(work.instances for work in works)
        with harmless("the run's name"):
            studies = counted(self._studies)
            if flow_run.id:
                get_client(sync_client=True).set_flow_run_name(UUID(flow_run.id), f"{self.site} · {studies}")
        self._show()

    def moved(self, work: Work) -> None:
        """Count a study that is settled or waits."""
        self._ended = time.monotonic()
        self._done_studies += 1
        self._done += work.instances
        if time.monotonic() - self._updated >= EVERY:
            self._show()

    def stopped(self, error: AwayError) -> None:
        """Tell that a breaker opened: whoever is called need not wait for the end of the run."""
        get_run_logger().warning("nothing more is tried there until it answers: %s", error)
        alarm(self.site, "breaker-opened", end=error.section, code="full" if error.full else "away")

    def unrung(self, desk: Desk, trigger: Trigger) -> int:
        """Count the studies that no doorbell announced.

        That is what the inventory alone had, and what the schedule read in the feed while no doorbell was heard.
        """
        told = trigger == "schedule" and not heard_lately(desk)
        return self._found["sweep"] + (self._found["feed"] if told else 0)

    def over(self) -> None:
        """Show that all is done that could be done."""
        if self._studies:
            self._show()

    def _show(self) -> None:
        self._updated = time.monotonic()
        share = 100.0 * self._done / self._instances if self._instances else 100.0
        said = (
            f"**{self.site}**: {self._done_studies} of {self._studies} studies,"
            f" {self._done:,} of {self._instances:,} instances"
        )
        with harmless("the run's progress"):
            if self._artifact is None:
                self._artifact = cast("UUID", create_progress_artifact(share, f"progress-{self.site}", said))
            else:
                update_progress_artifact(self._artifact, share, said)


@contextmanager
def shown(desk: Desk, tally: Tally, trigger: Trigger, busy: Hours) -> Iterator[Shown]:
    """Show a run: while it works by what is given, and at its end, good or bad, by artifacts, page and alarms.

    Parameters
    ----------
    busy : Hours
        When the hospital is expected to send something.
    """
    run = Shown(desk.site)
    try:
        yield run
    finally:
        run.over()
        with harmless("the run's table"):
            publish(desk, tally, run.seconds)
        renew_and_alarm(desk, tally, trigger, busy=bool(tally.outcomes or tally.waiting or tally.errors))
        if run.new:
            alarm(run.site, "arrived", studies=run.new)
            if unrung := run.unrung(desk, trigger):
                alarm(run.site, "unrung", studies=unrung)
        elif trigger == "schedule" and not busy.include(datetime.now().astimezone()):
            alarm(run.site, "resting")


def renew_and_alarm(desk: Desk, tally: Tally, trigger: Trigger, *, busy: bool) -> None:
    """Renew the page of a site, and tell Prefect of what was held, once, and of a ledger that does not balance.

    Parameters
    ----------
    busy : bool
        Whether the run had something to do.
    """
    with harmless("the page of the site"):
        balance = page.renew(desk, trigger, busy=busy)
        if balance and not balance.balanced:
            alarm(desk.site, "unbalanced", studies=balance.unbalanced, unproven=balance.unproven)
    alarm_of_held(tally)


def alarm_of_held(tally: Tally) -> None:
    """Tell Prefect of what was held and nobody was told of; once, if it hears it."""
    if tally.untold:
        codes = ", ".join(sorted(tally.untold))
        if alarm(tally.site, "held", studies=tally.untold.total(), codes=codes):
            tally.untold.clear()
