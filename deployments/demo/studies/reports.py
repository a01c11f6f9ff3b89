"""Structured report and key object selection: content trees that point at images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, KeyObjectSelectionDocumentStorage

from deployments.demo.studies import base, people
from deployments.demo.studies.uids import CONTENT_MAPPING_RESOURCE, DICOM_TERMINOLOGY, uid


def report(
    patient: int,
    study: int,
    series: int,
    images: Sequence[Dataset],
    *,
    finding: str = "Lesion",
    tracking_uid: str = "",
    **attributes: Any,
) -> Dataset:
    """Build a Comprehensive SR in the manner of TID 1500 (PS3.3 A.35.3, PS3.16 TID 1500).

    Parameters
    ----------
    patient, study, series : int
        The integers that name it, each from 1.
    images : sequence of Dataset
        The evidence; the measurement is drawn on the first.
    finding : str
        Text of the nested finding.
    tracking_uid : str
        Value of the Tracking Unique Identifier item; made from the integers if empty.
    **attributes
        Set last, by keyword.
    """
    ds = base.composite(patient, study, series, 1, sop_class=ComprehensiveSRStorage, modality="SR")
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.ContentDate, ds.ContentTime = base.day_of(patient, study, 1), base.TIME
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "VERIFIED"
    ds.VerifyingObserverSequence = [
        base.item(
            VerifyingObserverName=people.READING_PHYSICIAN,
            VerifyingObserverIdentificationCodeSequence=[],
            VerifyingOrganization=people.hospital(patient).name,
            VerificationDateTime=base.day_of(patient, study, 1) + base.TIME,
        )
    ]
    ds.CodingSchemeIdentificationSequence = [
        base.item(CodingSchemeDesignator="DCM", CodingSchemeRegistry="HL7", CodingSchemeUID=DICOM_TERMINOLOGY)
    ]
    ds.CurrentRequestedProcedureEvidenceSequence = base.by_study(images)
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [
        base.code(
            "126000",
            "DCM",
            "Imaging Measurement Report",
            ContextIdentifier="7021",
            MappingResource="DCMR",
            MappingResourceUID=CONTENT_MAPPING_RESOURCE,
            # the edition of a published table: a date of no one, which no shift may touch
            ContextGroupVersion="20141110",
        )
    ]
    ds.ContinuityOfContent = "SEPARATE"
    ds.ContentTemplateSequence = [base.item(MappingResource="DCMR", TemplateIdentifier="1500")]
    ds.ContentSequence = [
        _node("HAS OBS CONTEXT", "PNAME", "121008", "Person Observer Name", PersonName=people.REVIEWER),
        _node(
            "HAS OBS CONTEXT",
            "UIDREF",
            "121012",
            "Device Observer UID",
            UID=uid(patient, study, series, role="device-observer"),
        ),
        _node("HAS OBS CONTEXT", "PNAME", "121029", "Subject Name", PersonName=ds.PatientName),
        _node("HAS OBS CONTEXT", "TEXT", "121030", "Subject ID", TextValue=ds.PatientID),
        _node("HAS OBS CONTEXT", "DATE", "121031", "Subject Birth Date", Date=ds.PatientBirthDate),
        _node("CONTAINS", "IMAGE", "121080", "Best illustration of finding", **_image(images[-1])),
        _measurements(
            images[0],
            finding,
            tracking_uid or uid(patient, study, series, role="tracking"),
            base.day_of(patient, study, 1) + base.TIME,
        ),
    ]
    return base.assign(ds, attributes)


def key_objects(
    patient: int, study: int, series: int, images: Sequence[Dataset], *, note: str = "", **attributes: Any
) -> Dataset:
    """Build a Key Object Selection that names images of one study (PS3.3 A.35.4, PS3.16 TID 2010)."""
    ds = base.composite(patient, study, series, 1, sop_class=KeyObjectSelectionDocumentStorage, modality="KO")
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ContentDate, ds.ContentTime = base.day_of(patient, study, 1), base.TIME
    ds.CurrentRequestedProcedureEvidenceSequence = base.by_study(images)
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [base.code("113000", "DCM", "Of Interest")]
    ds.ContinuityOfContent = "SEPARATE"
    ds.ContentTemplateSequence = [base.item(MappingResource="DCMR", TemplateIdentifier="2010")]
    ds.ContentSequence = [
        _node("CONTAINS", "TEXT", "113012", "Key Object Description", TextValue=note or "Compare"),
        *(_untitled("CONTAINS", image) for image in images),
    ]
    return base.assign(ds, attributes)


def _node(relation: str, kind: str, value: str, meaning: str, **attributes: Any) -> Dataset:
    """Make a content item whose concept is named by a DCM code (PS3.3 C.17.3)."""
    return base.item(
        RelationshipType=relation,
        ValueType=kind,
        ConceptNameCodeSequence=[base.code(value, "DCM", meaning)],
        **attributes,
    )


def _image(image: Dataset) -> dict[str, Any]:
    """Give the value of an IMAGE content item."""
    return {"ReferencedSOPSequence": [base.reference(image)]}


def _untitled(relation: str, image: Dataset) -> Dataset:
    """Make an IMAGE content item without a concept name."""
    return base.item(RelationshipType=relation, ValueType="IMAGE", **_image(image))


def _measurements(image: Dataset, finding: str, tracking_uid: str, recorded: str) -> Dataset:
    """Nest a measurement group three containers deep."""
    outline = _node(
        "INFERRED FROM",
        "SCOORD",
        "121055",
        "Path",
        GraphicType="POLYLINE",
        GraphicData=[40.0, 54.0, 52.0, 60.0],
        ContentSequence=[_untitled("SELECTED FROM", image)],
    )
    length = base.item(
        RelationshipType="CONTAINS",
        ValueType="NUM",
        ConceptNameCodeSequence=[base.code("410668003", "SCT", "Length")],
        MeasuredValueSequence=[
            base.item(NumericValue="13.4", MeasurementUnitsCodeSequence=[base.code("mm", "UCUM", "millimeter")])
        ],
        ContentSequence=[outline],
    )
    group = _node(
        "CONTAINS",
        "CONTAINER",
        "125007",
        "Measurement Group",
        ContinuityOfContent="SEPARATE",
        ContentSequence=[
            _node("HAS OBS CONTEXT", "TEXT", "112039", "Tracking Identifier", TextValue=finding),
            _node(
                "HAS OBS CONTEXT",
                "UIDREF",
                "112040",
                "Tracking Unique Identifier",
                UID=tracking_uid,
            ),
            _node(
                "CONTAINS",
                "CODE",
                "121071",
                "Finding",
                ConceptCodeSequence=[base.code("108369006", "SCT", "Neoplasm")],
            ),
            _node(
                "CONTAINS",
                "DATETIME",
                "121125",
                "DateTime of Recording of Log Entry",
                DateTime=recorded,
            ),
            length,
        ],
    )
    return _node(
        "CONTAINS",
        "CONTAINER",
        "126010",
        "Imaging Measurements",
        ContinuityOfContent="SEPARATE",
        ContentSequence=[group],
    )
