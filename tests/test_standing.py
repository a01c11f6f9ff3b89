"""The numbers of a site's page: the same as the lineage tables', and read from an index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.ledger import lineage, standing
from flows.ledger.book import Ledger
from flows.ledger.standing import Standing
from tests.ledgers import NOON, delivery, outcome, seen

NAIVE_NOON = NOON.replace(tzinfo=None)


def loaded(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(2)])
    ledger.record(outcome(1))


def held_whole_and_in_part(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(2), seen(3)])
    ledger.record(outcome(1, (), status="held", reason="two-patients", source_instances=3))
    ledger.record(outcome(2, ("loaded", "held", "excluded"), status="held", reason="burned-in-risk"))
    ledger.record(outcome(3, (), status="excluded", reason="by-choice", source_instances=3))


def never_proven(ledger: Ledger) -> None:
    ledger.seen([seen(1)])
    ledger.record(outcome(1, deliveries=(delivery(1, 1), delivery(1, 2, cloud_md5="f" * 32))))


def proven_before(ledger: Ledger) -> None:
    """The second outcome lists three, and delivered one: the others came with the first."""
    ledger.seen([seen(1, 2)])
    ledger.record(outcome(1, ("loaded", "loaded")))
    ledger.seen([seen(1, 3, snapshot="SNAPSHOT00000002")])
    ledger.record(outcome(1, snapshot="SNAPSHOT00000002", deliveries=(delivery(1, 3),)))


def grown_since(ledger: Ledger) -> None:
    ledger.seen([seen(1, 2)])
    ledger.record(outcome(1, ("loaded", "loaded")))
    ledger.seen([seen(1, 5, snapshot="SNAPSHOT00000002")])


def missing_from_its_outcome(ledger: Ledger) -> None:
    ledger.seen([seen(1, 5)])
    ledger.record(outcome(1))


def of_others(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(2, site="south")])
    ledger.record(outcome(2, site="south"))


STORIES = (
    loaded,
    held_whole_and_in_part,
    never_proven,
    proven_before,
    grown_since,
    missing_from_its_outcome,
    of_others,
)
HELD = """
    SELECT reason, count(*) AS studies FROM studies
    WHERE status = 'held' AND site = 'north' AND project = 'lung' GROUP BY reason
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def at_north(ledger: Ledger) -> Standing:
    return Standing(ledger.directory, "north", "lung")


@pytest.mark.parametrize("story", STORIES)
def test_the_page_counts_what_the_lineage_tables_count(ledger: Ledger, story: Callable[[Ledger], None]) -> None:
    story(ledger)
    with lineage.connect(ledger.directory) as tables, at_north(ledger) as standing:
        assert standing.balance() == lineage.balance(tables, "north")
        assert standing.held() == {row["reason"]: row["studies"] for row in lineage.rows(tables, HELD)}


def test_another_project_is_not_counted(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(2, project="heart")])
    with at_north(ledger) as standing:
        assert standing.balance().studies == 1


def test_a_day_has_the_studies_that_were_first_seen_on_it(ledger: Ledger) -> None:
    ledger.seen([seen(1), seen(2, 7, seen_at=NOON + timedelta(days=1))])
    ledger.seen([seen(1, seen_at=NOON + timedelta(days=1), snapshot="SNAPSHOT00000002")])
    with at_north(ledger) as standing:
        assert standing.balance(NOON.date()).source_instances == 3
        assert standing.balance((NOON + timedelta(days=1)).date()).source_instances == 7
        assert standing.balance((NOON + timedelta(days=2)).date()).studies == 0


def test_the_oldest_in_flight_is_since_it_was_first_seen(ledger: Ledger) -> None:
    with at_north(ledger) as standing:
        assert standing.oldest_in_flight() is None
    ledger.seen([seen(1)])
    ledger.seen([seen(1, snapshot="SNAPSHOT00000002", seen_at=NOON + timedelta(hours=5))])
    with at_north(ledger) as standing:
        assert standing.oldest_in_flight() == NAIVE_NOON
    ledger.record(outcome(1, snapshot="SNAPSHOT00000002"))
    with at_north(ledger) as standing:
        assert standing.oldest_in_flight() is None


def test_how_studies_were_found_is_counted_since_a_time(ledger: Ledger) -> None:
    ledger.seen([seen(1, found_by="feed"), seen(2, found_by="sweep")])
    ledger.seen([seen(3, found_by="sweep", seen_at=NOON - timedelta(days=8))])
    with at_north(ledger) as standing:
        assert standing.found(NAIVE_NOON - timedelta(days=7)) == {"feed": 1, "sweep": 1}


def test_what_the_index_has_is_not_read_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "WRITE_AFTER", 2)
    proven_before(ledger)
    with at_north(ledger) as there:
        before = there.balance()
    # Whoever read these again would fail.
    for path in (ledger.directory / "studies").glob("2*.parquet"):
        path.write_bytes(b"damaged")
    with at_north(ledger) as there:
        assert there.balance() == before


def test_a_damaged_index_is_made_anew(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "WRITE_AFTER", 2)
    proven_before(ledger)
    with at_north(ledger) as there:
        before = there.balance()
    (index,) = (path for path in (ledger.directory / ".standing").glob("studies.parquet"))
    index.write_bytes(b"damaged")
    with at_north(ledger) as there:
        assert there.balance() == before
    assert index.read_bytes()[:4] == b"PAR1"


def test_the_index_does_not_outlive_records_that_were_taken_away(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "WRITE_AFTER", 1)
    loaded(ledger)
    with at_north(ledger) as there:
        assert there.balance().loaded == 3
    for path in (ledger.directory / "studies").glob("2*.parquet"):
        path.unlink()
    with at_north(ledger) as there:
        assert there.balance().loaded == 0


def test_the_page_of_a_ledger_without_records_is_of_zeros(ledger: Ledger) -> None:
    with at_north(ledger) as there:
        assert (there.balance().studies, there.balance().balanced, there.held()) == (0, True, {})
        assert there.found(datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)) == {}
