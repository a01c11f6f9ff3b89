"""The work of a run, and the commands that need no server, know no Prefect: it takes two seconds to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROOMS = (
    "flows.cli",
    "flows.archive.here",
    "flows.drain",
    "flows.hands",
    "flows.held.release",
    "flows.reconciliation.ending",
    "flows.reconciliation.heal",
    "flows.run",
)
"""What the commands load when they are used, and what a run's work is made of."""


@pytest.mark.parametrize(("rooms", "is_loaded"), [(ROOMS, False), (("flows.tasks",), True)])
def test_prefect_is_loaded_by_what_asks_prefect_alone(rooms: tuple[str, ...], is_loaded: bool) -> None:
    code = f"import sys\nfor room in {rooms}: __import__(room)\nprint('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(is_loaded)
