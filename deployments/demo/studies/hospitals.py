"""What each hospital receives, study by study, in the order in which modalities make it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deployments.demo.studies import base, companions, images, people, planted, radiotherapy, reports
from deployments.demo.studies.planted import Planted
from deployments.demo.studies.uids import ROOT, TALAIRACH, uid

CT_SLICES: Final = 24
FOLLOW_UP_SLICES: Final = 8
MR_SLICES: Final = 6
SOUTH_CT_SLICES: Final = 10
ABSENT_STUDY: Final = 9  # of patient 1; only ever referenced
MR_WEIGHTINGS: Final = (
    (1, "localizer", ExplicitVRLittleEndian),
    (2, "T1", ImplicitVRLittleEndian),
    (3, "T2", DeflatedExplicitVRLittleEndian),
)


@dataclass(frozen=True)
class Instance:
    """Hold one file and what the pipeline is expected to do with it.

    Parameters
    ----------
    data : bytes
        The file as a modality would send it.
    sop_instance_uid, study_instance_uid, modality : str
        Of the file, so that nobody needs to parse it.
    expected : str
        `loaded` or `held`.
    """

    data: bytes
    sop_instance_uid: str
    study_instance_uid: str
    modality: str
    expected: Literal["loaded", "held"] = "loaded"


def north() -> Iterator[Instance]:
    """Yield what hospital north receives: patient 1 with two studies, patient 2 with one."""
    first = images.ct(1, 1, 1, CT_SLICES)
    yield from _radiotherapy_study(first)
    yield from _follow_up(first)
    yield from _mr_study()


def south() -> Iterator[Instance]:
    """Yield what hospital south receives: patient 3 with a CT and an MR, patient 4 with a screen dump."""
    scan = images.ct(3, 1, 1, SOUTH_CT_SLICES)
    for ds in scan:
        planted.in_descriptions(ds, 3)
        planted.in_patient_attributes(ds, 3)
        planted.in_private(ds, 3, scan[0])
        yield _instance(ds)
    for ds in images.mr(3, 2, 1, MR_SLICES, SeriesDescription=f"T2 {people.person(3).plain_name}"):
        yield _instance(ds, ImplicitVRLittleEndian)
    yield _instance(images.screen_dump(4, 1, 1), expected="held")


@cache
def planted_everywhere() -> tuple[Planted, ...]:
    """List every name, number, date and UID that both hospitals' files hold.

    Names and numbers are listed by hand, so that losing one from the files can be noticed; UIDs and dates
    are collected, so that none can be forgotten.
    """
    uids: set[str] = set()
    dates: set[str] = set()
    for patient, who in people.PATIENTS.items():
        dates |= {base.da(who.birth_date), base.day_of(patient, 1)}
    for instance in (*north(), *south()):
        data = base.inflated(instance.data)
        uids |= {found.decode() for found in re.findall(re.escape(ROOT).encode() + rb"[0-9]+", data)}
        dates |= {found.decode() for found in re.findall(rb"(?<![0-9.])2024[01][0-9][0-3][0-9](?!\.)", data)}
    return (
        *planted.texts(),
        *(Planted("date", one) for one in sorted(dates)),
        *(Planted("uid", one) for one in sorted(uids)),
    )


def _radiotherapy_study(scan: list[Dataset]) -> Iterator[Instance]:
    """Yield patient 1's first study: a CT and seven objects that point into it and at each other."""
    family = people.person(1).plain_name.partition(" ")[0]
    for ds in scan:
        planted.in_descriptions(ds, 1)
        planted.in_patient_attributes(ds, 1)
        planted.in_sequences(ds, 1)
        planted.in_private(ds, 1, scan[0])
    planted.in_overlay(scan[0], 1)
    for ds in scan:
        yield _instance(ds, source_ae_title=planted.SOURCE_AE_TITLE, preamble=planted.PREAMBLE)

    structures = radiotherapy.structure_set(1, 1, 2, scan, StructureSetName=f"PTV {family}")
    structures.StructureSetROISequence[0].ROIName = f"PTV {family}"
    plan = radiotherapy.plan(1, 1, 3, structures, dose_uid=uid(1, 1, 4, 1), RTPlanName=f"Plan {family}")
    dose = radiotherapy.dose(1, 1, 4, plan, structures, DoseComment=f"for {people.person(1).plain_name}")
    planted.in_private(plan, 1, structures)
    yield _instance(structures)
    yield _instance(plan)
    yield _instance(dose)

    mask = companions.segmentation(1, 1, 5, scan[8:16], ContentDescription=f"Lesion of {family}")
    note = f"{people.person(1).plain_name} {people.person(1).patient_id}"
    report = reports.report(1, 1, 6, [*scan[8:16], mask], finding=f"Lesion of {note}")
    # a prior that the hospital never received: this reference dangles and must go on dangling
    report.PertinentOtherEvidenceSequence = base.by_study(images.ct(1, ABSENT_STUDY, 1, 1))
    yield _instance(mask)
    yield _instance(report)
    yield _instance(reports.key_objects(1, 1, 7, [scan[8], scan[9], report], note=f"Show {note}"))
    yield _instance(companions.presentation(1, 1, 8, scan[8:10], note=note))


def _follow_up(before: list[Dataset]) -> Iterator[Instance]:
    """Yield patient 1's second study, whose registration points back into the first."""
    scan = images.ct(1, 2, 1, FOLLOW_UP_SLICES)
    for ds in scan:
        planted.in_descriptions(ds, 1)
        yield _instance(ds)
    fixed = before[:FOLLOW_UP_SLICES]
    yield _instance(
        companions.registration(1, 2, 2, scan, fixed_frame=fixed[0].FrameOfReferenceUID, fixed_images=fixed)
    )


def _mr_study() -> Iterator[Instance]:
    """Yield patient 2's study: three MR series in one frame of reference, and their way to an atlas."""
    series = [(images.mr(2, 1, number, MR_SLICES), syntax) for number, _, syntax in MR_WEIGHTINGS]
    for (scan, syntax), (_, weighting, _) in zip(series, MR_WEIGHTINGS, strict=True):
        others = [ds for other, _ in series if other is not scan for ds in other[:2]]
        images.refer(scan, others)
        for ds in scan:
            planted.in_descriptions(ds, 2)
            planted.in_patient_attributes(ds, 2)
            planted.in_private(ds, 2, others[0])
            ds.SeriesDescription = f"{weighting} {people.person(2).plain_name}"
            yield _instance(ds, syntax)
    yield _instance(companions.registration(2, 1, 4, series[1][0], fixed_frame=TALAIRACH))


def _instance(
    ds: Dataset,
    transfer_syntax: str = ExplicitVRLittleEndian,
    *,
    expected: Literal["loaded", "held"] = "loaded",
    source_ae_title: str = base.SOURCE_AE_TITLE,
    preamble: bytes = b"",
) -> Instance:
    """Write one object."""
    return Instance(
        data=base.to_bytes(ds, transfer_syntax, source_ae_title=source_ae_title, preamble=preamble),
        sop_instance_uid=str(ds.SOPInstanceUID),
        study_instance_uid=str(ds.StudyInstanceUID),
        modality=str(ds.Modality),
        expected=expected,
    )
