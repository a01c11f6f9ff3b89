"""Processes that tests start and may kill: forked from one that has loaded all they need and did nothing yet.

One that begins by itself spends two seconds of a processor on that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess

__all__ = ["FORKS", "killed", "start"]

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["flows.cli", "flows.reconciliation.compare", "tests.crash", "tests.ledgers"])


def start(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process that does this, with the environment that there is now."""
    process = FORKS.Process(target=_in, args=(dict(os.environ), target, arguments))
    process.start()
    return process


def killed(target: Callable[..., None], *arguments: object) -> None:
    """Do this in a process, in which something has it killed."""
    process = start(target, *arguments)
    process.join(180)
    assert process.exitcode == -signal.SIGKILL


def _in(environment: dict[str, str], target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    target(*arguments)
