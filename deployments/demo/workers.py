"""Workers: the processes that start flow runs, one for each hospital's work pool."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from deployments.demo.prefects import CHECKOUT, PrefectServer
from deployments.demo.processes import Process, Startable


class Worker(Startable):
    """A process worker of one work pool.

    Flow runs are processes of its own and inherit its environment, so what must not be in Prefect's
    database (passwords, the place of the sites file) is given here.

    Parameters
    ----------
    pool
        Work pool that it takes runs from; made when missing.
    server
        Server that the pool belongs to.
    folder
        Where its log goes.
    environment
        ENTWASH_SITES and the variables that the sites file names.
    name
        What Prefect and its log call it; as the pool without it.
    """

    def __init__(
        self,
        pool: str,
        server: PrefectServer,
        folder: Path,
        environment: Mapping[str, str],
        *,
        name: str = "",
        registry: Path | None = None,
    ) -> None:
        name = name or pool
        self.pool = pool
        self.server = server
        # the server's own password stays with the server
        shared = {one: value for one, value in server.environment.items() if "SERVER_API_AUTH" not in one}
        command = [sys.executable, "-m", "prefect", "worker", "start"]
        self.process = Process(
            f"worker {name}",
            [
                *command,
                "--pool",
                pool,
                "--type",
                "process",
                "--name",
                name,
                "--install-policy",
                "never",
                "--limit",
                "1",
            ],
            folder / f"worker-{name}.log",
            environment={**shared, "ENTWASH_HOME": str(CHECKOUT), **environment},
            registry=registry,
        )

    @property
    def log(self) -> Path:
        """Where its output and that of its flow runs goes."""
        return self.process.log

    def start(self, *, clear: bool = True) -> Self:
        """Start; it takes a few seconds until it asks for runs, and nothing needs to wait for that.

        Parameters
        ----------
        clear
            It is its pool's only worker, so whatever the pool calls running is dead, and is cleared away:
            see `PrefectServer.clear_runs`. Without it, a dead run's slot is free when its lease is over.
        """
        if clear and not self.process.running:
            self.server.clear_runs(self.pool)
        self.process.start()
        return self

    def stop(self) -> None:
        """Stop it and the runs that it started."""
        self.process.stop()

    def kill(self, *, children: bool = True) -> None:
        """Kill it with -9, with or without the flow runs that it started."""
        self.process.kill(children=children)
