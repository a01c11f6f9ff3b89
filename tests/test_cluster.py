"""A run whose studies are moved by the workers of a Dask cluster: real scheduler, real workers, real Prefect."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
from distributed import Client

from deployments.demo import studies
from tests.hospital import Place, counts
from tests.prefect_server import PrefectServer

ROOT = Path(__file__).parents[1]
STUDIES = 6
IMAGES = 20


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with PrefectServer(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@contextmanager
def running(program: str, *arguments: str, environment: dict[str, str], until: str, log: Path) -> Iterator[str]:
    """Run one of Dask's programs; yield what it says of its address. A pipe that nobody reads would stop it."""
    command = [sys.executable, "-m", f"distributed.cli.{program}", "--host", "127.0.0.1", "--no-dashboard", *arguments]
    with log.open("w") as said, ended(command, environment, said) as process:
        patience = time.monotonic() + 60
        while not (found := re.search(until, log.read_text())):
            assert process.poll() is None, f"{program} ended"
            assert time.monotonic() < patience, f"{program} does not begin"
            time.sleep(0.05)
        yield found[0]


@contextmanager
def ended(command: list[str], environment: dict[str, str], said: TextIO) -> Iterator[subprocess.Popen[str]]:
    """Run a program that is over at the end of the test, whatever comes."""
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=said, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def cluster(place: Place, prefect: PrefectServer, tmp_path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Start a scheduler and two workers, all on this machine; yield a client and the environment of a run."""
    environment = {**os.environ, **prefect.environment, "ENTWASH_SITES": str(place.write_sites())}
    with ExitStack() as stack:
        address = stack.enter_context(
            running(
                "dask_scheduler",
                "--port",
                "0",
                environment=environment,
                until=r"tcp://127\.0\.0\.1:\d+",
                log=tmp_path / "scheduler",
            )
        )
        for number in range(2):
            arguments = (address, "--no-nanny", "--nthreads", "1")
            begun = "Starting established connection"
            log = tmp_path / f"worker-{number}"
            stack.enter_context(running("dask_worker", *arguments, environment=environment, until=begun, log=log))
        client: Any = stack.enter_context(Client(address))  # type: ignore[no-untyped-call]  # Dask has no types here
        client.wait_for_workers(2)
        yield client, {**environment, "ENTWASH_DASK_SCHEDULER": address}


ENTWASH_RUN = [sys.executable, "-c", "from flows.cli import app; app()", "run", "north"]


def entwash_run(environment: dict[str, str]) -> None:
    done = subprocess.run(ENTWASH_RUN, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_dask_workers_share_the_studies_of_a_run(place: Place, cluster: tuple[Any, dict[str, str]]) -> None:
    client, environment = cluster
    for number in range(1, STUDIES + 1):
        place.receive(studies.to_bytes(image) for image in studies.ct(1, number, 1, IMAGES, rows=16))

    entwash_run(environment)

    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.balanced) == (STUDIES * IMAGES, STUDIES * IMAGES, True)
    moved = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert len(moved) == 2
    assert sum(moved.values()) >= STUDIES
    assert min(moved.values()) > 0


def test_what_a_dask_worker_died_with_is_moved_by_the_other(place: Place, cluster: tuple[Any, dict[str, str]]) -> None:
    client, environment = cluster
    for number in (1, 2):
        place.receive(studies.to_bytes(image) for image in studies.ct(1, number, 1, 150, rows=16))
    first, *_ = client.run(os.getpid).values()
    said = place.folder / "said"
    with said.open("w") as log, ended(ENTWASH_RUN, environment, log) as run:
        until = time.monotonic() + 120
        while counts(place.cloud) < 10:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(first, signal.SIGKILL)
        run.wait(180)

    assert run.returncode == 0, said.read_text()
    balance = place.balance()
    assert (counts(place.cloud), balance.loaded, balance.in_flight, balance.balanced) == (300, 300, 0, True)
