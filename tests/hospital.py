"""A hospital, a cloud and a sites file between them, on real Orthancs, for the tests of a whole run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from anonymizer import Key
from flows.desk import Desk
from flows.inventory import find_work
from flows.ledger import lineage
from flows.ledger.lineage import Balance
from flows.ledger.records import KINDS, StudyOutcome
from flows.settings.sites import load_sites
from flows.study import move
from tests.orthanc_server import PASSWORD, USERNAME, OrthancServer

_STABLE_SECONDS = 15.0
PASSWORDS = {"ENTWASH_TEST_PASSWORD": PASSWORD, "ENTWASH_CLOUD_PASSWORD": PASSWORD}


@dataclass
class Place:
    """Two Orthancs and the folder of the site between them."""

    hospital: OrthancServer
    cloud: OrthancServer
    folder: Path
    stable_age: int = 0
    selection: str = 'studies = "all"'
    site: str = ""

    def write_sites(self, **project: str) -> Path:
        """Write key and sites file of the site `north`."""
        key = self.folder / "north.key"
        if not key.exists():
            Key.generate(key)
        settings = "".join(f'{name} = "{value}"\n' for name, value in ({"name": "test"} | project).items())
        path = self.folder / "sites.toml"
        whole = path.with_name(f"{path.name}.{threading.get_ident()}")
        whole.write_text(
            f'[cloud]\nurl = "{self.cloud.url}"\nusername = "{USERNAME}"\npassword_env = "ENTWASH_CLOUD_PASSWORD"\n'
            f"[project]\n{settings}[selection]\n{self.selection}\n"
            f'[sites.north]\nurl = "{self.hospital.url}"\nusername = "{USERNAME}"\n'
            f'password_env = "ENTWASH_TEST_PASSWORD"\nkey_file = "{key.name}"\nstable_age = {self.stable_age}\n'
            f"{self.site}\n"
        )
        return whole.replace(path)  # at once: some tests run at a place twice at the same time

    def desk(self, **project: str) -> Desk:
        """Lay out the desk of a new run."""
        return Desk.open(load_sites(self.write_sites(**project), only="north"), "north", f"run-{time.monotonic_ns()}")

    def run(self, **project: str) -> list[StudyOutcome]:
        """Move everything that there is to move, as the flow does, without Prefect."""
        with self.desk(**project) as desk:
            return [move(desk, work) for work in find_work(desk, set())]

    def receive(self, files: Iterable[bytes]) -> None:
        """Store files as a modality does, and wait until their studies are stable."""
        for data in files:
            status, _ = ask(self.hospital, "POST", "/instances", data)
            assert status == 200
        until = time.monotonic() + _STABLE_SECONDS
        while not all(study["IsStable"] for study in ask(self.hospital, "GET", "/studies?expand")[1]):
            assert time.monotonic() < until, "the studies never became stable"
            time.sleep(0.1)

    def balance(self) -> Balance:
        """Return the ledger's balance."""
        with lineage.connect(self.folder / "lineage") as tables:
            return lineage.balance(tables)

    def ledger_bytes(self) -> bytes:
        """Return all that stands in the lineage folder: its files, and what compression hides in them."""
        folder = self.folder / "lineage"
        content = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        with lineage.connect(folder) as tables:
            for kind in KINDS:
                content += [repr(row).encode() for row in lineage.rows(tables, f"FROM raw.{kind}")]
        return b"".join(content)


def ask(server: OrthancServer, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Put one request to a server."""
    headers = urllib3.make_headers(basic_auth=f"{USERNAME}:{PASSWORD}")
    with urllib3.PoolManager() as pool:
        answer = pool.request(method, server.url + path, body=body, headers=headers)
        return answer.status, answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.data


def all_is_there(place: Place, instances: int) -> bool:
    """Tell whether the cloud has each instance once and the ledger has proven it."""
    balance = place.balance()
    return (counts(place.cloud), balance.loaded, balance.in_flight, balance.balanced) == (instances, instances, 0, True)


def counts(server: OrthancServer) -> int:
    """Return how many instances a server holds."""
    return int(ask(server, "GET", "/statistics")[1]["CountInstances"])


def files_of(server: OrthancServer) -> Iterator[bytes]:
    """Return every file that a server holds."""
    for instance in ask(server, "GET", "/instances")[1]:
        yield ask(server, "GET", f"/instances/{instance}/file")[1]


def emptied(server: OrthancServer) -> OrthancServer:
    """Delete all that a server holds."""
    for patient in ask(server, "GET", "/patients")[1]:
        ask(server, "DELETE", f"/patients/{patient}")
    return server


@contextmanager
def passwords_in_the_environment() -> Iterator[None]:
    """Set the passwords that the sites file names."""
    before = {name: os.environ.get(name) for name in PASSWORDS}
    os.environ.update(PASSWORDS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
