"""RT Structure Set, RT Plan and RT Dose, each pointing at the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import RTDoseStorage, RTPlanStorage, RTStructureSetStorage

from deployments.demo.studies import base, people
from deployments.demo.studies.uids import uid

DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
REGIONS = (("TARGET", "PTV"), ("BRAIN", "ORGAN"))
DAYS_TO_PLAN = 7


def structure_set(patient: int, study: int, series: int, images: Sequence[Dataset], **attributes: Any) -> Dataset:
    """Build an RT Structure Set with two regions, one contour a slice (PS3.3 A.19)."""
    ds = base.composite(patient, study, series, 1, sop_class=RTStructureSetStorage, modality="RTSTRUCT")
    ds.StructureSetLabel = "HEAD"
    ds.StructureSetDate, ds.StructureSetTime = base.day_of(patient, study, 1), base.TIME
    ds.ApprovalStatus = "APPROVED"
    ds.ReviewDate, ds.ReviewTime = base.day_of(patient, study, 2), base.TIME
    ds.ReviewerName = people.REVIEWER
    first = images[0]
    ds.FrameOfReferenceUID = first.FrameOfReferenceUID
    ds.PositionReferenceIndicator = None
    ds.ReferencedFrameOfReferenceSequence = [
        base.item(
            FrameOfReferenceUID=first.FrameOfReferenceUID,
            RTReferencedStudySequence=[
                base.item(
                    ReferencedSOPClassUID=DETACHED_STUDY_MANAGEMENT,
                    ReferencedSOPInstanceUID=first.StudyInstanceUID,
                    RTReferencedSeriesSequence=[
                        base.item(
                            SeriesInstanceUID=first.SeriesInstanceUID,
                            ContourImageSequence=[base.reference(image) for image in images],
                        )
                    ],
                )
            ],
        )
    ]
    ds.StructureSetROISequence = [
        base.item(
            ROINumber=str(number),
            ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
            ROIName=name,
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, (name, _) in enumerate(REGIONS, 1)
    ]
    ds.ROIContourSequence = [
        base.item(
            ROIDisplayColor=["255", str(60 * number), "0"],
            ReferencedROINumber=str(number),
            ContourSequence=[_contour(image, 10.0 * number) for image in images],
        )
        for number, _ in enumerate(REGIONS, 1)
    ]
    ds.RTROIObservationsSequence = [
        base.item(
            ObservationNumber=str(number),
            ReferencedROINumber=str(number),
            RTROIInterpretedType=kind,
            ROIInterpreter=people.REVIEWER,
        )
        for number, (_, kind) in enumerate(REGIONS, 1)
    ]
    return base.assign(ds, attributes)


def plan(patient: int, study: int, series: int, structures: Dataset, dose_uid: str = "", **attributes: Any) -> Dataset:
    """Build an RT Plan with one static beam (PS3.3 A.20); `dose_uid` names the dose it led to."""
    ds = base.composite(patient, study, series, 1, sop_class=RTPlanStorage, modality="RTPLAN")
    ds.RTPlanLabel = "HEAD"
    ds.RTPlanDate, ds.RTPlanTime = base.day_of(patient, study, DAYS_TO_PLAN), base.TIME
    ds.RTPlanGeometry = "PATIENT"
    ds.ApprovalStatus = "UNAPPROVED"
    ds.FrameOfReferenceUID = structures.FrameOfReferenceUID
    ds.PositionReferenceIndicator = None
    ds.ReferencedStructureSetSequence = [base.reference(structures)]
    if dose_uid:
        ds.ReferencedDoseSequence = [base.item(ReferencedSOPClassUID=RTDoseStorage, ReferencedSOPInstanceUID=dose_uid)]
    ds.DoseReferenceSequence = [
        base.item(
            DoseReferenceNumber="1",
            DoseReferenceUID=uid(patient, study, series, role="dose-reference"),
            DoseReferenceStructureType="VOLUME",
            ReferencedROINumber="1",
            DoseReferenceType="TARGET",
            TargetPrescriptionDose="60",
        )
    ]
    ds.PatientSetupSequence = [base.item(PatientSetupNumber="1", PatientPosition="HFS")]
    ds.FractionGroupSequence = [
        base.item(
            FractionGroupNumber="1",
            NumberOfFractionsPlanned="30",
            NumberOfBeams="1",
            NumberOfBrachyApplicationSetups="0",
            ReferencedBeamSequence=[base.item(ReferencedBeamNumber="1", BeamMeterset="120")],
        )
    ]
    ds.BeamSequence = [_beam()]
    return base.assign(ds, attributes)


def dose(
    patient: int,
    study: int,
    series: int,
    of: Dataset,
    structures: Dataset,
    *,
    rows: int = 16,
    **attributes: Any,
) -> Dataset:
    """Build an RT Dose of two planes for a plan (PS3.3 A.18)."""
    ds = base.composite(patient, study, series, 1, sop_class=RTDoseStorage, modality="RTDOSE")
    ds.FrameOfReferenceUID = structures.FrameOfReferenceUID
    ds.PositionReferenceIndicator = None
    ds.ContentDate, ds.ContentTime = base.day_of(patient, study, DAYS_TO_PLAN), base.TIME
    ds.SliceThickness = None
    ds.ImagePositionPatient = ["-128", "-128", "0"]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing = [str(256 / rows)] * 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames = "2"
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.GridFrameOffsetVector = ["0", "2.5"]
    ds.Rows = ds.Columns = rows
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    ds.DoseGridScaling = "0.001"
    ds.TissueHeterogeneityCorrection = "IMAGE"
    ds.ReferencedRTPlanSequence = [base.reference(of)]
    ds.ReferencedStructureSetSequence = [base.reference(structures)]
    ds.DVHSequence = [
        base.item(
            DVHReferencedROISequence=[base.item(DVHROIContributionType="INCLUDED", ReferencedROINumber="1")],
            DVHType="CUMULATIVE",
            DoseUnits="GY",
            DoseType="PHYSICAL",
            DVHDoseScaling="1",
            DVHVolumeUnits="CM3",
            DVHNumberOfBins="2",
            DVHData=["30", "12.5", "30", "4.0"],
        )
    ]
    ds.add_new(
        "PixelData", "OW", b"".join((value * 97 % 60000).to_bytes(2, "little") for value in range(2 * rows * rows))
    )
    return base.assign(ds, attributes)


def _contour(image: Dataset, half: float) -> Dataset:
    """Draw a square contour in one slice, mm."""
    z = image.ImagePositionPatient[2]
    corners = ((-half, -half), (half, -half), (half, half), (-half, half))
    return base.item(
        ContourImageSequence=[base.reference(image)],
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints="4",
        ContourData=[str(value) for x, y in corners for value in (x, y, z)],
    )


def _beam() -> Dataset:
    """Describe one static photon beam with its two control points."""
    opening = [base.item(RTBeamLimitingDeviceType=axis, LeafJawPositions=["-50", "50"]) for axis in ("ASYMX", "ASYMY")]
    start = base.item(
        ControlPointIndex="0",
        NominalBeamEnergy="6",
        DoseRateSet="400",
        BeamLimitingDevicePositionSequence=opening,
        GantryAngle="0",
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle="0",
        BeamLimitingDeviceRotationDirection="NONE",
        PatientSupportAngle="0",
        PatientSupportRotationDirection="NONE",
        TableTopEccentricAngle="0",
        TableTopEccentricRotationDirection="NONE",
        TableTopVerticalPosition="0",
        TableTopLongitudinalPosition="0",
        TableTopLateralPosition="0",
        IsocenterPosition=["0", "0", "0"],
        CumulativeMetersetWeight="0",
    )
    return base.item(
        BeamNumber="1",
        BeamName="AP",
        BeamType="STATIC",
        RadiationType="PHOTON",
        TreatmentMachineName="LINAC",
        SourceAxisDistance="1000",
        PrimaryDosimeterUnit="MU",
        BeamLimitingDeviceSequence=[
            base.item(RTBeamLimitingDeviceType=axis, NumberOfLeafJawPairs="1") for axis in ("ASYMX", "ASYMY")
        ],
        ReferencedPatientSetupNumber="1",
        TreatmentDeliveryType="TREATMENT",
        NumberOfWedges="0",
        NumberOfCompensators="0",
        NumberOfBoli="0",
        NumberOfBlocks="0",
        FinalCumulativeMetersetWeight="1",
        NumberOfControlPoints="2",
        ControlPointSequence=[start, base.item(ControlPointIndex="1", CumulativeMetersetWeight="1")],
    )
