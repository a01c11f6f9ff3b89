"""DCMTK's dcmdump: a second reader, which shares no code with pydicom."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def dumped(data: bytes, folder: Path, *options: str) -> str:
    """Return all that dcmdump reads in a file, every value whole.

    Where it is missing the test fails and is never skipped: ``make test`` installs it, and where that is not allowed
    somebody has to know that nobody looked.
    """
    program = shutil.which("dcmdump")
    if program is None:
        pytest.fail("dcmdump is missing. Install it with: sudo apt-get install dcmtk", pytrace=False)
    path = folder / "dumped.dcm"
    path.write_bytes(data)
    done = subprocess.run([program, *options, "+L", "-Un", path], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode("latin-1")) == (0, "")
    return done.stdout.decode("latin-1")
