"""The demo as a newcomer runs it: twice, without a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def demo(state: Path) -> str:
    """Run the demo and return what it printed."""
    command = [sys.executable, "-m", "deployments.demo", "--state", str(state)]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + _ends(state)
    return done.stdout


def _ends(state: Path) -> str:
    """Return the ends of what servers and workers logged."""
    return "".join(f"\n--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(state.glob("prefect/*.log")))


def test_two_demos_in_a_row_load_everything_once(tmp_path: Path) -> None:
    first = demo(tmp_path / "state")
    second = demo(tmp_path / "state")

    assert "75 were loaded, 0 were in the cloud already" in first
    assert "0 were loaded, 75 were in the cloud already" in second
    for printed in (first, second):
        assert "Everything is as promised." in printed
        assert "burned-in-risk" in printed
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _command(path)]


def _command(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # ended meanwhile
        return b""
