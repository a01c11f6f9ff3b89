"""The hospital's side: its whole inventory, a page at a time, in the ledger's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice

from flows.desk import Desk
from flows.errors import GoneError
from flows.inventory import is_live, stable_until, tokens, work_token
from flows.orthanc import StudyAtSite
from flows.reconciliation.inventories import AtHospital, Inventories
from flows.threads import in_threads

__all__ = ["Due", "look_at_hospital"]

GRACE = timedelta(hours=1)
"""How long the runs have to take a stable study up before it counts as lost: they look every few minutes."""
_PAGE = 100


class Due:
    """Tell whether a study at a hospital should have been taken up by now."""

    def __init__(self, desk: Desk) -> None:
        self._youngest = stable_until(desk, GRACE)

    def __call__(self, study: StudyAtSite) -> bool:
        """Tell it of one study."""
        return study.stable and study.last_update <= self._youngest


def look_at_hospital(desk: Desk, inventories: Inventories) -> tuple[int, int]:
    """Note all that the hospital has; return how many studies and instances that is."""
    due = Due(desk)
    studies = instances = 0
    for page in _pages(desk.hospital.studies()):
        there = [one for one in in_threads(lambda study: _described(desk, due, study), page) if one]
        inventories.hospital_has(there)
        studies += len(there)
        instances += sum(study.instances for study in there)
    # A study that is deleted during the walk may hide another one: nothing is gone that is in the whole list.
    inventories.hospital_lists([work_token(desk, orthanc_id) for orthanc_id in desk.hospital.study_ids()])
    return studies, instances


def _pages(studies: Iterator[StudyAtSite]) -> Iterable[list[StudyAtSite]]:
    while page := list(islice(studies, _PAGE)):
        yield page


def _described(desk: Desk, due: Due, study: StudyAtSite) -> AtHospital | None:
    try:
        # Before 1.13 Orthanc leaves LastUpdate alone when an instance is deleted: the state alone does not tell.
        instances = desk.hospital.count_instances(study.orthanc_id)
    except GoneError:
        return None
    work, snapshot = tokens(desk, study)
    uid = desk.anonymizer.uid(study.study_instance_uid)
    return AtHospital(work, snapshot, uid, instances, due(study), is_live(desk, study))
