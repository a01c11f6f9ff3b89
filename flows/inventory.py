"""Finding work: what is stable at the hospital and not yet settled in the ledger.

The doorbell only says "look". What there is to do stands in the hospital's own inventory, so that an event
that was lost costs nothing but the time until the next look.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from flows.desk import Desk
from flows.errors import GoneError
from flows.orthanc import StudyAtSite
from flows.records import Seen, Settled

__all__ = ["Work", "find_work"]


@dataclass(frozen=True, slots=True)
class Work:
    """A study at the hospital that is to be moved.

    Attributes
    ----------
    work, snapshot : str
        Keyed tokens of the study and of the state that it was seen in: the ledger's names for them.
    study_instance_uid : str
        What the cloud calls it: a pseudonym, unless the profile retains UIDs.
    instances : int
        How many the hospital has.
    release : str
        The ledger's record of the latest release of the study; "" if nobody released it.
    """

    orthanc_id: str = field(repr=False)
    source_uid: str = field(repr=False)
    work: str
    snapshot: str
    study_instance_uid: str
    instances: int
    release: str = ""


def find_work(desk: Desk, tried: set[str], only: Container[str] | None = None) -> list[Work]:
    """Return the stable studies that are not settled, and record that they were seen.

    Parameters
    ----------
    tried : set of str
        Snapshots that this run has worked on; each is tried once in a run. The found ones are added.
    only : container of str, optional
        Work tokens of the studies that are asked for; all without it.
    """
    # The outcomes first: a release that comes in between is seen, or waits for the next run.
    settled = desk.ledger.settled(desk.site, desk.project)
    releases = desk.ledger.releases(desk.site, desk.project)
    settings = desk.settings
    found: list[Work] = []
    for study in desk.hospital.stable_studies():
        work, snapshot = _tokens(desk, study)
        if only is not None and work not in only:
            continue
        release = releases.get(work, "")
        if snapshot in tried or _is_settled(settled.get(work), snapshot, settings, release):
            continue
        tried.add(snapshot)
        found.extend(replace(one, release=release) for one in _work(desk, study, work, snapshot))
    record_seen(desk, found)
    return found


def record_seen(desk: Desk, found: list[Work]) -> None:
    """Record what was seen at the hospital: from now on the ledger counts it as in flight."""
    now = datetime.now(UTC)
    desk.ledger.seen(
        [
            Seen(
                site=desk.site,
                project=desk.project,
                work=work.work,
                snapshot=work.snapshot,
                study_instance_uid=work.study_instance_uid,
                source_instances=work.instances,
                run_id=desk.run_id,
                seen_at=now,
            )
            for work in found
        ]
    )


def _work(desk: Desk, study: StudyAtSite, work: str, snapshot: str) -> Iterator[Work]:
    try:
        instances = desk.hospital.count_instances(study.orthanc_id)
    except GoneError:
        return  # deleted since it was listed: there is nothing left to move
    if not instances:
        return
    yield Work(
        orthanc_id=study.orthanc_id,
        source_uid=study.study_instance_uid,
        work=work,
        snapshot=snapshot,
        study_instance_uid=desk.anonymizer.uid(study.study_instance_uid),
        instances=instances,
    )


def _tokens(desk: Desk, study: StudyAtSite) -> tuple[str, str]:
    token = desk.anonymizer.pseudonyms.token
    # Orthanc leaves LastUpdate alone when an instance is deleted, and the series change with some deletions only.
    state = (study.orthanc_id, study.last_update, *sorted(study.series))
    return token("work", study.orthanc_id), token("snapshot", *state)


def _is_settled(settled: Settled | None, snapshot: str, settings: str, release: str) -> bool:
    """Tell whether the ledger has an outcome for this very state of a study.

    What was held is tried again once profile, engine or settings changed, and once somebody released it: that is how
    a hold gets fixed.
    """
    if settled is None or settled.snapshot != snapshot:
        return False
    if settled.status == "held":
        return settled.settings == settings and release <= settled.release
    return True
