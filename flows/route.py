"""The flow: everything that is stable at a site and not yet settled goes to the cloud, proven."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas import State

from flows.desk import Desk
from flows.drain import Drain
from flows.early import load_early
from flows.errors import FlowsError, TransientError
from flows.hands import task_runner
from flows.look import Look
from flows.records import Trigger
from flows.run import Tally, recorded_run
from flows.shown import Shown, shown
from flows.sites import load_sites
from flows.withdrawal import withdraw_forsaken


@flow(
    name="route",
    flow_run_name="{site} · {trigger}",
    task_runner=task_runner(),
    persist_result=False,
    retries=0,
)
def route(site: str, trigger: Trigger = "manual") -> State[Any] | None:
    """Drain a site: move every stable study that the ledger has no outcome for.

    Parameters
    ----------
    site : str
        A name of the sites file.
    trigger : str
        What woke the run; for the record only, the work is the same.
    """
    sites = load_sites(only=site)
    with recorded_run(sites, site, trigger) as (desk, tally), shown(desk, tally, trigger, sites.site(site).busy) as run:
        try:
            _drain(desk, tally, trigger, run)
        except TransientError as error:
            tally.stops(error)
        return tally.ending()


def _drain(desk: Desk, tally: Tally, trigger: Trigger, run: Shown) -> None:
    """Look and move, until there is nothing left."""
    with desk.leases.share("live"):
        desk.check_key()
        drain = Drain(desk, tally, tell=run.stopped, moved=run.moved)
        drain.begin()
        _load_early(desk, thorough=trigger != "doorbell")
        look = Look(desk, thorough=trigger != "doorbell")
        while found := look.find():
            get_run_logger().info("%s: %d studies to move", desk.site, len(found))
            run.found(found)
            drain.move(found)
        if look.excluded or look.waiting:
            said = "%s: the selection keeps %d studies at home and lets %d wait"
            get_run_logger().info(said, desk.site, look.excluded, look.waiting)
        look.over(waiting=tally.is_incomplete)
        drain.end()


def _load_early(desk: Desk, *, thorough: bool) -> None:
    """Load what arrived of studies that are not stable yet, if the site wants it; what fails comes with its study."""
    if desk.release != "instance":
        return
    try:
        count = load_early(desk)
        if thorough:
            withdraw_forsaken(desk)
    except FlowsError as error:
        said = f"nothing more leaves early in this run: {error}"
    except Exception as unforeseen:  # noqa: BLE001 - its text could hold a value, whatever it is
        said = f"instances could not leave early, in a way that nobody foresaw ({type(unforeseen).__name__}). Report it"
    else:
        if count:
            get_run_logger().info("%s: %d instances left before their studies are stable", desk.site, count)
        return
    get_run_logger().warning("%s: %s", desk.site, said)
