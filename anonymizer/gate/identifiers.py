"""Collect what identifies the patient, the institution or the device in a source.

What is collected here is what :mod:`anonymizer.gate.search` looks for in every output. Names are taken apart,
because a family name alone in a free text is as bad as the whole name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.valuerep import PN_DELIMS

from anonymizer.gate.dates import day_of
from anonymizer.gate.meanings import is_public
from anonymizer.gate.uids import REGISTERED

PATIENT = "patient"
INSTITUTION = "institution"
DEVICE = "device"
DATE = "date"
BIRTH_DATE = "birth-date"
UID = "uid"

TEXT_TAGS: Mapping[int, str] = {
    # Besides these, every PN identifies: by the VR in the file or by the one in the dictionary.
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
    0x00120040: PATIENT,  # ClinicalTrialSubjectID
    0x00120042: PATIENT,  # ClinicalTrialSubjectReadingID
    0x00102299: PATIENT,  # ResponsibleOrganization
    0x00100033: PATIENT,  # PatientBirthDateInAlternativeCalendar
    0x00100034: PATIENT,  # PatientDeathDateInAlternativeCalendar
    0x00101050: PATIENT,  # InsurancePlanIdentification
    0x00102152: PATIENT,  # RegionOfResidence
    0x00380400: PATIENT,  # PatientInstitutionResidence
    0x00400512: PATIENT,  # ContainerIdentifier
    0x00400551: PATIENT,  # SpecimenIdentifier
    0x00401006: PATIENT,  # PlacerOrderNumberProcedure
    0x00401007: PATIENT,  # FillerOrderNumberProcedure
    0x00402006: PATIENT,  # PlacerOrderNumberImagingServiceRequestRetired
    0x00402007: PATIENT,  # FillerOrderNumberImagingServiceRequestRetired
    0x22000005: PATIENT,  # BarcodeValue
    0x40080040: PATIENT,  # ResultsID
    0x40080200: PATIENT,  # InterpretationID
    0x00120031: INSTITUTION,  # ClinicalTrialSiteName
    0x00181009: DEVICE,  # UniqueDeviceIdentifier
    0x0018700A: DEVICE,  # DetectorID
    0x00189367: DEVICE,  # XRaySourceID
    0x00189371: DEVICE,  # XRayDetectorID
    0x30080105: DEVICE,  # SourceSerialNumber
    0x00400010: DEVICE,  # ScheduledStationName
    0x00400242: DEVICE,  # PerformedStationName
}

CODED: Mapping[int, str] = {
    0x00080082: INSTITUTION,  # InstitutionCodeSequence
    0x00401101: PATIENT,  # PersonIdentificationCodeSequence
    0x00404009: PATIENT,  # HumanPerformerCodeSequence
    0x00404025: DEVICE,  # ScheduledStationNameCodeSequence
    0x00404028: DEVICE,  # PerformedStationNameCodeSequence
}
"""Sequences in which a hospital's own codes stand for somebody, and their meanings are his name."""

CODES = frozenset({0x00080100, 0x00080104, 0x00080119})
"""CodeValue, CodeMeaning, LongCodeValue."""

BIRTH_DATES = frozenset({0x00100030})
"""PatientBirthDate, which people write in many ways."""

_AROUND = ".,;:'\"()[]"
"""Marks around words of names that were typed in one field."""

UNTOLD_UIDS = frozenset({0x00020010, 0x00020012})
"""Transfer syntax and implementation class: they say which program wrote the file, not who is in it."""


SHORTEST = 4
"""Texts of fewer bytes stand everywhere by chance."""


SHORTEST_JOINED = 8
"""Two names in one word, of fewer letters, are a word by chance."""


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


def from_word(word: Word) -> set[Identifier]:
    """Take an identifying element of a source apart."""
    found: set[Identifier] = set()
    group = TEXT_TAGS.get(word.tag, PATIENT)
    text = text_of(word.value, word.encodings)
    if not word.is_name:
        found.update(Identifier(group, word.tag, part.strip(" \0")) for part in text.split("\\"))
    else:
        # Backslash: values. Equals sign: component groups (PS3.5 6.2.1).
        for name in re.split(r"[\\=]", text):
            found.update(Identifier(group, word.tag, part) for part in _parts(name))
    return {item for item in found if item.text}


def from_code(word: Word, group: str) -> set[Identifier]:
    """Take what a code item says in a sequence that names somebody; what a public terminology says names nobody."""
    text = text_of(word.value, word.encodings).strip(" \0")
    if is_public(text):
        return set()
    # Words alone would be those of a role or of a hospital's kind.
    names = {part for part in (part.strip() for part in re.split(r"[\^,]", text)) if part}
    return {Identifier(group, word.tag, part) for part in {text, *names} if part}


def from_uids(tag: int, values: Iterable[str]) -> set[Identifier]:
    """Return every UID of an element that has to move."""
    if tag in UNTOLD_UIDS:
        return set()
    return {Identifier(UID, tag, uid) for uid in values if uid and uid not in REGISTERED}


def from_dates(tag: int, values: Iterable[str]) -> set[Identifier]:
    """Return every day of an element."""
    group = BIRTH_DATE if tag in BIRTH_DATES else DATE
    return {Identifier(group, tag, f"{day[0]:%Y%m%d}") for value in values if (day := day_of(value))}


def _parts(name: str) -> Iterator[str]:
    """Yield the components of a name, their words, and the two names of somebody whose names are short."""
    # Caret: components. A comma stands in names that were typed into one field.
    components = [part for part in (part.strip(" \0") for part in re.split(r"[\^,]", name)) if part]
    yield from components
    words: list[str] = []
    for component in components:
        if component.isalnum():
            continue
        # Composed, or the marks of decomposed letters would part words.
        for word in unicodedata.normalize("NFC", component).split():
            words.append(word)
            yield word.strip(_AROUND)
            yield from (part for part in re.split(r"[\W_]+", word) if part)
    pair = components[:2] if len(components) > 1 else words
    if len(pair) == 2:
        if is_short_pair(*pair):
            yield "^".join(pair)
        yield from _joined(*(re.sub(r"[\W_]+", "", name) for name in pair))


def _joined(family: str, given: str) -> Iterator[str]:
    """Yield two names without anything between them, as logins and labels have them."""
    if min(len(family), len(given)) > 1 and len(family + given) >= SHORTEST_JOINED:
        yield family + given
        yield given + family


def is_short_pair(family: str, given: str) -> bool:
    """Tell whether two names are too short to be searched alone, and long enough together."""
    lengths = [len(name.encode()) for name in (family, given)]
    return family.isalpha() and given.isalpha() and max(lengths) < SHORTEST <= sum(lengths)


def text_of(value: object, encodings: tuple[str, ...]) -> str:
    """Return the text of an element as it stands, all values of it and its padding included."""
    if not isinstance(value, bytes):
        parts = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
        return "\\".join(str(part) for part in parts if part is not None)
    if b"\x1b" in value:
        return decode_bytes(value, encodings, PN_DELIMS)
    return value.decode(encodings[0], errors="replace")
