"""The pace of a backfill: inside a window of the day, and behind the live route."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from flows.archive.window import Window
from flows.desk import Desk
from flows.inventory import Work
from flows.leases import LIVE

__all__ = ["Pace"]

_LOOK_AGAIN = 1.0  # seconds, while the live route works
_LONGEST_SLEEP = 60.0  # seconds: a clock may be set, and a summer may begin


class Pace:
    """Let works through inside a window of the day, and behind the live route.

    Parameters
    ----------
    desk : Desk
        Of the site.
    window : Window
        When work is done.
    patiently : bool
        Wait until the window opens again. A run that sleeps holds the place of another at its worker, so only who has
        no worker wants this.
    now : callable, optional
        Tells the local time.
    tell : callable, optional
        Is told in one sentence that it waits for the window; once, until work goes on.
    """

    def __init__(
        self,
        desk: Desk,
        window: Window,
        *,
        patiently: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._desk = desk
        self._window = window
        self._patiently = patiently
        self._now = now
        self._tell = tell
        self.is_over = False

    def paced(self, works: Iterator[Work]) -> Iterator[Work]:
        """Yield each work when its turn has come, until the window closes."""
        while self._turn_comes():
            work = next(works, None)
            if work is None:
                return
            yield work
        self.is_over = True

    def _turn_comes(self) -> bool:
        is_told = False
        while True:
            closed = self._window.until_open(self._now()).total_seconds()
            if closed and not self._patiently:
                return False
            if not closed and not self._desk.leases.is_shared(LIVE):
                return True
            if closed and not is_told:
                self._tell(f"the window is closed; this waits until {self._window.opens:%H:%M} and goes on then")
                is_told = True
            time.sleep(min(closed or _LOOK_AGAIN, _LONGEST_SLEEP))
