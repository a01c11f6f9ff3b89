"""What becomes of an instance: released, or held with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom.datadict import dictionary_has_tag, keyword_for_tag, repeater_has_tag

from anonymizer.engine.tables import advice


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

    def __str__(self) -> str:
        """Return all of it in one line: ``code: where message``."""
        return f"{self.code}: {self.where} {self.message}" if self.where else f"{self.code}: {self.message}"


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


TWO_PATIENTS = Reason(
    "two-patients",
    "(0010,0020) LO",
    "PatientID: the study names two patients, and a date shift for each would tear it; correct it at the source",
)
"""Holds a whole study; told by whoever sees all of it."""


class HoldError(Exception):
    """Raised inside the engine to hold the instance in hand; never leaves it.

    The message says what is wrong; what to do about it stands in ``reasons.toml``.
    """

    def __init__(self, code: str, message: str, *, tag: int | None = None, vr: str = "") -> None:
        super().__init__(code)
        message = f"{message}; {advice()[code]}"
        if tag is not None and not (dictionary_has_tag(tag) or repeater_has_tag(tag)):
            tag = None  # in a broken file a "tag" can be four letters of a name
            message = f"an element that the dictionary does not know: {message}"
        where = "" if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}".strip()
        if tag is not None and (keyword := keyword_for_tag(tag)):
            message = f"{keyword}: {message}"
        self.reason = Reason(code, where, message)
