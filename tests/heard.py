"""What the flow does, with what it tells Prefect collected and nothing sent."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows import route
from flows.errors import TransientError
from flows.hands import in_this_process
from flows.ledger.records import Trigger
from flows.run import recorded_run
from flows.settings.sites import load_sites
from flows.shown import alarms, page, table
from flows.shown import run as shown_run
from flows.tally import Tally
from tests.hospital import Place

_LOG = logging.getLogger("entwash-heard")


@dataclass
class Heard:
    """Events of the runs so far, as (kind, counts)."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_away: bool = False

    def request(self, method: str, path: str, json: list[dict[str, Any]]) -> None:
        """Take events as Prefect does."""
        assert (method, path) == ("POST", "/events")
        if self.is_away:
            raise ConnectionError
        self.events += [(one["event"].removeprefix("entwash."), one["payload"]) for one in json]

    def by(self, kind: str) -> list[dict[str, Any]]:
        """Return what was told of one kind."""
        return [counts for one, counts in self.events if one == kind]

    def run(self, place: Place, trigger: Trigger, sites: Path | None = None) -> Tally:
        """Do one run, as the flow does, but for Prefect."""
        known = load_sites(sites or place.write_sites(), only="north")
        row = known.site("north")
        with (
            recorded_run(known, "north", trigger) as (desk, tally),
            shown_run.shown(desk, tally, trigger, row.busy, doorbell=row.doorbell) as run,
        ):
            try:
                route._drain(desk, tally, trigger, run, 0)
            except TransientError as error:
                tally.stops(error)
        return tally


def listen(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Stand where Prefect would."""
    heard = Heard()

    monkeypatch.setattr(alarms, "get_client", lambda **_: nullcontext(heard))
    for room in (alarms, shown_run, route):
        monkeypatch.setattr(room, "get_run_logger", lambda: _LOG)
    monkeypatch.setattr(page, "create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr(table, "create_table_artifact", lambda **_: None)
    monkeypatch.setattr(shown_run, "create_progress_artifact", lambda *_: None)
    monkeypatch.setattr(shown_run, "update_progress_artifact", lambda *_: None)
    monkeypatch.setattr(route, "as_tasks", in_this_process)
    return heard
