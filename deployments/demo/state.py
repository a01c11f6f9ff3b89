"""What the demo keeps from run to run: storage, keys, passwords, the sites file, logs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from anonymizer import Key

SITES = ("north", "south")


class BusyError(Exception):
    """Another demo uses the folder."""


class State:
    """The folder of one demo, readable by its owner alone.

    Parameters
    ----------
    folder
        Made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.sites_file = self.folder / "sites.toml"
        self.lineage = self.folder / "lineage"
        self.processes = self.folder / "processes"
        self.environment_file = self.folder / "environment"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second demo out of the folder; the lock is gone with the process, however it ends.

        Raises
        ------
        BusyError
            Another demo holds it.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"A demo is running in {self.folder} already. Stop it with Ctrl-C, or give this one "
                    "another folder: make demo STATE=FOLDER"
                ) from None
            yield

    def password_file(self, server: str) -> Path:
        """Return where the password of a server's user stands."""
        return self.folder / "passwords" / server

    def password(self, server: str) -> str:
        """Return the password of a server's user; drawn when it is first asked for."""
        file = self.password_file(server)
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            _write(file, secrets.token_urlsafe(18) + "\n")
        return file.read_text().strip()

    def variables(self, *servers: str) -> dict[str, str]:
        """Return the environment of a worker that may read these servers' passwords."""
        passwords = {_variable(server): self.password(server) for server in servers}
        return {"ENTWASH_SITES": str(self.sites_file), **passwords}

    def write_sites(self, urls: Mapping[str, str], username: str) -> None:
        """Write the sites file, and draw the key of each site that has none.

        Parameters
        ----------
        urls
            Address of each Orthanc: the cloud's and every site's.
        username
            The user's name, the same at each.
        """
        parts = [
            "# Written by the demo at each start: the ports change.\n",
            _server("cloud", urls["cloud"], username, _variable("cloud")),
            '[project]\nname = "demo"\nprofile = "research"\npatient_id_prefix = "DEID-"\n',
            '[selection]\nstudies = "all"\n',
            f'[lineage]\ndirectory = "{self.lineage.name}"\n',
        ]
        for site in SITES:
            key = self.folder / "keys" / f"{site}.key"
            if not key.exists():
                key.parent.mkdir(exist_ok=True)
                Key.generate(key)
            row = _server(f"sites.{site}", urls[site], username, _variable(site))
            parts.append(f'{row}key_file = "keys/{site}.key"\nwork_pool = "{site}"\n')
        _write(self.sites_file, "\n".join(parts))

    def write_environment(self, variables: Mapping[str, str]) -> None:
        """Write the variables as a file for the shell, to try commands beside the demo."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
        _write(self.environment_file, "".join(lines))


def _variable(server: str) -> str:
    return f"ENTWASH_{server.upper()}_PASSWORD"


def _server(section: str, url: str, username: str, variable: str) -> str:
    return f'[{section}]\nurl = "{url}"\nusername = "{username}"\npassword_env = "{variable}"\n'


def _write(file: Path, text: str) -> None:
    # made with its mode, not changed to it later: there is no moment in which others could read it
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
