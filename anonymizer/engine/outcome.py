"""What becomes of an instance: released, or held with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.datadict import keyword_for_tag


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an instance is held.

    Attributes
    ----------
    code : str
        One of a small vocabulary, for counting: ``not-dicom``, ``burned-in-risk``, …
    where : str
        Tag and VR, such as ``(0008,0016) UI``; empty where the whole file is meant.
    message : str
        What is wrong and what to do, for a person; never a value.
    """

    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom and what an instance is about, in pseudonyms."""

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str


@dataclass(frozen=True, slots=True)
class Report(Identity):
    """What an output says of itself: pseudonyms, digests and counts only."""

    study_date: str
    size: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Released:
    """An output that the engine stands for; the gate has still to prove it."""

    data: bytes = field(repr=False)
    report: Report


@dataclass(frozen=True, slots=True)
class Held:
    """An instance that stays where it is; `identity` is there where it could be read."""

    reason: Reason
    identity: Identity | None = None


class HoldError(Exception):
    """Raised inside the engine to hold the instance in hand; never leaves it."""

    def __init__(self, code: str, message: str, *, tag: int | None = None, vr: str = "") -> None:
        super().__init__(code)
        where = "" if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}".strip()
        if tag is not None and (keyword := keyword_for_tag(tag)):
            message = f"{keyword}: {message}"
        self.reason = Reason(code, where, message)
