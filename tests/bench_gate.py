"""What a study costs on its way through engine and gate.

`python -m tests.bench_gate [NAME=FOLDER ...]`, or `make bench-gate`.

Milliseconds of processor time for an instance, on one core, from bytes to bytes: the engine, both digests, and the
gate's three steps (each pair examined, each output searched, the verdict). All engines and memories are new in each
round, as they are for a study. Half a megabyte of digests costs as much as most of the rest, so it stands apart.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from anonymizer import Anonymizer, Key, Released, load_profile
from anonymizer.gate import Examiner, Gate
from tests.bench_engine.rounds import ROOT
from tests.bench_engine.series import MADE
from tests.bench_engine.tables import machine

ROUNDS: Final = 5
STEPS: Final = ("engine", "digests", "examine", "search", "verdict")


def measured(files: list[bytes]) -> tuple[dict[str, float], int, int]:
    """Return milliseconds an instance for each step, and how many instances were released and findings made."""
    anonymizer = Anonymizer(Key(bytes(range(32))), "bench", load_profile("research"))
    spent: dict[str, float] = {}

    def step(name: str, work: Callable[[], object]) -> None:
        begun = time.process_time()
        work()
        spent[name] = time.process_time() - begun

    released: list[tuple[bytes, Released]] = []

    def anonymize() -> None:
        for data in files:
            result = anonymizer.anonymize(data)
            if isinstance(result, Released) and result.data:
                released.append((data, result))

    gate, examiner = Gate(), Examiner()
    step("engine", anonymize)
    step("digests", lambda: [result.report for _, result in released])

    def examine() -> None:
        for data, result in released:
            gate.add(examiner.examine(data, result.data))

    step("examine", examine)

    def search() -> None:
        for _, result in released:
            gate.search(result.data)

    step("search", search)
    step("verdict", gate.verdict)
    return (
        {name: seconds / len(released) * 1000 for name, seconds in spent.items()},
        len(released),
        len(gate.verdict().findings),
    )


def row(name: str, files: list[bytes]) -> str:
    """Return a row of the table: medians over the rounds."""
    rounds = [measured(files) for _ in range(ROUNDS)]
    medians = {step: statistics.median(spent[step] for spent, _, _ in rounds) for step in STEPS}
    together = statistics.median(sum(spent.values()) for spent, _, _ in rounds)
    _, instances, findings = rounds[0]
    cells = [name, str(instances), *(f"{medians[step]:.2f}" for step in STEPS), f"**{together:.2f}**", str(findings)]
    return f"| {' | '.join(cells)} |"


def main(folders: Iterable[str]) -> None:
    """Measure the made folders and those that are given, and print the table."""
    made = [(one.title, one.write(ROOT / ".bench" / "made")) for one in MADE]
    given = [(name, Path(path)) for name, _, path in (folder.partition("=") for folder in folders)]
    sys.stdout.write(f"{machine()}\n\n| folder | instances | {' | '.join(STEPS)} | together | findings |\n")
    sys.stdout.write(f"|---|{'--:|' * (len(STEPS) + 3)}\n")
    for name, folder in (*made, *given):
        files = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
        if not files:
            sys.exit(f"There is no file in {folder}.")
        sys.stdout.write(f"{row(name, files)}\n")
        sys.stdout.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"\nMilliseconds of processor time an instance, median of {ROUNDS} rounds.")
    sys.stdout.write(f" Peak memory of the process {peak:.0f} MB, all files of the largest folder in it.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
