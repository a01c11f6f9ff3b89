"""A worker that dies at one step of a study, in a process of its own: the n-th time that it comes there.

python -m tests.crash SITES STEP before|after NUMBER
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from flows.desk import Desk
from flows.settings.sites import load_sites
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


def main(sites: str, step: str, when: str, number: str) -> None:
    """Do what the flow does, without Prefect, until it dies."""
    die_at(step, when, int(number))
    with Desk.open(load_sites(Path(sites), only="north"), "north", "run-that-dies") as desk:
        run(desk)


if __name__ == "__main__":
    main(*sys.argv[1:])
