"""The outcome of one study, put together for the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from anonymizer import PSEUDONYMS_VERSION, TWO_PATIENTS, Held, Identity
from anonymizer.gate import Finding, Verdict
from flows.desk import ENGINE_VERSION, Desk
from flows.ledger import records
from flows.selection import WAITS_FOR_IMAGES

if TYPE_CHECKING:
    from flows.inventory import Work
    from flows.proof import Proof

__all__ = ["CONFLICT", "POINTS_AT_HELD", "UNREADABLE", "Attempt", "conflicts_in", "hold_of"]

CONFLICT = "conflict"
"""The code of what the cloud has with other bytes."""
POINTS_AT_HELD = "points-at-held"
"""The code of what is held because it points at something that is."""
UNREADABLE = frozenset({"too-large", "too-many-elements", "too-deep"})
"""Reasons of the engine for which nobody reads a source any further."""
_NOTHING_LOADED = records.Loaded()
_OVERDUE = records.Hold(
    sop_instance_uid="",
    code=WAITS_FOR_IMAGES,
    place="",
    message="the series that the site's wait_for asks for did not come within wait_at_most",
)
_NO_UID = records.Hold(
    sop_instance_uid="",
    code="uid-invalid",
    place="(0020,000D) UI",
    message="the hospital's index has another StudyInstanceUID than the files: it holds what no UID may hold",
)

_NOTHING: Mapping[str, records.Instance] = MappingProxyType({})


@dataclass(frozen=True)
class Attempt:
    """One run's attempt at a study: what every outcome of it has in common.

    Attributes
    ----------
    count : int
        Instances that the hospital listed. An outcome speaks for all of them.
    """

    desk: Desk
    work: Work
    started: datetime
    count: int

    def held(
        self,
        holds: Sequence[records.Hold],
        identities: Sequence[Identity] = (),
        verdict: Verdict | None = None,
        *,
        standing: Mapping[str, records.Instance] = _NOTHING,
        changes: tuple[records.SourceChange, ...] = (),
    ) -> records.StudyOutcome:
        """Return the outcome of a study of which nothing leaves now, for one or more reasons.

        Parameters
        ----------
        holds : sequence of Hold
            The reasons.
        identities : sequence of Identity
            Who the instances of the study are, as far as that is known.
        verdict : Verdict, optional
            Of the gate, if it was asked.
        standing : mapping of str to Instance
            What earlier runs loaded, and still is of what the hospital has.
        changes : tuple of SourceChange
            What the hospital deleted or replaced of what was loaded.
        """
        instances: tuple[records.Instance, ...] = ()
        if standing:
            instances = tuple(_staying(identities, holds, standing))
            unnamed = records.Instance(
                sop_instance_uid="", series_instance_uid="", sop_class_uid="", status="held", reason=_reason(holds)
            )
            instances += (unnamed,) * (self.count - len(instances))
        return self._outcome(
            "held",
            _reason(holds),
            identities,
            verdict,
            instances=instances,
            holds=tuple(holds),
            changes=changes,
        )

    def excluded(self, reason: str, loaded: records.Loaded = _NOTHING_LOADED) -> records.StudyOutcome:
        """Return the outcome of a study that is not moved, whole, and not for a fault."""
        return self._untouched("excluded", reason, loaded)

    def overdue(self, loaded: records.Loaded = _NOTHING_LOADED) -> records.StudyOutcome:
        """Return the outcome of a study for which something did not come in time."""
        return self._untouched("held", _OVERDUE.code, loaded, (_OVERDUE,))

    def of_an_odd_uid(self, loaded: records.Loaded = _NOTHING_LOADED) -> records.StudyOutcome:
        """Return the outcome of a study whose UID is none: the hospital's index spells it otherwise than its files."""
        return self._untouched("held", _NO_UID.code, loaded, (_NO_UID,))

    def of_two_patients(self, loaded: records.Loaded = _NOTHING_LOADED) -> records.StudyOutcome:
        """Return the outcome of a study that the hospital has under two PatientIDs."""
        hold = hold_of(Held(TWO_PATIENTS))
        return self._untouched("held", hold.code, loaded, (hold,))

    def _untouched(
        self, status: records.Status, reason: str, loaded: records.Loaded, holds: tuple[records.Hold, ...] = ()
    ) -> records.StudyOutcome:
        """Return the outcome of a study of which no instance was looked at; what was loaded of it stays so."""
        stays = loaded.instances[: self.count]
        rest = records.Instance(
            sop_instance_uid="", series_instance_uid="", sop_class_uid="", status=status, reason=reason
        )
        instances = (*stays, *(rest,) * (self.count - len(stays))) if stays else ()
        outcome = self._outcome(status, reason, (), None, instances=instances, holds=holds)
        return replace(outcome, patient_id=loaded.patient_id, frames=loaded.frames) if stays else outcome

    def delivered(
        self,
        proof: Proof,
        deliveries: Sequence[records.Delivery],
        identities: Iterable[Identity] = (),
        *,
        references: tuple[records.Reference, ...] = (),
        links: tuple[records.Link, ...] = (),
        standing: Mapping[str, records.Instance] = _NOTHING,
        changes: tuple[records.SourceChange, ...] = (),
    ) -> records.StudyOutcome:
        """Return the outcome of what passed the gate: loaded, but for what the cloud has otherwise.

        Parameters
        ----------
        proof : Proof
            What left, and why some instances of the study stay at the hospital though others leave.
        deliveries : sequence of Delivery
            What the cloud says of what left.
        identities : iterable of Identity
            Who all instances of the study are.
        references, links : tuples
            What is recorded of what left.
        standing, changes
            As in :meth:`held`.
        """
        conflicts = conflicts_in(deliveries)
        named = {hold.sop_instance_uid for hold in proof.holds}
        others = [identity for identity in identities if identity.sop_instance_uid in named]
        holds = (*proof.holds, *(_conflict(instance) for instance in sorted(conflicts)))
        reports = [output.report for output in proof.proven]
        return self._outcome(
            "held" if holds else "loaded",
            _reason(holds),
            reports,
            proof.verdict,
            study_date=_first(report.study_date for report in reports),
            instances=(
                *(_proven(output.record, held=output.report.sop_instance_uid in conflicts) for output in proof.proven),
                *_staying(others, holds, standing),
            ),
            holds=holds,
            deliveries=tuple(deliveries),
            references=references,
            frames=proof.verdict.frames if proof.verdict else (),
            links=links,
            changes=changes,
        )

    def _outcome(
        self,
        status: records.Status,
        reason: str,
        known: Sequence[Identity],
        verdict: Verdict | None,
        *,
        study_date: str = "",
        instances: tuple[records.Instance, ...] = (),
        holds: tuple[records.Hold, ...] = (),
        deliveries: tuple[records.Delivery, ...] = (),
        references: tuple[records.Reference, ...] = (),
        frames: tuple[str, ...] = (),
        links: tuple[records.Link, ...] = (),
        changes: tuple[records.SourceChange, ...] = (),
    ) -> records.StudyOutcome:
        desk, profile, finished = self.desk, self.desk.anonymizer.profile, datetime.now(UTC)
        return records.StudyOutcome(
            site=desk.site,
            project=desk.project,
            run_id=desk.run_id,
            work=self.work.work,
            snapshot=self.work.snapshot,
            patient_id=_first(identity.patient_id for identity in known),
            study_instance_uid=self.work.study_instance_uid,
            study_date=study_date,
            modalities=tuple(sorted({identity.modality for identity in known} - {""})),
            status=status,
            reason=reason,
            key_id=desk.anonymizer.pseudonyms.key_id,
            pseudonyms=PSEUDONYMS_VERSION,
            profile_name=profile.name,
            profile_digest=profile.digest,
            engine_version=ENGINE_VERSION,
            settings=desk.settings,
            source_instances=self.count,
            release=self.work.release,
            started_at=self.started,
            finished_at=finished,
            seconds=(finished - self.started).total_seconds(),
            series=_series(known),
            instances=instances,
            references=references,
            held=holds,
            deliveries=deliveries,
            frames=frames,
            links=links,
            changes=changes,
            checks=dict(verdict.checks) if verdict else {},
        )


def hold_of(what: Held | Finding) -> records.Hold:
    """Return the record of what the engine holds, or of what the gate found."""
    if isinstance(what, Finding):
        return records.Hold(sop_instance_uid=what.instance, code=what.kind, place=what.path, message=what.rule)
    return records.Hold(
        sop_instance_uid=what.identity.sop_instance_uid if what.identity else "",
        code=what.reason.code,
        place=what.reason.where,
        message=what.reason.message,
    )


def conflicts_in(deliveries: Iterable[records.Delivery]) -> frozenset[str]:
    """Return the SOPInstanceUIDs of what the cloud has with other bytes, and so was not loaded."""
    return frozenset(delivery.sop_instance_uid for delivery in deliveries if delivery.outcome == "conflict")


def _reason(holds: Sequence[records.Hold]) -> str:
    """Return the commonest reason; that something points at what is held is only a consequence."""
    codes = [hold.code for hold in holds]
    own = [code for code in codes if code != POINTS_AT_HELD]
    return Counter(own or codes).most_common(1)[0][0] if codes else ""


def _conflict(instance: str) -> records.Hold:
    return records.Hold(
        sop_instance_uid=instance,
        code=CONFLICT,
        place="",
        message="the cloud has this instance with other bytes, and keeps them; find out which are right and delete the "
        "others there",
    )


def _series(identities: Sequence[Identity]) -> tuple[records.Series, ...]:
    counts = Counter((identity.series_instance_uid, identity.modality) for identity in identities)
    return tuple(
        records.Series(series_instance_uid=uid, modality=modality, instances=count)
        for (uid, modality), count in sorted(counts.items())
    )


def _proven(record: records.Instance, *, held: bool) -> records.Instance:
    return replace(record, status="held", reason=CONFLICT) if held else record


def _staying(
    identities: Iterable[Identity], holds: Sequence[records.Hold], standing: Mapping[str, records.Instance]
) -> Iterator[records.Instance]:
    """Yield what is recorded of instances that do not leave now: some of them are in the cloud already, once."""
    reasons = {hold.sop_instance_uid: hold.code for hold in reversed(holds)}
    left = dict(standing)
    for identity in identities:
        if identity.sop_instance_uid in left:
            yield left.pop(identity.sop_instance_uid)
            continue
        yield records.Instance(
            sop_instance_uid=identity.sop_instance_uid,
            series_instance_uid=identity.series_instance_uid,
            sop_class_uid=identity.sop_class_uid,
            status="held",
            reason=reasons.get(identity.sop_instance_uid) or _reason(holds),
        )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
