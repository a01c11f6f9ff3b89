"""A run without Prefect, in this process or in one of its own: `python -m tests.plain_run SITES`."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from flows.desk import Desk
from flows.drain import Drain
from flows.errors import AwayError
from flows.hands import in_this_process
from flows.look import Look
from flows.settings.sites import load_sites
from flows.tally import Tally

__all__ = ["run"]


def run(desk: Desk) -> tuple[Tally, list[AwayError]]:
    """Do what the flow does, without Prefect; return what became of the studies, and each opening of a breaker."""
    tally, opened = Tally(desk.site), list[AwayError]()
    drain = Drain(desk, tally, by=in_this_process(desk), tell=opened.append)
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
        say("ready")
        sys.stdin.readline()
        tally, _ = run(desk)
        loaded = sum(1 for one in tally.outcomes if one.status == "loaded")
        say(f"{loaded} {len(tally.elsewhere)} {len(tally.errors)}")


def say(line: str) -> None:
    """Write a line at once, for the parent that waits for it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
