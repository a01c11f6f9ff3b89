"""Invented people and the identifiers that they carry.

No one is called like this. Every name, number and address is long and odd enough that a byte search
for it finds the demo's patient or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

DAYS_BETWEEN_STUDIES: Final = 35

REFERRING_PHYSICIAN: Final = "Brunkhoversen^Aldegunde^^Dr."
PERFORMING_PHYSICIAN: Final = "Mokwettusen^Tindaloh^^Prof."
READING_PHYSICIAN: Final = "Okonjiwalski^Ferdusine"
OPERATOR: Final = "Przybellok^Jadwisiane"
REVIEWER: Final = "Haverstrunke^Liobald"
STAFF: Final = (REFERRING_PHYSICIAN, PERFORMING_PHYSICIAN, READING_PHYSICIAN, OPERATOR, REVIEWER)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Hold what a hospital knows about one patient.

    Parameters
    ----------
    name : str
        PatientName as in PS3.5 6.2 (PN): up to three component groups.
    plain_name : str
        The same name as staff type it into free text: plain ASCII, `FAMILY Given`.
    patient_id, issuer : str
        PatientID and IssuerOfPatientID; an empty issuer is absent.
    birth_date, first_study : date
        Days; study `n` takes place `35 * (n - 1)` days after the first.
    character_sets : tuple of str
        SpecificCharacterSet of every object of this patient.
    """

    name: str
    plain_name: str
    patient_id: str
    issuer: str
    birth_date: date
    sex: str
    first_study: date
    character_sets: tuple[str, ...]
    address: str
    telephone: str
    other_id: str
    former_name: str
    accession: str

    @property
    def study_id(self) -> str:
        """Return a StudyID as a hurried clerk fills it: the patient's name in 16 characters."""
        family, given = self.plain_name.split(" ")
        return f"{family[:12]} {given[:1]}"

    @property
    def study_description(self) -> str:
        """Return a StudyDescription that names the patient."""
        return f"Control of {self.plain_name.partition(' ')[0].title()}"

    def study_day(self, study: int) -> date:
        """Return the day of this person's study number `study`, counted from 1."""
        return self.first_study + timedelta(days=DAYS_BETWEEN_STUDIES * (study - 1))


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """Hold what a hospital writes about itself into every object."""

    name: str
    address: str
    department: str
    telephone: str
    device_serial: str
    station: str


# Two hospitals number their patients alike: north's patient 1 and south's patient 3 share this PatientID.
SHARED_PATIENT_ID: Final = "KH-7730412"

PATIENTS: Final[dict[int, Person]] = {
    1: Person(
        name="Quärzenfeldt^Ingelbörga",
        plain_name="QUAERZENFELDT Ingelboerga",
        patient_id=SHARED_PATIENT_ID,
        issuer="NORDHOLT-HIS",
        birth_date=date(1967, 3, 18),
        sex="F",
        first_study=date(2024, 3, 12),
        character_sets=("ISO_IR 100",),
        address="Nebelkrähensteig 77b, 99998 Unterquarzheim",
        telephone="+49-5550-147330",
        other_id="SVNR-9921-180367-Q",
        former_name="Wimmerschlödt^Ingelbörga",
        accession="ACCN-550731",
    ),
    2: Person(
        name="Škvorpílkový^Ždenimíra",
        plain_name="SKVORPILKOVY Zdenimira",
        patient_id="KH-8815093",
        issuer="NORDHOLT-HIS",
        birth_date=date(1981, 9, 7),
        sex="M",
        first_study=date(2024, 5, 22),
        character_sets=("ISO_IR 192",),
        address="Třešňovkovická 1203, 99997 Horní Zvřestov",
        telephone="+420-555-018442",
        other_id="PAS-CZ-40771265",
        former_name="Hrbolčíkovský^Ždenimíra",
        accession="ACCN-550988",
    ),
    3: Person(
        name="Tsukigamori^Hanzoemon=月蟹森^半象右衛=つきがもり^はんぞうえもん",
        plain_name="TSUKIGAMORI Hanzoemon",
        patient_id=SHARED_PATIENT_ID,
        issuer="",
        birth_date=date(1952, 2, 29),
        sex="M",
        first_study=date(2024, 6, 11),
        character_sets=("", "ISO 2022 IR 87"),
        address="Oborozukidori 9-14, 999-9996 Kitsunehama",
        telephone="+81-50-5550-9136",
        other_id="HOKEN-33018745",
        former_name="Yukibanzaki^Hanzoemon",
        accession="ACCS-771204",
    ),
    4: Person(
        name="Vanterpoolski^Obadriahn",
        plain_name="VANTERPOOLSKI Obadriahn",
        patient_id="SX-4402917",
        issuer="",
        birth_date=date(1949, 11, 24),
        sex="O",
        first_study=date(2024, 6, 25),
        character_sets=("ISO_IR 100",),
        address="4 Thistledrummock Wynd, ZZ9 9ZZ Auchterwhimple",
        telephone="+44-1632-960871",
        other_id="CHI-2411490992",
        former_name="Crumbleforthy^Obadriahn",
        accession="ACCS-771399",
    ),
}

NORTH: Final = Hospital(
    name="Klinikum Nordholtingen",
    address="Am Zwirbelgraben 3, 99999 Nordholtingen",
    department="Radiologie Haus Eberwurz",
    telephone="+49-5550-900100",
    device_serial="SNQX-4471-0098",
    station="CT_EBERWURZ_2",
)
SOUTH: Final = Hospital(
    name="Sankt Blasewitz Hospital",
    address="Kastanienrondell 12, 99990 Suedblasewitz",
    department="Imaging Pavilion Marrowgate",
    telephone="+49-5559-200777",
    device_serial="SNPV-1180-7753",
    station="MARROWGATE_1",
)


def person(patient: int) -> Person:
    """Return the patient with this number; numbers that the demo does not use get a made-up person."""
    if patient in PATIENTS:
        return PATIENTS[patient]
    return Person(
        name=f"Beispielowitz{patient}^Exemplariana",
        plain_name=f"BEISPIELOWITZ{patient} Exemplariana",
        patient_id=f"XT-{patient:07d}",
        issuer="",
        birth_date=date(1960, 1, 5) + timedelta(days=patient),
        sex="O",
        first_study=date(2024, 1, 9) + timedelta(days=patient % 200),
        character_sets=("ISO_IR 100",),
        address=f"Musterhausener Weg {patient}",
        telephone=f"+49-5551-{patient:06d}",
        other_id=f"XTO-{patient:07d}",
        former_name=f"Vormalsowitz{patient}^Exemplariana",
        accession=f"ACCX-{patient:06d}",
    )


def hospital(patient: int) -> Hospital:
    """Return the hospital that sees this patient: south for 3 and 4, else north."""
    return SOUTH if patient in (3, 4) else NORTH
