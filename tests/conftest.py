"""Servers that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import prefect_server
from tests.hospital import Place, emptied, passwords_in_the_environment
from tests.orthanc_server import OrthancServer

SERVERS = {
    "test_alarms",
    "test_away",
    "test_backfill",
    "test_clock",
    "test_cluster",
    "test_crash",
    "test_demo",
    "test_deployments",
    "test_early",
    "test_heard",
    "test_held_command",
    "test_hold_modes",
    "test_late",
    "test_ledger",
    "test_linger",
    "test_look",
    "test_one_run",
    "test_orthanc",
    "test_patient_stays_home",
    "test_reconciliation",
    "test_selection",
    "test_system",
    "test_together",
    "test_worker",
}
"""Modules that start servers or many processes, and take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules of :data:`SERVERS`, so that no test process ends with a long one alone."""
    for item in items:
        if item.path.stem in SERVERS:
            item.add_marker("servers")
    items.sort(key=lambda item: item.path.stem not in SERVERS)


@pytest.fixture(scope="session", autouse=True)
def _one_prefect_database_for_all(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    base = tmp_path_factory.getbasetemp()
    prefect_server.keep_in((base if worker_id == "master" else base.parent) / "prefect")


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OrthancServer, OrthancServer]]:
    """Start a hospital's Orthanc and a cloud's, once."""
    folder = tmp_path_factory.mktemp("orthancs")
    with OrthancServer(folder / "hospital") as hospital, OrthancServer(folder / "cloud") as cloud:
        yield hospital, cloud


@pytest.fixture
def place(servers: tuple[OrthancServer, OrthancServer], tmp_path: Path) -> Iterator[Place]:
    """Offer a hospital and a cloud with nothing in them, and a site between them that never ran."""
    hospital, cloud = servers
    with passwords_in_the_environment():
        yield Place(emptied(hospital), emptied(cloud), tmp_path)
