"""What the ledger records: one frozen value for each thing that happened.

The values are the schema: `flows.ledger.columns` turns a class into DuckDB columns, so a field that is added here is a
column from then on, and older files answer NULL for it. Everything in them is a pseudonym, a count, a
digest or a code; nothing of a patient may enter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from flows.ledger.columns import Record

Trigger = Literal["doorbell", "schedule", "manual", "backfill", "reconciliation"]
FoundBy = Literal["feed", "sweep", "first-look", "retry", "backfill"]
"""How a run came by a study: the change feed told it; the inventory has it and the feed did not tell it; there was no
feed to go on from; it was held, excluded or let wait, or the cloud lost something of it, and
is tried again though it did not change; a backfill asked for it."""
Status = Literal["loaded", "held", "excluded"]
Delivered = Literal["stored", "already-there", "conflict"]
EarlyEvent = Literal["leaving", "withdrawn", "complete"]
Changed = Literal["gone", "replaced"]
"""What a hospital did to an instance that was loaded: it deleted it; it has other bytes than those that were loaded."""
DifferenceKind = Literal[
    "not-in-cloud",
    "differs-in-cloud",
    "extra-in-cloud",
    "not-taken-up",
    "in-flight-gone",
    "gone-at-hospital",
    "older-than",
    "left-early",
    "unbalanced",
]
"""What a reconciliation finds; docs/lineage.md explains each."""
DELETED: Final = "deleted-at-hospital"
"""The reason of what was seen, and deleted at the hospital before it was moved."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Record):
    """A run of the `route` flow, of a backfill or of a reconciliation began at a site."""

    run_id: str
    site: str
    project: str
    trigger: Trigger
    at: datetime
    event: Literal["started"] = "started"


@dataclass(frozen=True, kw_only=True)
class RunFinished(Record):
    """A run ended, well or badly; a run that was killed has no such record.

    Attributes
    ----------
    studies, instances : int
        What the run took up.
    loaded, held : int
        Instances.
    waiting : int
        Studies that the run left for a later one.
    event : str
        `waiting` if it left something because an end could not be worked with; `failed` if a person has to look.
    """

    run_id: str
    site: str
    project: str
    at: datetime
    studies: int
    instances: int
    loaded: int
    held: int
    waiting: int
    seconds: float
    event: Literal["finished", "waiting", "failed"] = "finished"


@dataclass(frozen=True, kw_only=True)
class Seen(Record):
    """A run found this study, in this state, at the hospital.

    Attributes
    ----------
    work, snapshot : str
        Keyed tokens of the hospital's study and of its state, 16 characters each.
    study_instance_uid : str
        Pseudonym.
    waits : str
        Code of what it waits for; "" if it does not wait.
    """

    site: str
    project: str
    work: str
    snapshot: str
    study_instance_uid: str
    source_instances: int
    run_id: str
    seen_at: datetime
    found_by: FoundBy = "sweep"
    waits: str = ""


@dataclass(frozen=True, kw_only=True)
class Series(Record):
    """One series of a study, as released."""

    series_instance_uid: str
    modality: str
    instances: int


@dataclass(frozen=True, kw_only=True)
class Instance(Record):
    """One source instance and what became of it; UIDs are pseudonyms, "" where none could be made.

    Attributes
    ----------
    source : str
        Keyed token of the bytes that the output was made of, 16 characters; older records have none.
    profile_digest, engine_version : str
        What made the output; what a later run made of it again, byte by byte, that run's.
    """

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    status: Status
    reason: str = ""
    size: int = 0
    sha256: str = ""
    md5: str = ""
    source: str = ""
    profile_digest: str = ""
    engine_version: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceChange(Record):
    """What the hospital did to an instance since it was loaded; the cloud keeps what it has."""

    sop_instance_uid: str
    change: Changed


@dataclass(frozen=True, kw_only=True)
class Reference(Record):
    """One distinct edge from an instance to an instance, series, study or frame of reference.

    Attributes
    ----------
    state : str
        `resolved` in the study; `pending` if only the hospital has the target; `external` if it has not either.
        Older records say `dangling` for both.
    """

    instance: str
    level: str
    target: str
    state: Literal["resolved", "pending", "external"]


@dataclass(frozen=True, kw_only=True)
class Link(Record):
    """What became of one thing of the source; keyed numbers of 63 bits that only the site's key can make again."""

    source: int
    output: int


@dataclass(frozen=True, kw_only=True)
class Hold(Record):
    """Why something was held: a code, the place (a tag with its VR or a path of tags), a sentence; never a value."""

    sop_instance_uid: str
    code: str
    place: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Delivery(Record):
    """The cloud's answer for one instance: the MD5 of the bytes that it stores."""

    sop_instance_uid: str
    cloud_md5: str
    outcome: Delivered
    delivered_at: datetime


@dataclass(frozen=True, kw_only=True)
class StudyOutcome(Record):
    """The whole outcome of one study in one run.

    Attributes
    ----------
    instances : tuple of Instance
        Every source instance of the snapshot, those that an earlier run delivered included. Empty on a
        study held or excluded whole of which nothing was loaded: the outcome then speaks for all its
        `source_instances`.
    settings : str
        Keyed token of all that decides what becomes of a study: once it is another, what was held is tried again.
    release : str
        The ledger's record of the latest release that this attempt knew of; "" if nobody released the study.
    deliveries : tuple of Delivery
        What this run delivered or read back; earlier deliveries need not be repeated.
    checks : mapping of str to int
        The gate's checks and how often each was made.
    frames : tuple of str
        Frames of reference, as pseudonyms, in which loaded instances stand.
    links : tuple of Link
        What became of UIDs, patient and dates of the loaded instances; later studies have to fit to it.
    changes : tuple of SourceChange
        Instances loaded by earlier runs that the hospital deleted or replaced since; none of those deleted is in
        `instances`.
    """

    site: str
    project: str
    run_id: str
    work: str
    snapshot: str
    patient_id: str
    study_instance_uid: str
    study_date: str
    modalities: tuple[str, ...]
    status: Status
    reason: str = ""
    key_id: str
    pseudonyms: int = 1
    profile_name: str
    profile_digest: str
    engine_version: str
    settings: str = ""
    source_instances: int
    release: str = ""
    started_at: datetime
    finished_at: datetime
    seconds: float
    series: tuple[Series, ...] = ()
    instances: tuple[Instance, ...] = ()
    references: tuple[Reference, ...] = ()
    held: tuple[Hold, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    frames: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    changes: tuple[SourceChange, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Release(Record):
    """Somebody wants a held study to be tried again; the next run sends it through engine and gate once more.

    Attributes
    ----------
    who, why : str
        Free text that a person typed; never about a patient.
    """

    site: str
    project: str
    work: str
    study_instance_uid: str
    who: str
    why: str
    released_at: datetime


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """What hospital, ledger and cloud do not agree about.

    Attributes
    ----------
    work : str
        Keyed token of the hospital's study; "" for a study that nobody here knows.
    patient_id, study_instance_uid, sop_instance_uid : str
        Pseudonyms; no SOPInstanceUID where the whole study is meant, or `instances` of it.
    reason : str
        Why nobody but a person can mend it; "" where that is not so, or nothing has to be mended.
    """

    kind: DifferenceKind
    work: str
    patient_id: str = ""
    study_instance_uid: str = ""
    sop_instance_uid: str = ""
    instances: int = 1
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Reconciliation(Record):
    """Hospital, ledger and cloud were compared, from the beginning to the end.

    Attributes
    ----------
    hospital_studies, hospital_instances : int
        What the hospital's inventory had.
    ledger_studies, ledger_instances : int
        Studies that the ledger knows of the hospital, and instances that it calls loaded.
    cloud_studies, cloud_instances, digests : int
        What of these the cloud has, and how many digests it was asked for.
    others : int
        Studies in the cloud that are not this ledger's to judge.
    unjudged : int
        Studies that somebody else moved at this moment.
    found : tuple of Difference
        What is new; what was found before and is still so is not repeated.
    closed : tuple of Difference
        What was found before and is so no longer.
    """

    run_id: str
    site: str
    project: str
    started_at: datetime
    finished_at: datetime
    hospital_studies: int
    hospital_instances: int
    ledger_studies: int
    ledger_instances: int
    cloud_studies: int
    cloud_instances: int
    digests: int
    others: int
    unjudged: int
    found: tuple[Difference, ...] = ()
    closed: tuple[Difference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Early(Record):
    """An instance is about to leave before its study is stable; it was withdrawn again; its study is complete.

    That it came to the cloud is not recorded by itself: until its study has an outcome, it may be there or not.
    """

    site: str
    project: str
    work: str
    run_id: str
    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    md5: str
    at: datetime
    event: EarlyEvent = "leaving"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What all runs together loaded of one study: each instance as the latest record has it that calls it loaded."""

    patient_id: str = ""
    instances: tuple[Instance, ...] = ()
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The latest outcome of one study, as far as a run must know to decide whether to take it up again."""

    snapshot: str
    status: str
    reason: str
    settings: str
    release: str


KINDS: Final[Mapping[str, tuple[type[Record], ...]]] = {
    "runs": (RunStarted, RunFinished),
    "seen": (Seen,),
    "studies": (StudyOutcome,),
    "releases": (Release,),
    "reconciliations": (Reconciliation,),
    "early": (Early,),
}
"""The folders of the ledger, and the records that each holds."""
