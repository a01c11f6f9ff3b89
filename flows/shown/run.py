"""What a person sees of a run while it works and when it is over: its name, its progress, its artifacts, its alarms.

All of it is for people alone. A Prefect server that refuses any of it makes no good run a bad one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.desk import Desk
from flows.errors import AwayError, TransientError
from flows.inventory import Work
from flows.ledger.records import Trigger
from flows.ledger.standing import Standing
from flows.settings.hours import Hours
from flows.shown import page
from flows.shown.alarms import alarm, harmless
from flows.shown.remembered import Rang, Told, heard_lately, is_recent, leave, noted, now
from flows.shown.table import publish
from flows.tally import Tally, counted

__all__ = ["Shown", "alarm_of_held", "renew_and_alarm", "shown"]

EVERY: Final = 5.0
"""Seconds between two updates of the progress: each is a call to the server and a row in its database."""
TOLD_EVERY: Final = timedelta(minutes=65)
"""Between two messages about held studies of a site: longer than the automation is deaf after one."""
_LATE: Final = timedelta(minutes=1)


class Shown:
    """Show how far a run is.

    Parameters
    ----------
    site : str
        Where it runs.

    Attributes
    ----------
    unheard : bool
        Whether no doorbell was heard for long when the run began, though one could have been.
    unrung : int
        Studies that no doorbell announced: what only the inventory had, and what the first look of a run that begins
        `unheard` read in the feed. What comes while it works rings behind it.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.unheard = False
        self.unrung = 0
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
    def new(self) -> int:
        """Count the studies that are new or changed."""
        return self._found.total() - self._found["retry"]

    @property
    def seconds(self) -> float:
        """How long it took from the first study that was found to the last that was done; never quite zero."""
        return max(self._ended - self._began, 0.001)

    def found(self, works: Sequence[Work]) -> None:
        """Name the run by what it found, and begin to show its progress."""
        self._began = self._began or time.monotonic()
        by = Counter(work.found_by for work in works)
        self.unrung += by["sweep"] + (by["feed"] if self.unheard and not self._found else 0)
        self._found += by
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
def shown(desk: Desk, tally: Tally, trigger: Trigger, busy: Hours, *, doorbell: bool) -> Iterator[Shown]:
    """Show a run: while it works by what is given, and at its end, good or bad, by artifacts, page and alarms.

    Parameters
    ----------
    busy : Hours
        When the hospital is expected to send something.
    doorbell : bool
        Whether it has a doorbell.
    """
    run = Shown(desk.site)
    with harmless("what is known of the doorbell"):
        run.unheard = trigger == "schedule" and not _waited() and not heard_lately(desk)
        _note_ring(desk, trigger)
    try:
        yield run
    finally:
        run.over()
        with harmless("the run's table"):
            publish(desk, tally, run.seconds)
        with harmless("what is known of the doorbell"):
            _note_ring(desk, trigger)
        renew_and_alarm(desk, tally, busy=bool(tally.outcomes or tally.waiting or tally.errors))
        if run.new:
            alarm(run.site, "arrived", studies=run.new)
        elif trigger == "schedule" and not busy.include(datetime.now().astimezone()):
            alarm(run.site, "resting")
        if run.unrung and doorbell:
            alarm(run.site, "unrung", studies=run.unrung)


def _waited() -> bool:
    """Tell whether the run began late: then no worker was free for the rings of that time either."""
    due = flow_run.scheduled_start_time
    return due is not None and datetime.now(UTC) - due > _LATE


def _note_ring(desk: Desk, trigger: Trigger) -> None:
    if trigger == "doorbell":
        leave(desk, Rang(at=now()))


def renew_and_alarm(desk: Desk, tally: Tally, *, busy: bool) -> None:
    """Renew the page of a site, if it is time; then tell Prefect of a ledger that does not balance and of what is held.

    Parameters
    ----------
    busy : bool
        Whether the run had something to do.
    """
    with harmless("the page of the site"):
        balance = page.renew(desk, busy=busy)
        if balance is None:
            return
        if not balance.balanced:
            alarm(desk.site, "unbalanced", studies=balance.unbalanced, unproven=balance.unproven)
    alarm_of_held(desk, tally)


def alarm_of_held(desk: Desk, tally: Tally) -> None:
    """Tell Prefect of what is held and nobody was told of, whichever run held it: once, and no more often than hourly.

    A run may be killed, a command may hold a study without Prefect, and the automation drops what comes within its
    hour: the first run after that tells of all.
    """
    with harmless("what is held"):
        told = noted(desk, Told)
        if is_recent(told.at, TOLD_EVERY):
            return
        with Standing(desk.ledger.directory, desk.site, desk.project) as standing:
            held = standing.held_records()
        new = Counter(reason for record, reason in held.items() if record not in set(told.records))
        if not new or alarm(desk.site, "held", studies=new.total(), codes=", ".join(sorted(new))):
            tally.untold = False
            _note_told(desk, Told(at=now() if new else told.at, records=tuple(sorted(held))), told)


def _note_told(desk: Desk, told: Told, before: Told) -> None:
    try:
        if told != before:
            leave(desk, told)
    except TransientError as error:
        get_run_logger().warning("%s: what is held may be told again: %s", desk.site, error)
