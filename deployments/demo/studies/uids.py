"""UIDs from integers: the same four integers name the same instance in every process."""

from __future__ import annotations

import hashlib
from typing import Final

from pydicom.uid import UID

# An arc below the root that pydicom offers to its users; nothing outside this factory lies under it.
ROOT: Final = "1.2.826.0.1.3680043.8.498.7.77."

# Registered (PS3.6 table A-2): these name no one and stay what they are, wherever they stand.
TALAIRACH: Final = "1.2.840.10008.1.4.1.1"
DICOM_TERMINOLOGY: Final = "1.2.840.10008.2.16.4"
CONTENT_MAPPING_RESOURCE: Final = "1.2.840.10008.8.1.1"


def uid(patient: int, study: int = 0, series: int = 0, instance: int = 0, *, role: str = "") -> UID:
    """Derive a UID from four integers.

    Parameters
    ----------
    patient, study, series, instance : int
        Counted from 1; 0 stands for the level above: `uid(1, 2)` is a StudyInstanceUID, `uid(1, 2, 3)` a
        SeriesInstanceUID, `uid(1, 2, 3, 4)` a SOPInstanceUID.
    role : str
        What else the UID names, such as `frame-of-reference`.

    Returns
    -------
    UID
        Of 54 characters, whatever the integers (PS3.5 9.1 allows 64).
    """
    text = f"{role}|{patient}|{study}|{series}|{instance}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    return UID(f"{ROOT}{number % 10**22 + 10**22}")


def study_uid(patient: int, study: int) -> UID:
    """Return the StudyInstanceUID."""
    return uid(patient, study)


def series_uid(patient: int, study: int, series: int) -> UID:
    """Return the SeriesInstanceUID."""
    return uid(patient, study, series)


def frame_of_reference_uid(patient: int, study: int) -> UID:
    """Return the FrameOfReferenceUID that all series of a study share."""
    return uid(patient, study, role="frame-of-reference")
