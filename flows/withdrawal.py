"""What left before its study was stable, once the study has its outcome: it stands, or it is withdrawn from the cloud.

Nothing else is ever deleted there: an instance goes only if a record says that it left early, no record of any site
that it was loaded with its study, and the cloud has those very bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flows.desk import Desk
from flows.errors import GoneError, TerminalError
from flows.inventory import Work, work_token
from flows.ledger import records
from flows.orthanc import orthanc_id
from flows.threads import in_threads

__all__ = ["WITHDRAWN", "close", "mark", "settle", "withdraw", "withdraw_forsaken"]

WITHDRAWN = "withdrawn"
"""The code of a held study that says that instances of it were in the cloud."""

_FOLLOWED = timedelta(days=30)
"""How long a study that never became stable is looked for."""


def withdraw(desk: Desk, work: str, stays: Callable[[records.Early], bool]) -> int:
    """Delete from the cloud what left early of a study, and record that.

    Parameters
    ----------
    desk : Desk
        Of the site.
    work : str
        Token of the study.
    stays : callable
        Tells what of it stays.

    Returns
    -------
    int
        How many were withdrawn.

    Raises
    ------
    TerminalError
        The cloud has something in the place of one of them, and does not say that it is what left: nobody but a person
        may delete that. What could be withdrawn is.
    """
    early = desk.ledger.left_early(desk.site, desk.project, work)
    if not early:
        return 0
    loaded = desk.ledger.loaded_by_any(desk.project, work)
    out = [one for one in early if (one.series_instance_uid, one.sop_instance_uid) not in loaded and not stays(one)]
    are_gone = in_threads(lambda one: _is_deleted(desk, one), out)
    gone = [one for one, is_gone in zip(out, are_gone, strict=True) if is_gone]
    if gone:
        desk.ledger.early(_now(desk, gone, "withdrawn"))
    if len(gone) < len(out):
        raise TerminalError(
            f"{len(out) - len(gone)} instances left before their study was stable and must not stay, and [cloud] has "
            "other bytes in their place, or tells no digest of them. Delete them there: the view `early` names them, "
            f"study {work[-8:]}. A cloud must store what it is given as it is, with its MD5"
        )
    return len(gone)


def withdraw_forsaken(desk: Desk, age: timedelta = timedelta(hours=1)) -> int:
    """Withdraw what left early of studies that the hospital has no longer: they will never be stable.

    Parameters
    ----------
    age : timedelta, optional
        What left less long ago is left alone.

    Returns
    -------
    int
        How many were withdrawn.

    Raises
    ------
    TerminalError
        As for :func:`withdraw`, after all studies were tried.
    """
    now = datetime.now(UTC)
    early = desk.ledger.left_early(desk.site, desk.project, since=now - _FOLLOWED)
    # A clock that was far ahead says nothing about an age.
    works = {one.work for one in early if not now - age < one.at < now + age}
    if works:
        # Listed at once: a walk misses the neighbour of what is deleted meanwhile, and that would be withdrawn.
        works -= {work_token(desk, orthanc_id) for orthanc_id in desk.hospital.study_ids()}
    count, stuck = 0, list[TerminalError]()
    for work in sorted(works):
        try:
            count += _withdraw_all(desk, work)
        except TerminalError as error:  # of one study: the others are withdrawn all the same
            stuck.append(error)
    if stuck:
        raise stuck[0]
    return count


def _withdraw_all(desk: Desk, work: str) -> int:
    with desk.leases.study(work) as is_ours:
        return withdraw(desk, work, lambda _one: False) if is_ours else 0


def settle(desk: Desk, work: Work, outcome: records.StudyOutcome) -> records.StudyOutcome:
    """Withdraw what the outcome of a study does not stand for.

    To be called before the outcome is recorded: a run that is killed here leaves the study in flight, and the next one
    does it again.
    """
    loaded = {one.sop_instance_uid: one.md5 for one in outcome.instances if one.status == "loaded"}
    count = withdraw(desk, work.work, lambda one: loaded.get(one.sop_instance_uid) == one.md5)
    if not count or outcome.status != "held":
        return outcome
    return replace(outcome, held=(*outcome.held, _told(count)))


def mark(desk: Desk, work: Work, outcome: records.StudyOutcome) -> TerminalError | None:
    """Mark in the cloud how much of a study was proven whole, before the outcome is recorded.

    Returns
    -------
    TerminalError or None
        The cloud refused it: to be raised once the outcome is recorded, for what was loaded must be on record.
    """
    loaded = {one.sop_instance_uid for one in outcome.instances if one.status == "loaded"}
    if not loaded:
        return None
    earlier = desk.ledger.loaded(desk.site, desk.project, work.work).instances
    there = orthanc_id(outcome.patient_id, outcome.study_instance_uid)
    try:
        desk.cloud.mark_complete(there, len(loaded.union(one.sop_instance_uid for one in earlier)))
    except GoneError:
        return None  # somebody deleted the study there
    except TerminalError:
        return TerminalError(
            "a study is loaded and recorded, and [cloud] refused its mark of completeness (metadata 5318): let the "
            "account there write metadata of studies"
        )
    return None


def close(desk: Desk, work: Work) -> None:
    """Record that what is left of a study's early instances is complete, once its outcome is recorded."""
    early = desk.ledger.left_early(desk.site, desk.project, work.work)
    desk.ledger.early(_now(desk, early, "complete"))


def _now(desk: Desk, early: Sequence[records.Early], event: records.EarlyEvent) -> list[records.Early]:
    at = datetime.now(UTC)
    return [replace(one, event=event, run_id=desk.run_id, at=at) for one in early]


def _is_deleted(desk: Desk, one: records.Early) -> bool:
    """Delete what left; tell whether the cloud has nothing in its place by now."""
    there = orthanc_id(one.patient_id, one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
    if desk.cloud.stored_md5(there) == one.md5:
        desk.cloud.delete(there)
        return True
    return not desk.cloud.has_instance(there)


def _told(count: int) -> records.Hold:
    return records.Hold(
        sop_instance_uid="",
        code=WITHDRAWN,
        place="",
        message=f"{count} instances that had left before the study was stable were withdrawn from the cloud",
    )
