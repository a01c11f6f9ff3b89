"""What the two hospitals receive: the factory's studies, or a folder of real files."""

from __future__ import annotations

import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError

from deployments.demo import studies
from deployments.demo.orthancs import Orthanc
from deployments.demo.state import SITES


@dataclass
class Intake:
    """What was sent to the hospitals.

    Attributes
    ----------
    sent : Counter
        Files that each site's Orthanc took.
    expected : dict or None
        Instances of each site that shall be loaded and held; None where nobody can know.
    refused : int
        Files that an Orthanc would not take.
    not_dicom : int
        Files of the folder that aren't DICOM; a hospital never saw them.
    identities : set of bytes
        What must not be found anywhere but in the hospitals.
    """

    sent: Counter[str] = field(default_factory=Counter)
    expected: dict[str, Counter[str]] | None = None
    refused: int = 0
    not_dicom: int = 0
    identities: set[bytes] = field(default_factory=set)


def send_made(hospitals: dict[str, Orthanc], progress: Callable[[int], None]) -> Intake:
    """Store the factory's studies in the hospitals, in the order in which modalities make them."""
    intake = Intake(expected={site: Counter() for site in SITES})
    intake.identities = {text for one in studies.PLANTED for text in one.spellings}
    for site, made in (("north", studies.north()), ("south", studies.south())):
        for instance in made:
            _send(intake, hospitals[site], site, instance.data)
            if intake.expected is not None:
                intake.expected[site][instance.expected] += 1
            progress(intake.sent.total())
    return intake


def send_folder(folder: Path, hospitals: dict[str, Orthanc], progress: Callable[[int], None]) -> Intake:
    """Store a folder of DICOM files in the hospitals; each patient goes to one of them, always the same."""
    intake = Intake()
    for file in _files(folder):
        data = file.read_bytes()
        patient, identities = _who(file)
        if patient is None:
            intake.not_dicom += 1
            continue
        site = SITES[zlib.crc32(patient.encode()) % len(SITES)]
        if _send(intake, hospitals[site], site, data):
            intake.identities |= identities
        progress(intake.sent.total())
    return intake


def _send(intake: Intake, hospital: Orthanc, site: str, data: bytes) -> bool:
    taken = hospital.store(data)
    if taken:
        intake.sent[site] += 1
    else:
        intake.refused += 1
    return taken


def is_dicom(file: Path) -> bool:
    """Tell whether a file has the prefix of PS3.10 7.1; most others have no pixels for anybody."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(132)[128:] == b"DICM"


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())


def _who(file: Path) -> tuple[str | None, set[bytes]]:
    """Return a file's PatientID, and what of it is long enough to be searched for without false alarms."""
    keywords = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    try:
        # a value that breaks its VR's rules is no reason to print it
        with disable_value_validation(), warnings.catch_warnings(action="ignore"):
            ds = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(keywords))
            values = [str(ds.get(keyword, "") or "") for keyword in keywords]
    except (InvalidDicomError, OSError, ValueError, KeyError, EOFError, AttributeError):
        return None, set()
    patient, *uids = values
    return patient, {value.encode() for value in uids if len(value) >= 20}
