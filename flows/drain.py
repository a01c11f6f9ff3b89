"""Draining: everything that was found is moved, or waits because an end is away."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from flows.breaker import breakers_of
from flows.desk import Desk
from flows.errors import AwayError, TransientError
from flows.hands import Hands
from flows.inventory import Work
from flows.ledger.records import StudyOutcome
from flows.tally import Tally, Waits

__all__ = ["Drain"]


class Drain:
    """Move what a run finds and count what became of it.

    Parameters
    ----------
    desk : Desk
        Of the run.
    tally : Tally
        Where it is counted.
    by : callable
        Who moves the studies: :mod:`flows.hands`, :mod:`flows.tasks`.
    tell : callable
        Called with the error when a breaker opens.
    moved : callable, optional
        Called with each study that is settled or waits.
    """

    def __init__(
        self,
        desk: Desk,
        tally: Tally,
        *,
        by: Hands,
        tell: Callable[[AwayError], None],
        moved: Callable[[Work], None] | None = None,
    ) -> None:
        self._tally = tally
        self._moved = moved or (lambda _: None)
        self._breakers = breakers_of(desk, tell)
        self._hands = by
        self._open: AwayError | None = None
        self._again: set[str] = set()

    def begin(self) -> None:
        """Ask both ends who they are; with a cloud that is away, all that is found is left waiting, in flight.

        Raises
        ------
        AwayError
            The hospital is away; nothing can be found.
        TerminalError
            A person must act first.
        """
        for section, breaker in self._breakers.items():
            try:
                breaker.begin()
            except AwayError as error:
                if section != "cloud":
                    raise
                self._open = error
                self._tally.stops(error)

    def move(self, found: Iterable[Work]) -> None:
        """Move studies; once an end is away for longer than a run waits, the rest waits for the next run."""
        queue = deque(found)
        self._leave(queue)
        for work, result in self._hands(queue):
            if isinstance(result, Waits) and self._is_tried_again(work, result.error):
                queue.append(work)
                continue
            self._tally.counts(work, result)
            self._moved(work)
            if isinstance(result, StudyOutcome) and any(one.outcome == "stored" for one in result.deliveries):
                self._takes()
            self._leave(queue)

    @property
    def is_stopped(self) -> bool:
        """Tell whether an end is away, so that nothing more is tried in this run."""
        return self._open is not None

    def end(self) -> None:
        """Note that both ends are well, if nothing waits for one."""
        if not self._tally.errors:
            for breaker in self._breakers.values():
                breaker.works()

    def _leave(self, queue: deque[Work]) -> None:
        """Let all that is left wait for the next run, if an end is away."""
        while self._open and queue:
            self._tally.waits(queue[0], self._open)
            self._moved(queue.popleft())

    def _takes(self) -> None:
        """Note that the cloud took a study: there is room again, whatever else went wrong in this run."""
        if not self._open:
            self._breakers["cloud"].works()

    def _is_tried_again(self, work: Work, error: TransientError) -> bool:
        """Tell whether a study can be tried again in this run, after a wait for the end that was away."""
        if self._open or not isinstance(error, AwayError):
            return False
        breaker = self._breakers[error.section]
        if not breaker.is_opened_by(error):
            # Of many studies that failed at once the first has waited for all.
            is_first = work.snapshot not in self._again
            self._again.add(work.snapshot)
            return breaker.was_open and is_first
        if breaker.closes():
            return True
        self._open = error
        return False
