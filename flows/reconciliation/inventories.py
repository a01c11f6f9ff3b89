"""The three inventories side by side, in a database in memory: tables/reconcile.sql compares them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

from flows.desk import ENGINE_VERSION, Desk
from flows.ledger import database, lineage
from flows.ledger.columns import restored
from flows.ledger.records import Difference, StudyOutcome
from flows.orthanc import orthanc_id

__all__ = ["AtHospital", "Inventories", "LoadedInstance", "LoadedStudy"]

OLD = timedelta(days=1)
"""How long a study may be in flight before somebody should ask why."""
_STUDIES = 100  # whose instances are in memory at once


@dataclass(frozen=True, slots=True)
class AtHospital:
    """A study of the hospital's inventory, in the ledger's names.

    `is_due` if it had time enough to be taken up, `is_live` if it is not left to a backfill.
    """

    work: str
    snapshot: str
    study_instance_uid: str
    instances: int
    is_due: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class LoadedInstance:
    """An instance that the ledger calls loaded: what the cloud calls it, its pseudonym, and its MD5."""

    orthanc_id: str
    sop_instance_uid: str
    md5: str


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """What the ledger calls loaded of one study of the hospital."""

    work: str
    patient_id: str
    study_instance_uid: str
    instances: tuple[LoadedInstance, ...]

    @property
    def orthanc_id(self) -> str:
        """What the cloud calls it."""
        return orthanc_id(self.patient_id, self.study_instance_uid)


class Inventories:
    """Compare hospital, ledger and cloud; what the ledger says is read once, when this is made.

    Parameters
    ----------
    desk : Desk
        Of the site.

    Raises
    ------
    LedgerError
        The ledger cannot be read.
    """

    def __init__(self, desk: Desk) -> None:
        self._directory = desk.ledger.directory
        self._tables = lineage.connect(self._directory)
        day_ago = datetime.now(UTC).replace(tzinfo=None) - OLD
        rules = {"profile": desk.anonymizer.profile.digest, "engine": ENGINE_VERSION}
        variables = {"site": desk.site, "project": desk.project, **rules}
        for name, value in variables.items():
            self._tables.execute(f"SET VARIABLE {name} = {database.literal(value)}")
        self._tables.execute(f"SET VARIABLE day_ago = TIMESTAMP {database.literal(day_ago.isoformat(' '))}")
        self._tables.execute((files("flows") / "tables" / "reconcile.sql").read_text(encoding="utf-8"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tables.close()

    # ---- what the ledger says ----

    def before(self) -> int:
        """Count the reconciliations of the site that came to their end."""
        return int(self._one("SELECT count(*) FROM reconciliations WHERE site = $1 AND project = $2", *self._here))

    def counted(self) -> tuple[int, int]:
        """Count the site's studies, and the instances that the ledger calls loaded."""
        ((studies, instances),) = self._rows("SELECT count(*), coalesce(sum(loaded), 0)::BIGINT FROM here")
        return studies, instances

    def sites(self) -> set[str]:
        """Return the sites that ever ran with this ledger."""
        return {site for (site,) in self._rows("SELECT DISTINCT site FROM raw.runs")}

    def loaded(self) -> Iterator[list[LoadedStudy]]:
        """Walk through what the ledger calls loaded, some studies at a time."""
        works = [work for (work,) in self._rows("SELECT work FROM here WHERE loaded > 0 ORDER BY work")]
        for first in range(0, len(works), _STUDIES):
            yield self._loaded(works[first : first + _STUDIES])

    def digests_of(self, work: str) -> dict[str, str]:
        """Return the MD5 of each instance that the ledger calls loaded of one study, by SOPInstanceUID."""
        return {one.sop_instance_uid: one.md5 for study in self._loaded([work]) for one in study.instances}

    def seen(self, work: str) -> tuple[str, int]:
        """Return in what state a study was seen last, as a keyed token, and how many instances it had then."""
        ((snapshot, instances),) = self._rows("SELECT seen, seen_instances FROM here WHERE work = $1", work)
        return snapshot, instances

    def is_larger(self, work: str) -> bool:
        """Tell whether a study has more instances than its outcome knows of, and does not show it otherwise."""
        return bool(
            self._one(
                "SELECT count(*) FROM here JOIN hospital USING (work)"
                " WHERE work = $1 AND snapshot = settled AND hospital.instances > source_instances",
                work,
            )
        )

    def seen_amiss(self) -> dict[str, int]:
        """Return studies that are settled as they are, and of which an older state was recorded as seen after that.

        With how many instances their outcome speaks for.
        """
        return dict(
            self._rows(
                "SELECT work, source_instances FROM here JOIN hospital USING (work)"
                " WHERE in_flight AND snapshot = settled"
            )
        )

    def outcome(self, work: str) -> StudyOutcome | None:
        """Return the latest outcome of a study of which something was loaded; None if nothing was."""
        rows = lineage.rows(
            self._tables,
            "SELECT l.* FROM raw.latest AS l SEMI JOIN here ON here.work = l.work AND here.loaded > 0"
            " WHERE l.site = getvariable('site') AND l.project = getvariable('project') AND l.work = $1",
            [work],
        )
        return restored(StudyOutcome, rows[0]) if rows else None

    def loaded_studies(self) -> set[str]:
        """Return what the cloud calls each study that this ledger loaded something of, whatever the site."""
        rows = self._rows("SELECT DISTINCT patient_id, study_instance_uid FROM known WHERE loaded > 0")
        return {orthanc_id(patient_id, uid) for patient_id, uid in rows}

    def known(self, study_instance_uids: Collection[str]) -> dict[str, tuple[str, str, str]]:
        """Return site, project and work of those of these studies that the ledger knew at the beginning."""
        rows = self._rows(
            "SELECT study_instance_uid, site, project, work FROM known"
            " WHERE study_instance_uid IN (SELECT unnest($1::VARCHAR[]))",
            list(study_instance_uids),
        )
        return {uid: (site, project, work) for uid, site, project, work in rows}

    def seen_since(self, study_instance_uids: Collection[str]) -> set[str]:
        """Return those of these studies that some site has seen by now."""
        rows = self._rows(
            "SELECT DISTINCT study_instance_uid FROM raw.seen"
            " WHERE study_instance_uid IN (SELECT unnest($1::VARCHAR[]))",
            list(study_instance_uids),
        )
        return {uid for (uid,) in rows}

    def explained(self, study_instance_uids: Collection[str]) -> set[str]:
        """Return what the cloud calls each instance of these studies that some record by now accounts for.

        A conflict is one: it is held, and so somebody is told of it.
        """
        rows = self._rows(
            "SELECT DISTINCT s.patient_id, s.study_instance_uid, i.series_instance_uid, i.sop_instance_uid"
            " FROM raw.studies AS s, unnest(s.instances) AS t (i)"
            " WHERE s.study_instance_uid IN (SELECT unnest($1::VARCHAR[]))"
            " AND (i.status = 'loaded' OR i.reason = 'conflict')",
            list(study_instance_uids),
        )
        return {orthanc_id(*row) for row in rows}

    def in_flight(self, study_instance_uids: Collection[str]) -> set[str]:
        """Return those of these studies of which a record of their latest state is still to come."""
        rows = self._rows(
            "WITH seen AS ("
            " SELECT site, project, work, study_instance_uid, arg_max(snapshot, record) AS snapshot FROM raw.seen"
            " WHERE study_instance_uid IN (SELECT unnest($1::VARCHAR[])) GROUP BY ALL"
            ") SELECT DISTINCT study_instance_uid FROM seen"
            " ANTI JOIN raw.latest USING (site, project, work, snapshot)",
            list(study_instance_uids),
        )
        return {uid for (uid,) in rows}

    def left_early(self, *, of_others: bool) -> list[LoadedStudy]:
        """Return what left early over a day ago and has no end.

        Parameters
        ----------
        of_others : bool
            Also what is of sites and projects at which no run works any more.
        """
        rows = self._rows(
            "SELECT work, patient_id, study_instance_uid, series_instance_uid, sop_instance_uid, '' FROM left_early"
            " WHERE is_here OR $1 ORDER BY ALL",
            of_others,
        )
        return _studies(rows)

    def differ(self) -> set[str]:
        """Return the studies of which some digest differed last time: they are asked for again each time."""
        rows = self._rows("SELECT DISTINCT work FROM differences_before WHERE kind = 'differs-in-cloud'")
        return {work for (work,) in rows}

    # ---- what the others say ----

    def hospital_has(self, studies: Sequence[AtHospital]) -> None:
        """Note a page of the hospital's inventory."""
        self._insert("hospital", [astuple(study) for study in studies])

    def hospital_lists(self, works: Sequence[str]) -> None:
        """Note what the hospital has, listed at once."""
        self._insert("listed", [(work,) for work in works])

    def cloud_differs(self, differences: Sequence[Difference]) -> None:
        """Note what the cloud has otherwise than the ledger says."""
        self._insert(
            "cloud_differences",
            [
                (d.kind, d.work, d.patient_id, d.study_instance_uid, d.sop_instance_uid, d.instances)
                for d in differences
            ],
        )

    def leave(self, works: Sequence[str]) -> None:
        """Note studies that cannot be judged: somebody else is at them."""
        self._insert("unjudged", [(work,) for work in works])

    # ---- what comes of it ----

    def compare(self) -> None:
        """Compare; the answers below are about what was noted until now."""
        self._tables.execute("CREATE TEMP TABLE now AS FROM differences_now")
        self._tables.execute("CREATE TEMP TABLE before AS FROM differences_before")

    def differences(self) -> list[Difference]:
        """Return what differs now, but for what the hospital deleted: that may be all that it ever had."""
        return self._differences("FROM now WHERE kind <> 'gone-at-hospital' ORDER BY ALL")

    def gone(self) -> int:
        """Count the studies of which the hospital deleted something that has its outcome."""
        return int(self._one("SELECT count(*) FROM now WHERE kind = 'gone-at-hospital'"))

    def found(self) -> list[Difference]:
        """Return what differs now and did not last time."""
        return self._differences("FROM now EXCEPT FROM before ORDER BY ALL")

    def closed(self) -> list[Difference]:
        """Return what differed last time and does no longer; of what could not be judged nothing is said."""
        return self._differences("FROM (FROM before ANTI JOIN unjudged USING (work)) EXCEPT FROM now ORDER BY ALL")

    def unjudged(self) -> int:
        """Count the studies that could not be judged."""
        return int(self._one("SELECT count(DISTINCT work) FROM unjudged"))

    @property
    def _here(self) -> tuple[str, str]:
        ((site, project),) = self._rows("SELECT getvariable('site'), getvariable('project')")
        return site, project

    def _loaded(self, works: list[str]) -> list[LoadedStudy]:
        records = self._rows(
            "SELECT DISTINCT unnest(records) FROM here WHERE work IN (SELECT unnest($1::VARCHAR[])) AND loaded > 0",
            works,
        )
        paths = [database.pattern(self._directory / "studies" / f"{record}.parquet") for (record,) in records]
        if not paths:
            return []
        # What was loaded last is what the cloud should have: a person may have deleted there what was before.
        rows = self._rows(
            "SELECT work, patient_id, study_instance_uid, i.series_instance_uid, i.sop_instance_uid,"
            " arg_max(i.md5, record)"
            " FROM read_parquet($1, union_by_name = true, hive_partitioning = false), unnest(instances) AS t (i)"
            " WHERE i.status = 'loaded' AND work IN (SELECT unnest($2::VARCHAR[])) GROUP BY ALL ORDER BY ALL",
            paths,
            works,
        )
        return _studies(rows)

    def _differences(self, sql: str) -> list[Difference]:
        return [Difference(**row) for row in lineage.rows(self._tables, sql)]

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        values = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
        self._tables.execute(f"INSERT INTO {table} SELECT {values}", columns)

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return lineage.again(lambda: self._tables.execute(sql, list(parameters)).fetchall())

    def _one(self, sql: str, *parameters: Any) -> Any:
        ((value,),) = self._rows(sql, *parameters)
        return value


def _studies(rows: Sequence[tuple[Any, ...]]) -> list[LoadedStudy]:
    """Return studies from rows of work, PatientID, the UIDs of study, series and instance, and MD5."""
    studies: dict[tuple[str, str, str], list[LoadedInstance]] = {}
    for work, patient_id, study, series, sop, md5 in rows:
        one = LoadedInstance(orthanc_id(patient_id, study, series, sop), sop, md5)
        studies.setdefault((work, patient_id, study), []).append(one)
    return [LoadedStudy(*names, tuple(instances)) for names, instances in studies.items()]
