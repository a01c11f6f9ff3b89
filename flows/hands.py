"""Who does the work of a run: this process, one study after the other, or the workers of a Dask cluster.

A study fills the cores of one machine by itself. For more than one machine there are more workers in the site's pool,
and for one run that is larger than a machine there is Dask, by one setting: ENTWASH_DASK_SCHEDULER.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from prefect import get_run_logger, task
from prefect.client.schemas import State
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.desk import Desk
from flows.errors import FlowsError, TransientError, foreseen
from flows.inventory import Work, is_settled
from flows.ledger.records import StudyOutcome
from flows.run import WAITING, Elsewhere, Result, Waits
from flows.settings.sites import load_sites
from flows.study import move

__all__ = ["Hands", "hands", "moved", "plainly", "task_runner"]

_SCHEDULER = "ENTWASH_DASK_SCHEDULER"
_AT_ONCE = 32
"""Studies that a cluster is given at once; so many are tried before it shows that an end is away."""


Hands: TypeAlias = Callable[[deque[Work]], Iterator[tuple[Work, object]]]
"""Take works from the queue until it is empty, and give each back with its result, or with what went wrong."""


def task_runner() -> TaskRunner[Any]:
    """Return what the flow gives its tasks to, by the worker's environment."""
    if address := os.environ.get(_SCHEDULER):
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra: who has no cluster need not install it

        return DaskTaskRunner(address=address)
    return ThreadPoolTaskRunner(max_workers=1)


def hands(desk: Desk) -> Hands:
    """Return who does the work of a run at this desk."""
    return _cluster(desk) if os.environ.get(_SCHEDULER) else _here(desk)


def plainly(desk: Desk) -> Hands:
    """Return who does the work in this process without Prefect."""

    def each(queue: deque[Work]) -> Iterator[tuple[Work, object]]:
        while queue:
            work = queue.popleft()
            try:
                yield work, moved(desk, work)
            except FlowsError as error:
                yield work, error

    return each


def _here(desk: Desk) -> Hands:
    def each(queue: deque[Work]) -> Iterator[tuple[Work, object]]:
        while queue:
            work = queue.popleft()
            state = move_study(desk.label(work), desk, work, return_state=True)
            yield work, state.result(raise_on_failure=False)

    return each


def _cluster(desk: Desk) -> Hands:
    def each(queue: deque[Work]) -> Iterator[tuple[Work, object]]:
        running: dict[PrefectFuture[Any], Work] = {}
        while queue or running:
            while queue and len(running) < _AT_ONCE:
                work = queue.popleft()
                running[move_study_on_cluster.submit(desk.label(work), desk.site, desk.run_id, work)] = work
            done = next(as_completed(list(running)))
            yield running.pop(done), _result(done)

    return each


@task(name="move study", task_run_name="study {label}", persist_result=False)
def move_study(label: str, desk: Desk, work: Work) -> Result | State[Result]:
    """Move one study; `label` is how it ends that Prefect calls it by."""
    return _told(label, moved(desk, work))


@task(name="move study", task_run_name="study {label}", persist_result=False)
def move_study_on_cluster(label: str, site: str, run_id: str, work: Work) -> Result | State[Result]:
    """Move one study at a desk of its own: in another process, or on another machine."""
    return _told(label, _moved_elsewhere(site, run_id, work))


@foreseen("a study stays in flight: it failed")
def _moved_elsewhere(site: str, run_id: str, work: Work) -> Result:
    with Desk.open(load_sites(only=site), site, run_id) as desk:
        return moved(desk, work)


@foreseen("a study stays in flight: it failed")
def moved(desk: Desk, work: Work) -> Result:
    """Move a study, unless somebody else moves it or has settled it since it was found.

    Raises
    ------
    TerminalError
        A person must act first.
    """
    try:
        with desk.leases.take(work.work) as is_ours:
            if not is_ours:
                return Elsewhere()
            settled = desk.ledger.settled_study(desk.site, desk.project, work.work)
            if settled and is_settled(settled, work.snapshot, desk.settings, work.release):
                return settled
            return move(desk, work)
    except TransientError as error:
        return Waits(error)


def _result(future: PrefectFuture[Any]) -> object:
    """Return what became of a study on the cluster; whatever went wrong with its worker is a result, too."""
    try:
        return future.result(raise_on_failure=False)
    except Exception as lost:  # noqa: BLE001 - the tally tells its type alone
        return lost


def _told(label: str, result: Result) -> Result | State[Result]:
    """Say in the run's log what became of a study; one that was not settled here shows as that."""
    if isinstance(result, Waits):
        return Completed(name=WAITING, message=str(result.error), data=result)
    if not isinstance(result, StudyOutcome):
        return Completed(name="Elsewhere", message="another worker moves the study", data=result)
    said = f"{result.status} ({result.reason})" if result.reason else result.status
    get_run_logger().info("study %s: %s, %d instances, %.1f s", label, said, result.source_instances, result.seconds)
    return result
