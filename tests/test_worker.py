"""Doorbell, schedule and worker on a real Prefect server: no study is lost, whatever dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from deployments.demo import studies
from deployments.demo.servers import Orthanc
from flows.ledger import lineage
from tests.cases import case
from tests.served import Site, served

SWEEP_SECONDS = 15
LINGER_SECONDS = 5
PATIENCE = 300.0
"""Seconds. Prefect's server on SQLite now and then stands still for minutes: everything says "database is locked"."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a hospital, a cloud and all that is between them."""
    folder = tmp_path_factory.mktemp("site")
    with served(folder, stable_age=2, sweep_seconds=SWEEP_SECONDS, linger_seconds=LINGER_SECONDS) as site:
        yield site


def wait(what: Callable[[], bool], *, pause: float = 0.5) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it never came about"
        time.sleep(pause)


def test_a_ring_of_the_doorbell_brings_a_study_to_the_cloud(site: Site) -> None:
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 1, 1, 5, rows=16)))

    # The sweep may find the study first; the doorbell's run then finds nothing, but it runs.
    wait(lambda: site.balanced(5) and "doorbell" in site.triggers())

    assert site.in_cloud() == 5


def test_a_ring_that_was_lost_is_made_good_by_the_schedule(site: Site) -> None:
    wait(site.is_resting)
    before = len(site.triggers())
    site.prefect.stop()
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 2, 1, 5, rows=16)))
    wait(lambda: "doorbell not answered" in site.hospital.log.read_text())

    site.prefect.start()

    wait(lambda: site.balanced(10) and len(site.triggers()) > before)  # a run ends after its studies
    assert (site.in_cloud(), set(site.triggers()[before:])) == (10, {"schedule"})


@case(104)
def test_a_worker_killed_in_the_middle_of_a_study_loses_and_doubles_nothing(site: Site) -> None:
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 3, 1, 300, rows=16)))
    wait(lambda: site.in_cloud() > 10, pause=0.005)

    site.worker.kill()

    assert 10 < site.in_cloud() < 310
    assert not site.balanced(310)

    # Left alone, the dead run's slot is free when its lease is over, five minutes later: too long for a test.
    site.worker.start(clear=True)

    wait(lambda: site.balanced(310) and site.unfinished() == 1)  # a run of the schedule may work at any time
    assert site.in_cloud() == 310
    with lineage.connect(site.folder / "lineage") as tables:
        (twice,) = lineage.rows(
            tables,
            "SELECT count(*) AS n FROM (SELECT sop_instance_uid FROM deliveries WHERE outcome = 'stored'"
            " GROUP BY ALL HAVING count(*) > 1)",
        )
    assert twice["n"] == 0


def test_a_hundred_rings_in_a_short_time_make_a_few_runs_and_lose_nothing(site: Site) -> None:
    before = site.triggers().count("doorbell")
    site.ring(50)
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 4, 1, 5, rows=16)))
    site.ring(50)

    def is_answered() -> bool:
        # A Prefect server that stands still forgets rings, and the sweep brings the study: then it is rung again.
        if site.triggers().count("doorbell") == before:
            site.ring()
            return False
        return True

    wait(lambda: site.balanced(315))
    wait(is_answered, pause=3 * LINGER_SECONDS)
    wait(site.is_resting)
    assert site.triggers().count("doorbell") - before <= 6


def test_rings_that_a_prefect_server_forgets_when_it_restarts_are_made_good(site: Site) -> None:
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 5, 1, 5, rows=16)))
    site.ring(20)
    site.prefect.kill()
    site.prefect.start()
    wait(lambda: site.balanced(320))
    assert site.in_cloud() == 320


def test_a_run_that_is_cancelled_in_the_middle_of_a_study_loses_and_doubles_nothing(site: Site) -> None:
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 6, 1, 300, rows=16)))
    wait(lambda: site.in_cloud() > 330, pause=0.005)
    for run in site.runs("RUNNING"):
        state = {"type": "CANCELLING", "name": "Cancelling"}
        site.prefect.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": state})
    wait(lambda: bool(site.runs("CANCELLED")))
    cancelled = site.in_cloud()

    wait(lambda: site.balanced(620))

    assert cancelled < 620
    assert site.in_cloud() == 620


def test_what_one_worker_of_a_pool_had_begun_when_it_died_another_one_brings_to_its_end(site: Site) -> None:
    wait(site.is_resting)
    other = site.another_worker()
    other.start(clear=False)
    try:
        site.receive(*(studies.to_bytes(image) for image in studies.ct(1, 7, 1, 300, rows=16)))
        wait(lambda: site.in_cloud() > 630, pause=0.005)
        (run,) = site.runs("RUNNING")
        process = int(run["infrastructure_pid"].rpartition(":")[2])
        (busy,) = (one for one in (site.worker, other) if process in one.process.family())
        busy.kill()
        assert 630 < site.in_cloud() < 920

        # Left alone, the dead run's slot is free in five minutes.
        crashed = {"type": "CRASHED", "message": "Its worker is gone."}
        site.prefect.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": crashed, "force": True})
        wait(lambda: site.balanced(920))
    finally:
        other.stop()
        site.worker.start()

    assert site.in_cloud() == 920


@case(105)
def test_nothing_of_a_patient_is_in_what_prefect_keeps(site: Site) -> None:
    site.receive(*(instance.data for instance in studies.south()))
    wait(lambda: site.balanced(920 + 17))
    site.prefect.stop()  # what is in its memory goes to its database

    kept = b"".join(path.read_bytes() for path in site.prefect.home.rglob("*") if path.is_file())
    logs = b"".join(path.read_bytes() for path in site.folder.rglob("*.log"))
    orthanc = [one for level in ("patients", "studies", "series", "instances") for one in _list(site.hospital, level)]
    texts = {spelling.lower() for planted in studies.PLANTED for spelling in planted.spellings}
    texts |= {str(one).encode() for one in orthanc}

    assert len(texts) > 300
    assert not [text for text in texts if text in kept.lower()]
    assert not [text for text in texts if text in logs.lower()]


def _list(server: Orthanc, level: str) -> list[str]:
    found = server.get(f"/{level}")
    assert isinstance(found, list)
    return found
