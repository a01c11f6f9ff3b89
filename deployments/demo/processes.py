"""Child processes that never outlive who started them."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_LOWEST_PORT = 10_000  # below are those of known services
TERM_SECONDS = 20.0
"""How long a process may take to stop by itself before it is killed."""


class ServerError(Exception):
    """A server could not be started, or did not get ready; the message says where to look."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on.

    It is none of those that the system gives to outgoing connections: one might have it while a server restarts.
    """
    ports = range(_LOWEST_PORT, _first_given_out())
    for port in random.sample(ports, min(len(ports), 100)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        given: int = probe.getsockname()[1]
        return given


def _first_given_out() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return 32768  # Linux's own default, and below those of others


_MARK = "ENTWASH_PROCESS_FAMILY"


def family(mark: str) -> list[int]:
    """List the process ids of everything that was started under a mark, zombies left out.

    The mark is a variable that children inherit. A session or a parent's number would not do: Prefect gives
    each flow run a session of its own, and a child whose parent was killed has another parent.
    """
    wanted = f"{_MARK}={mark}".encode()
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                members.append(int(entry.name))
    return members


class Startable(ABC):
    """What is started and stopped: use it as a context manager, or call `start` and `stop`."""

    @abstractmethod
    def start(self) -> Self:
        """Start it; does nothing while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it; does nothing while it does not run."""

    def __enter__(self) -> Self:
        """Start; what fails on the way up leaves nothing running."""
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class Process(Startable):
    """A command in a session of its own, its output in a log file.

    Use it as a context manager, or call `start` and `stop`. Whatever is still running when the
    interpreter ends is stopped then. With a `registry` folder it can be found again even after this
    process was killed: see `stop_leftovers`.

    Parameters
    ----------
    name
        What messages call it.
    command
        Program and arguments.
    log
        File that output is appended to; its folder is made.
    environment
        Variables added to this process's own.
    registry
        Folder where a file says, while the command runs, which process it is.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        registry: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.environment = dict(environment or {})
        self.directory = directory
        self._note = registry / f"{name.replace(' ', '-')}.pid" if registry else None
        self._child: subprocess.Popen[bytes] | None = None
        self._mark = secrets.token_hex(8)

    @property
    def running(self) -> bool:
        """Whether the command itself runs; its own children don't count."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the command itself."""
        if self._child is None:
            raise ServerError(f"{self.name} was never started.")
        return self._child.pid

    def family(self) -> list[int]:
        """List the process ids of the command and of all that it started."""
        return family(self._mark)

    def start(self) -> Self:
        """Start the command; does nothing while it runs."""
        if self.running:
            return self
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # a proxy meant for the internet must not be asked for 127.0.0.1
        here = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **here, **self.environment, _MARK: self._mark},
                cwd=self.directory,
                start_new_session=True,  # Ctrl-C in the terminal is ours alone to handle
            )
        atexit.register(self.stop)
        if self._note:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(f"{self._mark}\n")
        return self

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> Self:
        """Wait until `ready()` holds.

        Raises
        ------
        ServerError
            When the process ended or the time is over. The message names the log file.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                code = self._child.returncode if self._child else "none"
                raise ServerError(f"{self.name} ended at once (exit code {code}). The cause is in {self.log}.")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} was not ready after {seconds:.0f} s. See the end of {self.log}.")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """Ask the process to stop, wait, kill what is left of what it started."""
        if self._child is None:
            return
        if self.running:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(TERM_SECONDS)
        self.kill()

    def kill(self, *, children: bool = True) -> None:
        """Kill the process with -9, as a crash would; with `children=False` only itself."""
        if self._child is None:
            return
        if children:
            _kill_family(self._mark)
        else:
            self._child.kill()
        self._child.wait()
        if children:
            atexit.unregister(self.stop)
            if self._note:
                self._note.unlink(missing_ok=True)


def stop_leftovers(registry: Path) -> int:
    """Stop what a killed run left behind and return how many processes that were."""
    stopped = 0
    for note in sorted(registry.glob("*.pid"), reverse=True):  # workers before the server that they talk to
        mark = note.read_text().strip()
        if members := family(mark) if mark else []:
            for member in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGTERM)
            deadline = time.monotonic() + TERM_SECONDS
            while family(mark) and time.monotonic() < deadline:
                time.sleep(0.1)
            _kill_family(mark)
            stopped += len(members)
        note.unlink(missing_ok=True)
    return stopped


def _kill_family(mark: str) -> None:
    while members := family(mark):
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.02)
