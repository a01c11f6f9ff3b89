"""The flow: everything that is stable at a site and not yet settled goes to the cloud, proven."""

from __future__ import annotations

from typing import Literal

from prefect import flow, get_run_logger, task
from prefect.client.schemas import State

from flows.artifacts import publish
from flows.desk import Desk
from flows.early import load_early
from flows.errors import FlowsError, TerminalError, TransientError
from flows.inventory import Work
from flows.look import Look
from flows.records import StudyOutcome
from flows.run import Tally, recorded_run
from flows.sites import load_sites
from flows.study import move
from flows.withdrawal import withdraw_forsaken


def _worth_another_try(_task: object, _run: object, state: State[StudyOutcome]) -> bool:
    return isinstance(state.result(raise_on_failure=False), TransientError)


@task(
    name="move study",
    task_run_name="study {label}",
    retries=2,
    retry_delay_seconds=[2, 8],
    retry_jitter_factor=0.5,
    retry_condition_fn=_worth_another_try,
    persist_result=False,
)
def move_study(label: str, desk: Desk, work: Work) -> StudyOutcome:
    """Move one study; `label` is how it ends that Prefect calls it by."""
    outcome = _moved(desk, work)
    said = f"{outcome.status} ({outcome.reason})" if outcome.reason else outcome.status
    get_run_logger().info("study %s: %s, %d instances, %.1f s", label, said, outcome.source_instances, outcome.seconds)
    return outcome


def _moved(desk: Desk, work: Work) -> StudyOutcome:
    """Move a study; of an error that nobody foresaw tell the type alone: Prefect keeps every text it sees."""
    try:
        return move(desk, work)
    except FlowsError:
        raise
    except Exception as unforeseen:  # noqa: BLE001 - its text could hold a value, whatever it is
        name = type(unforeseen).__name__
    # Outside the except block, so that not even __context__ holds it.
    raise TerminalError(f"a study failed in a way that nobody foresaw ({name}); it stays in flight. Report it")


@flow(name="route", flow_run_name="{site} · {trigger}", persist_result=False, retries=0)
def route(site: str, trigger: Literal["doorbell", "schedule", "manual"] = "manual") -> None:
    """Drain a site: move every stable study that the ledger has no outcome for.

    Parameters
    ----------
    site : str
        A name of the sites file.
    trigger : str
        What woke the run; for the record only, the work is the same.
    """
    sites = load_sites(only=site)
    with recorded_run(sites, site, trigger) as (desk, tally):
        desk.check()
        if desk.release == "instance":
            _load_early(desk, thorough=trigger != "doorbell")
        look = Look(desk, thorough=trigger != "doorbell")
        while found := look.find():
            get_run_logger().info("%s: %d studies to move", site, len(found))
            _drain(desk, found, tally)
        look.over(waiting=bool(tally.waiting))
        publish(desk, tally)
        tally.raise_if_waiting()


def _load_early(desk: Desk, *, thorough: bool) -> None:
    """Load what arrived of studies that are not stable yet; what fails here comes with its study."""
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


def _drain(desk: Desk, found: list[Work], tally: Tally) -> None:
    """Move studies one after the other: each fills the machine by itself."""
    for work in found:
        state = move_study(desk.told(work)[-8:], desk, work, return_state=True)
        result = state.result(raise_on_failure=False)
        if isinstance(result, StudyOutcome):
            tally.settled(result)
        else:
            tally.waits(work, result)
