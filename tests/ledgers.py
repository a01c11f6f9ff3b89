"""A factory of what a ledger records: small outcomes, told by site, study and the fate of their instances."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.ledger.records import (
    Delivery,
    Difference,
    Hold,
    Instance,
    Reconciliation,
    Reference,
    Release,
    RunFinished,
    RunStarted,
    Seen,
    Series,
    Status,
    StudyOutcome,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOADED: tuple[Status, ...] = ("loaded", "loaded", "loaded")
CT = "1.2.840.10008.5.1.4.1.1.2"


def uid(*parts: object) -> str:
    return f"2.25.{int(hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest(), 16)}"


def md5(sop_instance_uid: str) -> str:
    return hashlib.md5(sop_instance_uid.encode(), usedforsecurity=False).hexdigest()


def instance(study: int, number: int, status: Status = "loaded") -> Instance:
    sop = uid("instance", study, number)
    return Instance(
        sop_instance_uid=sop,
        series_instance_uid=uid("series", study),
        sop_class_uid=CT,
        status=status,
        reason="" if status == "loaded" else "burned-in-risk",
        size=1000 + number,
        sha256=hashlib.sha256(sop.encode()).hexdigest(),
        md5=md5(sop),
    )


def delivery(study: int, number: int, **changes: Any) -> Delivery:
    sop = uid("instance", study, number)
    fields = {"sop_instance_uid": sop, "cloud_md5": md5(sop), "outcome": "stored", "delivered_at": NOON}
    return Delivery(**{**fields, **changes})


def hold(study: int, number: int, code: str = "burned-in-risk") -> Hold:
    return Hold(
        sop_instance_uid=uid("instance", study, number),
        code=code,
        place="(0028,0301) CS",
        message="the pixels may show a name; a person must look",
    )


def outcome(study: int = 1, fates: Sequence[Status] = LOADED, **changes: Any) -> StudyOutcome:
    """Make the outcome of a study from the fate of each of its instances, then change what a test is about."""
    fate_of = dict(enumerate(fates, 1))
    fields: dict[str, Any] = {
        "site": "north",
        "project": "lung",
        "run_id": "run-1",
        "work": f"WORK{study:012}",
        "snapshot": "SNAPSHOT00000001",
        "patient_id": f"DEID-{study:016}",
        "study_instance_uid": uid("study", study),
        "study_date": "20190311",
        "modalities": ("CT",),
        "status": "loaded",
        "key_id": "0a1b2c3d",
        "profile_name": "research",
        "profile_digest": "f" * 64,
        "engine_version": "0.1.0",
        "source_instances": len(fates),
        "started_at": NOON,
        "finished_at": NOON,
        "seconds": 1.5,
        "series": (Series(series_instance_uid=uid("series", study), modality="CT", instances=len(fates)),),
        "instances": tuple(instance(study, number, fate) for number, fate in fate_of.items()),
        "references": (
            Reference(
                instance=uid("instance", study, 1),
                level="instance",
                target=uid("instance", study, 2),
                state="resolved",
            ),
            Reference(
                instance=uid("instance", study, 1),
                level="series",
                target=uid("elsewhere", study),
                state="external",
            ),
        ),
        "held": tuple(hold(study, number) for number, fate in fate_of.items() if fate == "held"),
        "deliveries": tuple(delivery(study, number) for number, fate in fate_of.items() if fate == "loaded"),
        "checks": {"pixels": len(fates), "references": 2},
    }
    return StudyOutcome(**{**fields, **changes})


def seen(study: int = 1, source_instances: int = 3, **changes: Any) -> Seen:
    fields: dict[str, Any] = {
        "site": "north",
        "project": "lung",
        "work": f"WORK{study:012}",
        "snapshot": "SNAPSHOT00000001",
        "study_instance_uid": uid("study", study),
        "source_instances": source_instances,
        "run_id": "run-1",
        "seen_at": NOON,
    }
    return Seen(**{**fields, **changes})


def release(study: int = 1, **changes: Any) -> Release:
    fields: dict[str, Any] = {
        "site": "north",
        "project": "lung",
        "work": f"WORK{study:012}",
        "study_instance_uid": uid("study", study),
        "who": "a physicist",
        "why": "the profile removes it now",
        "released_at": NOON,
    }
    return Release(**{**fields, **changes})


def started(run_id: str = "run-1", site: str = "north") -> RunStarted:
    return RunStarted(run_id=run_id, site=site, project="lung", trigger="doorbell", at=NOON)


def finished(run_id: str = "run-1", site: str = "north") -> RunFinished:
    return RunFinished(
        run_id=run_id,
        site=site,
        project="lung",
        at=NOON,
        studies=1,
        instances=3,
        loaded=3,
        held=0,
        waiting=0,
        seconds=2.5,
    )


def difference(study: int = 1, **changes: Any) -> Difference:
    fields: dict[str, Any] = {
        "kind": "not-in-cloud",
        "work": f"WORK{study:012}",
        "patient_id": f"DEID-{study:016}",
        "study_instance_uid": uid("study", study),
        "sop_instance_uid": uid("instance", study, 1),
    }
    return Difference(**{**fields, **changes})


def reconciliation(number: int = 1, **changes: Any) -> Reconciliation:
    """Make the record of the comparison of one night; it found nothing."""
    when = NOON + timedelta(days=number)
    fields: dict[str, Any] = {
        "run_id": f"night-{number}",
        "site": "north",
        "project": "lung",
        "started_at": when,
        "finished_at": when,
        "hospital_studies": 1,
        "hospital_instances": 3,
        "ledger_studies": 1,
        "ledger_instances": 3,
        "cloud_studies": 1,
        "cloud_instances": 3,
        "digests": 3,
        "others": 0,
        "unjudged": 0,
    }
    return Reconciliation(**{**fields, **changes})
