"""The lineage tables: what the balance counts, and that the page about them is true."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from flows.ledger import lineage
from flows.ledger.book import Ledger
from flows.ledger.columns import restored
from flows.ledger.records import Reference, StudyOutcome
from tests.ledgers import (
    NOON,
    delivery,
    difference,
    finished,
    instance,
    outcome,
    reconciliation,
    release,
    seen,
    started,
    uid,
)

PAGE = (Path(__file__).parent.parent / "docs" / "lineage.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
TABLES = re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def ask(ledger: Ledger, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    with lineage.connect(ledger.directory) as connection:
        return lineage.rows(connection, sql, parameters)


def balance(ledger: Ledger, site: str | None = None) -> lineage.Balance:
    with lineage.connect(ledger.directory) as connection:
        return lineage.balance(connection, site)


def sums(ledger: Ledger) -> tuple[int, int, int, int, int, bool]:
    there = balance(ledger)
    return (there.source_instances, there.loaded, there.held, there.excluded, there.in_flight, there.balanced)


def fill(ledger: Ledger) -> None:
    """Record a bit of everything: loaded, held with and without a list, excluded, in flight, two sites."""
    ledger.started(started())
    ledger.seen([seen(study) for study in (1, 2, 3, 4, 6)])
    ledger.record(outcome(1))
    ledger.record(outcome(2, ("held", "held", "excluded"), status="held", reason="burned-in-risk"))
    ledger.record(pointing(6, uid("study", 3), "pending"))
    ledger.record(outcome(3, (), status="held", reason="two-patients", source_instances=3))
    ledger.finished(finished())
    ledger.started(started("run-2", "south"))
    ledger.seen([seen(5, site="south", run_id="run-2")])


# Loaded + held + excluded + in flight


def test_an_empty_ledger_balances_and_answers_every_table(ledger: Ledger) -> None:
    assert sums(ledger) == (0, 0, 0, 0, 0, True)
    for name, _ in TABLES:
        assert ask(ledger, f'FROM "{name}"') == []


def test_what_was_only_seen_is_in_flight(ledger: Ledger) -> None:
    ledger.seen([seen()])
    assert sums(ledger) == (3, 0, 0, 0, 3, True)


def test_every_fate_has_its_column(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=4)])
    ledger.record(outcome(1, ("loaded", "loaded", "held", "excluded")))
    assert sums(ledger) == (4, 2, 1, 1, 0, True)


@pytest.mark.parametrize("status", ["held", "excluded"])
def test_a_study_kept_whole_answers_for_instances_that_it_does_not_list(ledger: Ledger, status: Any) -> None:
    ledger.seen([seen()])
    ledger.record(outcome(1, (), status=status, reason="two-patients", source_instances=3))
    assert sums(ledger) == (3, 0, 3 * (status == "held"), 3 * (status == "excluded"), 0, True)


@pytest.mark.parametrize(
    "proof",
    [
        (),
        (delivery(1, 1, cloud_md5="0" * 32),),
        (delivery(1, 1, cloud_md5="0" * 32, outcome="conflict"),),
        (delivery(1, 1), delivery(1, 1, cloud_md5="0" * 32, delivered_at=NOON + timedelta(hours=1))),
        (delivery(2, 1),),
    ],
    ids=["no answer", "other bytes", "conflict", "other bytes later", "another instance"],
)
def test_loaded_counts_only_with_the_clouds_own_digest(ledger: Ledger, proof: tuple[Any, ...]) -> None:
    ledger.seen([seen(source_instances=1)])
    ledger.record(outcome(1, ("loaded",), deliveries=proof))
    assert sums(ledger) == (1, 0, 0, 0, 1, False)
    assert (balance(ledger).unproven, balance(ledger).unbalanced) == (1, 1)


def test_a_digest_that_nobody_made_proves_nothing(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=1)])
    without = (dataclasses.replace(instance(1, 1), md5=""),)
    ledger.record(outcome(1, ("loaded",), instances=without, deliveries=(delivery(1, 1, cloud_md5=""),)))
    assert not balance(ledger).balanced


def test_the_delivery_of_an_earlier_run_still_proves(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=2)])
    ledger.record(outcome(1, ("loaded", "loaded")))
    ledger.seen([seen(source_instances=3, snapshot="SNAPSHOT00000002")])
    assert sums(ledger) == (3, 2, 0, 0, 1, True)  # grown: what is new is in flight
    late = outcome(1, snapshot="SNAPSHOT00000002", run_id="run-2", deliveries=(delivery(1, 3),))
    ledger.record(late)
    assert sums(ledger) == (3, 3, 0, 0, 0, True)
    assert len(ask(ledger, "SELECT * FROM deliveries")) == 3


def test_an_instance_that_its_own_snapshot_forgot_does_not_balance(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=4)])
    ledger.record(outcome(1))
    assert sums(ledger) == (4, 3, 0, 0, 1, False)


def test_more_than_there_is_does_not_balance(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=2, snapshot="SNAPSHOT00000002")])
    ledger.record(outcome(1))
    assert sums(ledger) == (2, 3, 0, 0, -1, False)


def test_an_outcome_that_nobody_saw_does_not_balance(ledger: Ledger) -> None:
    ledger.record(outcome(1))
    assert sums(ledger) == (0, 3, 0, 0, -3, False)


def test_one_instance_listed_twice_is_loaded_once(ledger: Ledger) -> None:
    ledger.seen([seen(source_instances=2)])
    ledger.record(outcome(1, (), instances=(instance(1, 1),) * 2, deliveries=(delivery(1, 1),) * 2))
    assert sums(ledger) == (2, 1, 0, 0, 1, False)


def test_sites_and_projects_balance_apart(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(1, site="south"), seen(1, project="heart")])
    ledger.record(outcome(1))
    ledger.record(outcome(1, site="south", deliveries=()))  # the north's delivery proves nothing here
    assert balance(ledger, "north").balanced
    assert not balance(ledger, "south").balanced
    assert balance(ledger, "west") == lineage.Balance(**dict.fromkeys(vars(balance(ledger)), 0))
    rows = ask(ledger, "SELECT site, project, loaded, in_flight FROM balance_by_site ORDER BY ALL")
    assert [tuple(row.values()) for row in rows] == [
        ("north", "heart", 0, 3),
        ("north", "lung", 3, 0),
        ("south", "lung", 0, 3),
    ]


def test_the_day_is_the_one_on_which_the_study_was_first_seen(ledger: Ledger) -> None:
    ledger.seen([seen()])
    ledger.seen([seen(source_instances=4, seen_at=NOON + timedelta(days=3))])
    assert ask(ledger, "SELECT day, source_instances FROM balance") == [
        {"day": date(2026, 3, 2), "source_instances": 4}
    ]


# The other tables


def test_a_run_that_was_killed_has_no_end(ledger: Ledger) -> None:
    fill(ledger)
    rows = ask(ledger, "SELECT run_id, trigger, state, finished_at IS NULL AS open, loaded FROM runs ORDER BY run_id")
    assert [tuple(row.values()) for row in rows] == [
        ("run-1", "doorbell", "finished", False, 3),
        ("run-2", "doorbell", "started", True, None),
    ]


def test_what_is_released_after_a_fix_is_no_longer_held(ledger: Ledger) -> None:
    ledger.seen([seen()])
    ledger.record(outcome(1, ("held", "held", "held"), status="held", reason="burned-in-risk"))
    assert len(ask(ledger, "SELECT * FROM held")) == 3
    ledger.record(outcome(1, run_id="run-2"))
    assert ask(ledger, "SELECT * FROM held") == []
    assert len(ask(ledger, "SELECT * FROM raw.studies")) == 2
    assert sums(ledger) == (3, 3, 0, 0, 0, True)


def test_a_held_study_shows_though_nobody_wrote_a_finding(ledger: Ledger) -> None:
    ledger.record(outcome(1, (), status="held", reason="two-patients"))
    assert ask(ledger, "SELECT sop_instance_uid, code FROM held") == [{"sop_instance_uid": "", "code": "two-patients"}]


def test_a_study_is_held_since_it_was_first_held_and_not_loaded_between(ledger: Ledger) -> None:
    def held(hour: int) -> None:
        ledger.record(outcome(1, (), status="held", reason="dates-torn", finished_at=NOON + timedelta(hours=hour)))

    held(1)
    ledger.record(outcome(1, finished_at=NOON + timedelta(hours=2)))
    held(3)
    held(4)
    (row,) = ask(ledger, "SELECT held_since, held_at FROM held")
    assert [each.hour for each in row.values()] == [15, 16]


def test_a_release_waits_until_an_attempt_knew_of_it(ledger: Ledger) -> None:
    ledger.record(outcome(1, (), status="held", reason="dates-torn"))
    ledger.release([release(1)])
    ledger.record(outcome(1, (), status="held", reason="dates-torn", run_id="run-2"))  # it had begun before

    def became() -> list[tuple[Any, ...]]:
        return [
            tuple(row.values()) for row in ask(ledger, "SELECT who, tried_in, became FROM releases ORDER BY record")
        ]

    assert became() == [("a physicist", None, None)]
    known = ledger.releases("north", "lung")[outcome(1).work]
    ledger.record(outcome(1, (), status="held", reason="dates-torn", run_id="run-3", release=known))
    ledger.release([release(1, who="another")])
    ledger.record(outcome(1, run_id="run-4", release=ledger.releases("north", "lung")[outcome(1).work]))
    assert became() == [("a physicist", "run-3", "held"), ("another", "run-4", "loaded")]


def test_a_release_of_what_was_loaded_without_knowing_of_it_does_not_wait(ledger: Ledger) -> None:
    ledger.record(outcome(1, (), status="held", reason="dates-torn"))
    ledger.release([release(1)])
    ledger.record(outcome(1, run_id="run-2"))
    assert ask(ledger, "SELECT tried_in, became FROM releases") == [{"tried_in": "run-2", "became": "loaded"}]


def test_a_series_of_which_something_is_held_is_not_called_external(ledger: Ledger) -> None:
    ledger.record(outcome(1, ("loaded", "held"), status="held", reason="burned-in-risk"))
    pointer = Reference(instance=uid("instance", 2, 1), level="series", target=uid("series", 1), state="external")
    ledger.record(outcome(2, references=(pointer,)))
    rows = ask(ledger, 'SELECT state FROM "references" WHERE study_instance_uid = ?', uid("study", 2))
    assert rows == [{"state": "elsewhere"}]


def test_a_reference_keeps_its_state(ledger: Ledger) -> None:
    ledger.record(outcome(1))
    rows = ask(ledger, 'SELECT level, target, state FROM "references" ORDER BY level')
    assert [tuple(row.values()) for row in rows] == [
        ("instance", uid("instance", 1, 2), "resolved"),
        ("series", uid("elsewhere", 1), "external"),
    ]


def pointing(
    study: int, target: str, state: Literal["resolved", "pending", "external"], **changes: Any
) -> StudyOutcome:
    """Make the outcome of a study of which one instance points at `target`."""
    edge = Reference(instance=uid("instance", study, 1), level="study", target=target, state=state)
    return outcome(study, references=(edge,), **changes)


def test_what_waits_is_told_with_its_age_until_it_comes(ledger: Ledger) -> None:
    later = NOON + timedelta(days=9)
    ledger.record(pointing(2, uid("study", 1), "pending"))
    ledger.record(pointing(2, uid("study", 1), "pending", run_id="run-2", finished_at=later))
    ledger.record(pointing(3, uid("study", 1), "pending", finished_at=later))

    (waits,) = ask(ledger, "SELECT studies, targets, oldest_since, oldest_age FROM pending_by_site")
    age = waits.pop("oldest_age")
    assert waits == {"studies": 2, "targets": 2, "oldest_since": NOON.replace(tzinfo=None)}
    assert abs(datetime.now(UTC) - NOON - age) < timedelta(minutes=1)

    ledger.record(outcome(1))
    assert ask(ledger, "FROM pending_by_site") == ask(ledger, "FROM pending") == []
    assert [row["state"] for row in ask(ledger, "SELECT state FROM \"references\" WHERE level = 'study'")] == [
        "elsewhere",
        "elsewhere",
    ]


def test_what_was_outside_waits_once_the_hospital_has_it(ledger: Ledger) -> None:
    ledger.record(pointing(2, uid("study", 1), "external"))
    assert ask(ledger, "FROM pending") == []

    ledger.seen([seen(1)])
    assert [row["target"] for row in ask(ledger, "FROM pending")] == [uid("study", 1)]


def framed(state: Literal["pending", "external"]) -> StudyOutcome:
    """Make the outcome of a study of which one instance points at an image and at a frame of reference."""
    targets = {"instance": uid("instance", 1, 1), "frame-of-reference": uid("frame", 1)}
    edges = [
        Reference(instance=uid("instance", 2, 1), level=level, target=target, state=state)
        for level, target in targets.items()
    ]
    return outcome(2, references=tuple(edges))


def levels(ledger: Ledger, state: str) -> list[str]:
    sql = 'SELECT level FROM "references" WHERE study_instance_uid = ? AND state = ? ORDER BY level'
    return [row["level"] for row in ask(ledger, sql, uid("study", 2), state)]


def test_a_frame_of_reference_of_one_image_is_there_to_point_at(ledger: Ledger) -> None:
    ledger.record(framed("pending"))
    assert levels(ledger, "pending") == ["frame-of-reference", "instance"]

    ledger.record(outcome(1, frames=(uid("frame", 1),)))
    assert levels(ledger, "elsewhere") == ["frame-of-reference", "instance"]


def test_a_frame_of_reference_in_which_the_images_do_not_stand_does_not_wait_for_ever(ledger: Ledger) -> None:
    ledger.record(framed("pending"))
    ledger.record(outcome(1, frames=(uid("frame", 2),)))
    assert (levels(ledger, "elsewhere"), levels(ledger, "external")) == (["instance"], ["frame-of-reference"])
    assert ask(ledger, "FROM pending") == []


def test_what_was_loaded_once_is_there_though_its_study_is_held_since(ledger: Ledger) -> None:
    ledger.record(pointing(2, uid("study", 1), "pending"))
    ledger.record(outcome(1))
    ledger.record(outcome(1, (), status="held", reason="burned-in-risk", run_id="run-2", source_instances=4))
    assert levels(ledger, "elsewhere") == ["study"]
    assert ask(ledger, "FROM pending") == []


def test_what_came_with_an_earlier_state_of_the_study_is_not_called_external(ledger: Ledger) -> None:
    ledger.record(outcome(2))
    edge = Reference(instance=uid("instance", 2, 1), level="instance", target=uid("instance", 2, 3), state="external")
    ledger.record(outcome(2, ("loaded", "loaded"), references=(edge,), run_id="run-2"))
    assert levels(ledger, "elsewhere") == ["instance"]


def test_a_difference_is_open_until_a_night_finds_it_no_longer(ledger: Ledger) -> None:
    lost, grown = difference(1), difference(2, kind="not-taken-up", sop_instance_uid="")
    ledger.record(outcome(1))
    ledger.reconciled(reconciliation(1, found=(lost, grown)))
    ledger.record(outcome(1, run_id="run-2"))  # no reconciliation, so nobody healed it
    ledger.record(outcome(2, run_id="night-1"))
    ledger.reconciled(reconciliation(2, closed=(grown,)))
    ledger.reconciled(reconciliation(3, closed=(lost,)))
    ledger.reconciled(reconciliation(4, found=(lost,)))
    ledger.reconciled(reconciliation(5))
    ledger.reconciled(reconciliation(9, site="south"))

    def days(*times: datetime | None) -> list[int | None]:
        return [(when - NOON.replace(tzinfo=None)).days if when else None for when in times]

    rows = ask(ledger, "FROM differences ORDER BY kind DESC, first_seen")
    assert [(row["kind"], row["healed"], row["is_open"], row["run_id"]) for row in rows] == [
        ("not-taken-up", True, False, "night-1"),
        ("not-in-cloud", False, False, "night-1"),
        ("not-in-cloud", False, True, "night-4"),
    ]
    times = [days(row["first_seen"], row["last_seen"], row["closed_at"]) for row in rows]
    assert times == [[1, 1, 2], [1, 2, 3], [4, 5, None]]
    counted = ask(ledger, "SELECT found, closed, open FROM reconciliations WHERE site = 'north' ORDER BY record")
    assert [tuple(row.values()) for row in counted] == [(2, 0, 2), (0, 1, 1), (0, 1, 0), (1, 0, 1), (0, 0, 1)]


def test_a_difference_that_changes_is_another_one(ledger: Ledger) -> None:
    ledger.reconciled(reconciliation(1, found=(difference(),)))
    changed = difference(reason="rules-changed")
    ledger.reconciled(reconciliation(2, found=(changed,), closed=(difference(),)))
    rows = ask(ledger, "SELECT reason, is_open FROM differences ORDER BY first_seen")
    assert [tuple(row.values()) for row in rows] == [("", False), ("rules-changed", True)]


def test_a_record_is_made_again_from_its_row(ledger: Ledger) -> None:
    made = outcome(1, ("loaded", "held"), status="held", reason="burned-in-risk")
    ledger.record(made)
    (row,) = ask(ledger, "FROM raw.latest")
    assert restored(StudyOutcome, row) == made


# The file


def test_the_file_holds_views_only_and_is_made_once(ledger: Ledger) -> None:
    before = ledger.lineage_file.stat().st_ino
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        assert auditor.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
        Ledger(ledger.directory)
    assert ledger.lineage_file.stat().st_ino == before


def test_the_file_is_made_again_when_the_views_change(ledger: Ledger) -> None:
    before = ledger.lineage_file.stat().st_ino
    (ledger.directory / ".lineage.sha256").write_text("of older views")
    with duckdb.connect(ledger.lineage_file) as auditor:  # held open for writing, and still no obstacle
        Ledger(ledger.directory)
        assert auditor.execute("SELECT * FROM studies").fetchall() == []
    assert ledger.lineage_file.stat().st_ino != before
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        assert auditor.execute("SELECT * FROM studies").fetchall() == []


def test_the_file_works_under_any_name_that_it_is_attached_as(ledger: Ledger) -> None:
    fill(ledger)
    with duckdb.connect() as auditor:
        auditor.execute(f"ATTACH '{ledger.lineage_file}' AS mine (READ_ONLY)")
        assert auditor.execute("SELECT bool_and(balanced) FROM mine.balance_by_site").fetchall() == [(True,)]


def test_no_column_needs_a_package_to_be_read(ledger: Ledger) -> None:
    # DuckDB wants pytz for a TIMESTAMP WITH TIME ZONE and would fail where it is not installed.
    fill(ledger)
    script = (
        "import sys; sys.modules['pytz'] = None; import duckdb;"
        "c = duckdb.connect(sys.argv[1], read_only=True);"
        "[c.execute(f'SELECT * FROM \"{name}\"').fetchall() for name in sys.argv[2:]]"
    )
    names = [name for name, _ in TABLES]
    subprocess.run([sys.executable, "-c", script, str(ledger.lineage_file), *names], check=True)


def test_files_of_an_older_shape_answer_null_for_what_they_lack(ledger: Ledger) -> None:
    ledger.record(outcome(1))
    (newest,) = (ledger.directory / "studies").glob("2*.parquet")
    older = duckdb.read_parquet(str(newest)).select(duckdb.StarExpression(exclude=["checks", "engine_version"]))
    older.write_parquet(f"{newest}.old")
    Path(f"{newest}.old").replace(newest)
    assert ask(ledger, "SELECT study_instance_uid, engine_version FROM studies") == [
        {"study_instance_uid": uid("study", 1), "engine_version": None}
    ]
    assert ask(ledger, "SELECT * FROM checks") == []


# The page


@pytest.mark.parametrize("query", QUERIES, ids=range(1, len(QUERIES) + 1))
def test_every_query_of_the_page_runs_and_finds_something(ledger: Ledger, query: str) -> None:
    fill(ledger)
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        assert lineage.rows(auditor, query)


def test_the_page_asks_five_questions() -> None:
    assert re.findall(r"^\*\*(\d)\. ", PAGE, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert len(QUERIES) == 9


def test_the_page_tells_every_table_and_column(ledger: Ledger) -> None:
    told = {name: re.findall(r"^\| `(\w+)` \| (\S+) \| \S", text, re.MULTILINE) for name, text in TABLES}
    with duckdb.connect(ledger.lineage_file, read_only=True) as auditor:
        views = auditor.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
        ).fetchall()
        true = {name: [row[:2] for row in auditor.execute(f'DESCRIBE "{name}"').fetchall()] for (name,) in views}
    assert told == true
