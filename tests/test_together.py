"""Several workers at one site: no study is moved twice at the same time, none is forgotten when one of them dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from deployments.demo import studies
from flows.ledger import lineage
from tests.hospital import Place, counts
from tests.plain_run import run

ROOT = Path(__file__).parents[1]
STUDIES = 8
IMAGES = 10


def visit(number: int, images: int = IMAGES) -> list[bytes]:
    return [studies.to_bytes(image) for image in studies.ct(1, number, 1, images, rows=16)]


class Worker:
    """A worker process that waits for its start."""

    def __init__(self, sites: Path) -> None:
        program = [sys.executable, "-m", "tests.plain_run", str(sites)]
        self.process = subprocess.Popen(
            program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.process.stdout.readline()

    def start(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ends(self) -> tuple[int, ...]:
        """Return how many studies it loaded, left to others, and could not move."""
        said, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors
        return tuple(map(int, said.split()))


def test_two_workers_that_race_move_each_study_once(place: Place) -> None:
    for number in range(1, STUDIES + 1):
        place.receive(visit(number))
    sites = place.write_sites()
    workers = [Worker(sites), Worker(sites)]
    for worker in workers:
        worker.start()
    (first, left, failed), (second, left_too, failed_too) = (worker.ends() for worker in workers)

    assert (first + second, failed, failed_too) == (STUDIES, 0, 0)
    assert first
    assert second
    assert left + left_too
    with place.desk() as desk:
        assert run(desk)[0].outcomes == []
    assert records(place) == STUDIES
    assert stored_twice(place) == 0
    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.balanced) == (STUDIES * IMAGES, STUDIES * IMAGES, True)


def test_what_a_dead_worker_had_begun_is_moved_by_another_at_once(place: Place) -> None:
    place.receive(visit(1, 200))
    place.receive(visit(2))
    worker = Worker(place.write_sites())
    worker.start()
    until = time.monotonic() + 60
    while counts(place.cloud) <= IMAGES:  # more than the small one has: it is at the large one
        assert time.monotonic() < until
        time.sleep(0.002)
    worker.process.send_signal(signal.SIGSTOP)
    with place.desk() as desk:
        beside, _ = run(desk)
    worker.process.send_signal(signal.SIGKILL)
    worker.process.communicate()

    with place.desk() as desk:
        after, _ = run(desk)

    assert len(after.outcomes) == 1
    assert len(beside.outcomes) + records_of(place, "plain") == 1
    assert len(beside.elsewhere) == 1
    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.in_flight, balance.balanced) == (210, 210, 0, True)


def records(place: Place) -> int:
    with lineage.connect(place.folder / "lineage") as tables:
        return int(lineage.rows(tables, "SELECT count(*) AS n FROM raw.studies")[0]["n"])


def records_of(place: Place, run_id: str) -> int:
    with lineage.connect(place.folder / "lineage") as tables:
        sql = "SELECT count(*) AS n FROM raw.studies WHERE run_id = ?"
        return int(lineage.rows(tables, sql, [run_id])[0]["n"])


def stored_twice(place: Place) -> int:
    with lineage.connect(place.folder / "lineage") as tables:
        sql = "SELECT sop_instance_uid FROM deliveries WHERE outcome = 'stored' GROUP BY ALL HAVING count(*) > 1"
        return len(lineage.rows(tables, sql))
