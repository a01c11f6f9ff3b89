"""What a run finds at a hospital, and by which way: the change feed, and the inventory for what the feed forgets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.demo import studies
from flows.desk import Desk
from flows.held.release import record
from flows.held.studies import held_studies
from flows.ledger import lineage
from flows.look import Look
from flows.orthanc import Orthanc, StudyAtSite
from flows.study import move
from tests.hospital import Place, all_is_there, ask, counts, emptied, passwords_in_the_environment
from tests.orthanc_server import OrthancServer


def visit(number: int, images: int = 2) -> list[bytes]:
    """Return the images of one visit of one patient."""
    return [studies.to_bytes(image) for image in studies.ct(1, number, 1, images, rows=16)]


def looked_at(desk: Desk, *, thorough: bool, waiting: bool = False) -> list[str]:
    """Do what the flow does, without Prefect; return how each study was found."""
    look = Look(desk, thorough=thorough)
    ways: list[str] = []
    while found := look.find():
        for work in found:
            if not waiting:
                move(desk, work)
            ways.append(work.found_by)
    look.over(waiting=waiting)
    return ways


def by_doorbell(place: Place, **project: str) -> list[str]:
    with place.desk(**project) as desk:
        return looked_at(desk, thorough=False)


def by_schedule(place: Place, **project: str) -> list[str]:
    with place.desk(**project) as desk:
        return looked_at(desk, thorough=True)


def test_the_first_look_finds_everything_whatever_woke_it(place: Place) -> None:
    place.receive([*visit(1), *visit(2)])
    assert by_doorbell(place) == ["first-look", "first-look"]
    assert by_doorbell(place) == by_schedule(place) == []
    assert counts(place.cloud) == 4


def test_the_first_look_believes_the_feed_of_a_study_that_is_young(place: Place) -> None:
    place.receive(visit(1))
    assert by_doorbell(replace(place, stable_age=3600)) == ["first-look"]


def test_what_arrives_is_told_by_the_feed(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    place.receive(visit(2))
    assert by_doorbell(place) == ["feed"]
    place.receive(visit(3))
    assert by_schedule(place) == ["feed"]
    assert place.balance().balanced


def test_a_late_image_is_told_by_the_feed(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    place.receive(visit(1, 3)[2:])
    assert by_doorbell(place) == ["feed"]
    assert counts(place.cloud) == 3


def test_the_inventory_is_not_walked_through_where_nothing_changed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.receive(visit(1))
    by_schedule(place)
    assert by_schedule(place) == []  # the deliveries of the first run changed nothing at the hospital

    walked = []

    def studies_of(orthanc: Orthanc) -> Iterator[StudyAtSite]:
        walked.append(orthanc)
        return iter(())

    monkeypatch.setattr(Orthanc, "studies", studies_of)
    assert by_schedule(place) == by_doorbell(place) == []
    assert walked == []

    place.receive(visit(2))
    assert by_doorbell(place) == ["feed"]
    assert walked == []
    assert by_schedule(place) == []
    assert len(walked) == 1


def test_what_waits_is_found_again_by_the_next_run(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    place.receive(visit(2))
    with place.desk() as desk:
        assert looked_at(desk, thorough=False, waiting=True) == ["feed"]
    assert by_doorbell(place) == ["retry"]  # and is no discovery any more
    assert by_doorbell(place) == []


def test_a_held_study_is_tried_again_by_the_schedule_when_the_settings_change(place: Place) -> None:
    place.receive([*visit(1), studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))])
    assert by_schedule(place) == ["first-look"]
    assert by_schedule(place) == []
    assert by_doorbell(place, hold="instance") == []
    assert by_schedule(place, hold="instance") == ["retry"]
    assert counts(place.cloud) == 2


def test_a_released_study_is_tried_again_by_any_run_and_then_looked_for_no_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.receive([*visit(1), studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))])
    by_schedule(place)
    with place.desk() as desk, lineage.connect(desk.ledger.directory) as tables:
        (held,) = held_studies(tables, desk.project)
        record(desk.ledger, [held], who="a physicist", why="looked at it")
    assert by_doorbell(place) == ["retry"]

    monkeypatch.setattr(Orthanc, "studies", None)
    assert by_doorbell(place) == by_schedule(place) == []


def test_what_is_held_and_released_while_the_run_lingers_is_tried_again_by_it(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    with place.desk() as desk, lineage.connect(desk.ledger.directory) as tables:
        look = Look(desk, thorough=False)
        place.receive([*visit(2), studies.to_bytes(studies.screen_dump(1, 2, 2, rows=16))])
        (work,) = look.find()
        move(desk, work)
        assert look.find() == []
        (held,) = held_studies(tables, desk.project)
        record(desk.ledger, [held], who="a physicist", why="looked at it")
        (again,) = look.find()
        assert (again.work, again.found_by) == (work.work, "retry")
        move(desk, again)
        assert look.find() == []
        look.over(waiting=False)
    assert by_schedule(place) == []


@pytest.mark.parametrize("left", [b"", b"{}", b"[1]", b'{"seq": 1}'])
def test_a_cursor_that_cannot_be_read_costs_a_look_at_everything(place: Place, left: bytes) -> None:
    place.receive(visit(1))
    by_schedule(place)
    (path,) = (place.folder / "lineage" / ".cursors").iterdir()
    path.write_bytes(left)
    place.receive(visit(2))
    assert by_doorbell(place) == ["first-look"]  # the other study is settled


def test_a_cursor_does_not_outlive_the_records_of_what_it_passed(place: Place) -> None:
    place.receive([*visit(1), *visit(2)])
    by_schedule(place)
    place.receive(visit(3))
    assert by_doorbell(place) == ["feed"]
    latest = max((place.folder / "lineage" / "studies").glob("2*.parquet"))
    latest.unlink()

    assert by_doorbell(place) == ["retry"]  # it was seen before
    assert by_schedule(place) == []


def test_how_studies_were_found_is_a_table(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    place.receive(visit(2))
    by_doorbell(place)
    with lineage.connect(place.folder / "lineage") as tables:
        rows = lineage.rows(tables, "SELECT found_by, studies FROM found ORDER BY ALL")
    assert rows == [{"found_by": "feed", "studies": 1}, {"found_by": "first-look", "studies": 1}]


def test_the_cursor_names_neither_site_nor_hospital(place: Place) -> None:
    place.receive(visit(1))
    by_schedule(place)
    (path,) = (place.folder / "lineage" / ".cursors").iterdir()
    assert "north" not in path.name
    (study,) = ask(place.hospital, "GET", "/studies")[1]
    assert study not in path.read_text()


# A hospital of its own, that is stopped


@pytest.fixture
def stopped(tmp_path: Path, servers: tuple[OrthancServer, OrthancServer]) -> Iterator[Place]:
    """Offer a hospital that a test may stop, with a StableAge of ten seconds, and the shared cloud."""
    _, cloud = servers
    with passwords_in_the_environment(), OrthancServer(tmp_path / "hospital", {"StableAge": 10}) as hospital:
        yield Place(hospital, emptied(cloud), tmp_path)


def stored(place: Place, files: list[bytes]) -> None:
    for data in files:
        assert ask(place.hospital, "POST", "/instances", data)[0] == 200


def test_a_study_whose_event_was_lost_with_a_restart_is_found_in_the_inventory(stopped: Place) -> None:
    by_schedule(stopped)  # nothing yet
    stored(stopped, visit(1))
    stopped.hospital.restart()  # inside StableAge: the event never comes

    assert by_doorbell(stopped) == []
    assert by_schedule(stopped) == ["sweep"]
    assert all_is_there(stopped, 2)


def test_a_study_that_still_arrives_is_not_taken_because_a_restarted_orthanc_calls_it_stable(stopped: Place) -> None:
    by_schedule(stopped)
    stored(stopped, visit(1))
    stopped.hospital.restart()
    assert by_schedule(replace(stopped, stable_age=60)) == []

    # Nothing changed at the hospital since, and yet the inventory is walked through again.
    assert by_schedule(stopped) == ["sweep"]


def test_a_database_that_was_made_anew_is_looked_at_from_the_beginning(stopped: Place) -> None:
    stored(stopped, [*visit(1, 3), *visit(2, 3)])
    stopped.hospital.restart()
    assert by_doorbell(stopped) == ["first-look"] * 2

    stopped.hospital.stop()
    shutil.rmtree(stopped.hospital.folder / "storage")
    stopped.hospital.start()
    stored(stopped, visit(3))
    stopped.hospital.restart()
    assert by_doorbell(stopped) == ["first-look"]
    assert all_is_there(stopped, 8)
