"""The modules that every composite object has: patient, study, series, equipment, SOP common."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterable
from datetime import date, timedelta
from io import BytesIO
from typing import Any, Final

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from deployments.demo.studies import people
from deployments.demo.studies.uids import series_uid, study_uid, uid

TIME: Final = "101530"
SOURCE_AE_TITLE: Final = "DEMO_MODALITY"
PREAMBLE_LENGTH: Final = 128


def composite(patient: int, study: int, series: int, instance: int, *, sop_class: str, modality: str) -> Dataset:
    """Start an object with the modules that all IODs share.

    Parameters
    ----------
    patient, study, series, instance : int
        The four integers that name it, each from 1.
    sop_class, modality : str
        SOPClassUID and Modality.

    Returns
    -------
    Dataset
        Patient, General Study, Patient Study, General Series, General Equipment and SOP Common modules
        (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2, C.7.3.1, C.7.5.1, C.12.1).
    """
    who, where = people.person(patient), people.hospital(patient)
    day = who.study_day(study)
    ds = Dataset()
    ds.SpecificCharacterSet = list(who.character_sets) if len(who.character_sets) > 1 else who.character_sets[0]
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = uid(patient, study, series, instance)
    ds.InstanceCreationDate, ds.InstanceCreationTime = da(day), TIME

    ds.PatientName = who.name
    ds.PatientID = who.patient_id
    if who.issuer:
        ds.IssuerOfPatientID = who.issuer
    ds.PatientBirthDate = da(who.birth_date)
    ds.PatientSex = who.sex
    ds.PatientAge = f"{(day - who.birth_date).days // 365:03d}Y"
    ds.PatientSize, ds.PatientWeight = "1.71", "68.5"

    ds.StudyInstanceUID = study_uid(patient, study)
    ds.StudyDate, ds.StudyTime = da(day), "100000"
    ds.StudyID, ds.StudyDescription = who.study_id, who.study_description
    ds.AccessionNumber = f"{who.accession}-{study}"
    ds.ReferringPhysicianName = people.REFERRING_PHYSICIAN
    ds.PhysiciansOfRecord = people.READING_PHYSICIAN

    ds.Modality = modality
    ds.SeriesInstanceUID = series_uid(patient, study, series)
    ds.SeriesNumber = str(series)
    ds.SeriesDate, ds.SeriesTime = da(day), "100500"
    ds.BodyPartExamined = "HEAD"
    ds.PerformingPhysicianName = people.PERFORMING_PHYSICIAN
    ds.OperatorsName = people.OPERATOR

    ds.Manufacturer = "Entwash"
    ds.ManufacturerModelName = "Demo Modality"
    ds.SoftwareVersions = "1.0"
    ds.DeviceSerialNumber = where.device_serial
    ds.InstitutionName = where.name
    ds.InstitutionAddress = where.address
    ds.InstitutionalDepartmentName = where.department
    ds.StationName = where.station
    ds.InstanceNumber = str(instance)
    return ds


def to_bytes(
    ds: Dataset,
    transfer_syntax: str = ExplicitVRLittleEndian,
    *,
    source_ae_title: str = SOURCE_AE_TITLE,
    preamble: bytes = b"",
) -> bytes:
    """Write a DICOM file (PS3.10 7.1).

    Parameters
    ----------
    ds : Dataset
        Left as it is.
    transfer_syntax : str
        One of the three uncompressed little endian transfer syntaxes.
    source_ae_title : str
        SourceApplicationEntityTitle, at most 16 characters.
    preamble : bytes
        At most 128 bytes; filled up with NUL.

    Returns
    -------
    bytes
        The file.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    # pydicom would write its own version here: the bytes would change with an upgrade
    meta.ImplementationClassUID = uid(0, role="implementation")
    meta.ImplementationVersionName = "DEMO_MODALITY_1"
    meta.SourceApplicationEntityTitle = source_ae_title
    whole = copy.copy(ds)
    whole.file_meta = meta
    whole.preamble = preamble.ljust(PREAMBLE_LENGTH, b"\0")
    buffer = BytesIO()
    dcmwrite(buffer, whole, enforce_file_format=True)
    return buffer.getvalue()


def inflated(data: bytes) -> bytes:
    """Return the file's bytes with a deflated data set (PS3.5 A.5) unpacked, for byte searches."""
    meta_end = 144 + int.from_bytes(data[140:144], "little")
    if DeflatedExplicitVRLittleEndian.encode() not in data[:meta_end]:
        return data
    return data[:meta_end] + zlib.decompress(data[meta_end:], -zlib.MAX_WBITS)


def assign(ds: Dataset, attributes: dict[str, Any]) -> Dataset:
    """Set attributes by keyword and return the data set; None removes one."""
    for keyword, value in attributes.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            delattr(ds, keyword)
    return ds


def item(**attributes: Any) -> Dataset:
    """Make a sequence item from keywords."""
    return assign(Dataset(), attributes)


def code(value: str, scheme: str, meaning: str, **attributes: Any) -> Dataset:
    """Make an item of a code sequence (PS3.3 8.8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning, **attributes)


def reference(ds: Dataset, **attributes: Any) -> Dataset:
    """Make an item that references an instance by class and UID (PS3.3 table 10-11)."""
    return item(ReferencedSOPClassUID=ds.SOPClassUID, ReferencedSOPInstanceUID=ds.SOPInstanceUID, **attributes)


def by_series(objects: Iterable[Dataset]) -> list[Dataset]:
    """Make items of the Referenced Series Sequence: one for each series, naming its instances."""
    series: dict[str, list[Dataset]] = {}
    for ds in objects:
        series.setdefault(ds.SeriesInstanceUID, []).append(reference(ds))
    return [item(SeriesInstanceUID=one, ReferencedInstanceSequence=instances) for one, instances in series.items()]


def by_study(objects: Iterable[Dataset]) -> list[Dataset]:
    """Make items of an evidence sequence: study, series, instances (PS3.3 table C.17-3b)."""
    studies: dict[str, list[Dataset]] = {}
    for ds in objects:
        studies.setdefault(ds.StudyInstanceUID, []).append(ds)
    found = []
    for one, members in studies.items():
        series = by_series(members)
        for entry in series:
            entry.ReferencedSOPSequence = entry.ReferencedInstanceSequence
            del entry.ReferencedInstanceSequence
        found.append(item(StudyInstanceUID=one, ReferencedSeriesSequence=series))
    return found


def da(day: date) -> str:
    """Write a day as DA."""
    return day.strftime("%Y%m%d")


def day_of(patient: int, study: int, after: int = 0) -> str:
    """Return the DA of a day some days after the study."""
    return da(people.person(patient).study_day(study) + timedelta(days=after))
