"""What an Orthanc says, as plain values.

None of them shows an Orthanc identifier, a UID or a date of a hospital in its repr: a repr ends in
logs, in tracebacks and in Prefect's database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "ORTHANCS_TIME",
    "Change",
    "Changes",
    "Delivery",
    "InstanceAtSite",
    "Origin",
    "Outcome",
    "SeriesAtSite",
    "Size",
    "Stored",
    "StudyAtSite",
    "System",
]

ORTHANCS_TIME = "%Y%m%dT%H%M%S"
"""How Orthanc writes a time, in UTC; such texts sort as times do."""

Outcome = Literal["stored", "already-there", "conflict"]  # only the first two count as loaded


@dataclass(frozen=True, slots=True)
class System:
    """Say which Orthanc answers."""

    name: str
    version: str
    api_version: int


@dataclass(frozen=True, slots=True)
class StudyAtSite:
    """Describe one study in an Orthanc's inventory.

    `last_update` is Orthanc's own text, `YYYYMMDDTHHMMSS` in UTC, which sorts as text. `stable` is true
    as soon as Orthanc was restarted, even while instances still arrive: believe it only together with a
    `last_update` that is older than StableAge.
    """

    orthanc_id: str = field(repr=False)
    study_instance_uid: str = field(repr=False)
    last_update: str = field(repr=False)
    stable: bool
    series: tuple[str, ...] = field(repr=False)
    study_date: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SeriesAtSite:
    """Describe one series of a study, with an empty text for each attribute that it lacks."""

    orthanc_id: str = field(repr=False)
    modality: str = field(repr=False)
    description: str = field(repr=False)
    station_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Origin:
    """Say what an instance is, and the calling AE title that sent it; "" if it came by another way than DICOM's."""

    sop_class_uid: str
    remote_aet: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Size:
    """Say how much a study is; `bytes` are those of its files, uncompressed by Orthanc."""

    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class InstanceAtSite:
    """Describe one stored instance: its identifier, its series' identifier, its file's size in bytes."""

    orthanc_id: str = field(repr=False)
    series: str = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Say how Orthanc took an instance; `already` means that it had one and kept that."""

    orthanc_id: str = field(repr=False)
    already: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """Prove a delivery by two digests: MD5 of our bytes, and of those that the cloud read back.

    `sent` is true if the bytes went out. A conflict with `sent` true means that the cloud changes what
    it stores (IngestTranscoding, a script), or that somebody else was faster; with `sent` false, other
    bytes were there before.
    """

    outcome: Outcome
    md5: str
    cloud_md5: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Change:
    """Hold one row of the change feed, such as StableStudy of a Study."""

    seq: int
    change_type: str
    resource_type: str
    orthanc_id: str = field(repr=False)
    date: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changes:
    """Hold a page of the change feed.

    `last` is the Seq to go on from; `done` is true when nothing follows. A `last` below the Seq that
    was asked for means that the database was made anew: start over with a look at everything.
    """

    rows: tuple[Change, ...]
    last: int
    done: bool
