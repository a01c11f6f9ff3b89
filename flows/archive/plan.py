"""What a backfill would do: counted, without doing or recording any of it. Counts, modalities and years, no values."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from anonymizer import known_modalities
from flows.archive.criteria import Criteria
from flows.desk import Desk
from flows.errors import GoneError, foreseen
from flows.inventory import Inventory
from flows.orthanc import SeriesAtSite, Size, StudyAtSite
from flows.selection import choose

__all__ = ["FATES", "Count", "Plan", "plan"]

Fate = Literal["settled", "excluded", "waiting", "to do"]
FATES: tuple[Fate, ...] = get_args(Fate)
_OTHER = "other"


@dataclass
class Count:
    """Count studies, their instances and their bytes."""

    studies: int = 0
    instances: int = 0
    bytes: int = 0

    def add(self, size: Size) -> None:
        """Count one more study."""
        self.studies += 1
        self.instances += size.instances
        self.bytes += size.bytes


@dataclass
class Plan:
    """Hold the counts: by year of StudyDate and modalities of the study, and in each by what would become of it."""

    counts: dict[tuple[str, str], dict[Fate, Count]] = field(
        default_factory=lambda: defaultdict(lambda: {fate: Count() for fate in FATES})
    )

    def rows(self) -> list[dict[str, str | int]]:
        """Return one row for each year and modalities, and one for all."""
        total = {fate: Count() for fate in FATES}
        found = []
        for (year, modalities), by_fate in sorted(self.counts.items()):
            found.append(_row(year, modalities, by_fate))
            for fate, count in by_fate.items():
                total[fate].studies += count.studies
                total[fate].instances += count.instances
                total[fate].bytes += count.bytes
        return [*found, _row("all", "", total)]


@foreseen("the studies could not be counted")
def plan(desk: Desk, criteria: Criteria) -> Plan:
    """Count what a backfill would find.

    Raises
    ------
    FlowsError
        When the hospital or the ledger cannot be asked.
    """
    found, inventory = Plan(), Inventory(desk)
    catalogue = desk.hospital.catalogue
    for study in criteria.studies(desk):
        try:
            size, series = catalogue.size(study.orthanc_id), catalogue.series(study.orthanc_id)
            fate = _fate(desk, inventory, study)
        except GoneError:
            continue  # deleted since it was listed
        found.counts[study.study_date[:4] or "no date", _modalities(series)][fate].add(size)
    return found


def _fate(desk: Desk, inventory: Inventory, study: StudyAtSite) -> Fate:
    if inventory.is_settled(study):
        return "settled"
    choice = choose(desk.selection, desk.hospital.catalogue, study, datetime.now(UTC))
    by_outcome: dict[str, Fate] = {"exclude": "excluded", "wait": "waiting"}
    return by_outcome.get(choice.outcome, "to do")


def _modalities(series: list[SeriesAtSite]) -> str:
    known = known_modalities()  # who wrote another text there is not quoted
    return " ".join(sorted({one.modality if one.modality in known else _OTHER for one in series}))


def _row(year: str, modalities: str, by_fate: dict[Fate, Count]) -> dict[str, str | int]:
    counts = by_fate.values()
    return {
        "year": year,
        "modalities": modalities,
        "studies": sum(one.studies for one in counts),
        "instances": sum(one.instances for one in counts),
        "bytes": sum(one.bytes for one in counts),
        **{fate: count.studies for fate, count in by_fate.items()},
        "instances to do": by_fate["to do"].instances,
        "bytes to do": by_fate["to do"].bytes,
    }
