"""Rounds over folders: every engine in its own process, one after the other on one core, and again."""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.bench_engine import environment
from tests.bench_engine.engines import ENGINES, ENTWASH, Engine
from tests.bench_engine.leftover import leftover

ROOT: Final = Path(__file__).parents[2]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Folder:
    """A folder of files to measure on."""

    name: str
    path: Path
    title: str

    def files(self) -> list[str]:
        """Return the paths of all DICOM files in it, in order."""
        return [str(path) for path in sorted(self.path.rglob("*")) if path.is_file() and _is_dicom(path)]


@dataclass
class Measurement:
    """What one engine did with one folder.

    Attributes
    ----------
    files : int
        How many were measured: those that Entwash releases and this engine puts out.
    refused : int
        How many of those that Entwash releases it does not put out.
    processor, clock : list of float
        Seconds of each round.
    leftover : dict
        What the first output still has of its source.
    """

    files: int = 0
    refused: int = 0
    processor: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    leftover: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def rate(self) -> float | None:
        """Return instances a second of one core, the median of the rounds."""
        return self.files / statistics.median(self.processor) if self.processor else None


@dataclass
class Result:
    """All measurements of one folder, by engine."""

    folder: Folder
    held: int
    engines: dict[str, Measurement]


class Process:
    """A worker and the pipe to it."""

    def __init__(self, engine: Engine, interpreter: str, core: int, errors: Path) -> None:
        self.engine = engine
        self._errors = errors.open("w")
        command = (interpreter, "-m", "tests.bench_engine.worker", engine.name, str(core))
        pipe = subprocess.PIPE
        self._worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._errors, cwd=ROOT, text=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the worker."""
        self._worker.communicate()
        self._errors.close()

    def order(self, order: str, **more: Any) -> dict[str, Any]:
        """Send an order and wait for the answer; an "error" in it says why there is none."""
        if self._worker.stdin is None or self._worker.stdout is None:
            raise RuntimeError("a worker without pipes")
        try:
            self._worker.stdin.write(json.dumps({"order": order, **more}) + "\n")
            self._worker.stdin.flush()
        except BrokenPipeError:
            return {"error": "its process ended"}
        line = self._worker.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        return answer


@contextmanager
def processes(engines: Sequence[Engine], state: Path, say: Say) -> Iterator[list[Process]]:
    """Offer a process for each engine, all of them on the same core.

    Parameters
    ----------
    state : Path
        Keeps the peers' environments and what the processes said.
    """
    errors = state / "errors"
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else -1
    errors.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        workers = []
        for engine in engines:
            interpreter = environment.python(engine.package, state / "peers", say) if engine.peer else sys.executable
            file = errors / f"{engine.name.replace(' ', '-')}.txt"
            workers.append(stack.enter_context(Process(engine, str(interpreter), core, file)))
        yield workers


def measure(folder: Folder, workers: Sequence[Process], rounds: int, say: Say) -> Result:
    """Let every engine try every file, then measure them in turn, `rounds` times."""
    paths = folder.files()
    measurements: dict[str, Measurement] = {}
    answers: dict[str, dict[str, Any]] = {}
    for worker in workers:
        name = worker.engine.tries_as
        if name not in answers:
            say(f"{folder.name}: {name} tries {len(paths)} files")
            answers[name] = worker.order("files", paths=paths)
        measurements[worker.engine.name] = _use(worker, paths, answers[ENTWASH], answers[name])
    for number in range(rounds):
        say(f"{folder.name}: round {number + 1} of {rounds}")
        for worker in workers:
            _round(worker, measurements[worker.engine.name])
    return Result(folder, len(answers[ENTWASH].get("refused", ())), measurements)


def _use(worker: Process, paths: list[str], entwash: dict[str, Any], own: dict[str, Any]) -> Measurement:
    """Have a worker use the files that Entwash releases and that it puts out itself."""
    if "error" in own:
        return Measurement(error=own["error"])
    released = [path for path in paths if path not in entwash.get("refused", ())]
    usable = [path for path in released if path not in own["refused"]]
    measurement = Measurement(len(usable), len(released) - len(usable))
    if usable:
        measurement.error = worker.order("use", paths=usable).get("error", "")
        output = worker.order("output", path=usable[0]).get("output", "")
        measurement.leftover = leftover(Path(usable[0]).read_bytes(), base64.b64decode(output)) if output else {}
    else:
        measurement.error = "puts out none of them"
    return measurement


def _round(worker: Process, measurement: Measurement) -> None:
    if measurement.error:
        return
    answer = worker.order("round")
    if "error" in answer:
        measurement.error = answer["error"]
        return
    measurement.processor.append(answer["processor"])
    measurement.clock.append(answer["clock"])


def in_order(names: Sequence[str]) -> list[Engine]:
    """Return the engines of these names, all of them where there are none, Entwash first."""
    return [engine for engine in ENGINES if not names or engine.name in {ENTWASH, *names}]


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
