"""A run without Prefect, in this process or in one of its own: `python -m tests.plain_run SITES`."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from flows.desk import Desk
from flows.drain import Drain
from flows.errors import AwayError, FlowsError
from flows.hands import moved
from flows.inventory import Work
from flows.look import Look
from flows.run import Tally
from flows.sites import load_sites

__all__ = ["each", "run"]


def each(desk: Desk) -> Callable[[deque[Work]], Iterator[tuple[Work, object]]]:
    """Move one study after the other, without Prefect."""

    def moves(queue: deque[Work]) -> Iterator[tuple[Work, object]]:
        while queue:
            work = queue.popleft()
            try:
                yield work, moved(desk, work)
            except FlowsError as error:
                yield work, error

    return moves


def run(desk: Desk) -> tuple[Tally, list[AwayError]]:
    """Do what the flow does, without Prefect; return what became of the studies, and each opening of a breaker."""
    tally, opened = Tally(desk.site), list[AwayError]()
    drain = Drain(desk, tally, each(desk), opened.append)
    with suppress(AwayError):
        drain.begin()
        look = Look(desk, thorough=True)
        while found := look.find():
            drain.move(found)
        look.over(waiting=tally.is_incomplete)
        drain.end()
    return tally, opened


def main(sites: str) -> None:
    """Say when it is ready, begin when it is told to, and say what it did."""
    with Desk.open(load_sites(Path(sites), only="north"), "north", "plain") as desk:
        print("ready", flush=True)  # noqa: T201 - its parent waits for it
        sys.stdin.readline()
        tally, _ = run(desk)
        print(Counter(one.status for one in tally.outcomes)["loaded"], len(tally.elsewhere), len(tally.errors))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
