"""Mending alone what may be mended alone; nothing is deleted or overwritten anywhere.

What the cloud lost is moved again through engine and gate, if the same bytes come of it. What no run took up is
moved. What was deleted at the hospital before it was moved is settled, so that it does not stay in flight for ever.
What is settled, and was recorded in an older state after that, is recorded as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from flows.desk import Desk
from flows.errors import GoneError, foreseen
from flows.inventory import Inventory, Work, as_seen, record_seen, tokens
from flows.ledger.records import DELETED, Difference, Instance, StudyOutcome
from flows.orthanc import StudyAtSite
from flows.outcome import Attempt
from flows.reconciliation.inventories import Inventories
from flows.study import move

__all__ = ["HEALED_ALONE", "Healing", "healed", "heals"]

HEALED_ALONE = frozenset({"not-in-cloud", "not-taken-up", "in-flight-gone"})
"""Kinds of differences that nobody has to be asked about, unless there is a reason."""

Healing = Callable[[], StudyOutcome | None]
"""Mend one study; None if that is not needed any more, or somebody else is at it."""


def heals(desk: Desk, inventories: Inventories, differences: Iterable[Difference]) -> Iterator[tuple[str, Healing]]:
    """Yield what is to be done for each study that may be mended alone, with the ledger's token of the study."""
    wanted = {one.work: one for one in differences if one.kind in HEALED_ALONE and not one.reason}
    gone = [one for one in wanted.values() if one.kind == "in-flight-gone"]
    for one in gone:
        yield one.work, partial(_settled, desk, inventories, one)
    amiss = inventories.seen_amiss()
    if len(gone) == len(wanted) and not amiss:
        return
    inventory = Inventory(desk)
    for study in desk.hospital.studies():
        work, _ = tokens(desk, study)
        if found := wanted.get(work):
            yield work, partial(_moved, desk, inventories, inventory, study, found)
        elif work in amiss:
            yield work, partial(_seen_again, desk, study, amiss[work])


@foreseen("a study could not be mended")
def healed(healing: Healing) -> StudyOutcome | None:
    """Mend a study.

    Raises
    ------
    TransientError
        An end is away: the next reconciliation finds it again.
    TerminalError
        A person must act first.
    """
    return healing()


def _seen_again(desk: Desk, study: StudyAtSite, instances: int) -> None:
    """Record once more in what state a study was settled, if it is: a slow run recorded an older state after it."""
    work, _ = tokens(desk, study)
    with desk.leases.study(work) as is_ours, suppress(GoneError):
        now = desk.hospital.study(study.orthanc_id)
        settled = desk.ledger.settled_study(desk.site, desk.project, work)
        if is_ours and settled and settled.snapshot == tokens(desk, now)[1]:
            record_seen(desk, [replace(as_seen(desk, now), instances=instances)])


def _moved(
    desk: Desk, inventories: Inventories, inventory: Inventory, study: StudyAtSite, difference: Difference
) -> StudyOutcome | None:
    """Move a study, unless somebody else does at this moment, or did meanwhile."""
    with desk.leases.study(difference.work) as is_ours:
        if not is_ours:
            return None
        inventory.refresh()
        if difference.kind == "not-taken-up" and not inventories.is_larger(difference.work):
            found = inventory.works([study], lambda is_new: "sweep" if is_new else "retry")
        else:
            found = inventory.again(study, inventories.digests_of(difference.work))
        return move(desk, found[0]) if found else None


def _settled(desk: Desk, inventories: Inventories, difference: Difference) -> StudyOutcome | None:
    """Record that the hospital deleted a study before it was moved; what was loaded of it earlier stays loaded."""
    with desk.leases.study(difference.work) as is_ours:
        snapshot, instances = inventories.seen(difference.work)
        settled = desk.ledger.settled(desk.site, desk.project).get(difference.work)
        if not is_ours or (settled and settled.snapshot == snapshot):
            return None
        work = Work(
            orthanc_id="",
            source_uid="",
            work=difference.work,
            snapshot=snapshot,
            study_instance_uid=difference.study_instance_uid,
            instances=instances,
        )
        excluded = Attempt(desk, work, datetime.now(UTC), instances).excluded(DELETED)
        outcome = _with_loaded(excluded, inventories.outcome(difference.work))
        desk.ledger.record(outcome)
        return outcome


def _with_loaded(excluded: StudyOutcome, before: StudyOutcome | None) -> StudyOutcome:
    """Return the outcome of a study that is gone, with what was loaded of an earlier state of it."""
    loaded = [one for one in before.instances if one.status == "loaded"] if before else []
    # The hospital may have deleted some of them before the rest: an outcome speaks for what was there then.
    del loaded[excluded.source_instances :]
    if not (before and loaded):
        return excluded
    never_moved = Instance(
        sop_instance_uid="", series_instance_uid="", sop_class_uid="", status="excluded", reason=DELETED
    )
    return replace(
        before,
        run_id=excluded.run_id,
        snapshot=excluded.snapshot,
        status="loaded",
        reason=DELETED,
        source_instances=excluded.source_instances,
        started_at=excluded.started_at,
        finished_at=excluded.finished_at,
        seconds=excluded.seconds,
        instances=(*loaded, *[never_moved] * (excluded.source_instances - len(loaded))),
        held=(),
        deliveries=(),
    )
