"""What a study costs on its way through engine and gate.

`python -m tests.bench_gate [--markdown FILE] [NAME=FOLDER ...]`, or `make bench-gate`.

Milliseconds of processor time for an instance, on one core, from the bytes of a file to the parts of its output: the
engine, both digests, and the gate (each pair examined, each output searched, the verdict), beside what they may take
together. All engines and
memories are new in each round, as they are for a study. Nothing here decides whether a change is good.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

import pydicom
from pydicom.filereader import data_element_generator

from anonymizer import Anonymizer, Held, Key, Released, load_profile
from anonymizer.gate import Examiner, Gate
from flows.run import loaded_for_good
from tests.bench_engine.rounds import ROOT
from tests.bench_engine.series import CT, MADE, SMALL_MR
from tests.bench_engine.tables import machine

ROUNDS: Final = 5
GATE: Final = ("examine", "search", "verdict")
STEPS: Final = ("engine", "digests", *GATE)
FLOOR: Final = ("digests", "new to pydicom", "samples")
AT_MOST: Final = {CT.title: 2.5, SMALL_MR.title: 3.0}
"""Milliseconds that engine, digests and gate may take together for an instance."""
THERE: Final = 0.89
"""Milliseconds that both digests of 512 KB took on the machine that the goals were set on."""

_PAGE: Final = Path(__file__).with_name("bench_gate.md")

Spent = dict[str, float]
"""Milliseconds an instance, by step."""


@dataclass
class Measured:
    """A folder, and what its files cost in each round."""

    name: str
    instances: int
    findings: int
    rounds: list[Spent]
    floor: list[Spent]


class Clock:
    """Processor time by step."""

    def __init__(self) -> None:
        self.spent: Spent = {}

    def step(self, name: str, work: Callable[[], object]) -> None:
        """Do the work and note what it took."""
        begun = time.process_time()
        work()
        self.spent[name] = (time.process_time() - begun) * 1000

    def of(self, instances: int) -> Spent:
        """Return what one of the instances took."""
        return {name: spent / instances for name, spent in self.spent.items()}


def measured(name: str, files: Sequence[bytes], rounds: int) -> Measured:
    """Measure engine, digests and gate over the files of one folder, and what they cannot do without."""
    result = Measured(name, 0, 0, [], [])
    for _ in range(rounds):
        with loaded_for_good():  # as in a run
            spent, pairs, result.findings = _all(files)
        result.rounds.append(spent)
        result.instances = len(pairs)
    new, samples = list(_new(pairs)), [_samples(source, output) for source, output in pairs]
    for _ in range(rounds):
        result.floor.append(_floor(pairs, new, samples))
    return result


def _all(files: Sequence[bytes]) -> tuple[Spent, list[tuple[bytes, bytes]], int]:
    anonymizer = Anonymizer(Key(bytes(range(32))), "bench", load_profile("research"))
    gate, examiner, clock = Gate(), Examiner(), Clock()
    results: list[Released | Held] = []

    def examine() -> None:
        for source, output in pairs:
            gate.add(examiner.examine(source, output))

    def search() -> None:
        for _, output in pairs:
            gate.search(output)

    clock.step("engine", lambda: results.extend(anonymizer.anonymize(data) for data in files))
    released = [(data, result) for data, result in zip(files, results, strict=True) if isinstance(result, Released)]
    clock.step("digests", lambda: [result.report for _, result in released])
    pairs = [(data, result.data) for data, result in released]  # a run writes them, part by part
    clock.step("examine", examine)
    clock.step("search", search)
    clock.step("verdict", gate.verdict)
    return clock.of(len(pairs)), pairs, len(gate.verdict().findings)


def _floor(pairs: Sequence[tuple[bytes, bytes]], new: Sequence[bytes], samples: Sequence[tuple[bytes, bytes]]) -> Spent:
    """Measure what nothing can take away: digests, pydicom's reading of what is new, every sample looked at."""
    clock = Clock()
    clock.step(
        "digests",
        lambda: [(hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False)) for _, data in pairs],
    )
    clock.step("new to pydicom", lambda: [next(data_element_generator(BytesIO(one), False, True)) for one in new])
    clock.step("samples", lambda: [before == after for before, after in samples])
    return clock.of(len(pairs))


def _new(pairs: Sequence[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Yield the elements that stand in no file before theirs, but for pixel data."""
    seen: set[bytes] = set()
    for data in (data for pair in pairs for data in pair):
        stream = BytesIO(data)
        stream.seek(132)
        start = stream.tell()
        for element in data_element_generator(stream, False, True):
            octets, start = data[start : stream.tell()], stream.tell()
            if octets not in seen and element.tag != 0x7FE00010:
                seen.add(octets)
                yield octets


def _samples(source: bytes, output: bytes) -> tuple[bytes, bytes]:
    before, after = (pydicom.dcmread(BytesIO(data)) for data in (source, output))
    return (before.PixelData, after.PixelData) if "PixelData" in before else (b"", b"")


def table(results: Sequence[Measured]) -> str:
    """Return what each step took: the median over the rounds, and of all together the least, too."""
    rows = []
    for one in results:
        medians = [_median(spent[step] for spent in one.rounds) for step in ("engine", "digests")]
        gate = _median(sum(spent[step] for step in GATE) for spent in one.rounds)
        all_of_it = [sum(spent.values()) for spent in one.rounds]
        together = [f"**{statistics.median(all_of_it):.2f}**", f"{min(all_of_it):.2f}"]
        goal = AT_MOST.get(one.name)
        at_most = f"{goal:.1f}: {'met' if statistics.median(all_of_it) <= goal else 'missed'}" if goal else ""
        rows.append([one.name, str(one.instances), *medians, gate, *together, at_most, str(one.findings)])
    return _markdown(
        ["ms an instance", "instances", "engine", "digests", "gate", "together", "least", "at most", "findings"], rows
    )


def compared(results: Sequence[Measured]) -> str:
    """Say how this machine compares with the one that the goals were set on, by what both take for the same digests."""
    image = next(one for one in results if one.name == CT.title)
    here = statistics.median(spent["digests"] for spent in image.floor)
    return (
        f"Both digests of a {CT.title} image took {THERE} ms on the machine that the goals were set on, and take"
        f" {here:.2f} ms on this one."
    )


def steps(results: Sequence[Measured]) -> str:
    """Return what each step of the gate took, and what nothing can take away."""
    rows = [
        [
            one.name,
            *(_median(spent[step] for spent in one.rounds) for step in GATE),
            *(_median(spent[part] for spent in one.floor) for part in FLOOR),
        ]
        for one in results
    ]
    return _markdown(["ms an instance", *GATE, *(f"floor: {part}" for part in FLOOR)], rows)


def _median(values: Iterator[float]) -> str:
    return f"{statistics.median(values):.2f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|---|{'--:|' * (len(head) - 1)}", *lines[1:]])


def main() -> None:
    """Measure the made folders and those that are given, and print the tables."""
    given = _arguments().parse_args()
    folders = [(one.title, one.write(ROOT / ".bench" / "made")) for one in MADE]
    folders += [(name, Path(path)) for name, _, path in (folder.partition("=") for folder in given.folder)]
    results = []
    for name, folder in folders:
        files = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
        if not files:
            sys.exit(f"There is no file in {folder}.")
        sys.stderr.write(f"{name}\n")
        results.append(measured(name, files, given.rounds))
    sys.stdout.write(f"{machine()}\n\n{table(results)}\n\n{compared(results)}\n\n{steps(results)}\n")
    if given.markdown:
        page = _PAGE.read_text(encoding="utf-8").format(
            machine=machine(),
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            rounds=given.rounds,
            table=table(results),
            compared=textwrap.fill(compared(results), 118),
            steps=steps(results),
        )
        given.markdown.write_text(page, encoding="utf-8")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench_gate", description="Measure engine, digests and gate.")
    parser.add_argument("folder", nargs="*", metavar="NAME=FOLDER", help="a folder of your own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page here, such as docs/gate-speed.md")
    return parser


if __name__ == "__main__":
    main()
