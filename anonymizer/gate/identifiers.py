"""Collect what identifies the patient, the institution or the device in a source.

What is collected here is what :mod:`anonymizer.gate.search` looks for in every output. Names are taken apart,
because a family name alone in a free text is as bad as the whole name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import PN_DELIMS

from anonymizer.gate.findings import Position
from anonymizer.gate.uids import REGISTERED

PATIENT = "patient"
INSTITUTION = "institution"
DEVICE = "device"
DATE = "date"
BIRTH_DATE = "birth-date"
UID = "uid"

NAME_TAGS: Mapping[int, str] = {
    # Person names whose VR may be anything in old data; every PN counts, these count whatever their VR.
    0x00080090: PATIENT,  # ReferringPhysicianName
    0x00100010: PATIENT,  # PatientName
    0x00101001: PATIENT,  # OtherPatientNames
    0x00101005: PATIENT,  # PatientBirthName
    0x00101060: PATIENT,  # PatientMotherBirthName
}

TEXT_TAGS: Mapping[int, str] = {
    0x00080050: PATIENT,  # AccessionNumber
    0x00100020: PATIENT,  # PatientID
    0x00100021: PATIENT,  # IssuerOfPatientID
    0x00101000: PATIENT,  # OtherPatientIDs
    0x00101040: PATIENT,  # PatientAddress
    0x00101080: PATIENT,  # MilitaryRank
    0x00101090: PATIENT,  # MedicalRecordLocator
    0x00102154: PATIENT,  # PatientTelephoneNumbers
    0x00102155: PATIENT,  # PatientTelecomInformation
    0x00200010: PATIENT,  # StudyID
    0x00380010: PATIENT,  # AdmissionID
    0x00380060: PATIENT,  # ServiceEpisodeID
    0x00380300: PATIENT,  # CurrentPatientLocation
    0x00400009: PATIENT,  # ScheduledProcedureStepID
    0x00400253: PATIENT,  # PerformedProcedureStepID
    0x00401001: PATIENT,  # RequestedProcedureID
    0x00402016: PATIENT,  # PlacerOrderNumberImagingServiceRequest
    0x00402017: PATIENT,  # FillerOrderNumberImagingServiceRequest
    0x00402010: PATIENT,  # OrderCallbackPhoneNumber
    0x00401103: PATIENT,  # PersonTelephoneNumbers
    0x00401102: PATIENT,  # PersonAddress
    0x00080094: PATIENT,  # ReferringPhysicianTelephoneNumbers
    0x00080092: PATIENT,  # ReferringPhysicianAddress
    0x00080080: INSTITUTION,  # InstitutionName
    0x00080081: INSTITUTION,  # InstitutionAddress
    0x00081040: INSTITUTION,  # InstitutionalDepartmentName
    0x00081010: DEVICE,  # StationName
    0x00181000: DEVICE,  # DeviceSerialNumber
}

BIRTH_DATES = frozenset({0x00100030})
"""PatientBirthDate, which people write in many ways."""

UNTOLD_UIDS = frozenset({0x00020010, 0x00020012})
"""Transfer syntax and implementation class: they say which program wrote the file, not who is in it."""


class Identifier(NamedTuple):
    """One identifying text of a source, and the tag that it came from."""

    group: str
    tag: int
    text: str


class Word(NamedTuple):
    """An element whose values identify, as it stands in the file."""

    tag: int
    value: object
    encodings: tuple[str, ...]
    is_name: bool


@lru_cache(maxsize=256)
def encodings_of(character_set: tuple[str, ...]) -> tuple[str, ...]:
    """Return Python's names of the encodings in SpecificCharacterSet (PS3.3 C.12.1.1.2)."""
    return tuple(convert_encodings(list(character_set) or ""))


def from_words(words: Iterable[Word]) -> set[Identifier]:
    """Take the identifying elements of a source apart."""
    found: set[Identifier] = set()
    for word in words:
        group = NAME_TAGS.get(word.tag) or TEXT_TAGS.get(word.tag, PATIENT)
        text = _text(word)
        if not word.is_name:
            found.update(Identifier(group, word.tag, part.strip(" \0")) for part in text.split("\\"))
            continue
        # Backslash: values. Equals sign: component groups. Caret: components (PS3.5 6.2.1). A comma stands
        # in names that were typed into one field.
        for mark in "\\=,":
            text = text.replace(mark, "^")
        found.update(Identifier(group, word.tag, part.strip(" \0")) for part in text.split("^"))
    return {item for item in found if item.text}


def from_uids(uids: Mapping[Position, tuple[str, ...]]) -> set[Identifier]:
    """Collect every UID that has to move."""
    return {
        Identifier(UID, position[-1], uid)
        for position, values in uids.items()
        if position[-1] not in UNTOLD_UIDS
        for uid in values
        if uid and uid not in REGISTERED
    }


def _text(word: Word) -> str:
    value = word.value
    if not isinstance(value, bytes):
        return "" if value is None else str(value)
    if b"\x1b" in value:
        return decode_bytes(value, word.encodings, PN_DELIMS)
    return value.decode(word.encodings[0], errors="replace")
