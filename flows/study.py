"""Moving one study: extract, anonymize, prove, load, verify, record. Data goes one way.

What grew since it was loaded is proven whole again and only what is new is loaded: see :mod:`flows.copies`.

An instance is in memory alone, and a large one is not in memory at all: it comes by way of a file without a name.
Only its output is written, to the spool, until the gate has seen the whole study. Nothing goes to the cloud before
that, and nothing that is held, or points at what is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from anonymizer import TWO_PATIENTS, Held, Identity
from anonymizer.folder import contents
from anonymizer.gate import Examiner, Verdict
from flows.copies import Copies, standing, told_of_copies
from flows.desk import Desk
from flows.earlier import Before
from flows.errors import TerminalError, TransientError
from flows.inventory import Work, tokens
from flows.ledger import records
from flows.orthanc import InstanceAtSite
from flows.outcome import UNREADABLE, Attempt, conflicts_in, hold_of
from flows.pending import references_of, sought
from flows.proof import Kept, Output, Proof, prove, prove_one_by_one
from flows.threads import in_threads
from flows.withdrawal import close, mark, settle, withdraw

__all__ = ["deliver", "move", "treat"]

_UID = re.compile(r"\d+(\.\d+)*", re.ASCII)


def move(desk: Desk, work: Work) -> records.StudyOutcome:
    """Take one study from the hospital to the cloud, or hold it, whole or in part; record the outcome.

    Raises
    ------
    TransientError
        When an end is away: the study stays in flight and the next run takes it up again.
    TerminalError
        When a person must act first.
    """
    started = datetime.now(UTC)
    with desk.spooled() as spool:
        outcome = _move(desk, work, started, spool)
        if work.loaded and not outcome.deliveries:
            raise _another()
        outcome = settle(desk, work, outcome)
        refused = mark(desk, work, outcome)
    desk.ledger.record(outcome)
    close(desk, work)
    if refused:
        raise refused
    return outcome


def _move(desk: Desk, work: Work, started: datetime, spool: Path) -> records.StudyOutcome:
    instances = desk.hospital.instances(work.orthanc_id)
    # Asked after the list: what came since the selection was asked shows here, though the count be the same.
    _, snapshot = tokens(desk, desk.hospital.study(work.orthanc_id))
    if len(instances) != work.instances or snapshot != work.snapshot:
        raise TransientError("a study changes at the hospital while it is looked at. It will be tried again")
    attempt = Attempt(desk, work, started, len(instances))
    if outcome := _untouched(desk, work, attempt):
        return outcome

    # The spool's names are numbers: one that held the hospital's identifier would say who became whom.
    jobs = [(instance, spool / str(number)) for number, instance in enumerate(instances)]
    examiner, copies = Examiner(), Copies(desk, work)
    treated = in_threads(lambda job: treat(desk, examiner, copies, *job), jobs)
    outputs = [one for one in treated if isinstance(one, Output)]
    kept = [one for one in treated if isinstance(one, Kept)]
    identities = [*(one.report for one in outputs), *(one.held.identity for one in kept if one.held.identity)]
    if not _are_of(work, identities):
        if _UID.fullmatch(work.source_uid):  # one of this study is missing
            raise TransientError("the hospital gave an instance of another study: see its Orthanc's log")
        return attempt.of_an_odd_uid(desk.ledger.loaded(desk.site, desk.project, work.work))
    before = Before(desk.anonymizer, desk.ledger, desk.site)
    proof = _proof(desk, outputs, kept, identities, before)
    stands, changes = standing(treated), copies.changes(treated)
    if proof.proven and _is_under_another_patient(desk, proof.proven[0]):
        proof = replace(proof, proven=(), holds=(*proof.holds, hold_of(Held(TWO_PATIENTS))))
    if not (proof.proven and proof.verdict):
        return attempt.held(proof.holds, identities, proof.verdict, standing=stands, changes=changes)

    _check_bytes(work, proof.proven)
    references = _references(desk, proof.verdict, proof.proven, copies)
    # What arrived early under other rules would stand in the way.
    now = {output.report.sop_instance_uid: output.report.md5 for output in proof.proven}
    withdraw(desk, work.work, lambda one: now.get(one.sop_instance_uid, one.md5) == one.md5)
    deliveries = in_threads(lambda output: deliver(desk, output), proof.proven)
    conflicts = conflicts_in(deliveries)
    loaded = [one.evidence for one in proof.proven if one.report.sop_instance_uid not in conflicts]
    return attempt.delivered(
        proof,
        deliveries,
        identities,
        references=references,
        links=before.records_of(loaded),
        standing=stands,
        changes=changes,
    )


def _untouched(desk: Desk, work: Work, attempt: Attempt) -> records.StudyOutcome | None:
    """Return the outcome of a study that stays, whatever its instances are; None where they have to be looked at."""
    earlier = desk.ledger.loaded(desk.site, desk.project, work.work)
    if work.choice.outcome == "exclude":
        return attempt.excluded(work.choice.reason, earlier)
    if work.choice.outcome == "overdue":
        return attempt.overdue(earlier)
    if len(desk.hospital.studies_of(work.source_uid)) > 1:
        return attempt.of_two_patients(earlier)
    return None


def _proof(
    desk: Desk, outputs: Sequence[Output], kept: Sequence[Kept], identities: Sequence[Identity], before: Before
) -> Proof:
    """Prove the study as the site wants it: whole, or without what is held and what points at it."""
    holds = [hold_of(one.held) for one in kept] + _twice(identities)
    if desk.hold == "study":
        proof = prove(outputs, holds, before)
    else:
        if len({identity.patient_id for identity in identities}) > 1:
            holds.append(hold_of(Held(TWO_PATIENTS)))
        proof = prove_one_by_one(outputs, kept, holds, desk.anonymizer.pseudonyms, before)
    return replace(proof, holds=told_of_copies(proof.holds, outputs))


def _references(
    desk: Desk, verdict: Verdict, proven: Sequence[Output], copies: Copies
) -> tuple[records.Reference, ...]:
    """Ask the hospital for every target that did not come with the study, now or earlier."""
    loaded = copies.targets
    targets = sought(verdict.references, (output.evidence for output in proven), loaded)
    answers = in_threads(desk.hospital.has, list(targets.values()))
    there = {target for target, is_there in zip(targets, answers, strict=True) if is_there}
    return references_of(verdict.references, there, loaded)


def treat(desk: Desk, examiner: Examiner, copies: Copies, instance: InstanceAtSite, path: Path) -> Output | Kept:
    """Extract and anonymize one instance, and let the gate look at both sides while they are at hand."""
    source = desk.hospital.fetch(instance.orthanc_id, size=instance.size, folder=path.parent)
    if len(source) != instance.size:
        raise TransientError("an instance came with another size than the hospital says it has. It will be tried again")
    token = copies.source_of(source)
    result = desk.anonymizer.anonymize(source)
    if isinstance(result, Held):
        # What is left without it is searched for what identifies in it.
        is_read = desk.hold == "instance" and result.reason.code not in UNREADABLE
        copy = copies.of(result.identity.sop_instance_uid) if result.identity else None
        return Kept(
            result,
            examiner.examine(source, source) if is_read else None,
            copy,
            is_replaced=copy is not None and copies.is_replaced(copy, token, None),
        )
    record = copies.new(result.report, token)
    fetched, copy = None, copies.of(record.sop_instance_uid)
    if copy and copy.md5 != record.md5:
        fetched = copies.fetch(copy, path.parent)
        copy = copy if fetched is not None else None
    with path.open("wb") as file:
        file.writelines(result.parts if fetched is None else [fetched])
    is_replaced = copy is not None and copies.is_replaced(copy, token, record)
    if copy:
        # Of other bytes the record stays as it is; of the same, what they were made of first.
        record = copy if fetched is not None else replace(record, source=copy.source or token)
    return Output(
        replace(result.report, md5=record.md5, series_instance_uid=record.series_instance_uid),
        examiner.examine(source, contents(path)),
        path,
        record,
        copy,
        is_fetched=fetched is not None,
        is_replaced=is_replaced,
    )


def _are_of(work: Work, known: Sequence[Identity]) -> bool:
    """Tell whether all instances whose identity is known are of the study."""
    return all(identity.study_instance_uid == work.study_instance_uid for identity in known)


def _check_bytes(work: Work, outputs: Sequence[Output]) -> None:
    """Refuse to load other bytes where what was loaded before is to be loaded again."""
    reports = [output.report for output in outputs]
    if any(work.loaded.get(report.sop_instance_uid, report.md5) != report.md5 for report in reports):
        raise _another()


def _another() -> TerminalError:
    return TerminalError(
        "a study that the cloud lost would not be loaded as it was: its source, the rules or the program changed, and "
        "other bytes are not loaded under the same UIDs. See docs/lineage.md, differences"
    )


def _twice(known: Sequence[Identity]) -> list[records.Hold]:
    """Return a hold for each SOPInstanceUID that two instances of the study have."""
    counts = Counter(identity.sop_instance_uid for identity in known)
    return [
        records.Hold(
            sop_instance_uid=uid,
            code="instance-twice",
            place="(0008,0018) UI",
            message="SOPInstanceUID: two instances of the study have it; find out which is right",
        )
        for uid, count in sorted(counts.items())
        if count > 1
    ]


def _is_under_another_patient(desk: Desk, output: Output) -> bool:
    """Tell whether the cloud has the study of an output for another PatientID: the hospital corrected it since."""
    return bool(desk.cloud.studies_of(output.report.study_instance_uid) - {output.orthanc_study_id})


def deliver(desk: Desk, output: Output) -> records.Delivery:
    """Load one output, never over something else; return what the cloud says of it."""
    delivery = desk.cloud.deliver(contents(output.path), output.report.md5, output.orthanc_id)
    return records.Delivery(
        sop_instance_uid=output.report.sop_instance_uid,
        cloud_md5=delivery.cloud_md5,
        outcome=delivery.outcome,
        delivered_at=datetime.now(UTC),
    )
