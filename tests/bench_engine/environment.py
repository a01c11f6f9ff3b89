"""The peers' virtual environments, one each, at pinned versions; nothing of them is the project's."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_PINNED: Final = Path(__file__).with_name("peers")
_INSTALL: Final = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")


def python(peer: str, folder: Path, say: Callable[[str], None]) -> Path:
    """Return the Python of a peer's environment; make that where it is not there, or is of other versions.

    Parameters
    ----------
    peer : str
        Name of the package, and of the file that pins it and all that it needs.
    folder : Path
        Holds the environments.

    Notes
    -----
    An environment each, because idiscore cannot be imported beside the pydicom that the others want. What cannot
    be installed leaves an environment without it: the table says so in the engine's line.
    """
    pinned = _PINNED / f"{peer}.txt"
    environment = folder / peer
    interpreter, stamp = environment / "bin" / "python", environment / "made-of"
    wanted = hashlib.sha256(pinned.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return interpreter
    say(f"installing {peer} into {environment}")
    subprocess.run((sys.executable, "-m", "venv", "--clear", environment), check=True)
    done = subprocess.run((interpreter, *_INSTALL, "--require-hashes", "-r", pinned), check=False, capture_output=True)
    if done.returncode:
        say(f"{peer} cannot be installed here")
    else:
        stamp.write_text(wanted)
    return interpreter
