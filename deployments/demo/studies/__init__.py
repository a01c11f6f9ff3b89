"""DICOM studies of people who do not exist, for the demo and the tests.

Four integers name an instance: patient, study, series, instance. The same call gives the same bytes in
every process.

=======  =======  =====  =========================================================  =====
site     patient  study  objects                                                    files
=======  =======  =====  =========================================================  =====
north    1        1      24 CT, RTSTRUCT, RTPLAN, RTDOSE, SEG, SR, KO, PR              31
north    1        2      8 CT, REG that points into study 1                             9
north    2        1      three MR series of 6 in one frame of reference, REG           19
south    3        1      10 CT; the PatientID of north's patient 1                     10
south    3        2      6 MR                                                           6
south    4        1      a screen dump that must be held                                1
=======  =======  =====  =========================================================  =====

Every reference inside a site resolves, but for one: the SR of north's first study has evidence in study
`ABSENT_STUDY` of the same patient, which no one ever received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.demo.studies.base import inflated, to_bytes
from deployments.demo.studies.companions import presentation, registration, segmentation
from deployments.demo.studies.hospitals import ABSENT_STUDY, Instance, north, planted_everywhere, south
from deployments.demo.studies.images import ct, mr, refer, screen_dump
from deployments.demo.studies.planted import Planted
from deployments.demo.studies.radiotherapy import dose, plan, structure_set
from deployments.demo.studies.reports import key_objects, report
from deployments.demo.studies.uids import uid

if TYPE_CHECKING:
    PLANTED: tuple[Planted, ...]

__all__ = [
    "ABSENT_STUDY",
    "PLANTED",
    "Instance",
    "Planted",
    "ct",
    "dose",
    "inflated",
    "key_objects",
    "mr",
    "north",
    "plan",
    "presentation",
    "refer",
    "registration",
    "report",
    "screen_dump",
    "segmentation",
    "south",
    "structure_set",
    "to_bytes",
    "uid",
]


def __getattr__(name: str) -> object:
    """Collect `PLANTED` when it is first asked for: that writes every study once."""
    if name == "PLANTED":
        return planted_everywhere()
    raise AttributeError(name)
