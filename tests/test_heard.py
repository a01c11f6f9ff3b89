"""What a run tells when something waits or was changed: each alarm where it should be, and no other."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from deployments.demo import studies
from flows import breaker
from flows.breaker import _notes
from flows.errors import TerminalError
from flows.inventory import find_work
from flows.orthanc import Attempts, client
from flows.shown import page
from flows.shown import run as shown_run
from flows.shown.remembered import Rang, leave, now
from flows.study import move
from tests.faulty import BUSY, faulty
from tests.heard import Heard, listen
from tests.hospital import Place, ask

(HELD,) = (instance.data for instance in studies.south() if instance.modality == "OT")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    section, _ = client.Orthanc.__init__.__defaults__ or ("", None)
    monkeypatch.setattr(client.Orthanc.__init__, "__defaults__", (section, Attempts(pauses=(0.0, 0.05))))
    monkeypatch.setattr(breaker, "PATIENCE", 0.5)
    return listen(monkeypatch)


@pytest.fixture
def at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run renew the page, and tell of what is held."""
    monkeypatch.setattr(page, "RENEWED_AFTER", timedelta(0))
    monkeypatch.setattr(shown_run, "TOLD_EVERY", timedelta(0))


def ct(patient: int, images: int = 3) -> list[bytes]:
    return [studies.to_bytes(one) for one in studies.ct(patient, 1, 1, images, rows=16)]


def rang(place: Place, minutes: int) -> None:
    """Let the doorbell's last run be some minutes ago."""
    with place.desk() as desk:
        leave(desk, Rang(at=now() - timedelta(minutes=minutes)))


def test_a_study_that_its_doorbell_announced_and_that_waits_for_the_cloud_is_no_news(
    place: Place, heard: Heard
) -> None:
    place.receive(ct(1))
    heard.run(place, "schedule")
    place.receive(ct(2))
    place.cloud.stop()
    try:
        heard.run(place, "doorbell")
        assert heard.by("arrived") == [{"studies": 1}] * 2
        rang(place, 20)
        heard.run(place, "schedule")
        heard.run(place, "schedule")
    finally:
        place.cloud.start()
    assert (heard.by("arrived"), heard.by("unrung")) == ([{"studies": 1}] * 2, [])


def test_a_study_that_cannot_be_had_does_not_keep_a_silent_hospital_from_being_called_so(
    place: Place, heard: Heard
) -> None:
    place.receive(ct(1))
    before = set(ask(place.hospital, "GET", "/instances")[1])
    heard.run(place, "schedule")
    place.receive(ct(2))
    lost = min(set(ask(place.hospital, "GET", "/instances")[1]) - before)
    with faulty(place.hospital, lambda _, __, path: BUSY if lost in path and path.endswith("/file") else None) as amiss:
        sites = place.write_sites()
        sites.write_text(sites.read_text().replace(place.hospital.url, amiss.url))
        heard.run(place, "doorbell", sites)
        heard.events.clear()
        rang(place, 20)
        sites.write_text(sites.read_text().replace(place.hospital.url, amiss.url))
        for _ in range(2):
            assert heard.run(place, "schedule", sites).waiting
    assert heard.by("arrived") + heard.by("unrung") == []


def test_a_study_that_lost_images_while_the_cloud_is_away_balances(place: Place, heard: Heard) -> None:
    images = ct(1, 5)
    place.receive(images[:4])
    heard.run(place, "doorbell")
    for one in ask(place.hospital, "GET", "/instances")[1][:2]:
        ask(place.hospital, "DELETE", f"/instances/{one}")
    place.receive(images[4:])
    place.cloud.stop()
    try:
        heard.run(place, "doorbell")
    finally:
        place.cloud.start()
    assert (heard.by("unbalanced"), place.balance().balanced) == ([], True)
    heard.run(place, "doorbell")
    assert (heard.by("unbalanced"), place.balance().balanced, place.balance().in_flight) == ([], True, 0)


@pytest.mark.usefixtures("at_any_time")
def test_what_a_killed_run_held_is_told_by_the_next_and_once(place: Place, heard: Heard) -> None:
    place.receive([*ct(1), HELD])
    with place.desk() as desk:  # as far as a run comes that is killed before it tells anybody
        for work in find_work(desk, set()):
            move(desk, work)
    for _ in range(2):
        heard.run(place, "schedule")
        assert heard.by("held") == [{"studies": 1, "codes": "burned-in-risk"}]


@pytest.mark.usefixtures("at_any_time")
def test_what_was_held_while_prefect_was_away_is_told_once_it_is_back(place: Place, heard: Heard) -> None:
    place.receive([*ct(1), HELD])
    heard.is_away = True
    assert heard.run(place, "doorbell").held == 1
    heard.is_away = False
    for _ in range(2):
        heard.run(place, "schedule")
        assert heard.by("held") == [{"studies": 1, "codes": "burned-in-risk"}]


def test_what_is_held_within_an_hour_is_told_after_it_together(
    place: Place, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.receive([HELD])
    for profile in ("basic", "research", "basic"):  # it is held again, by another record
        heard.run(place, "schedule", place.write_sites(profile=profile))
        assert heard.by("held") == [{"studies": 1, "codes": "burned-in-risk"}]
    monkeypatch.setattr(shown_run, "TOLD_EVERY", timedelta(0))
    monkeypatch.setattr(page, "RENEWED_AFTER", timedelta(0))
    for _ in range(2):
        heard.run(place, "schedule", place.write_sites(profile="basic"))
        assert heard.by("held") == [{"studies": 1, "codes": "burned-in-risk"}] * 2


@pytest.mark.usefixtures("at_any_time")
def test_two_projects_with_one_ledger_tell_each_of_its_own_holds_once(place: Place, heard: Heard) -> None:
    place.receive([HELD])
    for project in ("one", "two") * 2:
        heard.run(place, "schedule", place.write_sites(name=project))
    assert heard.by("held") == [{"studies": 1, "codes": "burned-in-risk"}] * 2


def test_a_note_that_cannot_be_written_is_no_fault_of_prefects(
    place: Place, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    place.receive([HELD])
    (place.folder / "lineage").mkdir()
    (place.folder / "lineage" / ".pages").write_bytes(b"")  # where a folder should be
    heard.run(place, "schedule")
    assert {"studies": 1, "codes": "burned-in-risk"} in heard.by("held")
    assert "north: what is held may be told again: a note beside the ledger could not be written" in caplog.text
    assert "what is held could not be left in Prefect" not in caplog.text


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"seq": "x", "since": "x", "at": "x"}', "\0" * 9], ids=["deep", "other", "nothing"]
)
def test_notes_that_are_garbage_cost_a_look_and_nothing_else(place: Place, heard: Heard, text: str) -> None:
    place.receive(ct(1))
    heard.run(place, "doorbell")
    with place.desk() as desk:
        notes = [*_notes(desk).values()]
    for kind in (".cursors", ".pages"):
        notes += (place.folder / "lineage" / kind).iterdir()
    assert len(notes) > 4
    for note in notes:
        note.parent.mkdir(exist_ok=True)
        note.write_text(text)
    place.receive(ct(2))
    tally = heard.run(place, "doorbell")
    assert (tally.loaded, tally.errors) == (3, [])


@pytest.mark.parametrize("change", [{"seq": "x"}, {"waiting": None}, {"waiting": {"a": None}}, {"swept_release": None}])
def test_a_cursor_of_another_type_costs_a_look_and_nothing_else(
    place: Place, heard: Heard, change: dict[str, Any]
) -> None:
    place.receive(ct(1))
    heard.run(place, "schedule")
    (note,) = (place.folder / "lineage" / ".cursors").iterdir()
    note.write_text(json.dumps(json.loads(note.read_text()) | change))
    place.receive(ct(2))
    tally = heard.run(place, "schedule")
    assert (tally.loaded, tally.errors) == (3, [])


@pytest.mark.parametrize("uid", ["1.2.3*", "1.2.?", "1.2.é"])
def test_a_study_whose_uid_is_none_holds_up_no_other(place: Place, heard: Heard, uid: str) -> None:
    odd = studies.ct(3, 1, 1, 2, rows=16)
    for one in odd:
        one["StudyInstanceUID"]._value = uid
    place.receive([*map(studies.to_bytes, odd), *ct(1)])
    tally = heard.run(place, "schedule")
    assert (len(tally.outcomes), [str(error) for error in tally.errors]) == (2, [])


def test_a_study_whose_uid_is_none_is_held_though_one_of_its_files_is_damaged(place: Place, heard: Heard) -> None:
    odd = studies.ct(3, 1, 1, 3, rows=16)
    for one in odd:
        one["StudyInstanceUID"]._value = "1.2.é"
    place.receive(map(studies.to_bytes, odd))
    damaged = f"/instances/{ask(place.hospital, 'GET', '/instances')[1][0]}/file"
    size = len(ask(place.hospital, "GET", damaged)[1])
    sites = place.write_sites()
    with faulty(place.hospital, lambda _, __, path: (200, b"\0" * size) if path == damaged else None) as amiss:
        sites.write_text(sites.read_text().replace(place.hospital.url, amiss.url))
        tally = heard.run(place, "schedule", sites)
    assert ([outcome.reason for outcome in tally.outcomes], tally.errors) == (["uid-invalid"], [])


def test_a_list_that_is_the_same_on_each_page_is_told_and_comes_to_an_end(place: Place, heard: Heard) -> None:
    place.receive(ct(1))
    said = json.dumps(ask(place.hospital, "GET", "/studies?expand")[1]).encode()
    sites = place.write_sites()
    with faulty(place.hospital, lambda _, __, path: (200, said) if path.startswith("/studies?") else None) as amiss:
        sites.write_text(sites.read_text().replace(place.hospital.url, amiss.url))
        with pytest.raises(TerminalError, match="the same studies"):
            heard.run(place, "schedule", sites)


def test_a_study_that_comes_during_a_walk_does_not_end_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sorts before the others, as with PostgreSQL, and pushes one that was listed to the next page."""
    place.receive(studies.to_bytes(studies.ct(number, 1, 1, 1, rows=16)[0]) for number in (1, 2, 3))
    with place.desk() as desk:
        there = sorted(desk.hospital.studies(), key=lambda study: study.orthanc_id)
        pages = iter([there[:2], there[1:], there[2:], []])
        monkeypatch.setattr(desk.hospital, "_page", lambda _since: next(pages))
        assert list(desk.hospital.studies()) == there


@pytest.mark.parametrize("count", ["1e30", "Infinity", "-1", "1.5", str(1 << 64)])
def test_a_count_that_cannot_be_is_not_from_an_orthanc(place: Place, heard: Heard, count: str) -> None:
    place.receive(ct(1))
    said = f'{{"CountInstances": {count}, "UncompressedSize": "1"}}'.encode()
    sites = place.write_sites()
    with faulty(place.hospital, lambda _, __, path: (200, said) if path.endswith("/statistics") else None) as amiss:
        sites.write_text(sites.read_text().replace(place.hospital.url, amiss.url))
        with pytest.raises(TerminalError, match="not an Orthanc"):
            heard.run(place, "schedule", sites)


def test_a_record_that_cannot_be_read_keeps_no_study_at_home(place: Place, heard: Heard) -> None:
    place.receive(ct(1))
    heard.run(place, "doorbell")
    (record,) = (place.folder / "lineage" / "seen").glob("2*.parquet")
    record.write_bytes(b"damaged")
    place.receive(ct(2))
    tally = heard.run(place, "doorbell")
    assert (tally.loaded, tally.errors) == (3, [])
