"""Moving one study: extract, anonymize, prove, load, verify. Data goes one way.

An instance is in memory alone, and only its output is ever written, to the spool, until the gate has seen
the whole study. Nothing goes to the cloud before that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from anonymizer import PSEUDONYMS_VERSION, Held, Identity, Report
from anonymizer.gate import Evidence, Gate, Verdict, examine
from flows import records
from flows.desk import ENGINE_VERSION, THREADS, Desk
from flows.inventory import Work
from flows.orthanc import Delivery, InstanceAtSite, orthanc_id

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
        outcome = _outcome(desk, work, started, spool)
    desk.ledger.record(outcome)
    return outcome


def _outcome(desk: Desk, work: Work, started: datetime, spool: Path) -> records.StudyOutcome:
    instances = desk.hospital.instances(work.orthanc_id)
    if desk.hospital.same_study(work.source_uid) > 1:
        return _held(desk, work, started, len(instances), [_two_patients()])
    treated = _in_threads(lambda instance: _treat(desk, instance, spool), instances)
    outputs = [one for one in treated if isinstance(one, Output)]
    holds = [_hold(one) for one in treated if isinstance(one, Held)]
    identities = [one.report if isinstance(one, Output) else one.identity for one in treated]
    if holds:
        return _held(desk, work, started, len(instances), holds, identities)
    verdict = _prove(outputs)
    if not verdict.passed:
        findings = [
            records.Hold(sop_instance_uid=f.instance, code=f.kind, place=f.path, message=f.rule)
            for f in verdict.findings
        ]
        return _held(desk, work, started, len(instances), findings, identities, verdict)
    deliveries = _in_threads(lambda output: _deliver(desk, output), outputs)
    return _delivered(desk, work, started, outputs, deliveries, verdict)


def _treat(desk: Desk, instance: InstanceAtSite, spool: Path) -> Output | Held:
    """Extract and anonymize one instance, and let the gate look at both sides while they are at hand."""
    source = desk.hospital.fetch(instance.orthanc_id)
    result = desk.anonymizer.anonymize(source)
    if isinstance(result, Held):
        return result
    # Two sources with one output name would overwrite each other here; the number keeps both for the gate.
    path = spool / f"{result.report.sop_instance_uid}-{instance.orthanc_id}"
    path.write_bytes(result.data)
    return Output(result.report, examine(source, result.data), path)


def _prove(outputs: Sequence[Output]) -> Verdict:
    gate = Gate()
    for output in outputs:
        gate.add(output.evidence)
    for output in outputs:
        gate.search(output.path.read_bytes())
    return gate.verdict()


def _deliver(desk: Desk, output: Output) -> records.Delivery:
    report = output.report
    there = orthanc_id(
        report.patient_id, report.study_instance_uid, report.series_instance_uid, report.sop_instance_uid
    )
    delivery: Delivery = desk.cloud.deliver(output.path.read_bytes(), report.md5, there)
    return records.Delivery(
        sop_instance_uid=report.sop_instance_uid,
        cloud_md5=delivery.cloud_md5,
        outcome=delivery.outcome,
        delivered_at=datetime.now(UTC),
    )


def _delivered(
    desk: Desk,
    work: Work,
    started: datetime,
    outputs: Sequence[Output],
    deliveries: Sequence[records.Delivery],
    verdict: Verdict,
) -> records.StudyOutcome:
    """Return the outcome of a study that passed the gate: loaded, but for what the cloud has otherwise."""
    conflicts = {delivery.sop_instance_uid for delivery in deliveries if delivery.outcome == "conflict"}
    holds = tuple(
        records.Hold(
            sop_instance_uid=instance,
            code="conflict",
            place="",
            message="the cloud has this instance with other bytes; it was left as it is",
        )
        for instance in sorted(conflicts)
    )
    return _record(
        desk,
        work,
        started,
        len(outputs),
        [output.report for output in outputs],
        verdict,
        study_date=_first(output.report.study_date for output in outputs),
        status="held" if conflicts else "loaded",
        reason="conflict" if conflicts else "",
        holds=holds,
        deliveries=tuple(deliveries),
        instances=tuple(_instance(output, held=output.report.sop_instance_uid in conflicts) for output in outputs),
    )


def _held(
    desk: Desk,
    work: Work,
    started: datetime,
    count: int,
    holds: Sequence[records.Hold],
    identities: Sequence[Identity | None] = (),
    verdict: Verdict | None = None,
) -> records.StudyOutcome:
    """Return the outcome of a study that stays at the hospital, whole, for one or more reasons."""
    reason = Counter(hold.code for hold in holds).most_common(1)[0][0]
    return _record(desk, work, started, count, identities, verdict, status="held", reason=reason, holds=tuple(holds))


def _record(
    desk: Desk,
    work: Work,
    started: datetime,
    count: int,
    identities: Sequence[Identity | None],
    verdict: Verdict | None,
    *,
    study_date: str = "",
    status: records.Status,
    reason: str,
    holds: tuple[records.Hold, ...],
    deliveries: tuple[records.Delivery, ...] = (),
    instances: tuple[records.Instance, ...] = (),
) -> records.StudyOutcome:
    known = [identity for identity in identities if identity]
    profile, finished = desk.anonymizer.profile, datetime.now(UTC)
    return records.StudyOutcome(
        site=desk.site,
        project=desk.project,
        run_id=desk.run_id,
        work=work.work,
        snapshot=work.snapshot,
        patient_id=_first(identity.patient_id for identity in known),
        study_instance_uid=work.study_instance_uid,
        study_date=study_date,
        modalities=tuple(sorted({identity.modality for identity in known} - {""})),
        status=status,
        reason=reason,
        key_id=desk.anonymizer.pseudonyms.key_id,
        pseudonyms=PSEUDONYMS_VERSION,
        profile_name=profile.name,
        profile_digest=profile.digest,
        engine_version=ENGINE_VERSION,
        source_instances=count,
        started_at=started,
        finished_at=finished,
        seconds=(finished - started).total_seconds(),
        series=_series(known),
        instances=instances,
        references=_references(verdict),
        held=holds,
        deliveries=deliveries,
        checks=dict(verdict.checks) if verdict else {},
    )


def _references(verdict: Verdict | None) -> tuple[records.Reference, ...]:
    return tuple(
        records.Reference(
            instance=reference.instance,
            level=reference.level,
            target=reference.target,
            state="resolved" if reference.state == "resolved" else "dangling",
        )
        for reference in (verdict.references if verdict else ())
    )


def _series(identities: Sequence[Identity]) -> tuple[records.Series, ...]:
    counts = Counter((identity.series_instance_uid, identity.modality) for identity in identities)
    return tuple(
        records.Series(series_instance_uid=uid, modality=modality, instances=count)
        for (uid, modality), count in sorted(counts.items())
    )


def _instance(output: Output, *, held: bool) -> records.Instance:
    report = output.report
    return records.Instance(
        sop_instance_uid=report.sop_instance_uid,
        series_instance_uid=report.series_instance_uid,
        sop_class_uid=report.sop_class_uid,
        status="held" if held else "loaded",
        reason="conflict" if held else "",
        size=report.size,
        sha256=report.sha256,
        md5=report.md5,
    )


def _hold(result: Held) -> records.Hold:
    reason, identity = result.reason, result.identity
    return records.Hold(
        sop_instance_uid=identity.sop_instance_uid if identity else "",
        code=reason.code,
        place=reason.where,
        message=reason.message,
    )


def _two_patients() -> records.Hold:
    return records.Hold(
        sop_instance_uid="",
        code="two-patients",
        place="(0010,0020) LO",
        message="PatientID: the study names two patients; correct it at the hospital",
    )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _in_threads(function: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
    """Apply a function to each item, in the site's threads; the first failure stops what has not begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
