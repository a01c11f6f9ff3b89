"""A Prefect server, its work pools and deployments."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import yaml  # type: ignore[import-untyped]  # Prefect brings PyYAML, but no stubs for it

from deployments.demo import sqlite
from deployments.demo.processes import Process, ServerError, Startable, free_port

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 120.0
BUSY_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between tries while the server says 503 or nothing: its database is locked, and to ask again helps."""


class _BusyError(Exception):
    pass


def prefect_environment(home: Path, api_url: str, auth_string: str = "") -> dict[str, str]:
    """Return the variables that server, worker and command line share.

    Parameters
    ----------
    home
        Folder of the database, the profiles and everything else that Prefect keeps.
    api_url
        Address of the API, ending in /api.
    auth_string
        `user:password` when the server shall ask for one.
    """
    environment = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # never a second, forgotten database
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # inputs of tasks are neither hashed nor kept
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # a run that waits for its site's only slot looks again after 2 s, not 30
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "ENTWASH_PYTHON": sys.executable,
        # Prefect notes in memory who holds a slot. A server that restarts while a run dies would count that
        # slot as taken for ever, and the site would stand still.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # plain lines, whole lines: the output goes into log files
        "PREFECT_LOGGING_COLORS": "false",
        "NO_COLOR": "1",
        "COLUMNS": "200",
        "PYTHONUNBUFFERED": "1",
    }
    if auth_string:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = auth_string
        environment["PREFECT_API_AUTH_STRING"] = auth_string
    return environment


class PrefectServer(Startable):
    """A Prefect server with its embedded SQLite, on a port of its own.

    A port, once drawn, stays: `stop` and `start` are a restart on the same address and database.

    Parameters
    ----------
    folder
        PREFECT_HOME and the log are made below it.
    auth_string
        `user:password` when the server shall ask for one.
    """

    def __init__(self, folder: Path, *, auth_string: str = "", registry: Path | None = None) -> None:
        self.home = folder / "home"
        self.port = free_port()
        self.ui_url = f"http://127.0.0.1:{self.port}"
        self.api_url = f"{self.ui_url}/api"
        self.url = self.api_url
        self.environment = prefect_environment(self.home, self.api_url, auth_string)
        self.process = Process(
            "Prefect server",
            [
                sys.executable,
                "-P",  # the folder of the demo is none to import from
                sqlite.__file__,
                "server",
                "start",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
            ],
            folder / "server.log",
            environment=self.environment,
            registry=registry,
        )

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.process.log

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.home / "prefect.db"

    def start(self, *, wait: bool = True) -> Self:
        """Start and, unless told otherwise, wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.process.start()
        return self.wait() if wait else self

    def wait(self) -> Self:
        """Wait until it answers: about ten seconds on a fresh database."""
        self.process.wait_until(self.answers, READY_SECONDS)
        return self

    def answers(self) -> bool:
        """Whether the API says that it is healthy (asked without a password: this one path is open)."""
        try:
            with _NO_PROXY.open(f"{self.api_url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def command(self, *arguments: str) -> str:
        """Run `prefect ARGUMENTS` against this server and return what it printed.

        Raises
        ------
        ServerError
            When it fails; its output goes to the server's log.
        """
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            env={**os.environ, "NO_PROXY": "127.0.0.1,localhost", **self.environment},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            with self.log.open("a") as log:
                log.write(done.stdout)
            raise ServerError(f"`prefect {' '.join(arguments)}` failed. The cause is at the end of {self.log}.")
        return done.stdout

    def create_work_pool(self, name: str) -> None:
        """Make a process work pool, or leave it as it should be."""
        self.command("work-pool", "create", name, "--type", "process", "--overwrite")

    def deploy(self, *names: str, sweep_seconds: int | None = None, linger_seconds: int | None = None) -> None:
        """Deploy these of prefect.yaml, or all, with other times for sweep and doorbell where they are given.

        Prefect reads them before it fills in variables, so shorter ones need a changed copy.
        """
        file = CHECKOUT / "prefect.yaml"
        if sweep_seconds is not None or linger_seconds is not None:
            file = self.home / "prefect.yaml"
            file.write_text(with_times(CHECKOUT / "prefect.yaml", sweep_seconds, linger_seconds))
        which = [part for name in names for part in ("--name", name)] or ["--all"]
        self.command("deploy", *which, "--prefect-file", str(file))

    def clear_runs(self, pool: str) -> int:
        """Forget what a worker that is gone left behind, and return how many runs that were.

        A run whose process was killed counts as running until its slot's lease is over, which is five
        minutes, and nobody else may run meanwhile. And each sweep that nobody was there to start still
        waits to be started; one will do.
        """
        work_pool = {"name": {"any_": [pool]}}
        dead = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
        now = datetime.now(UTC).isoformat()
        missed = {"state": {"type": {"any_": ["SCHEDULED"]}}, "next_scheduled_start_time": {"before_": now}}
        cleared = 0
        while runs := self.call("POST", "/flow_runs/filter", {"work_pools": work_pool, "flow_runs": dead}):
            for run in runs:
                crashed = {"type": "CRASHED", "message": "Its worker is gone."}
                self.call("POST", f"/flow_runs/{run['id']}/set_state", {"state": crashed, "force": True})
            cleared += len(runs)
        while runs := self.call("POST", "/flow_runs/filter", {"work_pools": work_pool, "flow_runs": missed}):
            for run in runs:
                self.call("DELETE", f"/flow_runs/{run['id']}")
            cleared += len(runs)
        return cleared

    def run_states(self) -> Counter[str]:
        """Count the newest flow runs by the name of their state, such as Late or Crashed."""
        return Counter(run["state_name"] for run in self.call("POST", "/flow_runs/filter", {"sort": "START_TIME_DESC"}))

    def call(self, method: str, path: str, body: object = None) -> list[dict[str, str]]:
        """Put a request to the API, again while it is busy, for four minutes at most; `path` begins behind /api."""
        headers = {"Content-Type": "application/json"}
        if auth := self.environment.get("PREFECT_API_AUTH_STRING"):
            headers["Authorization"] = f"Basic {base64.b64encode(auth.encode()).decode()}"
        request = urllib.request.Request(  # noqa: S310 - our own server, always http on 127.0.0.1
            self.api_url + path, json.dumps(body).encode() if body else None, headers, method=method
        )
        for pause in BUSY_PAUSES:
            with contextlib.suppress(_BusyError):
                return self._answer(request)
            time.sleep(pause)
        raise ServerError(f"Prefect was too busy for {method} {path}. See the end of {self.log}.")

    def _answer(self, request: urllib.request.Request) -> list[dict[str, str]]:
        try:
            with _NO_PROXY.open(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise _BusyError from None
            if error.code == HTTPStatus.NOT_FOUND and request.method == "DELETE":
                return []  # what was asked before and not answered in time was done
            raise ServerError(f"Prefect answered {error.code}. See the end of {self.log}.") from None
        except TimeoutError:
            raise _BusyError from None
        return json.loads(content) if content else []

    def stop(self) -> None:
        """Stop it; the database stays."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it with -9; the database stays."""
        self.process.kill()


def with_times(prefect_file: Path, sweep: int | None, linger: int | None) -> str:
    """Return a prefect.yaml with other times in it.

    Parameters
    ----------
    prefect_file
        The original.
    sweep
        The interval of every schedule that has one, in seconds.
    linger
        For how long one run answers every doorbell, in seconds; rings start another one after two thirds of it.
    """
    content = yaml.safe_load(prefect_file.read_text())
    for schedule in _each(content["deployments"], "schedules"):
        if "interval" in schedule:
            schedule["interval"] = sweep or schedule["interval"]
    for trigger in _each(content["deployments"], "triggers"):
        trigger["within"] = max(1, linger * 2 // 3) if linger else trigger["within"]
        trigger["parameters"]["linger"] = linger or trigger["parameters"]["linger"]
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text


def _each(deployments: Iterable[dict[str, Any]], what: str) -> Iterable[dict[str, Any]]:
    for deployment in deployments:
        yield from deployment.get(what, [])


_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
