"""The ledger: whole records, from any number of processes, whatever kills them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.errors import TransientError
from flows.ledger import lineage
from flows.ledger.book import Ledger, LedgerError
from flows.ledger.records import RunStarted, Settled, StudyOutcome
from tests.cases import case
from tests.ledgers import NOON, delivery, finished, outcome, release, seen, started
from tests.processes import FORKS, start


def visible(directory: Path, kind: str = "studies") -> list[Path]:
    return sorted((directory / kind).glob("2*.parquet"))


def plain(value: Any) -> Any:
    """Say a record as DuckDB gives it back: times in UTC without a zone, tuples as lists."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value


# What a record says


def test_an_outcome_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    there = outcome(finished_at=datetime(2026, 3, 2, 13, 0, 0, 123456, timezone(timedelta(hours=1))))
    Ledger(tmp_path).record(there)
    (row,) = lineage.rows(lineage.connect(tmp_path), "SELECT * EXCLUDE (record) FROM raw.studies")
    assert row == plain(dataclasses.asdict(there))
    assert row["finished_at"] == datetime(2026, 3, 2, 12, 0, 0, 123456)  # noqa: DTZ001 - stored as UTC


def test_rows_that_were_seen_together_are_one_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.seen([seen(study) for study in range(50)])
    ledger.seen([])
    assert len(visible(tmp_path, "seen")) == 1
    (row,) = lineage.rows(lineage.connect(tmp_path), "SELECT count(*) AS rows FROM raw.seen")
    assert row == {"rows": 50}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: outcome(status="lost"), "StudyOutcome.status must be one of loaded, held, excluded"),
        (lambda: delivery(1, 1, outcome="sent"), "Delivery.outcome must be one of"),
        (lambda: outcome(started_at=NOON.replace(tzinfo=None)), "StudyOutcome.started_at must carry a time zone"),
        (
            lambda: RunStarted(run_id="1", site="north", project="lung", trigger="cron", at=NOON),  # type: ignore[arg-type]  # the point
            "RunStarted.trigger must be one of doorbell, schedule, manual",
        ),
    ],
)
def test_a_record_that_the_views_could_not_count_is_never_made(change: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        change()


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "deep" / "ledger")
    assert (tmp_path / "deep" / "ledger").stat().st_mode & 0o777 == 0o700


def test_a_folder_may_have_an_odd_name(tmp_path: Path) -> None:
    odd = tmp_path / "site=north" / "it's [1] *"
    ledger = Ledger(odd)
    ledger.record(outcome())
    assert len(ledger.settled("north", "lung")) == 1
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        assert lineage.rows(auditor, "SELECT site, count(*) AS n FROM instances GROUP BY site") == [
            {"site": "north", "n": 3}
        ]


@case(104)
def test_a_disk_that_fails_is_one_clear_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    (tmp_path / "studies").rename(tmp_path / "away")
    with pytest.raises(LedgerError, match="free space") as caught:
        ledger.record(outcome())
    assert isinstance(caught.value, TransientError)
    assert str(tmp_path) not in str(caught.value)
    (tmp_path / "away").rename(tmp_path / "studies")
    assert not visible(tmp_path)
    ledger.record(outcome())
    assert len(visible(tmp_path)) == 1


# What is settled


def settled(there: StudyOutcome) -> Settled:
    names = (field.name for field in dataclasses.fields(Settled))
    return Settled(**{name: getattr(there, name) for name in names})


def test_settled_is_the_latest_outcome_of_each_study_of_the_site_and_project(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.settled("north", "lung") == {}
    held = outcome(1, status="held", reason="dates-torn")
    again = outcome(1, snapshot="SNAPSHOT00000002")
    other = outcome(2, status="excluded", reason="modality")
    for each in (held, again, other, outcome(3, site="south"), outcome(4, project="heart")):
        ledger.record(each)
    assert ledger.settled("north", "lung") == {again.work: settled(again), other.work: settled(other)}
    assert set(ledger.settled("south", "lung")) == {outcome(3).work}


def test_settled_sees_what_others_recorded_in_between(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    for study in range(3):
        other.record(outcome(study))
        assert len(one.settled("north", "lung")) == study + 1


def test_the_index_is_only_a_copy_and_never_the_truth(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for study in range(200):
        ledger.record(outcome(study, ()))
    index = tmp_path / ".settled.parquet"
    whole = ledger.settled("north", "lung")
    assert len(whole) == 200
    assert index.exists()
    ledger.record(outcome(7, status="held", reason="pixels-differ"))
    assert Ledger(tmp_path).settled("north", "lung")[outcome(7).work].reason == "pixels-differ"
    index.write_bytes(b"damaged")
    assert len(Ledger(tmp_path).settled("north", "lung")) == 200
    index.unlink()
    assert len(Ledger(tmp_path).settled("north", "lung")) == 200
    visible(tmp_path)[-1].unlink()  # the record of the held study: gone from the folder, gone from the answer
    for reader in (Ledger(tmp_path), ledger):
        assert reader.settled("north", "lung") == whole


def test_a_clock_that_is_set_back_does_not_bring_an_old_outcome_back(tmp_path: Path) -> None:
    ahead = Ledger(tmp_path, clock=lambda: datetime.now(UTC) + timedelta(days=300))
    ahead.record(outcome(status="held", reason="dates-torn"))
    ahead.record(outcome(status="held", reason="pixels-differ"))
    assert ahead.settled("north", "lung")[outcome().work].reason == "pixels-differ"
    later = Ledger(tmp_path)
    later.record(outcome())
    assert later.settled("north", "lung") == {outcome().work: settled(outcome())}
    (study,) = lineage.rows(lineage.connect(tmp_path), "SELECT status FROM studies")
    assert study == {"status": "loaded"}


def test_the_latest_release_of_each_study_is_known(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path), Ledger(tmp_path)
    assert ledger.releases("north", "lung") == {}
    other.release([release(1), release(2)])
    first = ledger.releases("north", "lung")
    assert set(first) == {outcome(1).work, outcome(2).work}
    assert ledger.releases("south", "lung") == {}
    other.release([release(1, why="once more")])
    latest = ledger.releases("north", "lung")
    assert latest[outcome(1).work] > first[outcome(1).work]
    assert latest[outcome(2).work] == first[outcome(2).work]


def test_records_of_an_older_shape_are_settled_all_the_same(tmp_path: Path) -> None:
    Ledger(tmp_path).record(outcome(1, status="held", reason="dates-torn"))
    (newest,) = visible(tmp_path)
    older = duckdb.read_parquet(str(newest)).select(duckdb.StarExpression(exclude=["release"]))
    older.write_parquet(f"{newest}.old")
    Path(f"{newest}.old").replace(newest)
    Ledger(tmp_path).record(outcome(2))
    there = Ledger(tmp_path).settled("north", "lung")
    assert (there[outcome(1).work].reason, there[outcome(1).work].release) == ("dates-torn", "")


# Many at once, and killed


def write(directory: Path, writer: int, count: int) -> None:
    ledger = Ledger(directory)
    for number in range(count):
        ledger.record(outcome(writer * 1000 + number))


def watch(directory: Path, pipe: Connection) -> None:
    """Hold the lineage file open for writing and count, until told to end."""
    with duckdb.connect(directory / "lineage.duckdb") as auditor:
        counts = []
        pipe.send("open")
        while not pipe.poll():
            counts.append(
                auditor.execute("SELECT count(*), count(*) FILTER (len(instances) <> 3) FROM raw.studies").fetchall()[0]
            )
        pipe.send(counts)


def test_four_writers_lose_nothing_while_an_auditor_stays_connected(tmp_path: Path) -> None:
    Ledger(tmp_path).started(started())
    ours, theirs = FORKS.Pipe()
    auditor = start(watch, tmp_path, theirs)
    theirs.close()  # so that an auditor who dies ends the test, too
    assert ours.recv() == "open"
    with pytest.raises(duckdb.IOException, match="lock"):  # the auditor does hold the file, and alone
        duckdb.connect(tmp_path / "lineage.duckdb", read_only=True)
    writers = [start(write, tmp_path, writer, 25) for writer in range(4)]
    for writer in writers:
        writer.join(60)
    ours.send("end")
    counts = ours.recv()
    auditor.join(60)
    assert [process.exitcode for process in (*writers, auditor)] == [0] * 5
    assert len(Ledger(tmp_path).settled("north", "lung")) == len(visible(tmp_path)) == 100
    seen_by_auditor, torn = zip(*counts, strict=True)
    assert len(set(seen_by_auditor)) > 2, "the auditor must have looked while they wrote"
    assert list(seen_by_auditor) == sorted(seen_by_auditor)
    assert set(torn) == {0}


def test_processes_that_open_a_new_ledger_at_once_make_one(tmp_path: Path) -> None:
    openers = [start(write, tmp_path / "new", opener, 1) for opener in range(4)]
    for opener in openers:
        opener.join(60)
    assert [opener.exitcode for opener in openers] == [0] * 4
    ledger = Ledger(tmp_path / "new")
    assert len(ledger.settled("north", "lung")) == 4
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        assert auditor.execute("SELECT count(*) FROM studies").fetchall() == [(4,)]
    assert not list((tmp_path / "new").rglob("*.part*"))


def write_until_killed(directory: Path, pipe: Connection) -> None:
    ledger = Ledger(directory)
    for number in range(1_000_000):
        ledger.record(outcome(os.getpid() * 1000 + number, ["loaded"] * 200))
        pipe.send_bytes(b".")


@case(104)
def test_a_writer_killed_in_the_middle_leaves_only_whole_records(tmp_path: Path) -> None:
    acknowledged = 0
    halves: list[Path] = []
    for _ in range(20):  # until three kills have hit a file that was being written
        ours, theirs = FORKS.Pipe(duplex=False)
        writer = start(write_until_killed, tmp_path, theirs)
        theirs.close()
        ours.recv_bytes()
        acknowledged += 1
        known = set(halves)
        patience = time.monotonic() + 20
        while not known ^ set((tmp_path / "studies").glob(".*.part")) and time.monotonic() < patience:
            pass
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(60)
        with contextlib.suppress(EOFError):
            while True:
                ours.recv_bytes()
                acknowledged += 1
        ours.close()
        halves = list((tmp_path / "studies").glob(".*.part"))
        if len(halves) >= 3:
            break
    assert len(halves) >= 3
    files = visible(tmp_path)
    assert len(files) >= acknowledged >= 3
    for path in files:
        assert len(duckdb.read_parquet(str(path)).fetchall()) == 1
    assert len(Ledger(tmp_path).settled("north", "lung")) == len(files)
    torn = lineage.rows(lineage.connect(tmp_path), "SELECT * FROM raw.studies WHERE len(instances) <> 200")
    assert torn == []


def test_what_a_killed_writer_left_goes_after_a_day_and_not_before(tmp_path: Path) -> None:
    Ledger(tmp_path)
    old, young = tmp_path / "studies" / ".old.parquet-1.part", tmp_path / "studies" / ".young.parquet-2.part"
    for path in (old, young):
        path.write_bytes(b"PAR1 half")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))
    ledger = Ledger(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert ledger.settled("north", "lung") == {}
    assert lineage.balance(lineage.connect(tmp_path)).balanced


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)

    def write_ten(first: int) -> None:
        for number in range(first, first + 10):
            ledger.record(outcome(number))

    threads = [threading.Thread(target=write_ten, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.settled("north", "lung")) == 40


def test_a_closed_ledger_says_so_and_its_files_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.finished(finished())
    ledger.close()
    with pytest.raises(LedgerError):
        ledger.finished(finished())
    assert len(visible(tmp_path, "runs")) == 1


def test_a_folder_without_a_ledger_is_not_asked(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    with pytest.raises(LedgerError, match="there is no ledger"):
        lineage.connect(tmp_path)
