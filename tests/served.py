"""The hospital `north` with everything that moves its studies: Orthancs, a Prefect server and a worker, all real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from anonymizer import Key
from deployments.demo.servers import Orthanc, Worker
from flows.errors import LedgerError
from flows.ledger import lineage
from tests.prefect_server import PrefectServer

_PASSWORD = "only-for-tests"


@dataclass
class Site:
    """The hospital `north` with everything that moves its studies."""

    hospital: Orthanc
    cloud: Orthanc
    prefect: PrefectServer
    worker: Worker
    folder: Path
    variables: dict[str, str]

    def another_worker(self) -> Worker:
        """Return a second worker of the pool; whoever starts it says that it is not the only one."""
        return Worker("north", self.prefect, self.folder, self.variables, name="north-2")

    def receive(self, *files: bytes) -> None:
        """Store files as a modality does."""
        assert all(self.hospital.store(data) for data in files)

    def in_cloud(self) -> int:
        """Count the instances of the cloud."""
        statistics = self.cloud.get("/statistics")
        assert isinstance(statistics, dict)
        return int(statistics["CountInstances"])

    def balanced(self, instances: int) -> bool:
        """Tell whether the ledger knows so many source instances and has an outcome for each."""
        try:
            with lineage.connect(self.folder / "lineage") as tables:
                total = lineage.balance(tables)
        except LedgerError:  # the first run has not made it yet
            return False
        return total.source_instances == instances and total.in_flight == 0 and total.balanced

    def ring(self, times: int = 1) -> None:
        """Ring the doorbell as a hospital does."""
        for _ in range(times):
            event = {
                "id": str(uuid4()),
                "occurred": datetime.now(UTC).isoformat(),
                "event": "entwash.doorbell",
                "resource": {"prefect.resource.id": "entwash.site.north"},
                "payload": {},
            }
            self.prefect.call("POST", "/events", [event])

    def runs(self, *states: str, rung: bool = False) -> list[dict[str, str]]:
        """Return the runs in these states, or those of them that a doorbell started."""
        found = self.prefect.call("POST", "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": states}}}})
        return [run for run in found if not rung or "auto-scheduled" not in run["tags"]]

    def is_resting(self) -> bool:
        """Tell whether every run that a doorbell started is over; one of the schedule may always work."""
        return not self.runs("SCHEDULED", "PENDING", "RUNNING", rung=True)

    def unfinished(self) -> int:
        """Count the runs that have no end in the ledger."""
        with lineage.connect(self.folder / "lineage") as tables:
            (found,) = lineage.rows(tables, "SELECT count(*) AS runs FROM runs WHERE state = 'started'")
        return int(found["runs"])

    def triggers(self) -> list[str]:
        """Return what woke the runs that ended well."""
        with lineage.connect(self.folder / "lineage") as tables:
            runs = lineage.rows(tables, "SELECT trigger FROM runs WHERE state = 'finished' ORDER BY started_at")
        return [str(run["trigger"]) for run in runs]


@contextmanager
def served(folder: Path, *, stable_age: int, sweep_seconds: int, linger_seconds: int | None = None) -> Iterator[Site]:
    """Start a hospital with its doorbell, a cloud, a Prefect server with the hospital's route, and a worker.

    Parameters
    ----------
    folder : Path
        Where all of them keep what they have.
    stable_age : int
        Seconds without a new instance after which the hospital calls a study stable.
    sweep_seconds : int
        Between two runs of the schedule.
    linger_seconds : int, optional
        How long a doorbell's run lingers; rings start no other for two thirds of that. As in prefect.yaml without it.
    """
    with PrefectServer(folder / "prefect") as prefect:
        hospital = Orthanc(
            "north", "hospital", folder / "north", _PASSWORD, prefect_api_url=prefect.api_url, stable_age=stable_age
        )
        cloud = Orthanc("cloud", "cloud", folder / "cloud", _PASSWORD)
        prefect.create_work_pool("north")
        prefect.deploy("north", sweep_seconds=sweep_seconds, linger_seconds=linger_seconds)
        with hospital, cloud:
            Key.generate(folder / "north.key")
            (folder / "sites.toml").write_text(
                f'[cloud]\nurl = "{cloud.url}"\nusername = "{cloud.username}"\npassword_env = "ENTWASH_PASSWORD"\n'
                '[project]\nname = "test"\n[selection]\nstudies = "all"\n'
                f'[sites.north]\nurl = "{hospital.url}"\nusername = "{hospital.username}"\n'
                f'password_env = "ENTWASH_PASSWORD"\nkey_file = "north.key"\nstable_age = {stable_age}\n'
            )
            variables = {"ENTWASH_SITES": str(folder / "sites.toml"), "ENTWASH_PASSWORD": _PASSWORD}
            with Worker("north", prefect, folder, variables) as worker:
                yield Site(hospital, cloud, prefect, worker, folder, variables)
