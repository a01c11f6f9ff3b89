"""The flow: everything that is stable at a site and not yet settled goes to the cloud, proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas import State
from prefect.runtime import flow_run

from flows.desk import Desk
from flows.drain import Drain
from flows.early import load_early
from flows.errors import FlowsError, TransientError, foreseen
from flows.leases import LIVE
from flows.ledger.records import Trigger
from flows.look import Look
from flows.run import recorded_run
from flows.settings.sites import load_sites
from flows.shown.run import Shown, alarm_of_held, shown
from flows.shown.states import ended
from flows.tally import Tally
from flows.tasks import as_tasks, task_runner
from flows.withdrawal import withdraw_forsaken

_PAUSE = 1.0
"""Seconds between two looks of a run that lingers: each is a question to the hospital."""


@flow(
    name="route",
    flow_run_name="{site} · {trigger}",
    task_runner=task_runner(),
    persist_result=False,
    retries=0,
)
def route(site: str, trigger: Trigger = "manual", linger: int = 0) -> State[Any] | None:
    """Drain a site: move every stable study that the ledger has no outcome for.

    Parameters
    ----------
    site : str
        A name of the sites file.
    trigger : str
        What woke the run; a doorbell's looks at the change feed alone, the work is the same.
    linger : int
        Seconds, from when the run was due, for which it goes on looking: rings within them are answered by this run.
    """
    sites = load_sites(only=site)
    row = sites.site(site)
    with (
        recorded_run(sites, site, trigger, flow_run.id) as (desk, tally),
        shown(desk, tally, trigger, row.busy, doorbell=row.doorbell) as run,
    ):
        try:
            _drain(desk, tally, trigger, run, linger)
        except TransientError as error:
            tally.stops(error)
        get_run_logger().info("%s: %s", site, tally.said)
        return ended(tally)


@foreseen("the run failed")
def _drain(desk: Desk, tally: Tally, trigger: Trigger, run: Shown, linger: int) -> None:
    """Look and move, until there is nothing left and no more is expected."""
    desk.check_key()
    drain = Drain(desk, tally, by=as_tasks(desk), tell=run.stopped, moved=run.moved)
    drain.begin()
    look = Look(desk, thorough=trigger != "doorbell")
    known: tuple[int, str] | None = None
    for is_last in _rounds(linger):
        if not is_last:
            news = look.news()
            if news == known:
                continue
            known = news
        # Not while the run only waits for more: whoever stays behind may work then.
        with desk.leases.share(LIVE):
            if not drain.is_stopped:
                _load_early(desk, tally, thorough=trigger != "doorbell")
            while found := look.find():
                get_run_logger().info("%s: %d studies to move", desk.site, len(found))
                run.found(found)
                drain.move(found)
        if tally.untold:
            alarm_of_held(desk, tally)  # a run that lingers ends much later
        if tally.errors:
            break
    if look.excluded or look.waiting:
        said = "%s: the selection keeps %d studies at home and lets %d wait"
        get_run_logger().info(said, desk.site, look.excluded, look.waiting)
    look.over(waiting=tally.is_incomplete)
    drain.end()


def _rounds(linger: int) -> Iterator[bool]:
    """Yield for each look that a run takes whether it is the last: after the time is over, so no ring falls between."""
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    # Two machines may disagree about the time: that makes it shorter or longer, and never long.
    seconds = min(linger - (datetime.now(UTC) - due).total_seconds(), linger)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield False
        time.sleep(max(0.0, min(_PAUSE, until - time.monotonic())))
    yield True


def _load_early(desk: Desk, tally: Tally, *, thorough: bool) -> None:
    """Load what arrived of studies that are not stable yet, if the site wants it, and withdraw what was forsaken since.

    What cannot leave comes with its study, or is tried by the next run; what cannot be withdrawn needs a person.
    """
    said = "%s: instances that left before their studies are stable: %d"
    _told(desk, said, "nothing more leaves early in this run", _left_early)
    if thorough:
        said = "%s: instances withdrawn from the cloud, because their study did not come to an end: %d"
        error = _told(desk, said, "what was forsaken is not withdrawn in this run", _withdrawn)
        if error and not isinstance(error, TransientError):
            tally.stops(error)


def _told(desk: Desk, said: str, failed: str, does: Callable[[Desk], int]) -> FlowsError | None:
    try:
        count = does(desk)
    except FlowsError as error:
        get_run_logger().warning("%s: %s: %s", desk.site, failed, error)
        return error
    if count:
        get_run_logger().info(said, desk.site, count)
    return None


@foreseen("instances could not leave early")
def _left_early(desk: Desk) -> int:
    return load_early(desk) if desk.release == "instance" else 0


@foreseen("instances could not be withdrawn")
def _withdrawn(desk: Desk) -> int:
    return withdraw_forsaken(desk)  # whatever the site wants by now: what left while it wanted it may be there
