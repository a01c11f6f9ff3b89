"""Faults of content: dates, numbers, codes, pictures, plans, what an output claims, and whether it is still DICOM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from pydicom.dataset import Dataset

from tests.faults.identity import _set, _source
from tests.faults.outputs import Fault, Outputs

DIFFER, CHANGED, ADDED, LOST = "pixels-differ", "value-changed", "value-added", "value-lost"


def later(day: str, days: int) -> str:
    """Return a DA moved by days; what stands behind the day stays."""
    moved = date(int(day[:4]), int(day[4:6]), int(day[6:8])) + timedelta(days=days)
    return f"{moved:%Y%m%d}{day[8:]}"


def _at(name: str, change: Callable[[Dataset], object]) -> Callable[[Outputs], None]:
    def breaks(at: Outputs) -> None:
        change(at[name])

    return breaks


def _dates() -> Iterator[Fault]:
    def by(keyword: str, days: int, name: str = "ct-1") -> Callable[[Outputs], None]:
        return _at(name, lambda ds: setattr(ds, keyword, later(str(ds[keyword].value), days)))

    def nested(at: Outputs) -> None:
        drug = at["pet"].RadiopharmaceuticalInformationSequence[0]
        drug.RadiopharmaceuticalStartDateTime = later(str(drug.RadiopharmaceuticalStartDateTime), 1)

    def clock(at: Outputs) -> None:
        drug = at["pet"].RadiopharmaceuticalInformationSequence[0]
        drug.RadiopharmaceuticalStartDateTime = str(drug.RadiopharmaceuticalStartDateTime)[:8] + "091500.00"

    def sister(at: Outputs) -> None:
        for name in ("later-1", "later-2"):
            for element in at[name].iterall():
                if element.VR == "DA" and element.value:
                    element.value = later(str(element.value), -7)

    def standing(at: Outputs) -> None:
        at["ct-1"].StudyDate = _source("ct-1").StudyDate

    yield Fault("an original date stands", "date-not-moved", standing)
    yield Fault("a date one day off, in an item", "dates-torn", nested)
    yield Fault("a date one week off", "dates-torn", by("SeriesDate", 7))
    yield Fault("an interval torn between two files", "dates-torn", by("StructureSetDate", -7, "rtstruct"))
    yield Fault("a study moved apart from its sister", "dates-torn", sister)
    yield Fault("a date in the future", "dates-torn", _set("ContentDate", "20990105"))
    yield Fault("a date-time whose time changed", "dates-torn", clock)
    yield Fault("a date where the source has none", "date-not-moved", _set("DateOfSecondaryCapture", "20150101"))
    yield Fault("a date that nobody can read", "date-not-moved", _set("AcquisitionDate", "20231345"))
    yield Fault("a time that changed", CHANGED, _set("SeriesTime", "100501"))


def _pictures() -> Iterator[Fault]:
    def bit(at: Outputs) -> None:
        pixels = bytearray(at["ct-1"].PixelData)
        pixels[77] ^= 1
        at["ct-1"].PixelData = bytes(pixels)

    def exchanged(at: Outputs) -> None:
        one, two = at["ct-1"], at["ct-2"]
        one.PixelData, two.PixelData = two.PixelData, one.PixelData

    def blanked(at: Outputs) -> None:
        pixels = bytearray(at["ct-3"].PixelData)
        pixels[:64] = bytes(64)
        assert pixels != at["ct-3"].PixelData
        at["ct-3"].PixelData = bytes(pixels)

    def coded(at: Outputs) -> None:
        pixels = bytearray(at["jpeg"].PixelData)
        pixels[pixels.index(b"\x12\xff\0\x34")] ^= 1
        at["jpeg"].PixelData = bytes(pixels)

    def group(ds: Dataset) -> Dataset:
        shared: Dataset = ds.SharedFunctionalGroupsSequence[0]
        return shared

    def plane(ds: Dataset) -> Dataset:
        found: Dataset = ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
        return found

    def missing(at: Outputs) -> None:
        del at.files["ct-2"]

    def unnamed(at: Outputs) -> None:
        del at.files["ct-2"]
        at.reported.remove("ct-2")

    yield Fault("one slice missing", "output-missing", missing)
    yield Fault("one slice missing, and not reported", "source-unreported", unnamed)
    yield Fault("one slice added", "output-added", lambda at: at.added.update({"ct-4": at.files["ct-3"]}))
    yield Fault("the pixels of two slices exchanged", DIFFER, exchanged)
    yield Fault("one bit of one pixel", DIFFER, bit)
    yield Fault("one bit of a compressed picture", DIFFER, coded)
    yield Fault("a region blanked without a rule", DIFFER, blanked)
    yield Fault("the pixels gone", DIFFER, _at("ct-1", lambda ds: ds.__delattr__("PixelData")))
    yield Fault("frames counted otherwise", DIFFER, _set("NumberOfFrames", 1, "rtdose"))
    yield Fault("a spacing rounded", DIFFER, _set("PixelSpacing", ["15.9", "15.9"]))
    yield Fault("an orientation turned", DIFFER, _set("ImageOrientationPatient", [0, 1, 0, 1, 0, 0]))
    yield Fault("a position moved", DIFFER, _set("ImagePositionPatient", [-128, -128, 0.5]))
    yield Fault(
        "a spacing in functional groups",
        DIFFER,
        _at("seg", lambda ds: setattr(group(ds).PixelMeasuresSequence[0], "PixelSpacing", [1, 1])),
    )
    yield Fault(
        "a position in functional groups",
        DIFFER,
        _at("seg", lambda ds: setattr(plane(ds), "ImagePositionPatient", [0, 0, 9])),
    )
    yield Fault("a functional group gone", LOST, _at("seg", lambda ds: group(ds).__delattr__("PixelMeasuresSequence")))
    yield Fault(
        "a frame's functional groups gone", CHANGED, _at("seg", lambda ds: ds.PerFrameFunctionalGroupsSequence.pop())
    )
    yield Fault("a rescale slope", DIFFER, _set("RescaleSlope", 2))
    yield Fault("a rescale intercept gone", DIFFER, _at("ct-1", lambda ds: ds.__delattr__("RescaleIntercept")))
    yield Fault("a window", CHANGED, _set("WindowWidth", 400))
    yield Fault("the sign of the pixels", DIFFER, _set("PixelRepresentation", 0))
    yield Fault(
        "a segment's number", CHANGED, _at("seg", lambda ds: setattr(ds.SegmentSequence[0], "SegmentNumber", 2))
    )


def _uptake() -> Iterator[Fault]:
    def drug(keyword: str, value: object) -> Callable[[Outputs], None]:
        return _at("pet", lambda ds: setattr(ds.RadiopharmaceuticalInformationSequence[0], keyword, value))

    yield Fault("the dose of a radiopharmaceutical", CHANGED, drug("RadionuclideTotalDose", 370000001))
    yield Fault("the dose of a radiopharmaceutical emptied", LOST, drug("RadionuclideTotalDose", None))
    yield Fault("a half life that became a dummy", CHANGED, drug("RadionuclideHalfLife", 0))
    yield Fault("the time of an injection", CHANGED, drug("RadiopharmaceuticalStartTime", "090100.00"))
    yield Fault("a patient's weight", CHANGED, _set("PatientWeight", "70", "pet"))
    yield Fault("a decay correction", CHANGED, _set("DecayCorrection", "ADMIN", "pet"))
    yield Fault("units", CHANGED, _set("Units", "CNTS", "pet"))
    yield Fault(
        "the radiopharmaceutical gone",
        LOST,
        _at("pet", lambda ds: ds.__delattr__("RadiopharmaceuticalInformationSequence")),
    )


def _plans() -> Iterator[Fault]:
    def contour(at: Outputs) -> None:
        at["rtstruct"].ROIContourSequence[1].ContourSequence[0].ContourData[0] = "-20.5"

    def dropped(at: Outputs) -> None:
        at["rtstruct"].ROIContourSequence[1].ContourSequence.pop()

    def region(at: Outputs) -> None:
        one, two = at["rtstruct"].ROIContourSequence
        one.ReferencedROINumber, two.ReferencedROINumber = two.ReferencedROINumber, one.ReferencedROINumber

    def control(keyword: str, value: object) -> Callable[[Outputs], None]:
        return _at("rtplan", lambda ds: setattr(ds.BeamSequence[0].ControlPointSequence[0], keyword, value))

    yield Fault("a point of a contour", CHANGED, contour)
    yield Fault("a contour gone", CHANGED, dropped)
    yield Fault("a region's contours are another one's", CHANGED, region)
    yield Fault(
        "the number of a region",
        CHANGED,
        _at("rtstruct", lambda ds: setattr(ds.StructureSetROISequence[0], "ROINumber", 7)),
    )
    yield Fault("the scale of a dose", CHANGED, _set("DoseGridScaling", "0.01", "rtdose"))
    yield Fault("the planes of a dose", CHANGED, _set("GridFrameOffsetVector", ["0", "3"], "rtdose"))
    yield Fault(
        "a dose-volume histogram",
        CHANGED,
        _at("rtdose", lambda ds: setattr(ds.DVHSequence[0], "DVHData", ["30", "12.5", "31", "4.0"])),
    )
    yield Fault("an isocenter", CHANGED, control("IsocenterPosition", ["0", "0", "1"]))
    yield Fault("the angle of a gantry", CHANGED, control("GantryAngle", "180"))
    yield Fault("the opening of a beam", CHANGED, _at("rtplan", _opened))
    yield Fault("the monitor units of a beam", CHANGED, _at("rtplan", _metered))
    yield Fault("the beams gone", LOST, _at("rtplan", lambda ds: setattr(ds, "BeamSequence", [])))


def _opened(plan: Dataset) -> None:
    device = plan.BeamSequence[0].ControlPointSequence[0].BeamLimitingDevicePositionSequence[0]
    device.LeafJawPositions = ["-50", "60"]


def _metered(plan: Dataset) -> None:
    plan.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset = "121"


def _values() -> Iterator[Fault]:
    def code(at: Outputs) -> None:
        at["seg"].SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue = "86049000"

    def meaning(at: Outputs) -> None:
        at["seg"].SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning = "Something else"

    def item(at: Outputs) -> None:
        told = Dataset()
        told.CodeValue, told.CodingSchemeDesignator, told.CodeMeaning = "1", "99LOCAL", "Told"
        at["ct-1"].ProcedureCodeSequence = [told]

    def private(at: Outputs) -> None:
        at["ct-1"].private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "1000")

    yield Fault("a number that changed", CHANGED, _set("KVP", "121"))
    yield Fault("a number that became zero", CHANGED, _set("ExposureTime", "0"))
    yield Fault("a text that the source does not have", ADDED, _set("AcquisitionComments", "looks well"))
    yield Fault("another text than the source's", CHANGED, _set("ImageComments", "chest"))
    yield Fault("a code that the source does not have", ADDED, _set("PatientOrientation", ["L", "P"]))
    yield Fault("a coded string replaced", CHANGED, _set("BodyPartExamined", "CHEST"))
    yield Fault("a code replaced", CHANGED, code)
    yield Fault("a code that means something else", CHANGED, meaning)
    yield Fault("a sequence that the source does not have", ADDED, item)
    yield Fault("a private attribute that the source does not have", ADDED, private)
    yield Fault("the sex of a patient", CHANGED, _set("PatientSex", "O"))
    yield Fault("the age of a patient", CHANGED, _set("PatientAge", "031Y"))
    yield Fault("texts in another character set", CHANGED, _set("SpecificCharacterSet", "ISO_IR 144"))
    yield Fault("the character set gone", LOST, _at("kanji", lambda ds: ds.__delattr__("SpecificCharacterSet")))


def _claims() -> Iterator[Fault]:
    def without(code: str) -> Callable[[Outputs], None]:
        def change(ds: Dataset) -> None:
            kept = [item for item in ds.DeidentificationMethodCodeSequence if item.CodeValue != code]
            assert len(kept) < len(ds.DeidentificationMethodCodeSequence)
            ds.DeidentificationMethodCodeSequence = kept

        return _at("ct-1", change)

    def silent(ds: Dataset) -> None:
        del ds.DeidentificationMethod, ds.DeidentificationMethodCodeSequence

    def told(ds: Dataset) -> None:
        ds.DeidentificationMethodCodeSequence[0].CodeMeaning = "As Okonjima asked"

    missing = "marker-missing"
    yield Fault("a text in the place of a program's name", "marker-wrong", _set("DeidentificationMethod", "by hand"))
    yield Fault("a text in the place of what a claim means", "marker-wrong", _at("ct-1", told))
    yield Fault(
        "PatientIdentityRemoved gone", missing, _at("ct-1", lambda ds: ds.__delattr__("PatientIdentityRemoved"))
    )
    yield Fault("PatientIdentityRemoved says no", missing, _set("PatientIdentityRemoved", "NO"))
    yield Fault("what was done to dates is not said", missing, _set("LongitudinalTemporalInformationModified", ""))
    yield Fault("no method at all", missing, _at("ct-1", silent))
    yield Fault("the Basic Profile not claimed", missing, without("113100"))
    yield Fault("moved dates not claimed", missing, without("113107"))
    yield Fault("patient characteristics not claimed", missing, without("113108"))
    yield Fault(
        "dates that are said to be gone", "date-not-moved", _set("LongitudinalTemporalInformationModified", "REMOVED")
    )


def _encoding() -> Iterator[Fault]:
    def syntax(at: Outputs) -> None:
        explicit, implicit = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"
        assert explicit in at.files["ct-1"]
        at.files["ct-1"] = at.files["ct-1"].replace(explicit, implicit, 1)

    def coded(at: Outputs) -> None:
        at.files["jpeg"] = at.files["jpeg"].replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.80", 1)

    def turned(at: Outputs) -> None:
        old, data = b"\x08\x00\x60\x00CS\x02\0CT", at.files["ct-1"]
        assert old in data
        at.files["ct-1"] = data.replace(old, b"") + old

    def odd(at: Outputs) -> None:
        old, data = b"\x08\x00\x60\x00CS\x02\0CT", at.files["ct-1"]
        at.files["ct-1"] = data.replace(old, b"\x08\x00\x60\x00CS\x03\0CT ")

    def unheard(at: Outputs) -> None:
        at.files["ct-1"] = at.files["ct-1"].replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00LO")

    def twice(at: Outputs) -> None:
        old, data = b"\x08\x00\x60\x00CS\x02\0CT", at.files["ct-1"]
        at.files["ct-1"] = data.replace(old, old + old)

    def cut(at: Outputs) -> None:
        at.files["ct-1"] = at.files["ct-1"][:-1]

    def length(at: Outputs) -> None:
        data = bytearray(at.files["ct-1"])
        data[140] += 2
        at.files["ct-1"] = bytes(data)

    invalid, unreadable = "not-dicom", "unreadable"
    yield Fault("a transfer syntax that the file is not in", unreadable, syntax)
    yield Fault("a transfer syntax that the frames are not in", DIFFER, coded)
    yield Fault("elements out of order", invalid, turned)
    yield Fault("a value of odd length", invalid, odd)
    yield Fault("another value representation than the dictionary's", invalid, unheard)
    yield Fault("the same element twice", unreadable, twice)
    yield Fault("a file that ends too soon", unreadable, cut)
    yield Fault("file meta information of another length than it says", invalid, length)


def faults() -> list[Fault]:
    """Return all of them."""
    return [*_dates(), *_pictures(), *_uptake(), *_plans(), *_values(), *_claims(), *_encoding()]
