"""The main job on one machine: two hospitals, one cloud, Prefect between them.

`make demo`, or `python -m deployments.demo [--data FOLDER] [--state FOLDER]`.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from deployments.demo import intake, outcome
from deployments.demo.display import Display
from deployments.demo.installation import ensure_orthanc, find_orthanc
from deployments.demo.intake import Intake
from deployments.demo.orthancs import Orthanc
from deployments.demo.outcome import Snapshot
from deployments.demo.prefects import PrefectServer
from deployments.demo.processes import ServerError, stop_leftovers
from deployments.demo.search import search
from deployments.demo.state import SITES, BusyError, State
from deployments.demo.workers import Worker

STALLED_SECONDS = 180.0
"""Without any change in the ledger for this long, the demo gives up."""

FIRST_SWEEP, LATER_SWEEP = 60, 20
"""Seconds between two sweeps. The first demo leaves the doorbell time to be first; a later one, where
nothing new arrives and no doorbell rings, shows the sweep."""
LINGER_SECONDS = 5
"""For which a run answers further doorbells: nobody waits longer for the demo's end than he must."""

QUERY = (
    "import duckdb; duckdb.connect('{file}', read_only=True)"
    ".sql('SELECT site, modalities, status, reason, source_instances FROM studies').show()"
)


def main() -> int:
    """Run the demo; return 0 when everything is as promised, 1 otherwise."""
    options = _options()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)
    display = Display()
    try:
        state = State(options.state)
        with state.locked(), ExitStack() as stack:
            return Demo(display, state, stack).run(options.data, stay=options.stay)
    except (BusyError, ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class Demo:
    """One run of the demo.

    Parameters
    ----------
    display
        Where it says what it does.
    state
        Where it keeps what it makes.
    stack
        Stops every server when it is closed, whatever happened.
    """

    def __init__(self, display: Display, state: State, stack: ExitStack) -> None:
        self.display = display
        self.state = state
        self.stack = stack
        self.server: PrefectServer
        self.orthancs: dict[str, Orthanc] = {}
        self.workers: dict[str, Worker] = {}

    def run(self, data: Path | None, *, stay: bool) -> int:
        """Do it all, and say whether it is as promised."""
        begun = datetime.now(UTC).replace(tzinfo=None)
        self._start_servers()
        before = {name: self._count(name) for name in self.orthancs}
        self._start_workers(LATER_SWEEP if any(before[site] for site in SITES) else FIRST_SWEEP)

        sent = self._send(data)
        source = {site: self._count(site) for site in SITES}
        received = {site: source[site] - before[site] for site in SITES}
        now = self._wait(begun, source, received)

        faults = outcome.faults(
            self.state.lineage,
            now,
            intake=sent,
            source=source,
            received=received,
            in_cloud=self._count("cloud"),
        )
        if now is not None:
            with self.display.step("Searching for identities where none may be") as update:
                update(f"{len(sent.identities)} names, numbers, dates and UIDs")
                found = search(self.state, sent.identities)
            faults += [f"Identities of patients stand in {part} ({n} places)." for part, n in found.items()]
            self._report(sent, now, received)
        if faults:
            faults += self._stalled()
            self.display.plain("\nNot as promised:")
            for fault in faults:
                self.display.plain(f"  - {fault}")
            self.display.plain(f"Logs: {self.state.folder}/*/*.log")
        else:
            self.display.plain("\nEverything is as promised.")
        self._query()
        self._addresses(stay=stay)
        if stay:
            self.display.plain("\nEverything stays up until you press Ctrl-C.")
            with suppress(KeyboardInterrupt):
                signal.pause()
            self.display.plain("Stopping. `make demo` starts again with what is there.")
        return 1 if faults else 0

    def _start_servers(self) -> None:
        state, display = self.state, self.display
        if stopped := stop_leftovers(state.processes):
            display.say(f"Stopped {stopped} processes that an earlier demo had left behind.")
        if not find_orthanc():
            with display.step("Installing Orthanc with apt-get (a minute or two)"):
                ensure_orthanc(state.folder / "apt-get.log")
        self.server = PrefectServer(state.folder / "prefect", registry=state.processes)
        self.stack.callback(self.server.stop)
        self.server.start(wait=False)  # it takes longest, so everything else starts meanwhile
        with display.step("Starting the Orthancs of two hospitals and of the cloud"):
            for name in (*SITES, "cloud"):
                orthanc = Orthanc(
                    name,
                    "cloud" if name == "cloud" else "hospital",
                    state.folder / name,
                    state.password(name),
                    prefect_api_url=self.server.api_url,
                    registry=state.processes,
                )
                self.orthancs[name] = self.stack.enter_context(orthanc)
        state.write_sites({name: one.url for name, one in self.orthancs.items()}, Orthanc.username)
        state.write_environment(
            {
                **state.variables("cloud", *SITES),
                "PREFECT_HOME": str(self.server.home),
                "PREFECT_API_URL": self.server.api_url,
            }
        )
        with display.step("Starting Prefect"):
            self.server.wait()

    def _start_workers(self, sweep_seconds: int) -> None:
        with self.display.step("Making the work pools"), ThreadPoolExecutor() as threads:
            list(threads.map(self.server.create_work_pool, SITES))
        with self.display.step(f"Deploying prefect.yaml, with a sweep every {sweep_seconds} s"):
            self.server.deploy(sweep_seconds=sweep_seconds, linger_seconds=LINGER_SECONDS)
        with self.display.step("Starting a worker for each hospital"):
            for site in SITES:
                # a worker has the passwords of its own hospital and of the cloud, and no other
                variables = self.state.variables("cloud", site)
                worker = Worker(
                    site, self.server, self.state.folder / "prefect", variables, registry=self.state.processes
                )
                self.workers[site] = self.stack.enter_context(worker)

    def _send(self, data: Path | None) -> Intake:
        hospitals = {site: self.orthancs[site] for site in SITES}
        with self.display.step("Storing studies in the hospitals") as update:
            progress: Callable[[int], None] = lambda sent: update(f"{sent} files")  # noqa: E731
            if data is None:
                sent = intake.send_made(hospitals, progress)
            else:
                sent = intake.send_folder(data, hospitals, progress)
        if sent.refused:
            self.display.say(f"{sent.refused} files were refused by Orthanc; they never were in a hospital.")
        if sent.not_dicom:
            self.display.say(f"{sent.not_dicom} files are not DICOM and were not sent.")
        return sent

    def _wait(self, begun: datetime, source: Mapping[str, int], received: Mapping[str, int]) -> Snapshot | None:
        """Wait until the ledger balances, or until nothing has moved for a long time."""
        last: Snapshot | None = None
        changed = time.monotonic()
        with self.display.step("Waiting for the ledger to balance") as update:
            while True:
                now = outcome.snapshot(self.state.lineage, begun)
                if now != last:
                    last, changed = now, time.monotonic()
                settled = sum(b.loaded + b.held + b.excluded for b in now.balances.values()) if now else 0
                update(f"{settled} of {sum(source.values())} instances settled")
                if outcome.complete(now, source, received):
                    return now
                if not all(worker.process.running for worker in self.workers.values()):
                    return now
                if time.monotonic() - changed > STALLED_SECONDS:
                    return now
                time.sleep(1.0)

    def _stalled(self) -> list[str]:
        """List, in sentences, what a person looks at first when runs do not come: workers, and Prefect's states."""
        ended = [worker for worker in self.workers.values() if not worker.process.running]
        found = [f"The worker of {worker.pool} has ended. The cause is in {worker.log}." for worker in ended]
        states = self.server.run_states()
        return [
            *found,
            f"Prefect has flow runs in these states: {dict(states)}." if states else "Prefect has no flow run.",
        ]

    def _report(self, sent: Intake, now: Snapshot, received: Mapping[str, int]) -> None:
        display = self.display
        display.plain()
        display.results(outcome.table(self.state.lineage))
        loaded = sum(now.loaded.values())
        total = sum(balance.loaded for balance in now.balances.values())
        held = sum(balance.held for balance in now.balances.values())
        triggers = [trigger for finished in now.finished.values() for trigger in finished]
        display.plain(
            f"This demo: {sum(received.values())} instances arrived at the hospitals ({sent.sent.total()} files sent, "
            f"{sent.sent.total() - sum(received.values())} of them with an instance UID that was there already); "
            f"{loaded} were loaded, {total - loaded} were in the cloud already and were not loaded again; "
            f"{held} held at the hospitals, with the reason above."
        )
        display.plain(
            f"Runs: {triggers.count('doorbell')} started by a doorbell, {triggers.count('schedule')} by the schedule, "
            f"{now.failed} failed."
        )

    def _query(self) -> None:
        python, folder = _short(Path(sys.executable)), _short(self.state.folder)
        self.display.plain("\nOne query to try, now or later:")
        self.display.plain(f'  {python} -c "{QUERY}"'.format(file=f"{folder}/lineage/lineage.duckdb"))

    def _addresses(self, *, stay: bool) -> None:
        say = self.display.plain
        if not stay:
            say("\nThere is no terminal, so everything stops now. At a terminal, `make demo` stays up:")
        say(f"\nPrefect        {self.server.ui_url}")
        for name in ("cloud", *SITES):
            orthanc = self.orthancs[name]
            where = _short(self.state.password_file(name))
            say(f"Orthanc {name:<7}{orthanc.url}   user {orthanc.username}, password in {where}")
        if stay:
            environment = shlex.quote(str(_short(self.state.environment_file)))
            entwash = _short(Path(sys.executable).with_name("entwash"))
            say(f"Commands find all of it after `. {environment}`, such as `{entwash} run north`.")

    def _count(self, name: str) -> int:
        statistics: Any = self.orthancs[name].get("/statistics")
        return int(statistics["CountInstances"])


def _short(path: Path) -> Path:
    """Return a path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.demo", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="real DICOM files instead of the made studies")
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", default=Path(".demo"), help="what is kept from run to run (.demo)"
    )
    parser.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        default=sys.stdin.isatty() and sys.stdout.isatty(),
        help="stay up until Ctrl-C; without it, as without a terminal, stop and end",
    )
    options = parser.parse_args()
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data: {options.data} is no folder")
    if options.data is not None and not any(intake.is_dicom(file) for file in options.data.rglob("*")):
        parser.error(f"--data: there are no DICOM files in {options.data}")
    return options


def _leave(number: int, _: object) -> NoReturn:
    """End as Ctrl-C does, so that everything is stopped on the way out."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
