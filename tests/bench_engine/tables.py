"""The tables: medians, ratios, what is left of a source, and the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from tests.bench_engine.engines import ENGINES, ENTWASH
from tests.bench_engine.rounds import Measurement, Result

_PAGE: Final = Path(__file__).with_name("page.md")
_BUSY: Final = 1.2  # how far the clock may go beyond the processor's time
_KINDS: Final = ("private", "names", "dates", "uids")
Versions = Mapping[str, Mapping[str, Any]]
Rows = list[list[str]]


def text(results: Sequence[Result], versions: Versions) -> str:
    """Return the tables for a terminal."""
    parts = [machine(), _aligned(rates(results, versions)), _aligned(left(results)), notes(results)]
    return "\n".join(f"{part}\n" for part in parts)


def page(results: Sequence[Result], versions: Versions, rounds: int) -> str:
    """Return ``docs/speed.md``."""
    return _PAGE.read_text(encoding="utf-8").format(
        machine=machine(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        rounds=rounds,
        rates=_markdown(rates(results, versions)),
        left=_markdown(left(results)),
        notes=notes(results),
        how="\n".join(f"| {engine.name} | {engine.how} |" for engine in ENGINES),
        folders="\n".join(f"| {result.folder.title} | {_what(result)} |" for result in results),
    )


def rates(results: Sequence[Result], versions: Versions) -> Rows:
    """Return instances a second, and how many times as fast Entwash is."""
    rows = [["", *(result.folder.title for result in results)]]
    for name, version in versions.items():
        cells = [_cell(result.engines[name], result.engines[ENTWASH], name) for result in results]
        rows.append([name if name.startswith(ENTWASH) else f"{name} {version.get('version', '')}".strip(), *cells])
    return rows


def left(results: Sequence[Result]) -> Rows:
    """Return how much of a source is left in an output: of the first file of each folder."""
    head = ["left in one output", *(result.folder.title for result in results)]
    names = [name for name in (results[0].engines if results else ()) if "," not in name]  # the others put out the same
    return [head, *([name, *(_left(result.engines[name].leftover) for result in results)] for name in names)]


def machine() -> str:
    """Return the machine in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    version = metadata.version("entwash")
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, Entwash {version}"


def notes(results: Sequence[Result]) -> str:
    """Return what a reader has to know about this run."""
    lines = []
    for result in results:
        if result.held:
            lines.append(f"{result.folder.title}: {result.held} files that Entwash holds are measured with none.")
        for name, measurement in result.engines.items():
            if measurement.refused and not measurement.error:
                lines.append(f"{result.folder.title}: {name} puts out nothing for {measurement.refused} more.")
    measured = [one for result in results for one in result.engines.values() if one.processor]
    if measured:
        spread = max(max(one.processor) / statistics.median(one.processor) for one in measured)
        waited = statistics.median(sum(one.clock) / sum(one.processor) for one in measured)
        lines.append(f"The slowest round of any engine took {spread:.2f} times its median; ")
        lines[-1] += f"the clock on the wall went {waited:.2f} times as far as the processor's."
        if waited > _BUSY:
            lines.append("The machine was busy with something else: repeat this when it is not.")
    return "\n".join(lines)


def _cell(one: Measurement, entwash: Measurement, name: str) -> str:
    if one.rate is None:
        return one.error
    rate = f"{one.rate:,.0f}" if one.rate >= 100 else f"{one.rate:.1f}"
    if name.startswith(ENTWASH) or entwash.rate is None:
        return rate
    return f"{rate} ({entwash.rate / one.rate:.2f} x)"


def _left(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[f'{kind}_left']}/{counts[kind]} {kind}" for kind in _KINDS if counts) or "-"


def _what(result: Result) -> str:
    one = result.engines[ENTWASH]
    return f"{one.files} files, {one.leftover.get('elements', 0):,} elements in the first"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _markdown(rows: Rows) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|---|{'--:|' * (len(rows[0]) - 1)}", *body])


def _aligned(rows: Rows) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.ljust(width) if not n else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(lines)
