"""Where identifiers hide: names, numbers, dates and UIDs in places that are not theirs.

Each function below hides them in one kind of place. `TEXTS` lists what stands there, letter for letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydicom.dataset import Dataset

from deployments.demo.studies import base, people
from deployments.demo.studies.uids import TALAIRACH

PRIVATE_CREATOR: Final = "ENTWASH DEMO 1.0"
PRIVATE_GROUP: Final = 0x0029
MOTHER: Final = "Gwendolinsky^Petronellis"
RELATIVE: Final = "Tarquiniusso^Mirabella"
PREAMBLE_NAME: Final = "PRZYBELLOK"
PREAMBLE: Final = f"SCANNED BY {PREAMBLE_NAME} FOR {people.SHARED_PATIENT_ID}".encode()
SOURCE_AE_TITLE: Final = "QUAERZENFELDT_WS"
MEDICAL_RECORD_LOCATOR: Final = "ROOM4-SHELF9-00871"
INSURANCE: Final = "PLAN-7719-0042-XQ"
ADMISSION: Final = "ADM-2024-0098812"
PERSONAL_TELEPHONE: Final = "+49-5550-662210"

Kind = Literal["name", "id", "date", "uid", "telephone", "address", "institution", "device"]


@dataclass(frozen=True)
class Planted:
    """Name one thing that must not leave a hospital.

    Parameters
    ----------
    kind : str
        What it is.
    text : str
        It, as it stands in at least one of the demo's files.
    """

    kind: Kind
    text: str

    @property
    def spellings(self) -> tuple[bytes, ...]:
        """Return the bytes that a search looks for: UTF-8, Latin-1 and ISO 2022 IR 87 where they differ."""
        found = {self.text.encode()}
        for codec in ("latin-1", "iso2022_jp"):
            try:
                found.add(self.text.encode(codec).removeprefix(b"\x1b$B").removesuffix(b"\x1b(B"))
            except UnicodeEncodeError:
                continue
        return tuple(sorted(found))


def in_descriptions(ds: Dataset, patient: int) -> None:
    """Hide the patient in descriptions, the protocol and comments."""
    who = people.person(patient)
    given = who.plain_name.partition(" ")[2]
    ds.SeriesDescription = f"Head {who.plain_name}"
    ds.ProtocolName = f"HEAD {who.patient_id}"
    ds.ImageComments = f"{given} called from {who.telephone}, was here on {ds.StudyDate}; see {ds.StudyInstanceUID}"
    ds.PatientComments = f"{who.plain_name}, born {who.birth_date.isoformat()}, lives at {who.address}"
    ds.AdditionalPatientHistory = f"Daughter of {MOTHER.partition('^')[0]}; old record {who.other_id}"
    ds.RequestedProcedureDescription = f"CT for {people.REFERRING_PHYSICIAN.partition('^')[0]}"
    ds.DerivationDescription = f"by {people.OPERATOR.partition('^')[0]} on {ds.DeviceSerialNumber}"


def in_patient_attributes(ds: Dataset, patient: int) -> None:
    """Fill the patient and visit attributes that no image needs."""
    who = people.person(patient)
    ds.OtherPatientNames = [who.former_name, who.plain_name.replace(" ", "^")]
    ds.OtherPatientIDsSequence = [
        base.item(PatientID=who.other_id, IssuerOfPatientID="REGISTRY", TypeOfPatientID="TEXT"),
        base.item(PatientID=INSURANCE, IssuerOfPatientID="INSURER", TypeOfPatientID="TEXT"),
    ]
    ds.PatientBirthName = who.former_name
    ds.PatientMotherBirthName = MOTHER
    ds.PatientAddress = who.address
    ds.PatientTelephoneNumbers = [who.telephone, PERSONAL_TELEPHONE]
    ds.ResponsiblePerson, ds.ResponsiblePersonRole = RELATIVE, "PARENT"
    ds.MedicalRecordLocator = MEDICAL_RECORD_LOCATOR
    ds.AdmissionID = ADMISSION
    ds.AdmittingDate = base.day_of(patient, 1, -1)
    ds.LastMenstrualDate = base.day_of(patient, 1, -18) if who.sex == "F" else None
    ds.ReferringPhysicianTelephoneNumbers = people.hospital(patient).telephone
    ds.NameOfPhysiciansReadingStudy = [people.READING_PHYSICIAN, people.REVIEWER]
    ds.RequestingPhysician = people.REFERRING_PHYSICIAN
    ds.DateOfLastCalibration, ds.TimeOfLastCalibration = base.day_of(patient, 1, -20), "070000"


def in_sequences(ds: Dataset, patient: int) -> None:
    """Hide the patient three sequences deep, and in the record of what was corrected."""
    who = people.person(patient)
    told = base.item(
        ValueType="TEXT",
        ConceptNameCodeSequence=[base.code("121106", "DCM", "Comment")],
        TextValue=f"Ask {RELATIVE.partition('^')[0]} at {PERSONAL_TELEPHONE}",
    )
    asked = base.item(
        ValueType="PNAME",
        ConceptNameCodeSequence=[base.code("121106", "DCM", "Comment")],
        PersonName=who.former_name,
    )
    ds.RequestAttributesSequence = [
        base.item(
            RequestedProcedureID=f"RP-{who.accession}",
            ScheduledProcedureStepID=f"SPS-{who.accession}",
            ScheduledProcedureStepDescription=f"Head {who.plain_name}",
            StudyInstanceUID=ds.StudyInstanceUID,
            ScheduledProtocolCodeSequence=[
                base.code("DEMO1", "99ENTWASH", "Head", ProtocolContextSequence=[told, asked])
            ],
        )
    ]
    ds.OriginalAttributesSequence = [
        base.item(
            SourceOfPreviousValues=people.hospital(patient).name,
            AttributeModificationDateTime=base.day_of(patient, 1, 3) + base.TIME,
            ModifyingSystem="DEMO_ARCHIVE",
            ReasonForTheAttributeModification="CORRECT",
            ModifiedAttributesSequence=[base.item(PatientName=who.former_name, PatientID=who.other_id)],
        )
    ]


def in_private(ds: Dataset, patient: int, other: Dataset) -> None:
    """Hide names, numbers and UIDs in a private block, as text, UI, SQ, OB and UN.

    Parameters
    ----------
    ds : Dataset
        Where to.
    patient : int
        Whose.
    other : Dataset
        An instance that the private elements reference.
    """
    who = people.person(patient)
    block = ds.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", f"from {other.SOPInstanceUID}")
    block.add_new(0x02, "UI", other.SOPInstanceUID)
    block.add_new(0x03, "UI", [other.SeriesInstanceUID, other.StudyInstanceUID])
    block.add_new(0x05, "OB", _even(f"{who.plain_name};{who.telephone};{who.other_id}".encode()))
    # what an archive that does not know the private dictionary makes of an element: PS3.5 6.2.2
    block.add_new(0x06, "UN", _even(f"{who.patient_id}|{ds.StudyDate}|{other.SOPInstanceUID}".encode()))
    block.add_new(0x07, "PN", who.name)
    block.add_new(0x08, "DA", ds.StudyDate)
    nested = base.item(
        FrameOfReferenceUID=TALAIRACH,
        SourceImageSequence=[base.reference(other)],
        PatientID=who.patient_id,
        PatientName=who.name,
    )
    inner = nested.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    inner.add_new(0x02, "UI", other.SOPInstanceUID)
    inner.add_new(0x04, "SQ", [base.item(ReferencedFrameOfReferenceUID=other.FrameOfReferenceUID)])
    block.add_new(0x04, "SQ", [nested])


def in_overlay(ds: Dataset, patient: int) -> None:
    """Add an overlay whose label and description name the patient (PS3.3 C.9.2)."""
    who = people.person(patient)
    ds.add_new(0x60000010, "US", ds.Rows)
    ds.add_new(0x60000011, "US", ds.Columns)
    ds.add_new(0x60000022, "LO", f"Marked for {who.plain_name}")
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 1)
    ds.add_new(0x60000102, "US", 0)
    ds.add_new(0x60001500, "LO", f"{who.patient_id} {who.plain_name}")
    ds.add_new(0x60003000, "OW", bytes(_even_length((ds.Rows * ds.Columns + 7) // 8)))
    ds.add_new(0x60004000, "LT", f"drawn by {people.OPERATOR.partition('^')[0]}")


def texts() -> list[Planted]:
    """List what people and hospitals are called in the files, without the UIDs and dates."""
    found: list[Planted] = []
    names = [*people.STAFF, MOTHER, RELATIVE]
    for who in people.PATIENTS.values():
        names.append(who.name)
        found.append(Planted("id", who.patient_id))
        found.append(Planted("id", who.accession))
        found.append(Planted("name", who.study_id))
        found.append(Planted("name", who.study_description.rpartition(" ")[2]))
        if who.issuer:
            found.append(Planted("id", who.issuer))
    for patient in FULLY_PLANTED:
        who = people.person(patient)
        names += [who.former_name, who.plain_name.replace(" ", "^")]
        found += [
            Planted("id", who.other_id),
            Planted("date", who.birth_date.isoformat()),
            Planted("telephone", who.telephone),
            Planted("address", who.address),
        ]
    for name in names:
        for group in name.split("="):
            found += [Planted("name", part) for part in group.split("^")[:2]]
    for where in (people.NORTH, people.SOUTH):
        found += [
            Planted("institution", where.name),
            Planted("institution", where.department),
            Planted("address", where.address),
            Planted("telephone", where.telephone),
            Planted("device", where.device_serial),
            Planted("device", where.station),
        ]
    found += [Planted("id", text) for text in (MEDICAL_RECORD_LOCATOR, INSURANCE, ADMISSION)]
    found += [Planted("telephone", PERSONAL_TELEPHONE), Planted("name", SOURCE_AE_TITLE)]
    found += [Planted("name", PREAMBLE_NAME), Planted("device", base.SOURCE_AE_TITLE)]
    return sorted(set(found), key=lambda one: (one.kind, one.text))


# Patients whose attributes are planted in every place above; the fourth only has what every object has.
FULLY_PLANTED: Final = (1, 2, 3)


def _even(value: bytes) -> bytes:
    """Pad to even length (PS3.5 7.1.1)."""
    return value + b"\0" * (len(value) % 2)


def _even_length(length: int) -> int:
    """Round up to an even number."""
    return length + length % 2
