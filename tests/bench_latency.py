"""How long a study takes from stable to loaded, and where the seconds go.

`python -m tests.bench_latency [--rounds N] [--markdown FILE]`, or `make bench-latency`.

Hospital, cloud, Prefect's server, a process worker and its runs share this machine. A CT study of 100 slices of
512 x 512 arrives; the clock starts when Orthanc calls it stable, and stops when the cloud has every instance and the
ledger has the outcome. Once as deployed: the images that arrive ring, so a run is there (decision 22). And once with a
run that doesn't linger, so that none is there: what a study costs that took longer to arrive than a run waits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from deployments.demo import studies
from flows.ledger import lineage
from tests.bench_engine.tables import machine
from tests.served import Site, served

ROUNDS: Final = 5
SLICES: Final = 100
STABLE_AGE: Final = 60
"""Seconds; what deployments/orthanc/hospital.json says."""
AT_MOST: Final = 10.0
"""Seconds that a study may take, at the median."""
_SWEEP_SECONDS: Final = 86_400
_STEP: Final = 0.05


@dataclass(frozen=True)
class Measured:
    """Seconds after the moment at which the study was stable; negative before it."""

    created: float
    """Prefect had made the run."""
    run: float
    """The run's first line in the ledger."""
    study: float
    """The run began the study."""
    done: float
    """The cloud had the whole study, and the ledger its outcome."""


def measured(site: Site, number: int) -> Measured:
    """Bring one study and watch it."""
    before = site.in_cloud()
    site.receive(*(studies.to_bytes(image) for image in studies.ct(1, number, 1, SLICES, rows=512)))
    while not _is_stable(site):
        time.sleep(_STEP)
    stable = datetime.now(UTC)
    while site.in_cloud() < before + SLICES or _outcomes(site) < number:
        time.sleep(_STEP)
    done = (datetime.now(UTC) - stable).total_seconds()
    with lineage.connect(site.folder / "lineage") as tables:
        (row,) = lineage.rows(
            tables,
            "SELECT runs.started_at AS run, studies.started_at AS study, run_id FROM raw.studies AS studies"
            " JOIN runs USING (run_id) ORDER BY studies.finished_at DESC LIMIT 1",
        )
    (run,) = (one for one in site.runs("RUNNING", "COMPLETED") if one["id"] == row["run_id"])
    created = datetime.fromisoformat(run["created"].replace("Z", "+00:00"))

    def after(moment: datetime) -> float:
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - stable).total_seconds()

    return Measured(after(created), after(row["run"]), after(row["study"]), done)


def _is_stable(site: Site) -> bool:
    found: Any = site.hospital.get("/studies?expand")
    return all(study["IsStable"] for study in found)


def _outcomes(site: Site) -> int:
    folder = site.folder / "lineage" / "studies"
    return sum(1 for path in folder.glob("[0-9]*T*.parquet")) if folder.exists() else 0


def rounds(folder: Path, count: int, linger_seconds: int | None) -> list[Measured]:
    """Measure one study after another, each when no run of the one before is left."""
    made = []
    with served(folder, stable_age=STABLE_AGE, sweep_seconds=_SWEEP_SECONDS, linger_seconds=linger_seconds) as site:
        for number in range(1, count + 1):
            while not site.is_resting():
                time.sleep(1)
            made.append(measured(site, number))
            sys.stderr.write(f"{number} of {count}: {made[-1].done:.1f} s\n")
    return made


def table(there: Sequence[Measured], begun: Sequence[Measured]) -> str:
    """Return where the seconds go, each the median over the rounds."""

    def median(of: Sequence[Measured], end: str, start: str = "") -> str:
        return f"{statistics.median(getattr(one, end) - (getattr(one, start) if start else 0.0) for one in of):.1f}"

    rows = [
        ("a CT study of 100 slices, 512 x 512: seconds", "a run is there", "a run has to begin"),
        ("---", "--:", "--:"),
        ("Orthanc calls it stable; the doorbell rings, Prefect makes a run", "", median(begun, "created")),
        ("the worker asks, a Python starts and loads Prefect and the flow", "", median(begun, "run", "created")),
        ("the run looks at the hospital and finds the study", median(there, "study"), median(begun, "study", "run")),
        (
            "extract, anonymize, gate, load, read the digests back, record",
            median(there, "done", "study"),
            median(begun, "done", "study"),
        ),
        ("**together**", f"**{median(there, 'done')}**", f"**{median(begun, 'done')}**"),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure both ways and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_latency", description="Measure from stable to loaded.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        there = rounds(Path(folder) / "there", given.rounds, None)
        begun = rounds(Path(folder) / "begun", given.rounds, 1)
    for one in (*there, *begun):
        sys.stderr.write(f"{one}\n")
    found = table(there, begun)
    sys.stdout.write(f"{machine()}, median of {given.rounds} rounds\n\n{found}\n")
    if given.markdown:
        given.markdown.write_text(f"{found}\n", encoding="utf-8")
    if statistics.median(one.done for one in there) > AT_MOST:
        sys.exit(f"At the median a study took longer than {AT_MOST:.0f} s.")


if __name__ == "__main__":
    main()
