"""A run that lingers: it goes on looking until its time is over, and moves what becomes stable meanwhile."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from deployments.demo import studies
from flows import route
from flows.desk import Desk
from flows.errors import AwayError
from flows.hands import in_this_process
from flows.inventory import Work, find_work
from flows.look import Look
from flows.orthanc import Attempts, Orthanc
from flows.run import loaded_for_good
from flows.shown.run import Shown
from flows.study import move
from flows.tally import Tally
from tests.hospital import Place, counts
from tests.ledgers import release

FIRST, SECOND = ([studies.to_bytes(image) for image in studies.ct(1, number, 1, 3, rows=16)] for number in (1, 2))
SECONDS = 12


class Unseen(Shown):
    """Show nothing in Prefect."""

    def __init__(self) -> None:
        super().__init__("north")

    def found(self, works: Sequence[Work]) -> None:
        """Show nothing."""

    def moved(self, work: Work) -> None:
        """Show nothing."""

    def stopped(self, error: AwayError) -> None:
        """Show nothing."""


def test_the_last_look_is_after_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "_PAUSE", 0.1)
    began = time.monotonic()
    looks = [(is_last, time.monotonic() - began) for is_last in route._rounds(1)]
    assert [is_last for is_last, _ in looks] == [False] * (len(looks) - 1) + [True]
    assert looks[0][1] < 0.5
    assert looks[-1][1] >= 0.9


def test_who_does_not_linger_looks_once() -> None:
    assert list(route._rounds(0)) == [True]


def test_there_are_news_when_something_was_announced_or_released_since(place: Place) -> None:
    with place.desk() as desk:
        look = Look(desk, thorough=False)
        told = [look.news(), look.news()]
        place.receive(FIRST)
        told += [look.news(), look.news()]
        desk.ledger.release([release(1)])
        told += [look.news(), look.news()]
    assert [before == after for before, after in pairwise(told)] == [True, False, True, False, True]


def test_what_becomes_stable_while_a_run_lingers_is_moved_before_it_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "get_run_logger", lambda: logging.getLogger("test"))
    place.receive(FIRST)
    with place.desk() as desk:
        for work in find_work(desk, set()):
            move(desk, work)
        monkeypatch.setattr(route, "as_tasks", in_this_process)
        tally = Tally("north", untold=True)  # of a held study
        told: list[int] = []
        monkeypatch.setattr(route, "alarm_of_held", lambda _, tally: told.append(len(tally.outcomes)))
        run = threading.Thread(target=route._drain, args=(desk, tally, "doorbell", Unseen(), SECONDS))
        began = time.monotonic()
        run.start()
        place.receive(SECOND)
        while counts(place.cloud) < 6 and time.monotonic() - began < 2 * SECONDS:
            time.sleep(0.1)
        took = time.monotonic() - began
        while 1 not in told and run.is_alive():
            time.sleep(0.1)
        assert run.is_alive()  # whoever waits for a held study hears of it before the run is over
        run.join()
    assert 1 in told
    assert took < SECONDS
    assert [outcome.status for outcome in tally.outcomes] == ["loaded"]


@pytest.mark.parametrize("is_away", [True, False])
def test_nothing_leaves_early_while_the_cloud_is_away(
    place: Place, is_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(route, "as_tasks", in_this_process)
    tried: list[Any] = []

    def early(desk: Desk) -> int:
        tried.append(desk)
        return 0

    monkeypatch.setattr(route, "load_early", early)
    with (
        place.desk(release="instance") as desk,
        Orthanc(place.cloud.server(), attempts=Attempts(pauses=(0.0,))) as cloud,
    ):
        tally = Tally("north")
        if is_away:
            place.cloud.stop()
        try:
            route._drain(replace(desk, cloud=cloud), tally, "doorbell", Unseen(), 0)
        finally:
            if is_away:
                place.cloud.start()
    assert (len(tried), len(tally.errors)) == ((0, 1) if is_away else (1, 0))


def test_what_is_loaded_when_a_run_begins_is_left_alone_until_it_ends() -> None:
    with loaded_for_good():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
