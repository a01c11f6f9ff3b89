"""A backfill's work: what is meant, moved one study after the other, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from flows.archive.criteria import Criteria
from flows.archive.pace import Pace
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import TransientError, foreseen
from flows.inventory import Inventory, Work
from flows.tally import Tally

__all__ = ["move_all", "why_it_ended", "works_of"]

_SEEN_AHEAD: Final = 25
"""Studies that are seen, and so in flight, before they are moved."""


def works_of(desk: Desk, criteria: Criteria) -> Iterator[Work]:
    """Yield what is meant and not settled, and record it as seen a little before its turn comes."""
    inventory = Inventory(desk, of_all_dates=True)
    studies = criteria.studies(desk)
    while batch := list(islice(studies, _SEEN_AHEAD)):
        inventory.refresh()
        yield from inventory.works(batch, lambda is_new: "backfill" if is_new else "retry")


@foreseen("the backfill failed")
def move_all(desk: Desk, drain: Drain, tally: Tally, works: Iterable[Work]) -> None:
    """Move works one by one, until there are no more or an end is away.

    Raises
    ------
    TerminalError
        A person must act first.
    """
    try:
        desk.check_key()
        drain.begin()
        for work in works:
            drain.move([work])
            tally.forget()
            if drain.is_stopped:
                break
        drain.end()
    except TransientError as error:
        tally.stops(error)


def why_it_ended(tally: Tally, pace: Pace) -> str:
    """Say why a backfill ended."""
    if tally.errors:
        return "Something waits or failed; the next start goes on from here."
    if pace.is_over:
        return "The window closed; the next start goes on from here."
    return "All that was meant was tried."
