"""Finding work: what is stable at the hospital and not yet settled in the ledger.

The doorbell only says "look". What there is to do stands in the hospital's own change feed and inventory, so that an
event that was lost costs nothing but the time until the next look: see :mod:`flows.look`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from flows.desk import Desk
from flows.errors import GoneError
from flows.orthanc import StudyAtSite
from flows.records import FoundBy, Seen, Settled

__all__ = ["Inventory", "Work", "as_work", "find_work", "is_settled", "record_seen"]


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
    found_by : str
        How the run came by it.
    """

    orthanc_id: str = field(repr=False)
    source_uid: str = field(repr=False)
    work: str
    snapshot: str
    study_instance_uid: str
    instances: int
    release: str = ""
    found_by: FoundBy = "sweep"


class Inventory:
    """What of a hospital's studies is not settled; each state of a study is found once.

    Parameters
    ----------
    desk : Desk
        Of the site.
    tried : set of str, optional
        Snapshots that were found before. The found ones are added.
    """

    def __init__(self, desk: Desk, tried: set[str] | None = None) -> None:
        self._desk = desk
        self._tried = set() if tried is None else tried
        self.refresh()

    def refresh(self) -> None:
        """Learn what the ledger knows by now."""
        # The outcomes first: a release that comes in between is seen, or waits for the next run.
        self._settled = self._desk.ledger.settled(self._desk.site, self._desk.project)
        self._releases = self._desk.ledger.releases(self._desk.site, self._desk.project)
        self._settings = self._desk.settings

    @property
    def settled(self) -> int:
        """How many studies of the site the ledger has an outcome for."""
        return len(self._settled)

    @property
    def latest_release(self) -> str:
        """The ledger's record of the latest release of any study of the site; "" if nobody released one."""
        return max(self._releases.values(), default="")

    def works(
        self,
        studies: Iterable[StudyAtSite],
        found_by: Callable[[bool], FoundBy],
        only: Container[str] | None = None,
    ) -> list[Work]:
        """Return those of the studies that are to be moved, and record that they were seen.

        Parameters
        ----------
        studies : iterable of StudyAtSite
            Stable ones.
        found_by : callable
            Tells how the run came by a study, given whether it is new or changed; it is not if it was held as it is.
        only : container of str, optional
            Work tokens of the studies that are asked for; all without it.
        """
        found: list[Work] = []
        for study in studies:
            work, snapshot = _tokens(self._desk, study)
            if only is not None and work not in only:
                continue
            release, settled = self._releases.get(work, ""), self._settled.get(work)
            if snapshot in self._tried or is_settled(settled, snapshot, self._settings, release):
                continue
            self._tried.add(snapshot)
            is_new = settled is None or settled.snapshot != snapshot
            works = _work(self._desk, study, work, snapshot)
            found += [replace(one, release=release, found_by=found_by(is_new)) for one in works]
        record_seen(self._desk, found)
        return found


def find_work(desk: Desk, tried: set[str], only: Container[str] | None = None) -> list[Work]:
    """Return all stable studies that are not settled, whether anything told of them or not.

    Parameters
    ----------
    tried : set of str
        Snapshots that were found before; the found ones are added.
    only : container of str, optional
        Work tokens of the studies that are asked for; all without it.
    """
    inventory = Inventory(desk, tried)
    return inventory.works(desk.hospital.stable_studies(), lambda is_new: "sweep" if is_new else "retry", only)


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
                found_by=work.found_by,
            )
            for work in found
        ]
    )


def as_work(desk: Desk, study: StudyAtSite) -> Work | None:
    """Return a study as it is now, stable or not; None if it was deleted since it was listed."""
    return next((replace(work, found_by="feed") for work in _work(desk, study, *_tokens(desk, study))), None)


def _work(desk: Desk, study: StudyAtSite, work: str, snapshot: str) -> Iterator[Work]:
    try:
        instances = desk.hospital.count_instances(study.orthanc_id)
    except GoneError:
        return  # deleted since it was listed: there is nothing left to move
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


def is_settled(settled: Settled | None, snapshot: str, settings: str, release: str) -> bool:
    """Tell whether the ledger has an outcome for this very state of a study.

    What was held is tried again once profile, engine or settings changed, and once somebody released it: that is how
    a hold gets fixed.
    """
    if settled is None or settled.snapshot != snapshot:
        return False
    if settled.status == "held":
        return settled.settings == settings and release <= settled.release
    return True
