"""What becomes of an instance: released, or held with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TypeAlias

from pydicom.datadict import dictionary_has_tag, keyword_for_tag, repeater_has_tag

from anonymizer.engine.tables import advice

Part: TypeAlias = bytes | memoryview


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


class Released:
    """An output that the engine stands for; the gate has still to prove it.

    Parameters
    ----------
    parts : sequence of bytes-like
        The file, in pieces: a picture that was not changed is a view of the source's own bytes.
    identity : Identity
        Whom and what it is about.
    study_date : str
        As the output has it.
    """

    def __init__(self, parts: Sequence[Part], identity: Identity, study_date: str) -> None:
        self.parts = tuple(parts)
        self.identity = identity
        self._study_date = study_date

    def __repr__(self) -> str:
        return f"Released({self.identity.sop_instance_uid})"

    @cached_property
    def data(self) -> bytes:
        """Return the whole file; a large one is better written part by part."""
        return b"".join(self.parts)

    @cached_property
    def report(self) -> Report:
        """Return what the output says of itself. The digests are worked out when they are asked for."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        size = 0
        for part in self.parts:
            sha256.update(part)
            md5.update(part)
            size += len(part)
        return Report(
            **asdict(self.identity),
            study_date=self._study_date,
            size=size,
            sha256=sha256.hexdigest(),
            md5=md5.hexdigest(),
        )


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
