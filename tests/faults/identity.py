"""Faults of identity: UIDs, references, and whatever still says who somebody is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pydicom.dataset import Dataset, FileDataset

from deployments.demo.studies import people
from tests import gate_frames
from tests.faults.outputs import Fault, Outputs, sources

PERSON: Final = people.person(1)
FAMILY, GIVEN = PERSON.plain_name.split(" ")
WRITTEN: Final = PERSON.name.partition("^")[0]
OTHER: Final = "2.25.329800735698586629295641978511506172918"
LEFT: Final = "identifier-left"


def _source(name: str) -> FileDataset:
    outputs = Outputs()
    outputs.files = dict(sources())
    return outputs[name]


def _uids() -> Iterator[Fault]:
    def kept(at: Outputs) -> None:
        at["ct-1"].StudyInstanceUID = _source("ct-1").StudyInstanceUID

    def nested(at: Outputs) -> None:
        frame = at["rtstruct"].ReferencedFrameOfReferenceSequence[0]
        old = _source("rtstruct").ReferencedFrameOfReferenceSequence[0]
        frame.FrameOfReferenceUID = old.FrameOfReferenceUID

    def several(at: Outputs) -> None:
        at["ct-1"].IrradiationEventUID = [at["ct-1"].IrradiationEventUID[0], _source("ct-1").IrradiationEventUID[1]]

    def merged(at: Outputs) -> None:
        at["later-1"].SeriesInstanceUID = at["ct-1"].SeriesInstanceUID

    def registered(at: Outputs) -> None:
        at["rtstruct"].ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].ReferencedSOPClassUID = OTHER

    def became_registered(at: Outputs) -> None:
        at["ct-1"].FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"

    def invalid(at: Outputs) -> None:
        at["ct-1"].SeriesInstanceUID = "2.25.0123"

    def in_meta(at: Outputs) -> None:
        uid = str(at["ct-1"].file_meta.MediaStorageSOPInstanceUID).encode()
        del at["ct-1"]
        at.files["ct-1"] = at.files["ct-1"].replace(uid, uid[:-1] + (b"1" if uid[-1:] != b"1" else b"2"), 1)

    yield Fault("a UID stands as it was", "uid-kept", kept)
    yield Fault("a UID stands as it was, in a sequence", "uid-kept", nested)
    yield Fault("the second value of a UID attribute stands as it was", "uid-kept", several)
    yield Fault("one UID split in two", "uid-split", lambda at: setattr(at["ct-2"], "StudyInstanceUID", OTHER))
    yield Fault("two UIDs merged", "uids-merged", merged)
    yield Fault("a registered UID replaced", "registered-uid-changed", registered)
    yield Fault("a UID became a registered one", "uid-not-mapped", became_registered)
    yield Fault(
        "a UID where the source has none", "uid-not-mapped", lambda at: setattr(at["ct-1"], "DoseReferenceUID", OTHER)
    )
    yield Fault("a UID that is not valid", "uid-invalid", invalid)
    yield Fault("the file meta information names another instance", "uid-split", in_meta)


def _references() -> Iterator[Fault]:
    def sibling(at: Outputs) -> None:
        images = at["rtstruct"].ROIContourSequence[0].ContourSequence
        images[0].ContourImageSequence[0].ReferencedSOPInstanceUID = at["ct-2"].SOPInstanceUID

    def nowhere(at: Outputs) -> None:
        at["rtdose"].ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = OTHER

    def lost(at: Outputs) -> None:
        at["rtplan"].ReferencedStructureSetSequence = []

    def in_a_report(at: Outputs) -> None:
        evidence = at["sr"].CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
        evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = at["rtdose"].SOPInstanceUID

    def added(at: Outputs) -> None:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = at["mr-1"].SOPClassUID, at["mr-1"].SOPInstanceUID
        at["ct-1"].ReferencedImageSequence = [item]

    yield Fault("a contour points at the slice beside its own", "uid-split", sibling)
    yield Fault("a dose points at a plan that is nowhere", "reference-broken", nowhere)
    yield Fault("a plan lost its structure set", "reference-lost", lost)
    yield Fault("the evidence of a report is another object", "uid-split", in_a_report)
    yield Fault("a reference that the source does not have", "reference-broken", added)
    yield Fault(
        "one frame of reference dropped", "reference-lost", lambda at: at["ct-2"].__delattr__("FrameOfReferenceUID")
    )


def _private(value: bytes, vr: str = "OB") -> Callable[[Outputs], None]:
    def breaks(at: Outputs) -> None:
        block = at["ct-1"].private_block(0x0029, "SIEMENS MED SP DXMG WH AWS 1", create=True)
        block.add_new(0x75, vr, value + bytes(len(value) % 2))

    return breaks


def _set(keyword: str, value: object, name: str = "ct-1") -> Callable[[Outputs], None]:
    return lambda at: setattr(at[name], keyword, value)


def _names() -> Iterator[Fault]:
    def deflated(at: Outputs) -> None:
        at["mr-2"].SeriesDescription = people.person(2).name.partition("^")[0]

    def implicit(at: Outputs) -> None:
        at["mr-1"].SeriesDescription = "for ZDENIMÍRA".replace("ZDENIMÍRA", people.person(2).name.partition("^")[2])

    def kanji(at: Outputs) -> None:
        ideographs = people.person(3).name.split("=")[1].partition("^")[0]
        at["kanji"].SeriesDescription = ideographs

    def preamble(at: Outputs) -> None:
        at.files["ct-1"] = FAMILY.encode().ljust(128, b"\0") + at.files["ct-1"][128:]

    def in_meta(at: Outputs) -> None:
        at["ct-1"].file_meta.SourceApplicationEntityTitle = FAMILY[:16]

    def in_version(at: Outputs) -> None:
        at["ct-1"].file_meta.ImplementationVersionName = FAMILY[:16]

    def behind(at: Outputs) -> None:
        text = FAMILY.encode().ljust(32, b"\0")
        at.files["ct-1"] += b"\xfc\xff\xfc\xff" + b"OB\0\0" + len(text).to_bytes(4, "little") + text

    def in_padding(at: Outputs) -> None:
        at["seg"].PixelData += FAMILY.encode().ljust(32, b"\0")

    def in_comment(at: Outputs) -> None:
        comment = gate_frames.segment(0xFE, b"for Quillfeather")
        at["jpeg"].PixelData = gate_frames.items(gate_frames.jpeg(comment))

    def in_an_item(at: Outputs) -> None:
        at["rtstruct"].StructureSetROISequence[0].ROIName = f"PTV {FAMILY}"

    yield Fault("a name in a private OB value", LEFT, _private(f"for {FAMILY}".encode()))
    yield Fault("a name in a private value of VR UN", LEFT, _private(f"for {FAMILY}".encode(), "UN"))
    yield Fault("a name in UTF-8", LEFT, _private(WRITTEN.encode()))
    yield Fault("a name in Latin-1", LEFT, _private(WRITTEN.encode("latin-1")))
    yield Fault("a name in UTF-16, little endian", LEFT, _private(FAMILY.encode("utf-16-le")))
    yield Fault("a name in UTF-16, big endian", LEFT, _private(FAMILY.encode("utf-16-be")))
    yield Fault("a name in ISO 2022", LEFT, kanji)
    yield Fault("a name in lower case", LEFT, _set("ImageComments", f"for {FAMILY.lower()}"))
    yield Fault("a name with a comma", LEFT, _set("ImageComments", f"{FAMILY}, {GIVEN}"))
    yield Fault("a name with a space", LEFT, _set("ImageComments", f"{GIVEN} {FAMILY}"))
    yield Fault("a given name alone", LEFT, _set("SeriesDescription", GIVEN))
    yield Fault("a name in a sequence of a structure set", LEFT, in_an_item)
    yield Fault("a name in a comment of a JPEG", "codestream-metadata", in_comment)
    yield Fault("a name in a deflated data set", LEFT, deflated)
    yield Fault("a name in implicit VR", LEFT, implicit)
    yield Fault("a name in the preamble", LEFT, preamble)
    yield Fault("a name in an attribute of the file meta information that has to go", "left-behind", in_meta)
    yield Fault("a name in one that stays", LEFT, in_version)
    yield Fault("a name in Data Set Trailing Padding", LEFT, behind)
    yield Fault("a name behind the pixels", "pixels-differ", in_padding)
    yield Fault("the name of somebody else", "value-changed", _set("PatientName", "Wiedersprecher^Ottokar"))
    yield Fault("the PatientID of somebody else", "two-patients", _set("PatientID", "DEID-ABCDEFGHIJKLMNOP"))


def _numbers() -> Iterator[Fault]:
    born = PERSON.birth_date
    accession = str(_source("ct-1").AccessionNumber)
    yield Fault("the patient's number in a description", LEFT, _set("StudyDescription", f"old {PERSON.patient_id}"))
    yield Fault("the accession number in a description", LEFT, _set("SeriesDescription", accession))
    yield Fault("the accession number where it was", LEFT, _set("AccessionNumber", accession))
    yield Fault("the day of birth as in the file", LEFT, _set("ImageComments", f"born {born:%Y%m%d}"))
    yield Fault("the day of birth with dashes", LEFT, _set("ImageComments", f"born {born:%Y-%m-%d}"))
    yield Fault("the day of birth with points", LEFT, _set("ImageComments", f"born {born:%d.%m.%Y}"))
    yield Fault("the day of birth with strokes", LEFT, _set("ImageComments", f"born {born:%m/%d/%Y}"))
    yield Fault(
        "the day of birth with a month in letters", LEFT, _set("ImageComments", f"born {born.day} {born:%b %Y}")
    )
    yield Fault("the day of birth as a number, day first", LEFT, _set("ImageComments", f"born {born:%d%m%Y}"))
    yield Fault("the name of the hospital", LEFT, _set("ManufacturerModelName", people.hospital(1).name))
    yield Fault("the serial number of the device", LEFT, _set("ImageComments", people.hospital(1).device_serial))
    yield Fault("the UID of the source in a text", LEFT, _set("ImageComments", str(_source("ct-1").SOPInstanceUID)))


def faults() -> list[Fault]:
    """Return all of them."""
    return [*_uids(), *_references(), *_names(), *_numbers()]
