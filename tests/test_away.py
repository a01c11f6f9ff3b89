"""Ends that are away, slow, broken or full: all their work waits, nothing is lost, and nothing comes twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.demo import studies
from flows import breaker
from flows.breaker import opened_at
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import AwayError
from flows.hands import in_this_process
from flows.look import Look
from flows.orthanc import Attempts, Orthanc, wire
from flows.shown.states import ended
from flows.tally import Tally
from tests.faulty import BUSY, FULL, Fault, Faulty, Late, faulty
from tests.hospital import Place, all_is_there, counts
from tests.orthanc_server import OrthancServer
from tests.plain_run import run

IMAGES = 40
QUICK = Attempts(pauses=(0.0, 0.05, 0.1))
PAUSES = breaker._PAUSES


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a breaker probe as often as a test has time for."""
    monkeypatch.setattr(breaker, "_PAUSES", (0.2,))


def visit(number: int, images: int = IMAGES) -> list[bytes]:
    """Return the images of one visit of one patient."""
    return [studies.to_bytes(image) for image in studies.ct(1, number, 1, images, rows=16)]


@contextmanager
def quick_desk(place: Place) -> Iterator[Desk]:
    """Lay out a desk whose requests are not put for long."""
    hospital, cloud = place.hospital.server(section="sites.north"), place.cloud.server()
    with (
        place.desk() as desk,
        Orthanc(hospital, attempts=QUICK) as its_hospital,
        Orthanc(cloud, attempts=QUICK) as its_cloud,
    ):
        yield replace(desk, hospital=its_hospital, cloud=its_cloud)


def run_at(place: Place) -> tuple[Tally, list[AwayError]]:
    with quick_desk(place) as desk:
        return run(desk)


def run_before(place: Place, end: str, fault: Fault, attempts: Attempts = QUICK) -> tuple[Tally, list[AwayError], int]:
    """Do a run in which hospital or cloud fails now and then; tell how often it did."""
    orthanc: OrthancServer = getattr(place, end)
    section = "cloud" if end == "cloud" else "sites.north"
    with (
        faulty(orthanc, fault) as amiss,
        Orthanc(orthanc.server(section=section, url=amiss.url), attempts=attempts) as client,
        place.desk() as desk,
    ):
        before = replace(desk, cloud=client) if end == "cloud" else replace(desk, hospital=client)
        return *run(before), amiss.amiss_so_far


def wait(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.005)


@pytest.mark.parametrize("end", ["hospital", "cloud"])
def test_an_end_that_refuses_every_tenth_request_costs_no_study(place: Place, end: str) -> None:
    place.receive(visit(1))
    tally, opened, refused = run_before(place, end, lambda amiss, *_: BUSY if amiss.asked % 10 == 0 else None)
    assert refused > 3
    assert (len(tally.outcomes), tally.errors, opened) == (1, [], [])
    assert all_is_there(place, IMAGES)


@pytest.mark.parametrize(
    ("seconds", "attempts", "pauses"),
    [(3, QUICK, (0.2,)), (60, Attempts(), PAUSES)],
    ids=["for three seconds", "for a minute"],
)
def test_a_cloud_that_goes_away_in_the_middle_of_a_study_is_waited_for(
    place: Place, seconds: int, attempts: Attempts, pauses: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than a request is put; and for a minute, with all times as they are."""
    monkeypatch.setattr(breaker, "_PAUSES", pauses)
    place.receive([*visit(1), *visit(2)])

    def away() -> None:
        wait(lambda: counts(place.cloud) > IMAGES // 4)
        place.cloud.stop()
        time.sleep(seconds)
        place.cloud.start()

    thread = threading.Thread(target=away)
    thread.start()
    try:
        tally, opened, _ = run_before(place, "cloud", lambda *_: None, attempts)
    finally:
        thread.join()
    assert [error.section for error in opened] == ["cloud"]
    assert (len(tally.outcomes), tally.errors) == (2, [])
    assert all_is_there(place, 2 * IMAGES)


@pytest.mark.parametrize("end", ["hospital", "cloud"])
def test_an_end_that_is_slow_costs_time_and_nothing_else(place: Place, end: str) -> None:
    place.receive(visit(1, 8))
    tally, opened, waited = run_before(place, end, lambda *_: Late(0.2))
    assert waited > 8
    assert (len(tally.outcomes), tally.errors, opened) == (1, [], [])
    assert all_is_there(place, 8)


@pytest.mark.parametrize("end", ["hospital", "cloud"])
def test_an_answer_that_comes_too_late_is_asked_for_again_and_nothing_comes_twice(
    place: Place, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored after nobody waited for it any more, and stored again meanwhile, is there once."""
    monkeypatch.setattr(wire, "READ_SECONDS", 1.0)
    place.receive(visit(1, 20))

    def late(amiss: Faulty, _: str, path: str) -> Late | None:
        bulk = path.endswith("/file") or path == "/instances"
        return Late(2.0) if bulk and amiss.asked % 5 == 0 else None

    tally, _, waited = run_before(place, end, late)
    assert waited > 1
    if tally.waiting:  # on a machine that is busy other answers come too late as well
        run_at(place)
    assert all_is_there(place, 20)


def test_a_cloud_that_stays_away_leaves_everything_in_flight_and_the_next_run_brings_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PATIENCE", 1.0)
    place.receive([*visit(1, 4), *visit(2, 4), *visit(3, 4)])
    with quick_desk(place) as desk:
        place.cloud.stop()
        try:
            tally, opened = run(desk)
            assert (tally.outcomes, len(tally.waiting)) == ([], 3)  # nothing was begun that cannot end
            assert place.balance().in_flight == 12  # and whoever looks sees that it waits
            place.receive(visit(4, 4))
            again, once_more = run(desk)
            assert place.balance().in_flight == 16
        finally:
            place.cloud.start()
        assert ([error.section for error in opened], once_more, again.outcomes) == (["cloud"], [], [])
        assert list(opened_at(desk)) == ["cloud"]

        tally, opened = run(desk)

        assert (len(tally.outcomes), opened, opened_at(desk)) == (4, [], {})
    assert all_is_there(place, 16)


def test_an_end_that_goes_away_for_longer_than_a_run_waits_costs_one_study_and_no_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PATIENCE", 0.5)
    place.receive([*visit(1, 4), *visit(2, 4), *visit(3, 4)])
    with quick_desk(place) as desk:
        tally = Tally("north")
        opened: list[AwayError] = []
        drain = Drain(desk, tally, by=in_this_process(desk), tell=opened.append)
        drain.begin()
        found = Look(desk, thorough=True).find()
        place.cloud.stop()
        try:
            drain.move(found)
        finally:
            place.cloud.start()
        assert len(opened) == 1
        assert (len(tally.waiting), {type(error) for error in tally.errors}) == (3, {AwayError})
        ending = ended(tally)
        assert ending
        assert (ending.name, ending.is_failed()) == ("Waiting", False)
    assert place.balance().in_flight == 12
    run_at(place)
    assert all_is_there(place, 12)


def test_a_full_cloud_is_not_asked_for_room_by_every_study(place: Place) -> None:
    place.receive([*visit(1, 4), *visit(2, 4), *visit(3, 4)])
    tally, opened, refused = run_before(
        place, "cloud", lambda amiss, method, _: FULL if method == "POST" and amiss.posted >= 2 else None
    )
    assert [(error.section, error.full) for error in opened] == [("cloud", True)]
    assert refused <= 8  # threads of one study
    assert (tally.outcomes, len(tally.waiting)) == ([], 3)
    assert (counts(place.cloud), place.balance().in_flight) == (2, 12)
    with quick_desk(place) as desk:
        assert list(opened_at(desk)) == ["cloud"]
        assert len(run(desk)[0].outcomes) == 3
        assert opened_at(desk) == {}
    assert all_is_there(place, 12)


def test_a_cloud_that_has_room_again_is_called_well_though_one_study_cannot_be_had(place: Place) -> None:
    place.receive([*visit(1, 4), *visit(2, 4)])
    run_before(place, "cloud", lambda _, method, __: FULL if method == "POST" else None)
    with quick_desk(place) as desk:
        lost = desk.hospital.instances(next(iter(desk.hospital.studies())).orthanc_id)[0].orthanc_id
        assert list(opened_at(desk)) == ["cloud"]
        tally, _, _ = run_before(place, "hospital", lambda _, __, path: BUSY if lost in path else None)
        assert (len(tally.outcomes), len(tally.waiting), opened_at(desk)) == (1, 1, {})


def test_one_study_that_cannot_be_had_opens_no_breaker_and_holds_up_no_other(place: Place) -> None:
    place.receive([*visit(1, 4), *visit(2, 4)])
    with quick_desk(place) as desk:
        lost = desk.hospital.instances(next(iter(desk.hospital.studies())).orthanc_id)[0].orthanc_id
    tally, opened, _ = run_before(place, "hospital", lambda _, __, path: BUSY if lost in path else None)
    assert opened == []
    assert (len(tally.outcomes), len(tally.waiting)) == (1, 1)
    run_at(place)
    assert all_is_there(place, 8)


def test_a_hospital_that_is_away_costs_its_own_work_alone(place: Place, tmp_path: Path) -> None:
    """The other hospital's run does not even ask it."""
    place.receive(visit(1, 4))
    with OrthancServer(tmp_path / "south") as south:
        other = replace(place, hospital=south, folder=tmp_path / "other")
        other.folder.mkdir()
        other.receive(visit(2, 4))
        place.hospital.stop()
        try:
            with quick_desk(place) as desk:
                tally, opened = run(desk)
            assert ([error.section for error in opened], tally.outcomes) == (["sites.north"], [])
            assert len(run_at(other)[0].outcomes) == 1
        finally:
            place.hospital.start()
    run_at(place)
    assert all_is_there(place, 4) is False  # the other's four are there too
    assert (counts(place.cloud), place.balance().balanced) == (8, True)
