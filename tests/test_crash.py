"""A worker that is killed after each single step of a study: the next run loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.demo import studies
from flows.desk import Desk
from tests import crash
from tests.cases import case
from tests.crash import STEPS
from tests.hospital import Place, counts, emptied, passwords_in_the_environment
from tests.orthanc_server import OrthancServer
from tests.processes import killed
from tests.test_look import looked_at

IMAGES = 4
INSTANCES = IMAGES + 1
"""Of one study."""
HELD = str(studies.ct(1, 3, 1, 1, rows=16)[0].StudyInstanceUID)
POINTS = [
    *((step, "after", 1) for step in STEPS),
    # Before these, what the step before did is all there is; after them, something stands that did not.
    *((step, "before", 1) for step in ("load", "record", "rename", "keep the cursor")),
    # Steps that a study makes many times.
    *((step, "after", IMAGES) for step in ("extract", "search", "load", "ask for a digest", "write", "rename")),
]


def visit(number: int) -> list[bytes]:
    """Return images, and a structure set that points at them and at one that is not there."""
    images = studies.ct(1, number, 1, IMAGES + 1, rows=16)
    return [studies.to_bytes(image) for image in (*images[:IMAGES], studies.structure_set(1, number, 2, images))]


@pytest.fixture(scope="module")
def loaded(servers: tuple[OrthancServer, OrthancServer]) -> Iterator[OrthancServer]:
    """Let a hospital have two studies that leave and one that is held; no worker changes them."""
    hospital = emptied(servers[0])
    screen = studies.to_bytes(studies.screen_dump(1, 3, 3, rows=16))
    Place(hospital, servers[1], Path()).receive([*visit(1), *visit(2), *visit(3), screen])
    yield hospital
    emptied(hospital)


@case(104)
@pytest.mark.parametrize(("step", "when", "number"), POINTS)
def test_a_worker_killed_at_any_step_loses_and_doubles_nothing(
    servers: tuple[OrthancServer, OrthancServer],
    loaded: OrthancServer,
    tmp_path: Path,
    step: str,
    when: str,
    number: int,
) -> None:
    place = Place(loaded, emptied(servers[1]), tmp_path)
    with passwords_in_the_environment():
        sites = place.write_sites()

        killed(crash.route, sites, step, when, number)

        with place.desk() as desk:
            assert not is_in_cloud(desk, HELD)
            looked_at(desk, thorough=True)
            assert not is_in_cloud(desk, HELD)
        with place.desk() as desk:
            assert looked_at(desk, thorough=True) == []
    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.held) == (2 * INSTANCES, 2 * INSTANCES, INSTANCES + 1)
    assert (balance.source_instances, balance.in_flight, balance.balanced) == (3 * INSTANCES + 1, 0, True)
    assert left_over(place) == []


def is_in_cloud(desk: Desk, study: str) -> bool:
    return bool(desk.cloud.studies_of(desk.anonymizer.uid(study)))


def left_over(place: Place) -> list[Path]:
    """Return what a killed worker left beside the ledger that is nobody's."""
    spool = place.folder / "lineage" / "spool"
    return [path for path in spool.rglob("*") if path.is_file()] if spool.exists() else []
