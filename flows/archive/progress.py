"""How far a backfill is, in Prefect: an artifact and the page of the site, renewed now and then while it works."""

from __future__ import annotations

import time
from typing import Final

from prefect.artifacts import create_markdown_artifact

from flows.desk import Desk
from flows.inventory import Work
from flows.shown.alarms import harmless
from flows.shown.run import renew_and_alarm
from flows.tally import Tally

__all__ = ["Progress"]

EVERY: Final = 300.0
"""Seconds between two versions: each is a row in Prefect's database, and a backfill may take weeks."""


class Progress:
    """Show how far a backfill is.

    Parameters
    ----------
    desk : Desk
        Of the site.
    tally : Tally
        Where it is counted.
    """

    def __init__(self, desk: Desk, tally: Tally) -> None:
        self._desk = desk
        self._tally = tally
        self._began = self._shown = time.monotonic()

    def moved(self, _work: Work) -> None:
        """Show it again after a study that is settled or waits, if the last time is long ago."""
        if time.monotonic() - self._shown >= EVERY:
            self.show("It goes on.")

    def show(self, said: str) -> None:
        """Show what was moved so far; `said` tells what comes now."""
        self._shown = time.monotonic()
        hours = (self._shown - self._began) / 3600
        text = f"**{self._desk.site}**, backfill: {self._tally.said}, in {hours:.1f} h. {said}"
        with harmless("the backfill's progress"):
            create_markdown_artifact(key=f"backfill-{self._desk.site}--progress", markdown=text, description=text)
        renew_and_alarm(self._desk, self._tally, busy=True)
