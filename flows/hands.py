"""Who does the work of a run: here this process, one study after the other; :mod:`flows.tasks` has others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from flows.desk import Desk
from flows.errors import FlowsError, TransientError, foreseen
from flows.inventory import Work, is_settled
from flows.study import move
from flows.tally import Elsewhere, Result, Waits

__all__ = ["Hands", "in_this_process", "move_if_ours"]

Hands: TypeAlias = Callable[[deque[Work]], Iterator[tuple[Work, object]]]
"""Take works from the queue until it is empty, and give each back with its result, or with what went wrong."""


def in_this_process(desk: Desk) -> Hands:
    """Return who does the work in this process without Prefect."""

    def each(queue: deque[Work]) -> Iterator[tuple[Work, object]]:
        while queue:
            work = queue.popleft()
            try:
                yield work, move_if_ours(desk, work)
            except FlowsError as error:
                yield work, error

    return each


@foreseen("a study stays in flight: it failed")
def move_if_ours(desk: Desk, work: Work) -> Result:
    """Move a study, unless somebody else moves it or has settled it since it was found.

    Raises
    ------
    TerminalError
        A person must act first.
    """
    try:
        with desk.leases.study(work.work) as is_ours:
            if not is_ours:
                return Elsewhere()
            settled = desk.ledger.settled_study(desk.site, desk.project, work.work)
            if settled and is_settled(settled, work.snapshot, desk.settings, work.release):
                return settled
            return move(desk, work)
    except TransientError as error:
        return Waits(error)
