"""An Orthanc server, a hospital's or the cloud's: questions, bytes, and delivery with proof.

Questions go by pyorthanc, bulk bytes by urllib3: measured on Orthanc 1.10.1, urllib3 in threads copies
five times as many instances a second as httpx does, which pyorthanc stands on.
"""

from __future__ import annotations

from flows.orthanc.attempts import Attempts
from flows.orthanc.client import Orthanc
from flows.orthanc.identifiers import orthanc_id
from flows.orthanc.records import (
    Change,
    Changes,
    Delivery,
    InstanceAtSite,
    Outcome,
    Stored,
    StudyAtSite,
    System,
)

__all__ = [
    "Attempts",
    "Change",
    "Changes",
    "Delivery",
    "InstanceAtSite",
    "Orthanc",
    "Outcome",
    "Stored",
    "StudyAtSite",
    "System",
    "orthanc_id",
]
