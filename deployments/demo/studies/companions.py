"""Segmentation, presentation state and spatial registration: what lives off other series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    GrayscaleSoftcopyPresentationStateStorage,
    SegmentationStorage,
    SpatialRegistrationStorage,
)

from deployments.demo.studies import base, people
from deployments.demo.studies.uids import uid

IDENTITY = ["1", "0", "0", "0", "0", "1", "0", "0", "0", "0", "1", "0", "0", "0", "0", "1"]


def segmentation(patient: int, study: int, series: int, images: Sequence[Dataset], **attributes: Any) -> Dataset:
    """Build a binary segmentation with one frame for each image (PS3.3 A.51)."""
    ds = base.composite(patient, study, series, 1, sop_class=SegmentationStorage, modality="SEG")
    first = images[0]
    ds.FrameOfReferenceUID = first.FrameOfReferenceUID
    ds.PositionReferenceIndicator = None
    _content(ds, patient, study, label="LESION")
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = first.Rows, first.Columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
    ds.LossyImageCompression = "00"
    ds.SegmentationType = "BINARY"
    ds.SegmentSequence = [
        base.item(
            SegmentNumber=1,
            SegmentLabel="Lesion",
            SegmentAlgorithmType="SEMIAUTOMATIC",
            SegmentAlgorithmName="demo threshold",
            SegmentedPropertyCategoryCodeSequence=[base.code("49755003", "SCT", "Morphologically Altered Structure")],
            SegmentedPropertyTypeCodeSequence=[base.code("108369006", "SCT", "Neoplasm")],
        )
    ]
    ds.NumberOfFrames = str(len(images))
    organization = uid(patient, study, series, role="dimension-organization")
    ds.DimensionOrganizationSequence = [base.item(DimensionOrganizationUID=organization)]
    ds.DimensionIndexSequence = [
        base.item(
            DimensionOrganizationUID=organization,
            DimensionIndexPointer=Tag("ImagePositionPatient"),
            FunctionalGroupPointer=Tag("PlanePositionSequence"),
        )
    ]
    ds.SharedFunctionalGroupsSequence = [
        base.item(
            PlaneOrientationSequence=[base.item(ImageOrientationPatient=first.ImageOrientationPatient)],
            PixelMeasuresSequence=[
                base.item(
                    PixelSpacing=first.PixelSpacing,
                    SliceThickness=first.SliceThickness,
                    SpacingBetweenSlices=first.SliceThickness,
                )
            ],
            SegmentIdentificationSequence=[base.item(ReferencedSegmentNumber=1)],
        )
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        base.item(
            DerivationImageSequence=[
                base.item(
                    DerivationCodeSequence=[base.code("113076", "DCM", "Segmentation")],
                    SourceImageSequence=[
                        base.reference(
                            image,
                            PurposeOfReferenceCodeSequence=[
                                base.code("121322", "DCM", "Source image for image processing operation")
                            ],
                        )
                    ],
                )
            ],
            FrameContentSequence=[base.item(DimensionIndexValues=[number])],
            PlanePositionSequence=[base.item(ImagePositionPatient=image.ImagePositionPatient)],
        )
        for number, image in enumerate(images, 1)
    ]
    ds.ReferencedSeriesSequence = base.by_series(images)
    bits = first.Rows * first.Columns * len(images)
    ds.add_new("PixelData", "OB", (b"\x00\x0f\xf0\x00" * (bits // 32 + 1))[: (bits + 7) // 8])
    return base.assign(ds, attributes)


def presentation(
    patient: int,
    study: int,
    series: int,
    images: Sequence[Dataset],
    *,
    note: str = "Lesion",
    **attributes: Any,
) -> Dataset:
    """Build a grayscale presentation state that writes a note on the first image (PS3.3 A.33.1)."""
    ds = base.composite(patient, study, series, 1, sop_class=GrayscaleSoftcopyPresentationStateStorage, modality="PR")
    ds.ContentLabel, ds.ContentDescription = "READING", None
    ds.ContentCreatorName = people.READING_PHYSICIAN
    ds.PresentationCreationDate, ds.PresentationCreationTime = base.day_of(patient, study, 1), base.TIME
    references = base.by_series(images)
    for entry in references:
        entry.ReferencedImageSequence = entry.ReferencedInstanceSequence
        del entry.ReferencedInstanceSequence
    ds.ReferencedSeriesSequence = references
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "HU"
    ds.DisplayedAreaSelectionSequence = [
        base.item(
            ReferencedImageSequence=[base.reference(image) for image in images],
            DisplayedAreaTopLeftHandCorner=[1, 1],
            DisplayedAreaBottomRightHandCorner=[images[0].Columns, images[0].Rows],
            PresentationSizeMode="SCALE TO FIT",
            PresentationPixelAspectRatio=["1", "1"],
        )
    ]
    ds.GraphicLayerSequence = [base.item(GraphicLayer="NOTES", GraphicLayerOrder="1")]
    ds.GraphicAnnotationSequence = [
        base.item(
            ReferencedImageSequence=[base.reference(images[0])],
            GraphicLayer="NOTES",
            TextObjectSequence=[
                base.item(
                    UnformattedTextValue=note,
                    AnchorPointAnnotationUnits="PIXEL",
                    AnchorPoint=[40.0, 54.0],
                    AnchorPointVisibility="Y",
                )
            ],
        )
    ]
    ds.SoftcopyVOILUTSequence = [base.item(WindowCenter="40", WindowWidth="80")]
    ds.PresentationLUTShape = "IDENTITY"
    return base.assign(ds, attributes)


def registration(
    patient: int,
    study: int,
    series: int,
    images: Sequence[Dataset],
    *,
    fixed_frame: str,
    fixed_images: Sequence[Dataset] = (),
    **attributes: Any,
) -> Dataset:
    """Build a spatial registration of one study's images into another frame (PS3.3 A.39.1).

    Parameters
    ----------
    patient, study, series : int
        The integers that name it, each from 1.
    images : sequence of Dataset
        What is moved; of the same study as the registration.
    fixed_frame : str
        FrameOfReferenceUID of the target: another study's, or a registered one such as Talairach's.
    fixed_images : sequence of Dataset
        Images in the target frame, from any study.
    **attributes
        Set last, by keyword.
    """
    ds = base.composite(patient, study, series, 1, sop_class=SpatialRegistrationStorage, modality="REG")
    ds.FrameOfReferenceUID = fixed_frame
    ds.PositionReferenceIndicator = None
    _content(ds, patient, study, label="FOLLOWUP")
    ds.RegistrationSequence = [_registered(fixed_images, fixed_frame)] if fixed_images else []
    ds.RegistrationSequence.append(_registered(images, images[0].FrameOfReferenceUID))
    here = [image for image in (*images, *fixed_images) if image.StudyInstanceUID == ds.StudyInstanceUID]
    there = [image for image in (*images, *fixed_images) if image.StudyInstanceUID != ds.StudyInstanceUID]
    ds.ReferencedSeriesSequence = base.by_series(here)
    if there:
        ds.StudiesContainingOtherReferencedInstancesSequence = [
            base.item(StudyInstanceUID=there[0].StudyInstanceUID, ReferencedSeriesSequence=base.by_series(there))
        ]
    return base.assign(ds, attributes)


def _registered(images: Sequence[Dataset], frame: str) -> Dataset:
    """Say how one frame of reference maps into the registered one."""
    matrix = base.item(FrameOfReferenceTransformationMatrixType="RIGID", FrameOfReferenceTransformationMatrix=IDENTITY)
    return base.item(
        FrameOfReferenceUID=frame,
        ReferencedImageSequence=[base.reference(image) for image in images],
        MatrixRegistrationSequence=[
            base.item(
                RegistrationTypeCodeSequence=[base.code("125025", "DCM", "Visual Alignment")],
                MatrixSequence=[matrix],
            )
        ],
    )


def _content(ds: Dataset, patient: int, study: int, *, label: str) -> None:
    """Add the Content Identification macro (PS3.3 table 10-12)."""
    ds.ContentLabel, ds.ContentDescription = label, None
    ds.ContentCreatorName = people.READING_PHYSICIAN
    ds.ContentDate, ds.ContentTime = base.day_of(patient, study, 1), base.TIME
