"""The cloud's side: is all there that was loaded, is it the same, and is nothing there that nobody loaded?

What there is of a study costs one question; a digest costs one an instance, and sixty times as much. So the presence
of every instance is looked at each time, and every digest where there are few, else those of a share of the studies.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from flows.desk import Desk
from flows.ledger.records import Difference, DifferenceKind
from flows.orthanc import StudyAtSite
from flows.reconciliation.inventories import Inventories, LoadedStudy
from flows.threads import in_threads

__all__ = ["InCloud", "is_pseudonym", "look_at_cloud"]

DIGESTS_AT_ONCE = 100_000
"""As long as no more than so many instances are loaded, every digest is asked for each time."""
SHARES = 7
"""Where more are loaded, every digest is asked for once in so many reconciliations."""
_STUDIES = 100  # of the cloud that are looked up at once
_CODE = re.compile(r"[A-Z2-7]{16}")
_UID_BITS = 128


@dataclass(frozen=True, slots=True)
class InCloud:
    """What the cloud was asked: studies and instances that are there, digests, and studies of others."""

    studies: int
    instances: int
    digests: int
    others: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the cloud says of one study; `extra` are identifiers that the ledger did not list."""

    study: LoadedStudy
    there: int
    digests: int
    differences: tuple[Difference, ...]
    extra: frozenset[str]


def look_at_cloud(desk: Desk, inventories: Inventories, names: tuple[str, ...]) -> InCloud:
    """Note what the cloud has otherwise than the ledger says.

    Parameters
    ----------
    names : tuple of str
        All sites of the sites file.
    """
    is_due = _Share(inventories)
    studies = instances = digests = 0
    extra: dict[str, _Answer] = {}
    for some in inventories.loaded():
        for answer in in_threads(lambda study: _ask(desk, study, digests=is_due(study.work)), some):
            studies += answer.there > 0
            instances += answer.there
            digests += answer.digests
            if not (answer.differences or answer.extra):
                continue
            # Asked after the cloud: whoever worked before that has left a record, or is not over.
            if _is_at_work(desk, answer.study.work):
                inventories.leave([answer.study.work])
                continue
            inventories.cloud_differs(answer.differences)
            if answer.extra:
                extra[answer.study.orthanc_id] = answer
    _judge_instances(inventories, list(extra.values()))
    _judge_early(desk, inventories, names)
    others = _judge_studies(desk, inventories, names)
    return InCloud(studies, instances, digests, others)


class _Share:
    """Tell whether the digests of a study are asked for this time."""

    def __init__(self, inventories: Inventories) -> None:
        _, instances = inventories.counted()
        self._shares = 1 if instances <= DIGESTS_AT_ONCE else SHARES
        # Not by date: a night that is missed puts off the others, and leaves none out.
        self._turn = inventories.before() % self._shares
        self._differ = inventories.differ()

    def __call__(self, work: str) -> bool:
        return zlib.crc32(work.encode()) % self._shares == self._turn or work in self._differ


def _ask(desk: Desk, study: LoadedStudy, *, digests: bool) -> _Answer:
    there = desk.cloud.instance_ids(study.orthanc_id)
    present = [one for one in study.instances if one.orthanc_id in there]
    missing = [one for one in study.instances if one.orthanc_id not in there]
    differences = []
    if missing and not present:
        differences.append(_difference("not-in-cloud", study, instances=len(missing)))
    else:
        differences += [_difference("not-in-cloud", study, one.sop_instance_uid) for one in missing]
    for one in present if digests else ():
        md5 = desk.cloud.stored_md5(one.orthanc_id)
        if md5 is None:
            differences.append(_difference("not-in-cloud", study, one.sop_instance_uid))
        elif md5 != one.md5:
            differences.append(_difference("differs-in-cloud", study, one.sop_instance_uid))
    extra = there - {one.orthanc_id for one in study.instances}
    return _Answer(study, len(present), len(present) if digests else 0, tuple(differences), extra)


def _is_at_work(desk: Desk, work: str) -> bool:
    """Tell whether somebody moves a study at this moment."""
    with desk.leases.study(work) as is_free:
        return not is_free


def _judge_instances(inventories: Inventories, answers: list[_Answer]) -> None:
    """Note what lies under a study of ours and no record accounts for, of any site, or of what was loaded meanwhile."""
    uids = {answer.study.study_instance_uid for answer in answers}
    explained, in_flight = inventories.explained(uids), inventories.in_flight(uids)
    for answer in answers:
        extra = answer.extra - explained
        # A run that was killed had loaded what it could not record: the next one does.
        if extra and answer.study.study_instance_uid not in in_flight:
            inventories.cloud_differs([_difference("extra-in-cloud", answer.study, instances=len(extra))])


def _judge_early(desk: Desk, inventories: Inventories, names: tuple[str, ...]) -> None:
    """Note what left early, has no end, and is there; the first site of the file that works speaks for the others."""
    at_work = inventories.sites()
    first = next((name for name in names if name in at_work), desk.site)
    for study in inventories.left_early(of_others=desk.site == first):
        there = desk.cloud.instance_ids(study.orthanc_id).intersection(one.orthanc_id for one in study.instances)
        if there:
            inventories.cloud_differs([_difference("left-early", study, instances=len(there))])


def _judge_studies(desk: Desk, inventories: Inventories, names: tuple[str, ...]) -> int:
    """Note whole studies that nobody loaded; return how many are not ours to judge.

    A ledger that every site of the sites file writes knows all that leaves under the project's prefix: what it never
    heard of is extra, and the first site of the file says so. Where some site keeps a ledger of its own, nobody can
    tell its studies from those.
    """
    knows_all = inventories.sites() >= set(names)
    kept, unknown, others = list[tuple[StudyAtSite, str]](), list[StudyAtSite](), 0
    for some in _strangers(desk, inventories):
        known = inventories.known({study.study_instance_uid for study in some})
        for study in some:
            if found := known.get(study.study_instance_uid):
                site, project, work = found
                kept += [(study, work)] if (site, project) == (desk.site, desk.project) else []
            elif not (knows_all and _has_our_form(desk, study.patient_id)):
                others += 1
            elif desk.site == names[0]:
                unknown.append(study)
    _judge_kept(desk, inventories, kept)
    seen = inventories.seen_since({study.study_instance_uid for study in unknown})
    inventories.cloud_differs([_unknown(desk, study) for study in unknown if study.study_instance_uid not in seen])
    return others


def _strangers(desk: Desk, inventories: Inventories) -> Iterator[list[StudyAtSite]]:
    """Walk through the studies of the cloud of which this ledger loaded nothing."""
    loaded = inventories.loaded_studies()
    strangers = (study for study in desk.cloud.studies() if study.orthanc_id not in loaded)
    while some := list(islice(strangers, _STUDIES)):
        yield some


def _judge_kept(desk: Desk, inventories: Inventories, kept: list[tuple[StudyAtSite, str]]) -> None:
    """Note studies that were held or excluded, and of which the cloud has something nonetheless."""
    uids = {study.study_instance_uid for study, _ in kept}
    explained, in_flight = inventories.explained(uids), inventories.in_flight(uids)
    for study, work in kept:
        if _is_at_work(desk, work):
            inventories.leave([work])
        elif study.study_instance_uid not in in_flight:
            extra = desk.cloud.instance_ids(study.orthanc_id) - explained
            # Somebody may have stored the study itself there, with the patient.
            patient = study.patient_id if _has_our_form(desk, study.patient_id) else ""
            there = LoadedStudy(work, patient, study.study_instance_uid, ())
            if extra:
                inventories.cloud_differs([_difference("extra-in-cloud", there, instances=len(extra))])


def _unknown(desk: Desk, study: StudyAtSite) -> Difference:
    """Describe a study that has a PatientID of ours and that nobody here ever saw, without naming what may be real."""
    uid = study.study_instance_uid if is_pseudonym(study.study_instance_uid) else ""
    there = LoadedStudy("", study.patient_id, uid, ())
    return _difference("extra-in-cloud", there, instances=len(desk.cloud.instance_ids(study.orthanc_id)))


def _difference(kind: DifferenceKind, study: LoadedStudy, sop_instance_uid: str = "", instances: int = 1) -> Difference:
    return Difference(
        kind=kind,
        work=study.work,
        patient_id=study.patient_id,
        study_instance_uid=study.study_instance_uid,
        sop_instance_uid=sop_instance_uid,
        instances=instances,
    )


def _has_our_form(desk: Desk, patient_id: str) -> bool:
    prefix = desk.anonymizer.pseudonyms.patient_id_prefix
    return patient_id.startswith(prefix) and bool(_CODE.fullmatch(patient_id.removeprefix(prefix)))


def is_pseudonym(uid: str) -> bool:
    """Tell whether a UID has the form of our pseudonyms: 2.25 and a UUID of version 8."""
    number = uid.removeprefix("2.25.")
    return number != uid and number.isdecimal() and int(number) >> 76 & 0xF == 8 and int(number) < 1 << _UID_BITS
