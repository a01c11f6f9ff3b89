"""Child processes that never outlive who started them."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TERM_SECONDS = 20.0
"""How long a process may take to stop by itself before it is killed."""


class ServerError(Exception):
    """A server could not be started, or did not get ready; the message says where to look."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def session_members(session: int) -> list[int]:
    """List the process ids of a session, zombies left out.

    A child of a killed parent keeps its session, so nothing that was started can hide.
    """
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            # the second field is a name in parentheses, which may hold anything; count from its end
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                members.append(int(entry.name))
    return members


class Process:
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

    @property
    def running(self) -> bool:
        """Whether the command itself runs; its own children don't count."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Process id, which is the session id of everything that it starts."""
        if self._child is None:
            raise ServerError(f"{self.name} was never started.")
        return self._child.pid

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
                env={**os.environ, **here, **self.environment},
                cwd=self.directory,
                start_new_session=True,  # Ctrl-C in the terminal is ours alone to handle
            )
        atexit.register(self.stop)
        if self._note:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.write_text(f"{self._child.pid} {_started(self._child.pid)}\n")
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
        """Ask the process to stop, wait, kill what is left of its session."""
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
            _kill_session(self._child.pid)
        else:
            self._child.kill()
        self._child.wait()
        if children:
            atexit.unregister(self.stop)
            if self._note:
                self._note.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Start; what fails on the way up leaves nothing running."""
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()


def stop_leftovers(registry: Path) -> int:
    """Stop what a killed run left behind and return how many processes that were.

    A process id alone proves nothing, since the system gives it away again; together with the
    moment of its start it does.
    """
    stopped = 0
    for note in sorted(registry.glob("*.pid"), reverse=True):  # workers before the server that they talk to
        with contextlib.suppress(ValueError):
            pid, started = (int(word) for word in note.read_text().split())
            members = session_members(pid)
            # the leader may be dead while a child of its session lives; no other can have that session id
            if members and _started(pid) in {started, 0}:
                for member in members:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(member, signal.SIGTERM)
                deadline = time.monotonic() + TERM_SECONDS
                while session_members(pid) and time.monotonic() < deadline:
                    time.sleep(0.1)
                _kill_session(pid)
                stopped += len(members)
        note.unlink(missing_ok=True)
    return stopped


def _kill_session(session: int) -> None:
    while members := session_members(session):
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        time.sleep(0.02)


def _started(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
