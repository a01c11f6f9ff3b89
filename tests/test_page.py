"""The page of a site, a run's table and its progress: what they say, how often, and in which names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from deployments.demo import studies
from flows.archive import progress
from flows.archive.progress import Progress
from flows.desk import Desk
from flows.errors import TransientError
from flows.inventory import Work, find_work
from flows.ledger import lineage
from flows.ledger.records import FoundBy, Trigger
from flows.settings.hours import Hours
from flows.shown import page, table
from flows.shown import run as shown
from flows.shown.page import renew
from flows.shown.remembered import Rang, Renewed, heard_lately, leave, note_reconciliation, noted, now
from flows.shown.run import Shown
from flows.study import move
from flows.tally import Tally
from tests.hospital import Place
from tests.test_one_run import two_visits

CT = [studies.to_bytes(image) for image in studies.ct(1, 1, 1, 3, rows=16)]
ALWAYS = Hours(frozenset(range(7)), time.min, time.max)
HELD = [instance.data for instance in studies.south() if instance.modality == "OT"]


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the table that Prefect would be given."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(page, "create_markdown_artifact", lambda **one: given.append(one))
    monkeypatch.setattr(table, "create_table_artifact", lambda **one: given.append(one))
    return given


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    with place.desk() as desk:
        yield desk


def note_of(desk: Desk, name: str = "north.json") -> Path:
    return desk.ledger.directory / ".pages" / name


def grown_older(desk: Desk, by: timedelta) -> None:
    """Let the note be from some time ago."""
    at = noted(desk, Renewed).at
    assert at
    leave(desk, Renewed(at=at - by))


def test_the_page_tells_balance_holds_and_how_studies_were_found(
    place: Place, desk: Desk, left: list[dict[str, Any]]
) -> None:
    place.receive([*CT, *HELD])
    for work in find_work(desk, set()):
        move(desk, work)

    leave(desk, Rang(at=now()))
    balance = renew(desk, busy=True)

    (one,) = left
    assert balance
    assert (balance.source_instances, balance.loaded, balance.held, balance.balanced) == (4, 3, 1, True)
    assert one["key"] == "site-north"
    assert "**north** balances. Instances: 1 held, 0 in flight." in one["description"]
    assert "| all | 2 | 4 | 3 | 1 | 0 | 0 | balances |" in one["markdown"]
    assert "| `burned-in-risk` | 1 |" in one["markdown"]
    assert "- oldest study in flight: none" in one["markdown"]
    assert "- last run that a doorbell started: 0 minutes ago" in one["markdown"]
    assert "- found by the sweep alone, in seven days: 100% (2 of 2)" in one["markdown"]


def test_what_is_in_flight_or_wrong_stands_on_the_page(place: Place, desk: Desk, left: list[dict[str, Any]]) -> None:
    place.receive(CT)
    (work,) = find_work(desk, set())
    renew(desk, busy=True)
    assert "- oldest study in flight: 0 minutes ago" in left[-1]["markdown"]
    outcome = move(desk, work)
    assert outcome.status == "loaded"
    (record,) = (desk.ledger.directory / "studies").glob("2*.parquet")
    record.unlink()
    renew(desk, busy=True)
    assert "in flight" in left[-1]["description"]


def test_a_run_that_did_nothing_renews_the_page_only_when_it_is_old(desk: Desk, left: list[dict[str, Any]]) -> None:
    assert renew(desk, busy=False)
    assert renew(desk, busy=False) is None
    grown_older(desk, page.RENEWED_AFTER)
    assert renew(desk, busy=False)
    assert len(left) == 2


def test_a_clock_that_was_set_back_does_not_keep_the_page_from_being_renewed(
    desk: Desk, left: list[dict[str, Any]]
) -> None:
    renew(desk, busy=False)
    grown_older(desk, timedelta(days=-400))
    assert renew(desk, busy=False)
    assert len(left) == 2


def test_a_doorbell_is_remembered_though_the_page_is_young(desk: Desk, left: list[dict[str, Any]]) -> None:
    renew(desk, busy=False)
    assert "started: never" in left[-1]["markdown"]
    with shown.shown(desk, Tally("north"), "doorbell", ALWAYS, doorbell=True):
        assert heard_lately(desk)  # from its beginning, for a run may take long
    assert len(left) == 1
    renew(desk, busy=True)
    assert "started: 0 minutes ago" in left[-1]["markdown"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"at": "x"}', '{"at": 5}', '{"at": "2026-11-27T10:00:00+01:00"}', '{"at": []}']
)
def test_a_note_that_cannot_be_read_is_written_anew(desk: Desk, left: list[dict[str, Any]], text: str) -> None:
    renew(desk, busy=False)
    for name in ("north.json", "north.rang.json", "north.compared.json"):
        note_of(desk, name).write_text(text)
    assert not heard_lately(desk)
    assert renew(desk, busy=False)
    assert "started: never" in left[-1]["markdown"]
    assert "- last reconciliation: never" in left[-1]["markdown"]


@pytest.mark.parametrize(("minutes", "is_heard"), [(1, True), (14, True), (16, False), (-60, False)])
def test_a_doorbell_is_heard_for_a_quarter_of_an_hour_and_never_from_the_future(
    desk: Desk, minutes: int, is_heard: bool
) -> None:
    leave(desk, Rang(at=now() - timedelta(minutes=minutes)))
    assert heard_lately(desk) == is_heard


@pytest.mark.parametrize(
    ("trigger", "rang", "waited", "found", "unrung"),
    [
        ("schedule", None, 0, ["feed"], 1),
        ("schedule", 20, 0, ["feed"], 1),
        ("schedule", 5, 0, ["feed"], 0),  # it came between two runs, and its ring starts the next one
        ("schedule", 20, 300, ["feed"], 0),  # nobody was there to hear
        ("doorbell", None, 0, ["feed"], 0),
        ("manual", None, 0, ["feed"], 0),
        ("schedule", 20, 0, ["feed", "feed"], 1),  # the second rings while this run works, and waits behind it
        ("schedule", 5, 0, ["sweep"], 1),
        ("schedule", 5, 0, ["first-look", "sweep"], 1),
        ("manual", None, 0, ["sweep"], 1),
        ("schedule", None, 0, ["first-look", "retry"], 0),
    ],
)
def test_what_no_doorbell_announced_is_counted_apart(
    desk: Desk,
    left: list[dict[str, Any]],
    trigger: Trigger,
    rang: int | None,
    waited: int,
    found: list[FoundBy],
    unrung: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due = datetime.now(UTC) - timedelta(seconds=waited)
    monkeypatch.setattr(shown, "flow_run", SimpleNamespace(id=None, scheduled_start_time=due))
    monkeypatch.setattr(shown, "create_progress_artifact", lambda *_: None)
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(shown, "alarm", lambda _site, kind, **counts: told.append((kind, counts)))
    if rang is not None:
        leave(desk, Rang(at=now() - timedelta(minutes=rang)))
    for has_doorbell in (True, False):
        with shown.shown(desk, Tally("north"), trigger, ALWAYS, doorbell=has_doorbell) as run:
            for by in found:
                run.found([Work("", "", "work", "snapshot", "1.2", 1, found_by=by)])
    assert [counts for kind, counts in told if kind == "unrung"] == ([{"studies": unrung}] if unrung else [])


def test_what_a_reconciliation_found_stands_on_the_page(place: Place, desk: Desk, left: list[dict[str, Any]]) -> None:
    dump = studies.screen_dump(1, 1, 2, rows=16)  # holds its study, and the other visit points at it
    place.receive(studies.to_bytes(one) for visit in two_visits() for one in visit)
    place.receive([studies.to_bytes(dump)])
    for work in find_work(desk, set()):
        move(desk, work)
    renew(desk, busy=True)
    assert "FROM pending_by_site WHERE site = 'north'" in left[-1]["markdown"]
    assert "- last reconciliation: never" in left[-1]["markdown"]

    note_reconciliation(desk, 2)
    renew(desk, busy=True)

    with lineage.connect(desk.ledger.directory) as tables:
        (row,) = lineage.rows(tables, "SELECT sum(targets)::BIGINT AS targets FROM pending_by_site")
    assert row["targets"] > 0
    assert f"references that wait for their target: {row['targets']}, the oldest" in left[-1]["markdown"]
    assert "- last reconciliation: 0 minutes ago" in left[-1]["markdown"]
    assert "- differences that it left: 2: the table `differences` names them" in left[-1]["markdown"]


def test_a_run_that_renews_the_page_beside_a_reconciliation_leaves_its_note(
    desk: Desk, left: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(**one: Any) -> None:
        left.append(one)
        note_reconciliation(desk, 3)

    monkeypatch.setattr(page, "create_markdown_artifact", publish)
    renew(desk, busy=True)
    renew(desk, busy=True)
    assert "- differences that it left: 3" in left[-1]["markdown"]


def test_a_backfill_shows_now_and_then_how_far_it_is_and_tells_of_a_held_study_once(
    place: Place, desk: Desk, left: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    answers = [False, True]  # the first time Prefect does not take it

    def alarm(_: str, kind: str, **counts: Any) -> bool:
        told.append((kind, counts))
        return answers[len(told) - 1]

    monkeypatch.setattr(shown, "alarm", alarm)
    monkeypatch.setattr(progress, "create_markdown_artifact", lambda **one: left.append(one))
    place.receive([*CT, *HELD])
    tally = Tally("north")
    shows = Progress(desk, tally)
    for work in find_work(desk, set()):
        tally.counts(work, move(desk, work))
        tally.forget()
        shows.moved(work)
    assert (left, told) == ([], [])

    monkeypatch.setattr(progress, "EVERY", 0.0)
    shows.moved(work)
    shows.show("All that was meant was tried.")
    shows.show("All that was meant was tried.")

    said = [one["markdown"] for one in left if one["key"] == "backfill-north--progress"]
    done = "**north**, backfill: 2 studies settled; instances: 3 loaded, 1 kept at the hospital, in 0.0 h."
    all_tried = "All that was meant was tried."
    assert said == [f"{done} It goes on.", f"{done} {all_tried}", f"{done} {all_tried}"]
    assert [one["key"] for one in left].count("site-north") == 3
    assert told == [("held", {"studies": 1, "codes": "burned-in-risk"})] * 2


def test_a_runs_table_has_a_query_for_each_study_that_the_lineage_tables_answer(
    place: Place, desk: Desk, left: list[dict[str, Any]]
) -> None:
    place.receive([*CT, *HELD])
    first, second = find_work(desk, set())
    tally = Tally("north", [move(desk, first)], [second])

    table.publish(desk, tally, 2.0)

    (one,) = left
    waiting, settled = one["table"]
    assert list(waiting) == list(settled)
    assert (waiting["status"], settled["status"]) == ("in flight", tally.outcomes[0].status)
    assert f"`FROM studies WHERE study_instance_uid = '{first.study_instance_uid}';`" == settled["lineage"]
    assert settled["study"] == first.study_instance_uid[-8:]
    assert "Of this run, in instances: 4 at the source = " in one["description"]
    assert f"2.0 s: {first.instances / 2:.1f} instances a second" in one["description"]


def test_what_was_loaded_of_an_excluded_study_counts_as_loaded(
    place: Place, desk: Desk, left: list[dict[str, Any]]
) -> None:
    place.receive(CT)
    (work,) = find_work(desk, set())
    loaded = move(desk, work)
    rest = replace(loaded.instances[0], sop_instance_uid="", status="excluded", reason="modality")
    excluded = replace(
        loaded,
        status="excluded",
        reason="modality",
        source_instances=work.instances + 1,
        instances=(*loaded.instances, rest),
    )

    table.publish(desk, Tally("north", [excluded]), 2.0)

    (one,) = left
    assert f"= {work.instances} loaded + 0 held + 1 excluded + 0 in flight" in one["description"]


def test_a_run_without_work_leaves_no_table(desk: Desk, left: list[dict[str, Any]]) -> None:
    table.publish(desk, Tally("north"), 1.0)
    assert left == []


def test_progress_is_told_by_instances_and_not_more_often_than_every_few_seconds(
    place: Place, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.receive([*CT, *HELD])
    told: list[tuple[float, str]] = []
    monkeypatch.setattr(shown, "create_progress_artifact", lambda share, _, said: told.append((share, said)))
    monkeypatch.setattr(shown, "update_progress_artifact", lambda _, share, said: told.append((share, said)))
    works = sorted(find_work(desk, set()), key=lambda work: -work.instances)
    run = Shown("north")
    run.found(works)
    run.moved(works[0])
    assert told == [(0.0, "**north**: 0 of 2 studies, 0 of 4 instances")]

    run._artifact = uuid4()
    monkeypatch.setattr(shown, "EVERY", 0.0)
    run.moved(works[1])
    run.over()
    assert told[1:] == [(100.0, "**north**: 2 of 2 studies, 4 of 4 instances")] * 2
    assert run.new == 2


def test_the_page_of_a_day_is_of_utc(desk: Desk, left: list[dict[str, Any]]) -> None:
    renew(desk, busy=True)
    assert f"{datetime.now(UTC):%Y-%m-%d}" in left[-1]["description"]


@pytest.mark.parametrize("error", [None, TransientError("the cloud is away")], ids=["nothing to do", "an end is away"])
def test_a_run_that_found_an_end_away_renews_the_page_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: TransientError | None
) -> None:
    renewed: list[bool] = []
    monkeypatch.setattr(shown, "renew_and_alarm", lambda *_, busy: renewed.append(busy))
    monkeypatch.setattr(shown, "publish", lambda *_: None)
    tally = Tally("north")
    with shown.shown(desk, tally, "schedule", ALWAYS, doorbell=True):
        if error:
            tally.stops(error)
    assert renewed == [error is not None]
