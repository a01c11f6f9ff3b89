"""Around a run: its beginning and end recorded, and what is loaded for good kept out of the collector's looks."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from flows.desk import Desk
from flows.ledger.records import RunFinished, RunStarted, Trigger
from flows.settings.sites import Sites
from flows.tally import Tally

__all__ = ["loaded_for_good", "recorded_run"]


@contextmanager
def loaded_for_good() -> Iterator[None]:
    """Let the collector leave alone what is loaded by now; beside Prefect its looks cost a study some 300 ms."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def recorded_run(sites: Sites, site: str, trigger: Trigger, run_id: str | None = None) -> Iterator[tuple[Desk, Tally]]:
    """Open the desk of a site and record the run's beginning and its end.

    A run that is killed has no end in the ledger, and that is how it can be told.

    Parameters
    ----------
    trigger : str
        What woke the run.
    run_id : str, optional
        What Prefect calls the run; without it, the run gets an identifier of its own.
    """
    began = time.monotonic()
    run_id = run_id or str(uuid4())
    with loaded_for_good(), Desk.open(sites, site, run_id) as desk:
        desk.ledger.started(
            RunStarted(run_id=run_id, site=site, project=desk.project, trigger=trigger, at=datetime.now(UTC))
        )
        tally = Tally(site)
        event: Literal["finished", "waiting", "failed"] = "failed"
        try:
            yield desk, tally
            event = "failed" if tally.terminal else "waiting" if tally.errors else "finished"
        finally:
            desk.ledger.finished(
                RunFinished(
                    run_id=run_id,
                    site=site,
                    project=desk.project,
                    at=datetime.now(UTC),
                    studies=tally.studies + len(tally.waiting),
                    instances=tally.instances + sum(work.instances for work in tally.waiting),
                    loaded=tally.loaded,
                    held=tally.held,
                    waiting=len(tally.waiting),
                    seconds=time.monotonic() - began,
                    event=event,
                )
            )
