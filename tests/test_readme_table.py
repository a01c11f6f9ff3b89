"""The README's table of what is changed, held to what the engine does: each row by its words and by an instance."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import JPEGBaseline8Bit, KeyObjectSelectionDocumentStorage, SurfaceSegmentationStorage

from anonymizer.engine.private import safe_private_rows
from tests import samples
from tests.gate_frames import image, items, jpeg, segment, written
from tests.samples import CONTENT, UNLISTED_SEQUENCE, code, element, item, output, sequence, tag

TABLE = (
    (Path(__file__).resolve().parents[1] / "README.md")
    .read_text(encoding="utf-8")
    .split("## What is changed in a data set")[1]
    .split("### Profiles", maxsplit=1)[0]
)
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", TABLE, flags=re.MULTILINE))
del ROWS["what"]

Check = Callable[[], None]
OF_ROW: dict[str, tuple[tuple[str, ...], Check]] = {}
"""By the beginning of a row: what it has to say, and how that is seen."""


def row(start: str, *says: str) -> Callable[[Check], Check]:
    def noted(check: Check) -> Check:
        OF_ROW[start] = (says, check)
        return check

    return noted


def both(*elements: bytes) -> tuple[FileDataset, FileDataset]:
    """Return what `basic` and `research` make of a CT with these elements."""
    data = samples.ct(*elements)
    return output(data, "basic"), output(data)


def text(keyword: str, vr: str, value: str) -> bytes:
    return element(tag(keyword), vr, value)


def named(sop_class: str, *elements: bytes) -> bytes:
    """Return an object without a picture."""
    return samples.file(samples.merged(samples.common(sop_class=sop_class), elements), sop_class=sop_class)


@row("UIDs of instances", "everything else that is not registered", "`2.25.`", "the same for the same UID")
def uids() -> None:
    nested = sequence(UNLISTED_SEQUENCE, item(text("UID", "UI", samples.STUDY)))
    atlas = "1.2.840.10008.1.4.1.1"
    for at in both(nested, text("FrameOfReferenceUID", "UI", atlas)):
        assert at.StudyInstanceUID.startswith("2.25.")
        assert at.StudyInstanceUID == at[UNLISTED_SEQUENCE].value[0].UID
        assert (at.SOPClassUID, at.FrameOfReferenceUID) == ("1.2.840.10008.5.1.4.1.1.2", atlas)


@row("PatientID, PatientName", "`DEID-`", "`DEIDENTIFIED^`", "16 characters", "an issuer counts")
def patient() -> None:
    codes = []
    for at in (*both(), *both(text("IssuerOfPatientID", "LO", "ELSEWHERE"))):
        (found,) = re.findall(r"^DEID-([A-Z2-7]{16})$", at.PatientID)
        assert at.PatientName == f"DEIDENTIFIED^{found}"
        codes.append(found)
    assert codes[0] == codes[1] != codes[2] == codes[3]


@row("AccessionNumber, StudyID", "16 characters", "empty accession number stays empty")
def numbers() -> None:
    for at in both(text("StudyID", "SH", "4711")):
        assert all(re.fullmatch("[A-Z2-7]{16}", one) for one in (at.AccessionNumber, at.StudyID))
    assert [at.AccessionNumber for at in both(text("AccessionNumber", "SH", ""))] == ["", ""]


@row("dates", "the same whole weeks, one to ten years", "times stay", "1 January 1900 where a value must be")
def dates() -> None:
    given = {"StudyDate": "20170314", "SeriesDate": "20161224", "AcquisitionDate": "20170101"}
    dated = [text(one, "DA", day) for one, day in given.items()]
    basic, research = both(*dated, text("StudyTime", "TM", "101112"), text("AcquisitionTime", "TM", "101112"))
    back = {(_day(day) - _day(research[one].value)).days for one, day in given.items()}
    (days,) = back
    assert days % 7 == 0
    assert 364 <= days <= 3640
    assert research.StudyTime == research.AcquisitionTime == "101112"
    assert (basic.StudyDate, basic.StudyTime) == ("", "")
    assert not {"SeriesDate", "AcquisitionDate", "AcquisitionTime"} & set(basic.dir())
    document = named(KeyObjectSelectionDocumentStorage, text("ContentDate", "DA", "20170314"))
    assert output(document, "basic").ContentDate == "19000101"


def _day(value: object) -> date:
    return date.fromisoformat(str(value))


@row("sex, age", "over 89 becomes `090Y`", "`research`: stay.", "`basic`: gone or empty")
def characteristics() -> None:
    given = [
        *(("PatientSex", "CS", "F"), ("PatientAge", "AS", "095Y"), ("PatientSize", "DS", "1.7")),
        *(("PatientWeight", "DS", "77"), ("SmokingStatus", "CS", "NO"), ("EthnicGroup", "SH", "X")),
    ]
    pregnant = samples.us(tag("PregnancyStatus"), 4)
    basic, research = both(*(text(*one) for one in given), pregnant)
    assert (research.PatientSex, research.PatientAge, research.PatientSize) == ("F", "090Y", 1.7)
    assert (research.PatientWeight, research.SmokingStatus, research.EthnicGroup) == (77, "NO", "X")
    assert research.PregnancyStatus == 4
    assert all(not basic.get(keyword) for keyword in (*(one[0] for one in given), "PregnancyStatus"))


@row("names, addresses", "gone, empty, or `DEIDENTIFIED` where a value must be")
def names() -> None:
    given = [
        *(("ReferringPhysicianName", "PN"), ("PatientAddress", "LO"), ("PatientTelephoneNumbers", "SH")),
        *(("InstitutionName", "LO"), ("OperatorsName", "PN"), ("StationName", "SH"), ("DeviceSerialNumber", "LO")),
    ]
    for at in both(*(text(*one, "Quill") for one in given)):
        assert all(not at.get(keyword) for keyword, _ in given)
    made = named(SurfaceSegmentationStorage, text("DeviceSerialNumber", "LO", "Quill"))
    assert output(made).DeviceSerialNumber == output(made, "basic").DeviceSerialNumber == "DEIDENTIFIED"


@row("descriptions of studies", "stay when every word is in", "Else gone")
def descriptions() -> None:
    given = ("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments")
    kinds = {"ImageComments": "LT"}
    for words, stays in (("CHEST AX", True), ("CHEST of Quillfeather", False)):
        basic, research = both(*(text(one, kinds.get(one, "LO"), words) for one in given))
        assert all((research.get(one) == words) == stays and (one in research) == stays for one in given)
        assert all(one not in basic for one in given)


@row("private attributes", "`research`: those stay that the standard lists as safe", "Else gone")
def private() -> None:
    creator, group, low, _ = next(one for one in safe_private_rows() if one[3] == "DS")
    safe, other = group << 16 | 0x1000 | low, 0x000B1001
    elements = [
        *(element(group << 16 | 0x10, "LO", creator), element(safe, "DS", "7.25")),
        *(element(0x000B0010, "LO", "ZQ"), element(other, "DS", "7.25")),
    ]
    basic, research = both(*elements)
    assert (safe in research, other in research, safe in basic, other in basic) == (True, False, False, False)


@row("overlays", "gone")
def overlays() -> None:
    gone = {
        **{0x60000010: "US", 0x60003000: "OW", 0x60004000: "LT", 0x50003000: "OW", 0x04000550: "SQ"},
        **{0x04000500: "SQ", 0xFFFAFFFA: "SQ", 0x00189998: "LO"},
    }
    elements = [sequence(one, item()) if vr == "SQ" else element(one, vr, bytes(2)) for one, vr in gone.items()]
    for at in both(*elements):
        assert not [one for one in gone if one in at]


@row("codes", "stay with the meaning that a public terminology gives them", "a hospital's own become dummies")
def codes() -> None:
    concept = tag("ViewCodeSequence")
    for at in both(sequence(concept, code("51185008", "SCT", "Chest"), code("Q1", "99ZQ", "Quill"))):
        public, own = at[concept].value
        assert (public.CodeValue, public.CodeMeaning) == ("51185008", "Chest")
        assert (own.CodeValue, own.CodeMeaning) == ("DEIDENTIFIED", "DEIDENTIFIED")


@row("text that no row", "a dummy, unless a device or the standard writes it", "tracers, windows and views stay when")
def unlisted() -> None:
    given = {"ManufacturerRelatedModelGroup": "CHEST", "Manufacturer": "ZQ", "WindowCenterWidthExplanation": "LUNG"}
    basic, research = both(*(text(one, "LO", value) for one, value in given.items()))
    dummy = "DEIDENTIFIED"
    assert [basic[one].value for one in given] == [dummy, "ZQ", dummy]
    assert [research[one].value for one in given] == [dummy, "ZQ", "LUNG"]
    assert both(text("WindowCenterWidthExplanation", "LO", "Quill"))[1].WindowCenterWidthExplanation == dummy


@row("content of reports", "structure and references stay", "every text, name, number and code becomes a dummy")
def content() -> None:
    number = sequence(tag("MeasuredValueSequence"), item(text("NumericValue", "DS", "77")))
    coded = sequence(tag("ConceptCodeSequence"), code("51185008", "SCT", "Chest"))
    reference = sequence(tag("ReferencedSOPSequence"), item(text("ReferencedSOPInstanceUID", "UI", samples.INSTANCE)))
    written_in = [text("TextValue", "UT", "CHEST"), text("PersonName", "PN", "Quill"), number, coded, reference]
    for profile in ("basic", "research"):
        at = output(samples.report(*written_in), profile)
        (inside,) = at[CONTENT].value
        assert inside.RelationshipType == "CONTAINS"
        assert (inside.TextValue, inside.PersonName) == ("DEIDENTIFIED", "DEIDENTIFIED^DUMMY")
        assert inside.MeasuredValueSequence[0].NumericValue == 0
        assert inside.ConceptCodeSequence[0].CodeMeaning == "DEIDENTIFIED"
        assert inside.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == at.SOPInstanceUID


@row("pixels", "not a bit changes", "comments, application data", "icons and other pictures inside sequences are gone")
def pixels() -> None:
    icon = sequence(tag("IconImageSequence"), item(*samples.picture()))
    inside = sequence(UNLISTED_SEQUENCE, item(*samples.picture()))
    for at in both(icon, inside):
        assert at.PixelData == bytes(range(32))
        assert "IconImageSequence" not in at
        assert "PixelData" not in at[UNLISTED_SEQUENCE].value[0]
    told = segment(0xFE, b"Quill"), segment(0xE5, b"Quill")
    compressed = written(image(items(jpeg(*told)), JPEGBaseline8Bit))
    assert b"Quill" in compressed
    assert b"Quill" not in samples.released(compressed)


@row("preamble", "new")
def around() -> None:
    title = element(0x00020016, "AE", "ZQSENDER")
    at = pydicom.dcmread(BytesIO(samples.released(samples.ct(preamble=b"Z" * 128, more_meta=title))))
    assert (at.preamble, "SourceApplicationEntityTitle" in at.file_meta) == (bytes(128), False)


@row("Patient Identity Removed", "say what was done")
def markers() -> None:
    for at, modified in zip(both(), ("REMOVED", "MODIFIED"), strict=True):
        assert (at.PatientIdentityRemoved, at.LongitudinalTemporalInformationModified) == ("YES", modified)
        assert at.DeidentificationMethod
        assert at.DeidentificationMethodCodeSequence[0].CodeValue == "113100"


def test_every_row_of_the_table_is_tried_and_no_other() -> None:
    assert len(ROWS) == len(OF_ROW)
    assert all(sum(what.startswith(start) for what in ROWS) == 1 for start in OF_ROW)


@pytest.mark.parametrize("start", OF_ROW)
def test_a_row_says_what_is_tried_and_the_engine_does_it(start: str) -> None:
    says, check = OF_ROW[start]
    (line,) = (f"{what} | {becomes}" for what, becomes in ROWS.items() if what.startswith(start))
    assert [words for words in says if words not in line] == []
    check()
