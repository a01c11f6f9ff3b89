"""The sources, what the engine makes of them, and the gate's verdict over outputs that somebody broke."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
)

from anonymizer import Released
from anonymizer.proof import prove_folder
from deployments.demo import studies
from tests import gate_frames, samples
from tests.gate_samples import as_bytes

NAMES: Final = (
    *("ct-1", "ct-2", "ct-3", "rtstruct", "rtplan", "rtdose", "seg", "sr", "ko", "pr", "pet"),
    *("later-1", "later-2", "mr-1", "mr-2", "kanji", "jpeg"),
)
"""One patient's CT with its companions, a PET image, a second CT study; another one's MR, implicit and deflated; one
whose name is in kanji; a picture that JPEG compressed."""


def _pet() -> Dataset:
    (image,) = studies.ct(1, 1, 9, 1, rows=16, Modality="PT", SOPClassUID=PositronEmissionTomographyImageStorage)
    drug = Dataset()
    drug.RadiopharmaceuticalStartTime, drug.RadionuclideTotalDose = "090000.00", "370000000"
    drug.RadionuclideHalfLife, drug.RadionuclidePositronFraction = "6586.2", "0.97"
    drug.RadiopharmaceuticalStartDateTime = f"{image.StudyDate}090000.00"
    image.RadiopharmaceuticalInformationSequence = [drug]
    image.Units, image.CountsSource, image.DecayCorrection = "BQML", "EMISSION", "START"
    image.CorrectedImage, image.FrameReferenceTime = ["DECY", "ATTN"], "900000"
    image.ActualFrameDuration, image.DecayFactor, image.ImageIndex = "180000", "1.02", 1
    image.SeriesType = ["STATIC", "IMAGE"]
    return image


def _jpeg() -> FileDataset:
    picture = gate_frames.image(gate_frames.items(gate_frames.jpeg()), gate_frames.JPEG)
    del picture[0x00090010:0x000A0000]
    return picture


@cache
def sources() -> dict[str, bytes]:
    """Return the files as a hospital has them, by name."""
    scan = studies.ct(1, 1, 1, 3, rows=16)
    for image in scan:
        image.ImageComments = "head"
    structures = studies.structure_set(1, 1, 2, scan)
    plan = studies.plan(1, 1, 3, structures, dose_uid=studies.uid(1, 1, 4, 1))
    dose = studies.dose(1, 1, 4, plan, structures, rows=8)
    mask = studies.segmentation(1, 1, 5, scan)
    report = studies.report(1, 1, 6, [*scan, mask])
    objects = [*scan, structures, plan, dose, mask, report]
    objects += [studies.key_objects(1, 1, 7, [scan[0], report]), studies.presentation(1, 1, 8, scan[:2]), _pet()]
    objects += studies.ct(1, 2, 1, 2, rows=16)
    first, second = studies.mr(2, 1, 1, 2, rows=16)
    files = [studies.to_bytes(one) for one in objects]
    files.append(studies.to_bytes(first, ImplicitVRLittleEndian))
    files.append(studies.to_bytes(second, DeflatedExplicitVRLittleEndian))
    files.append(studies.to_bytes(studies.ct(3, 1, 1, 1, rows=16)[0]))
    files.append(as_bytes(_jpeg()))
    return dict(zip(NAMES, files, strict=True))


@cache
def clean() -> dict[str, bytes]:
    """Return what the engine makes of them."""
    found = {}
    for name, data in sources().items():
        result = samples.ENGINES["research"].anonymize(data)
        assert isinstance(result, Released), (name, result)
        found[name] = result.data
    return found


class Outputs:
    """Outputs that may be broken: as data sets, or as bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = dict(clean())
        self.reported = list(NAMES)
        self.added: dict[str, bytes] = {}
        self._opened: dict[str, FileDataset] = {}

    def __getitem__(self, name: str) -> FileDataset:
        """Return an output as a data set, which is written again in the end."""
        if name not in self._opened:
            self._opened[name] = pydicom.dcmread(BytesIO(self.files[name]))
        return self._opened[name]

    def __delitem__(self, name: str) -> None:
        """Forget an output's data set: its bytes are what counts."""
        self._opened.pop(name)

    def write(self) -> dict[str, bytes]:
        """Return all files."""
        for name, dataset in self._opened.items():
            if name in self.files:
                self.files[name] = as_bytes(dataset)
        return self.files | self.added


@dataclass(frozen=True)
class Fault:
    """A way to break outputs.

    Parameters
    ----------
    what : str
        Said in a few words.
    kind : str
        The kind of finding that it has to give.
    breaks : callable
        Does it.
    """

    what: str
    kind: str
    breaks: Callable[[Outputs], object] = field(repr=False)


def kinds_of(fault: Fault) -> set[str]:
    """Return the kinds of what `entwash verify` finds after a fault."""
    outputs = Outputs()
    fault.breaks(outputs)
    return {finding["kind"] for finding in proven(outputs)}


def proven(outputs: Outputs) -> list[dict[str, str]]:
    """Return the findings over outputs that stand in a folder, beside their sources in another."""
    with TemporaryDirectory() as folder:
        source, destination, report = Path(folder) / "in", Path(folder) / "out", Path(folder) / "report.json"
        for place, files in ((source, sources()), (destination, outputs.write())):
            place.mkdir()
            for name, data in files.items():
                (place / name).write_bytes(data)
        instances = [{"source": name, "status": "released", "output": name} for name in outputs.reported]
        report.write_text(json.dumps({"instances": instances}))
        findings: list[dict[str, str]] = prove_folder(source, destination, report)["findings"]
        return findings
