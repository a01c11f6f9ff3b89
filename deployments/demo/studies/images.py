"""CT and MR series, and the screen dump that must not leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage

from deployments.demo.studies import base, pixels
from deployments.demo.studies.uids import frame_of_reference_uid, uid


def ct(patient: int, study: int, series: int, count: int, *, rows: int = 128, **attributes: Any) -> list[Dataset]:
    """Build a CT series (PS3.3 A.3).

    Parameters
    ----------
    patient, study, series : int
        The integers that name it, each from 1.
    count : int
        Slices, 2.5 mm apart.
    rows : int
        Rows and columns, pixels of signed 16 bit.
    **attributes
        Set last on every slice, by keyword.

    Returns
    -------
    list of Dataset
        Slices from feet to head.
    """
    slices = []
    for instance in range(1, count + 1):
        ds = base.composite(patient, study, series, instance, sop_class=CTImageStorage, modality="CT")
        _plane(ds, patient, study, instance, rows, spacing=2.5)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.KVP = "120"
        ds.XRayTubeCurrent, ds.ExposureTime = "210", "500"
        ds.ConvolutionKernel = "H31s"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "HU"
        ds.WindowCenter, ds.WindowWidth = "40", "80"
        ds.PixelRepresentation = 1
        # two irradiation events: the one UI attribute of a CT image that takes several values
        ds.IrradiationEventUID = [uid(patient, study, series, role=f"irradiation-{n}") for n in (1, 2)]
        ds.add_new("PixelData", "OW", pixels.head(rows, instance / count))
        slices.append(base.assign(ds, attributes))
    return slices


def mr(patient: int, study: int, series: int, count: int, *, rows: int = 64, **attributes: Any) -> list[Dataset]:
    """Build an MR series (PS3.3 A.4); parameters as for `ct`, unsigned 12 bit in 16."""
    slices = []
    for instance in range(1, count + 1):
        ds = base.composite(patient, study, series, instance, sop_class=MRImageStorage, modality="MR")
        _plane(ds, patient, study, instance, rows, spacing=4.0)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "SK", "SP"
        ds.MRAcquisitionType = "2D"
        ds.SequenceName = f"*se2d{series}"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = "600", str(10 * series), "1"
        ds.MagneticFieldStrength, ds.FlipAngle = "1.5", "90"
        ds.PixelRepresentation = 0
        ds.BitsStored, ds.HighBit = 12, 11
        ds.add_new("PixelData", "OW", pixels.head(rows, instance / count, offset=1000, scale=0.3 + 0.2 * (series % 5)))
        slices.append(base.assign(ds, attributes))
    return slices


def screen_dump(patient: int, study: int, series: int, *, rows: int = 64, **attributes: Any) -> Dataset:
    """Build a secondary capture that says that identification is burned in (PS3.3 A.8.1)."""
    ds = base.composite(patient, study, series, 1, sop_class=SecondaryCaptureImageStorage, modality="OT")
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.BurnedInAnnotation = "YES"
    ds.PatientOrientation = None
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = ds.StudyDate, base.TIME
    ds.SecondaryCaptureDeviceManufacturer = "Entwash"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = rows
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.add_new("PixelData", "OB", bytes((row ^ column) * 2 % 256 for row in range(rows) for column in range(rows)))
    return base.assign(ds, attributes)


def refer(images: Iterable[Dataset], to: Sequence[Dataset]) -> None:
    """Name images in the Referenced Image Sequence of others, as a localizer is named by its series."""
    for ds in images:
        ds.ReferencedImageSequence = [
            base.reference(target, PurposeOfReferenceCodeSequence=[base.code("121311", "DCM", "Localizer")])
            for target in to
        ]


def _plane(ds: Dataset, patient: int, study: int, instance: int, rows: int, *, spacing: float) -> None:
    """Add Frame of Reference, General Image, Image Plane and Image Pixel modules."""
    ds.FrameOfReferenceUID = frame_of_reference_uid(patient, study)
    ds.PositionReferenceIndicator = None
    ds.AcquisitionNumber = "1"
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, base.TIME
    ds.ContentDate, ds.ContentTime = ds.StudyDate, base.TIME
    ds.PatientPosition = "HFS"
    ds.SliceThickness = str(spacing)
    ds.PixelSpacing = [str(256 / rows)] * 2
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = ["-128", "-128", str(spacing * (instance - 1))]
    ds.SliceLocation = str(spacing * (instance - 1))
    ds.BurnedInAnnotation = "NO"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = rows
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
