"""An Orthanc server, a hospital's or the cloud's: questions, bytes, and delivery with proof.

Questions go by pyorthanc, bulk bytes by urllib3: measured on Orthanc 1.10.1, urllib3 in threads copies
five times as many instances a second as httpx does, which pyorthanc stands on.
"""

from __future__ import annotations

from flows.orthanc.attempts import Attempts
from flows.orthanc.catalogue import Catalogue
from flows.orthanc.client import Orthanc
from flows.orthanc.identifiers import orthanc_id
from flows.orthanc.records import (
    ORTHANCS_TIME,
    Change,
    Changes,
    Delivery,
    InstanceAtSite,
    Origin,
    Outcome,
    SeriesAtSite,
    Size,
    Stored,
    StudyAtSite,
    System,
)

__all__ = [
    "ORTHANCS_TIME",
    "Attempts",
    "Catalogue",
    "Change",
    "Changes",
    "Delivery",
    "InstanceAtSite",
    "Origin",
    "Orthanc",
    "Outcome",
    "SeriesAtSite",
    "Size",
    "Stored",
    "StudyAtSite",
    "System",
    "orthanc_id",
]
