"""The identifiers that Orthanc gives: SHA-1 of what DICOM says, so they can be known beforehand.

Source: Orthanc Book, "Orthanc identifiers". Without a key, so as telling as the PatientID and the UIDs
inside: those of a hospital stay in the hospital.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["orthanc_id"]


def orthanc_id(patient_id: str, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None) -> str:
    """Compute the identifier of a study, a series or an instance.

    Parameters
    ----------
    patient_id, study_uid, series_uid, sop_uid
        PatientID, StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID. Without the last, the series
        is meant; without the last two, the study.

    Returns
    -------
    str
        Five groups of eight hex digits.
    """
    parts = [patient_id, study_uid]
    if series_uid is not None:
        parts.append(series_uid)
        if sop_uid is not None:
            parts.append(sop_uid)
    elif sop_uid is not None:
        raise ValueError("an instance is in a series: give series_uid too")
    # Measured on 1.10.1: padding goes before it hashes, blanks in front stay. SHA-1 is Orthanc's choice.
    digest = sha1("|".join(part.rstrip(" \0") for part in parts).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))
