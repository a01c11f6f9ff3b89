"""Work that ends because its process is killed at one step: for :func:`tests.processes.killed`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from flows.cli import app
from flows.desk import Desk
from flows.early import load_early
from flows.inventory import find_work
from flows.ledger.book import Ledger
from flows.orthanc import Orthanc
from flows.reconciliation import hospital
from flows.settings.sites import load_sites
from flows.study import move
from tests.plain_run import run

STEPS = {
    "look": "flows.orthanc.client:Orthanc.changes",
    "list": "flows.orthanc.client:Orthanc.studies",
    "note what was seen": "flows.ledger.book:Ledger.seen",
    "list instances": "flows.orthanc.client:Orthanc.instances",
    "make a place": "flows.desk:staging",
    "extract": "flows.orthanc.client:Orthanc.fetch",
    "anonymize": "anonymizer.engine.anonymize:Anonymizer.anonymize",
    "examine": "anonymizer.gate.evidence:Examiner.examine",
    "search": "anonymizer.gate.verdict:Gate.search",
    "judge": "anonymizer.gate.verdict:Gate.verdict",
    "ask for targets": "flows.orthanc.client:Orthanc.has",
    "ask for a digest": "flows.orthanc.client:Orthanc.stored_md5",
    "load": "flows.orthanc.client:Orthanc.store",
    "record": "flows.ledger.book:Ledger.record",
    "write": "flows.ledger.database:copy",
    "rename": "os:replace",
    "index links": "flows.ledger.links:Links.add",
    "keep the cursor": "flows.cursor:keep",
}
"""Everything that a run does, in its order, and what does it."""


def die_at(step: str, when: str, number: int) -> None:
    """Have this process killed before or after a step, or what does it, the n-th time."""
    module, _, name = STEPS.get(step, step).partition(":")
    place: Any = import_module(module)
    *owners, last = name.split(".")
    for owner in owners:
        place = getattr(place, owner)
    does: Callable[..., Any] = getattr(place, last)
    lock, count = threading.Lock(), [0]

    def dies(*args: Any, **more: Any) -> Any:
        with lock:
            count[0] += 1
            is_now = count[0] == number
        if is_now and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = does(*args, **more)
        if is_now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, last, dies)


def route(sites: Path, step: str, when: str, number: int) -> None:
    """Do what the flow does, without Prefect, until it dies."""
    die_at(step, when, number)
    with Desk.open(load_sites(sites, only="north"), "north", "run-that-dies") as desk:
        run(desk)


def reconcile(sites: Path, step: str, when: str, number: int) -> None:
    """Reconcile, and mend what is lost since just now, until it dies."""
    hospital.GRACE = timedelta(0)
    die_at(step, when, number)
    app(["reconcile", "north", "--sites", str(sites)])


def load_and_withdraw(sites: Path, step: str, files: Sequence[bytes]) -> None:
    """Receive files and load them early, or without files move the study, until it dies."""
    kinds: dict[str, tuple[type, str]] = {
        "before the intent": (Ledger, "early"),
        "before the load": (Orthanc, "store"),
        "before the withdrawal": (Orthanc, "delete"),
        "before its record": (Ledger, "early"),
        "before the outcome": (Ledger, "record"),
        "before the end": (Ledger, "early"),
    }
    with Desk.open(load_sites(sites, only="north"), "north", "killed") as desk:
        for data in files:
            desk.hospital.store(data)
        works = [] if files else find_work(desk, set())
        setattr(*kinds[step], _die)
        if files:
            load_early(desk)
        else:
            move(desk, works[0])


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
