"""What is held now, as the ledger has it: pseudonyms, counts and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb

from flows.errors import NotBegunError
from flows.ledger import lineage

__all__ = ["Finding", "HeldStudy", "age_text", "chosen", "held_studies", "short_forms"]

_SHORT: Final = 8  # digits, as in the names of Prefect's tasks
_IS_GONE: Final = "kind = 'gone-at-hospital' AND is_open"
_ROOT: Final = "2.25."
_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that holds a study, and the instances that have it; none if it is about the study."""

    code: str
    place: str
    message: str
    instances: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HeldStudy:
    """A study of which something is held, as its latest outcome says.

    Attributes
    ----------
    since : datetime
        When it was first held and not loaded in between.
    held_at : datetime
        When the latest attempt ended.
    held_instances : int
        How many of its `source_instances` stay; the others are loaded.
    gone_since : datetime, optional
        When a reconciliation first found that the hospital has it no longer; None while it does.
    releases : tuple of dict
        Who released it when and why, and what became of that; the oldest first.
    """

    site: str
    project: str
    work: str
    study_instance_uid: str
    patient_id: str
    modalities: tuple[str, ...]
    reason: str
    since: datetime
    held_at: datetime
    run_id: str
    profile_name: str
    profile_digest: str
    engine_version: str
    source_instances: int
    held_instances: int
    findings: tuple[Finding, ...]
    checks: dict[str, int]
    gone_since: datetime | None
    releases: tuple[dict[str, Any], ...]

    @property
    def reasons(self) -> dict[str, int]:
        """Count the findings by their code, the most frequent first; a finding counts once an instance."""
        counts: Counter[str] = Counter()
        for finding in self.findings:
            counts[finding.code] += len(finding.instances) or 1
        return dict(counts.most_common())

    @property
    def waits(self) -> bool:
        """Tell whether it was released and no run has taken it up since."""
        return any(release["became"] is None for release in self.releases)


def held_studies(
    tables: duckdb.DuckDBPyConnection, project: str, site: str | None = None, code: str | None = None
) -> list[HeldStudy]:
    """Return what is held of a project, the oldest first.

    Parameters
    ----------
    tables : duckdb.DuckDBPyConnection
        From `lineage.connect`.
    site, code : str, optional
        Of this site, or with a finding of this code, alone.
    """
    parameters = [project, site]
    where = "WHERE project = $1 AND ($2 IS NULL OR site = $2)"
    found = _by_study(lineage.rows(tables, f"FROM held {where}", parameters))
    checks = _by_study(lineage.rows(tables, f"FROM checks {where}", parameters))
    releases = _by_study(lineage.rows(tables, f"FROM releases {where} ORDER BY record", parameters))
    counts = _by_study(lineage.rows(tables, f"FROM balance {where}", parameters))
    gone = _by_study(lineage.rows(tables, f"FROM differences {where} AND {_IS_GONE}", parameters))
    rows = lineage.rows(tables, f"FROM studies {where}", parameters)
    studies = [
        HeldStudy(
            site=row["site"],
            project=row["project"],
            work=row["work"],
            study_instance_uid=row["study_instance_uid"],
            patient_id=row["patient_id"],
            modalities=tuple(row["modalities"]),
            reason=row["reason"],
            since=found[key][0]["held_since"].replace(tzinfo=UTC),
            held_at=found[key][0]["held_at"].replace(tzinfo=UTC),
            run_id=row["run_id"],
            profile_name=row["profile_name"],
            profile_digest=row["profile_digest"],
            engine_version=row["engine_version"],
            source_instances=row["source_instances"],
            held_instances=counts[key][0]["held"],
            findings=_findings(found[key]),
            checks={each["name"]: each["count"] for each in checks.get(key, ())},
            gone_since=_gone_since(row, gone.get(key, ())),
            releases=tuple(releases.get(key, ())),
        )
        for row in rows
        if (key := (row["site"], row["work"])) in found
    ]
    studies.sort(key=lambda study: (study.since, study.site, study.study_instance_uid))
    return [study for study in studies if code is None or code in study.reasons]


def short_forms(studies: Iterable[HeldStudy]) -> dict[str, str]:
    """Return the shortest ending of each study's pseudonym, of eight digits or more, that no other one has."""
    uids = {study.study_instance_uid for study in studies}
    length = _SHORT
    while len({uid[-length:] for uid in uids}) < len(uids):
        length += 1
    return {uid: uid[-length:] for uid in uids}


def chosen(studies: Sequence[HeldStudy], name: str) -> list[HeldStudy]:
    """Return the held study that a person means; two where the hospital has it under two patients.

    Parameters
    ----------
    name : str
        The study's pseudonym, or how it begins or ends; or the ledger's token of it, or how that ends.

    Raises
    ------
    NotBegunError
        When none is meant, or more than one may be.
    """
    exact = [study for study in studies if name in (study.study_instance_uid, study.work)]
    meant = exact or [study for study in studies if name and _is_part(study, name)]
    if not meant:
        raise NotBegunError("no held study has this name: see `entwash held list`")
    if len({study.study_instance_uid for study in meant}) > 1:
        short = ", ".join(sorted(set(short_forms(meant).values()))[:5])
        raise NotBegunError(f"more than one held study may be meant: give more digits, such as {short}")
    if len({study.site for study in meant}) > 1:
        sites = ", ".join(sorted({study.site for study in meant}))
        raise NotBegunError(f"more than one site holds this study ({sites}): say which with --site")
    return meant


def age_text(age: timedelta) -> str:
    """Say how long something lasts in its largest unit."""
    seconds = int(age.total_seconds())
    for name, size in _UNITS:
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'s' * (number > 1)}"
    return "a moment"


def _is_part(study: HeldStudy, name: str) -> bool:
    uid = study.study_instance_uid
    starts = uid.startswith(name) or uid.removeprefix(_ROOT).startswith(name)
    return starts or uid.endswith(name) or study.work.endswith(name)


def _gone_since(study: dict[str, Any], differences: Iterable[dict[str, Any]]) -> datetime | None:
    """Return since when all of a study is gone; of one that lost some instances the rest can be tried again."""
    whole = [one["first_seen"] for one in differences if one["instances"] >= study["source_instances"]]
    return min(whole).replace(tzinfo=UTC) if whole else None


def _by_study(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["site"], row["work"]), []).append(row)
    return groups


def _findings(rows: Iterable[dict[str, Any]]) -> tuple[Finding, ...]:
    groups: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        names = groups.setdefault((row["code"], row["place"], row["message"]), set())
        names.update({row["sop_instance_uid"]} - {""})
    return tuple(
        Finding(code=code, place=place, message=message, instances=tuple(sorted(names)))
        for (code, place, message), names in sorted(groups.items())
    )
