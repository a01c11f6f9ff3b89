"""A worker whose clock jumps, to yesterday and to next week: nothing is lost, done twice or forgotten."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from deployments.demo import studies
from flows import inventory, look, outcome, study
from flows.ledger.book import Ledger
from tests.clock import Clock
from tests.hospital import Place, counts
from tests.plain_run import run

IMAGES = 3


def visit(number: int, first: int = 0) -> list[bytes]:
    return [studies.to_bytes(image) for image in studies.ct(1, number, 1, IMAGES + 1, rows=16)[first : first + IMAGES]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """Give every room that asks for the time another clock; it is right until a test sets it."""
    monkeypatch.setattr(Clock, "wrong", timedelta(0))
    for room in (inventory, look, outcome, study):
        monkeypatch.setattr(room, "datetime", Clock)
    defaults = Ledger.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "clock", lambda: Clock.now(UTC))
    return Clock


def found_in_run(place: Place) -> list[str]:
    """Do a run as the schedule does; return what became of each study that it found."""
    with place.desk() as desk:
        return [one.status for one in run(desk)[0].outcomes]


@pytest.mark.parametrize("first", [timedelta(days=-1), timedelta(days=7)])
def test_a_clock_that_jumps_loses_and_doubles_nothing(place: Place, clock: type[Clock], first: timedelta) -> None:
    place.receive(visit(1))
    assert found_in_run(place) == ["loaded"]

    clock.wrong = first
    place.receive(visit(2))
    assert found_in_run(place) == ["loaded"]
    assert found_in_run(place) == []

    clock.wrong = -first
    place.receive(visit(1, first=1))  # one of them is new
    assert found_in_run(place) == ["loaded"]
    assert found_in_run(place) == []

    clock.wrong = timedelta(0)
    assert found_in_run(place) == []
    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.in_flight, balance.balanced) == (7, 7, 0, True)
