"""Packing: the records of runs of a day that is over lie in one file, and every question has the same answer."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.ledger import database, lineage
from flows.ledger.book import Ledger, LedgerError
from tests.ledgers import finished, outcome, seen, started

BEGIN = datetime(2026, 3, 2, 22, tzinfo=UTC)


class Clock:
    """Tell a time that goes forward when it is told to."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def forward(self, seconds: int) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return the ledger of a quiet hospital: two hours of 2 March, and what followed, two records an hour."""
    clock = Clock(BEGIN)
    ledger = Ledger(tmp_path, clock=clock)
    for number in range(60):
        ledger.started(dataclasses.replace(started(), run_id=f"run-{number}", at=clock()))
        clock.forward(60)
        if number % 7:
            ledger.finished(dataclasses.replace(finished(), run_id=f"run-{number}", at=clock()))
        clock.forward(3540)
    ledger.seen([seen(1)])
    ledger.record(outcome(1))
    return ledger


def runs(directory: Path) -> list[Path]:
    return sorted((directory / "runs").glob("[1-9]*.parquet"))


def days(directory: Path) -> list[str]:
    return [path.name[:8] for path in runs(directory)]


def answers(directory: Path) -> dict[str, Any]:
    with lineage.connect(directory) as tables:
        return {
            table: lineage.rows(tables, f"FROM {table} ORDER BY ALL")
            for table in ("runs", "found", "studies", "balance", "raw.runs")
        }


def test_each_day_before_yesterday_is_one_file_and_every_answer_the_same(ledger: Ledger, tmp_path: Path) -> None:
    before, count = answers(tmp_path), len(runs(tmp_path))

    saved = ledger.pack()

    today, yesterday = "20260305", "20260304"  # it is 10:00 of 5 March
    assert len(runs(tmp_path)) == count - saved
    assert [day for day in days(tmp_path) if day < yesterday] == ["20260302", "20260303"]
    assert days(tmp_path).count(yesterday) > 40
    assert days(tmp_path).count(today) > 15
    assert answers(tmp_path) == before


def test_what_a_name_stands_for_never_changes(ledger: Ledger, tmp_path: Path) -> None:
    before = {path.name for path in runs(tmp_path)}
    ledger.pack()
    packed = {path.name for path in runs(tmp_path) if path.name < "20260304"}
    assert len(packed) == 2
    assert packed.isdisjoint(before)


@pytest.mark.parametrize("name", ["20260302-export.parquet", "20260302T230000000000-6a7a67e8.sync-conflict.parquet"])
def test_what_is_no_record_is_left_alone(ledger: Ledger, tmp_path: Path, name: str) -> None:
    foreign = tmp_path / "runs" / name
    shutil.copy(runs(tmp_path)[0], foreign)
    ledger.pack()
    assert foreign.exists()
    assert len([day for day in days(tmp_path) if day < "20260304"]) == 3


def test_packing_again_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    ledger.pack()
    there = {path.name: path.read_bytes() for path in runs(tmp_path)}
    assert ledger.pack() == 0
    assert {path.name: path.read_bytes() for path in runs(tmp_path)} == there


def test_the_records_of_studies_stay_where_runs_look_them_up(ledger: Ledger, tmp_path: Path) -> None:
    studies = sorted((tmp_path / "studies").iterdir())
    ledger.pack()
    assert sorted((tmp_path / "studies").iterdir()) == studies
    assert len(Ledger(tmp_path).settled("north", "lung")) == 1


def test_a_late_record_of_a_packed_day_joins_the_others(ledger: Ledger, tmp_path: Path) -> None:
    ledger.pack()
    late = Ledger(tmp_path.parent / f"{tmp_path.name}-late", clock=Clock(BEGIN))
    late.started(dataclasses.replace(started(), run_id="late", at=BEGIN))
    (record,) = runs(late.directory)
    shutil.copy(record, tmp_path / "runs" / record.name)
    before = answers(tmp_path)
    assert ledger.pack() == 1
    assert answers(tmp_path) == before
    assert [run for run in before["runs"] if run["run_id"] == "late"]


@pytest.mark.parametrize("at", range(4))
def test_whoever_dies_while_packing_leaves_every_record(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = answers(tmp_path)
    with dying(monkeypatch, at), pytest.raises(LedgerError):
        ledger.pack()
    left = answers(tmp_path)
    assert {name: left[name] for name in before if name != "raw.runs"} == {
        name: before[name] for name in before if name != "raw.runs"
    }

    ledger.pack()

    assert answers(tmp_path) == before
    assert [day for day in days(tmp_path) if day < "20260304"] == ["20260302", "20260303"]


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> Iterator[None]:
    """Let the disk fail: before the packed file is in place, and at one removal or another."""
    removed = 0
    unlink: Callable[..., None] = Path.unlink

    def failing(path: Path, missing_ok: bool = False) -> None:
        nonlocal removed
        if path.suffix == ".parquet":
            removed += 1
            if removed == at:
                raise OSError("the disk is gone")
        unlink(path, missing_ok=missing_ok)

    def refusing(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", failing)
        if at == 0:
            patched.setattr(os, "replace", refusing)
        yield


def test_records_of_an_older_shape_are_packed_with_newer_ones(ledger: Ledger, tmp_path: Path) -> None:
    with database.connect() as connection:
        for path in runs(tmp_path)[:3]:
            older = path.with_suffix(".older")
            database.copy(connection, "SELECT * EXCLUDE (seconds) FROM read_parquet(?)", older, [str(path)])
            older.replace(path)
    before = answers(tmp_path)
    ledger.pack()
    assert answers(tmp_path) == before


def test_a_reader_who_stays_connected_sees_the_same_after_packing(ledger: Ledger, tmp_path: Path) -> None:
    with lineage.connect(tmp_path) as tables:
        query = "SELECT * FROM runs ORDER BY run_id"
        before = lineage.rows(tables, query)
        ledger.pack()
        assert lineage.rows(tables, query) == before


def test_a_question_is_put_again_where_a_file_was_packed_in_between_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lineage, "_PAUSES", (0.0, 0.0))
    fails = [2]

    def question() -> str:
        if fails[0]:
            fails[0] -= 1
            raise duckdb.IOException("No files found")
        return "answered"

    assert lineage.again(question) == "answered"
    fails[0] = 3
    with pytest.raises(duckdb.IOException):
        lineage.again(question)


def test_several_pack_at_once_and_some_read(ledger: Ledger, tmp_path: Path) -> None:
    before = answers(tmp_path)["runs"]
    seen_by_readers: list[list[dict[str, Any]]] = []
    errors: list[Exception] = []

    def packs() -> None:
        try:
            Ledger(tmp_path, clock=Clock(BEGIN + timedelta(days=9))).pack()
        except LedgerError as error:
            errors.append(error)

    def reads() -> None:
        with lineage.connect(tmp_path) as tables:
            seen_by_readers.append(lineage.rows(tables, "FROM runs ORDER BY ALL"))

    threads = [threading.Thread(target=target) for target in (packs, reads, packs, reads, packs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert seen_by_readers == [before, before]
    assert answers(tmp_path)["runs"] == before
