"""Orthanc's program: found, or installed where that is allowed.

`python -m deployments.demo.installation` does the same for the tests, and installs DCMTK, their second reader.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from deployments.demo.processes import ServerError

# Debian's package starts a service on ports 8042 and 4242 as soon as it is installed. Nobody asked for
# that one: the policy forbids the start during this installation, and the unit stays disabled after it.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >$policy
    chmod 755 $policy
fi
apt-get update
apt-get install -y --no-install-recommends orthanc
systemctl disable orthanc.service || true
"""
_INSTALL_DCMTK = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends dcmtk
"""


def find_orthanc() -> Path | None:
    """Return Orthanc's program, or None: what ENTWASH_ORTHANC names, or the one that is installed.

    /usr/sbin is looked at too: it isn't on everybody's PATH.
    """
    if named := os.environ.get("ENTWASH_ORTHANC"):
        return Path(named)
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def ensure_orthanc(log: Path) -> Path:
    """Return Orthanc's program; install it with apt-get where that is allowed.

    Parameters
    ----------
    log
        File that apt-get's output is appended to.

    Raises
    ------
    ServerError
        One sentence: what to install.
    """
    if found := find_orthanc():
        return found
    by_hand = "Orthanc is missing. Install it with: sudo apt-get install orthanc"
    if not shutil.which("apt-get"):
        raise ServerError("Orthanc is missing, and so is apt-get: install Orthanc 1.10 or newer and put it on PATH.")
    if not _installed(_INSTALL, log):
        raise ServerError(by_hand)
    if found := find_orthanc():
        return found
    raise ServerError(f"{by_hand} (apt-get failed here; its output is in {log})")


def ensure_dcmtk(log: Path) -> None:
    """Install DCMTK with apt-get where it is missing and that is allowed; the tests that need it say so elsewhere."""
    if not shutil.which("dcmdump") and shutil.which("apt-get"):
        _installed(_INSTALL_DCMTK, log)


def _installed(script: str, log: Path) -> bool:
    """Run a script as root; tell whether that is allowed."""
    root: list[str] = []
    if os.geteuid() != 0:
        root = ["sudo", "-n"]
        if not shutil.which("sudo") or _fails([*root, "true"]):
            return False
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        subprocess.run([*root, "sh", "-c", script], stdout=output, stderr=output, check=False)
    return True


def _fails(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


if __name__ == "__main__":
    if not find_orthanc():
        print("Installing Orthanc with apt-get; this takes a minute or two.", flush=True)
    try:
        ensure_orthanc(Path(".demo") / "apt-get.log")
        ensure_dcmtk(Path(".demo") / "apt-get.log")
    except ServerError as error:
        sys.exit(str(error))
