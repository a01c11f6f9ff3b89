"""The process in which one engine is measured: ``python -m tests.bench_engine.worker ENGINE CORE``.

Reads orders as JSON, one a line, and answers each with one line. It has one core, the files' bytes in memory, and
its imports and tables behind it before the clock runs; the engine itself is new in every round.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from tests.bench_engine.engines import ENGINES, Engine, RefusedError, passes


class Worker:
    """One engine, and the files that it is measured on at the moment."""

    def __init__(self, engine: Engine, stack: ExitStack) -> None:
        self._engine = engine
        self._stack = stack
        self._files: list[bytes] = []
        self._ready: Callable[[], Callable[[], None]]

    def version(self) -> dict[str, Any]:
        """Return the version of the engine's package."""
        return {"version": metadata.version(self._engine.package)}

    def files(self, paths: list[str]) -> dict[str, Any]:
        """Try the engine on each file: return which it refuses."""
        treat = self._engine.make()
        refused: dict[str, str] = {}
        for path in paths:
            try:
                treat(Path(path).read_bytes())
            except Exception as error:  # noqa: BLE001 - whatever an engine raises, it put out nothing
                refused[path] = type(error).__name__
        return {"refused": refused}

    def output(self, path: str) -> dict[str, Any]:
        """Return what the engine makes of one file."""
        return {"output": base64.b64encode(self._engine.make()(Path(path).read_bytes())).decode()}

    def use(self, paths: list[str]) -> dict[str, Any]:
        """Measure on these files from now on."""
        self._stack.close()
        self._files = [Path(path).read_bytes() for path in paths]
        self._ready = self._stack.enter_context(passes(self._engine, self._files))
        return {}

    def round(self) -> dict[str, Any]:
        """Measure one pass of a new engine over all files, in seconds of the processor and of the clock."""
        run = self._ready()
        gc.collect()
        clock, processor = time.perf_counter(), time.process_time()
        run()
        return {"processor": time.process_time() - processor, "clock": time.perf_counter() - clock}


def main(name: str, core: int) -> None:
    """Answer orders until there are no more."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what an engine prints is no answer
    (engine,) = (engine for engine in ENGINES if engine.name == name)
    with ExitStack() as stack:
        worker = Worker(engine, stack)
        for line in sys.stdin:
            _answer(worker, json.loads(line), answers)


def _answer(worker: Worker, order: dict[str, Any], answers: TextIO) -> None:
    try:
        answer = getattr(worker, order.pop("order"))(**order)
    except Exception as error:  # noqa: BLE001 - the table says what failed
        # Of an error only a missing module's text is shown: another's can hold a value of a real file.
        text = f": {error}" if isinstance(error, ImportError | RefusedError) else ""
        answer = {"error": type(error).__name__ + text}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
