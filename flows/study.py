"""Moving one study: extract, anonymize, prove, load, verify, record. Data goes one way.

An instance is in memory alone, and a large one is not in memory at all: it comes by way of a file without a name.
Only its output is written, to the spool, until the gate has seen the whole study. Nothing goes to the cloud before
that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from anonymizer import TWO_PATIENTS, Held, Identity, Report
from anonymizer.folder import contents
from anonymizer.gate import Evidence, Examiner, Gate, Verdict
from flows import records
from flows.desk import THREADS, Desk
from flows.errors import TransientError
from flows.inventory import Work
from flows.orthanc import InstanceAtSite, orthanc_id
from flows.outcome import Attempt, hold_of

__all__ = ["move"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Output:
    """An anonymized instance in the spool, with what the gate saw of it and its source."""

    report: Report
    evidence: Evidence
    path: Path


def move(desk: Desk, work: Work) -> records.StudyOutcome:
    """Take one study from the hospital to the cloud, or hold it whole; record the outcome.

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
    desk.ledger.record(outcome)
    return outcome


def _move(desk: Desk, work: Work, started: datetime, spool: Path) -> records.StudyOutcome:
    instances = desk.hospital.instances(work.orthanc_id)
    if len(instances) != work.instances:
        raise TransientError("a study changes at the hospital while it is looked at. It will be tried again")
    attempt = Attempt(desk, work, started, len(instances))
    if len(desk.hospital.studies_of(work.source_uid)) > 1:
        return attempt.held([hold_of(Held(TWO_PATIENTS))])

    # The spool's names are numbers: one that held the hospital's identifier would say who became whom.
    jobs = [(instance, spool / str(number)) for number, instance in enumerate(instances)]
    examiner = Examiner()
    treated = _in_threads(lambda job: _treat(desk, examiner, *job), jobs)
    outputs = [one for one in treated if isinstance(one, Output)]
    held = [one for one in treated if isinstance(one, Held)]
    identities = [*(one.report for one in outputs), *(one.identity for one in held if one.identity)]
    _check_study(work, identities)
    if holds := [hold_of(one) for one in held] + _twice(identities):
        return attempt.held(holds, identities)

    verdict = _prove(outputs)
    if not verdict.passed:
        return attempt.held([hold_of(finding) for finding in verdict.findings], identities, verdict)
    reports = [output.report for output in outputs]
    if _is_under_another_patient(desk, reports[0]):
        return attempt.held([hold_of(Held(TWO_PATIENTS))], identities, verdict)

    deliveries = _in_threads(lambda output: _deliver(desk, output), outputs)
    return attempt.delivered(reports, deliveries, verdict)


def _treat(desk: Desk, examiner: Examiner, instance: InstanceAtSite, path: Path) -> Output | Held:
    """Extract and anonymize one instance, and let the gate look at both sides while they are at hand."""
    source = desk.hospital.fetch(instance.orthanc_id, size=instance.size, folder=path.parent)
    if len(source) != instance.size:
        raise TransientError("an instance came with another size than the hospital says it has. It will be tried again")
    result = desk.anonymizer.anonymize(source)
    if isinstance(result, Held):
        return result
    with path.open("wb") as file:
        file.writelines(result.parts)
    return Output(result.report, examiner.examine(source, contents(path)), path)


def _check_study(work: Work, known: Sequence[Identity]) -> None:
    """Refuse to go on with an instance of another study: then one of this study is missing."""
    if any(identity.study_instance_uid != work.study_instance_uid for identity in known):
        raise TransientError("the hospital gave an instance of another study: see its Orthanc's log")


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


def _is_under_another_patient(desk: Desk, report: Report) -> bool:
    """Tell whether the cloud has this study for another PatientID: the hospital corrected it since."""
    here = orthanc_id(report.patient_id, report.study_instance_uid)
    return bool(desk.cloud.studies_of(report.study_instance_uid) - {here})


def _prove(outputs: Sequence[Output]) -> Verdict:
    gate = Gate()
    for output in outputs:
        gate.add(output.evidence)
    for output in outputs:
        gate.search(contents(output.path))
    return gate.verdict()


def _deliver(desk: Desk, output: Output) -> records.Delivery:
    report = output.report
    there = orthanc_id(
        report.patient_id, report.study_instance_uid, report.series_instance_uid, report.sop_instance_uid
    )
    delivery = desk.cloud.deliver(contents(output.path), report.md5, there)
    return records.Delivery(
        sop_instance_uid=report.sop_instance_uid,
        cloud_md5=delivery.cloud_md5,
        outcome=delivery.outcome,
        delivered_at=datetime.now(UTC),
    )


def _in_threads(function: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
    """Apply a function to each item, in the site's threads; the first failure stops what has not begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
