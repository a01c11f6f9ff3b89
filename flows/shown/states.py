"""How a run or a study's task ends, as Prefect shows it: what waits is not failed, and not simply completed either."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger
from prefect.client.schemas import State
from prefect.states import Completed

from flows.errors import TerminalError
from flows.ledger.records import Settled
from flows.tally import Elsewhere, Result, Tally, Waits

__all__ = ["WAITING", "ended", "shown_as"]

WAITING = "Waiting"
"""The state of a run, or of a study's task, that left something in flight for which nobody has to act."""


def ended(tally: Tally) -> State[Any] | None:
    """Return the state that a run ends in: `Waiting` if it left something for which nobody has to act.

    Raises
    ------
    TerminalError
        A person must act: the run is to be seen as failed.
    """
    if tally.terminal:
        raise TerminalError(tally.left)
    return Completed(name=WAITING, message=tally.left) if tally.errors else None


def shown_as(label: str, result: Result) -> Result | State[Result]:
    """Return what a study's task ends as: its outcome, which the log tells, or a state that tells why there is none."""
    if isinstance(result, Waits):
        return Completed(name=WAITING, message=str(result.error), data=result)
    if isinstance(result, Elsewhere):
        return Completed(name="Elsewhere", message="another worker moves the study", data=result)
    if isinstance(result, Settled):
        return Completed(name="Elsewhere", message="another worker settled the study", data=result)
    said = f"{result.status} ({result.reason})" if result.reason else result.status
    get_run_logger().info("study %s: %s, %d instances, %.1f s", label, said, result.source_instances, result.seconds)
    return result
