"""The work of a run as tasks of Prefect: in this process one after the other, or by the workers of a Dask cluster.

A study fills the cores of one machine by itself. For more than one machine there are more workers in the site's pool,
and for one run that is larger than a machine there is Dask, by one setting: ENTWASH_DASK_SCHEDULER.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from prefect import task
from prefect.client.schemas import State
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.desk import Desk
from flows.errors import foreseen
from flows.hands import Hands, move_if_ours
from flows.inventory import Work
from flows.settings.sites import load_sites
from flows.shown.states import shown_as
from flows.tally import Result

__all__ = ["as_tasks", "task_runner"]

_SCHEDULER = "ENTWASH_DASK_SCHEDULER"
_AT_ONCE = 32
"""Studies that a cluster is given at once; so many are tried before it shows that an end is away."""


def task_runner() -> TaskRunner[Any]:
    """Return what the flow gives its tasks to, by the worker's environment."""
    if address := os.environ.get(_SCHEDULER):
        from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra: who has no cluster need not install it

        return DaskTaskRunner(address=address)
    return ThreadPoolTaskRunner(max_workers=1)


def as_tasks(desk: Desk) -> Hands:
    """Return who does the work of a run at this desk."""
    return _cluster(desk) if os.environ.get(_SCHEDULER) else _here(desk)


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
    return shown_as(label, move_if_ours(desk, work))


@task(name="move study", task_run_name="study {label}", persist_result=False)
def move_study_on_cluster(label: str, site: str, run_id: str, work: Work) -> Result | State[Result]:
    """Move one study at a desk of its own: in another process, or on another machine."""
    return shown_as(label, _moved_elsewhere(site, run_id, work))


@foreseen("a study stays in flight: it failed")
def _moved_elsewhere(site: str, run_id: str, work: Work) -> Result:
    with Desk.open(load_sites(only=site), site, run_id) as desk:
        return move_if_ours(desk, work)


def _result(future: PrefectFuture[Any]) -> object:
    """Return what became of a study on the cluster; whatever went wrong with its worker is a result, too."""
    try:
        return future.result(raise_on_failure=False)
    except Exception as lost:  # noqa: BLE001 - the tally tells its type alone
        return lost
