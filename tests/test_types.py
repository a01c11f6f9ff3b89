"""What an IOD requires of an attribute of Table E.1-1 where it stands."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid

from anonymizer import TableError
from anonymizer.engine import types
from anonymizer.engine.tables import confidentiality_rows, sop_classes
from anonymizer.engine.types import UNDEFINED, UNKNOWN, Place, place_of
from tests import condense_types
from tests.samples import tag

SOURCE = Path(__file__).parents[2] / "shared/data/ps315"
SHIPPED = files("anonymizer").joinpath("tables", "types.json").read_text(encoding="utf-8")
STRICTER = {"1": 1, "1C": 1, "2": 2, "2C": 2, "3": 3}

needs_source = pytest.mark.skipif(
    not (SOURCE / condense_types.TYPES_BY_MODULE).is_file(), reason="the source of the Types is not beside this project"
)


def inside(sop_class: str, *sequences: str) -> Place:
    """Return the place of a SOP class that sequences lead to, each in the one before it."""
    place = place_of(sop_class)
    for sequence in sequences:
        place = place.child(tag(sequence))
    return place


def type_of(sop_class: str, path: str) -> str:
    """Return the Type of the attribute at the end of a path such as ``ContentSequence/PersonName``."""
    *sequences, keyword = path.split("/")
    return inside(sop_class, *sequences).type_of(tag(keyword))


@cache
def source() -> tuple[dict[str, dict[str, str]], dict[str, list[dict[str, str]]], dict[str, str]]:
    """Return the source: Types by module, modules by IOD, IODs by SOP class."""
    names = (condense_types.TYPES_BY_MODULE, condense_types.MODULES_BY_IOD, condense_types.IOD_BY_SOP_CLASS)
    first, second, third = (json.loads((SOURCE / name).read_text(encoding="utf-8")) for name in names)
    return first, second, third


def required(iod: str) -> dict[str, str]:
    """Return by path what the source says of an IOD, by the plainest means: the strictest over its modules."""
    by_module, modules, _ = source()
    strictest: dict[str, int] = {}
    for module in modules[iod]:
        for path, found in by_module.get(module["key"], {}).items():
            strictest[path] = min(STRICTER[found], strictest.get(path, 3))
    uids = condense_types.replaced()
    return {path: str(number) for path, number in strictest.items() if path.split("/")[-1] not in uids}


@pytest.mark.parametrize(
    ("sop_class", "path", "expected"),
    [
        (uid.CTImageStorage, "DeviceSerialNumber", "3"),
        (uid.EnhancedCTImageStorage, "DeviceSerialNumber", "1"),
        (uid.SegmentationStorage, "DeviceSerialNumber", "1"),
        (uid.CTImageStorage, "ContentDate", "2"),
        (uid.EnhancedMRImageStorage, "ContentDate", "1"),
        (uid.ComprehensiveSRStorage, "ContentDate", "1"),
        (uid.RTPlanStorage, "ContentDate", ""),
        (uid.CTImageStorage, "ReferencedPerformedProcedureStepSequence", "3"),
        (uid.EnhancedCTImageStorage, "ReferencedPerformedProcedureStepSequence", "1"),
        (uid.ComprehensiveSRStorage, "ReferencedPerformedProcedureStepSequence", "2"),
        (uid.GrayscaleSoftcopyPresentationStateStorage, "PresentationCreationDate", "1"),
        (uid.CTImageStorage, "PresentationCreationDate", ""),
        (uid.PositronEmissionTomographyImageStorage, "SeriesDate", "1"),
        (uid.CTImageStorage, "SeriesDate", "3"),
        (uid.PositronEmissionTomographyImageStorage, "AcquisitionDate", "2"),
        (uid.MRImageStorage, "AcquisitionDateTime", "3"),
        (uid.EnhancedMRImageStorage, "AcquisitionDateTime", "1"),
        (uid.CTImageStorage, "PatientID", "2"),
        (uid.CTImageStorage, "OtherPatientIDsSequence/PatientID", "1"),
        (uid.CTImageStorage, "VerifyingObserverSequence", ""),
        (uid.ComprehensiveSRStorage, "VerifyingObserverSequence", "1"),
        (uid.KeyObjectSelectionDocumentStorage, "VerifyingObserverSequence", ""),
        (uid.RTStructureSetStorage, "StructureSetLabel", "1"),
        (uid.RTStructureSetStorage, "StructureSetROISequence/ROIName", "2"),
        (uid.RTBeamsTreatmentRecordStorage, "TreatmentDate", "2"),
        (uid.TwelveLeadECGWaveformStorage, "WaveformAnnotationSequence", "1"),
    ],
)
def test_the_type_is_that_of_the_iod_that_the_sop_class_has(sop_class: str, path: str, expected: str) -> None:
    assert type_of(sop_class, path) == expected


def test_of_two_modules_with_the_same_attribute_the_stricter_decides() -> None:
    # Device Serial Number is Type 3 in General Equipment and 1 in Enhanced General Equipment, whichever comes first.
    modules: list[dict[str, Any]] = [{"DeviceSerialNumber": "3"}, {"DeviceSerialNumber": "1"}]
    number = tag("DeviceSerialNumber")
    assert Place(modules).type_of(number) == Place(reversed(modules)).type_of(number) == "1"


def test_what_two_modules_define_inside_one_sequence_is_all_there() -> None:
    series, names = tag("RequestAttributesSequence"), ("AccessionNumber", "RequestedProcedureID")
    place = Place([{"RequestAttributesSequence/": {name: "2"}} for name in names]).child(series)
    assert [place.type_of(tag(name)) for name in names] == ["2", "2"]


@pytest.mark.parametrize("groups", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
@pytest.mark.parametrize(
    "sop_class", [uid.EnhancedCTImageStorage, uid.SegmentationStorage, "1.2.840.10008.5.1.4.1.1.481.24"]
)
def test_functional_groups_are_known_whether_shared_or_per_frame(sop_class: str, groups: str) -> None:
    assert type_of(sop_class, f"{groups}/FrameContentSequence/FrameAcquisitionDateTime") == "1"
    assert type_of(sop_class, f"{groups}/FrameContentSequence/FrameComments") == "3"
    assert type_of(sop_class, "FrameContentSequence/FrameComments") == ""


@pytest.mark.parametrize(
    "sop_class",
    [uid.ComprehensiveSRStorage, uid.KeyObjectSelectionDocumentStorage, uid.EncapsulatedPDFStorage],
)
def test_a_content_item_has_the_same_types_at_any_depth(sop_class: str) -> None:
    once = inside(sop_class, "ContentSequence")
    for depth in (2, 3, 30):
        assert inside(sop_class, *["ContentSequence"] * depth) is once
    keywords = ("PersonName", "DateTime", "ObservationDateTime", "ContentSequence")
    assert [once.type_of(tag(keyword)) for keyword in keywords] == ["1"] * 4
    deep = inside(sop_class, *["ContentSequence"] * 30, "ConceptNameCodeSequence", "EquivalentCodeSequence")
    assert deep.type_of(tag("ContextGroupVersion")) == "1"


def test_the_root_of_a_document_is_not_one_of_its_items() -> None:
    assert type_of(uid.ComprehensiveSRStorage, "ContentSequence/PatientID") == ""
    assert type_of(uid.ComprehensiveSRStorage, "ContentSequence/VerifyingObserverSequence") == ""


def test_a_place_that_recurs_is_the_same_object() -> None:
    codes = [
        inside(uid.CTImageStorage, "SeriesDescriptionCodeSequence"),
        inside(uid.EnhancedMRImageStorage, "SeriesDescriptionCodeSequence"),
        inside(uid.ComprehensiveSRStorage, "ContentSequence", "ConceptNameCodeSequence"),
    ]
    assert codes[0] is codes[1] is codes[2]
    assert place_of(uid.CTImageStorage) is place_of(uid.CTImageStorage + "\0")
    assert len({*codes, place_of(uid.CTImageStorage)}) == 2


def test_inside_a_sequence_that_the_iod_does_not_define_nothing_is_defined() -> None:
    place = inside(uid.CTImageStorage, "VerifyingObserverSequence")
    assert place is UNDEFINED
    assert place.type_of(tag("PersonName")) == ""
    assert place.child(tag("ContentSequence")) is UNDEFINED
    assert place_of(uid.CTImageStorage).child(0x00291010) is UNDEFINED
    assert place_of(uid.CTImageStorage).type_of(0x00291010) == ""


@pytest.mark.parametrize("sop_class", ["", "1.2.3", "1.2.840.10008.5.1.1.30"])
def test_of_a_sop_class_without_a_known_iod_no_type_is_known(sop_class: str) -> None:
    place = place_of(sop_class)
    assert place is UNKNOWN
    assert place.child(tag("ContentSequence")) is UNKNOWN
    assert place.child(tag("ContentSequence")).type_of(tag("PersonName")) == "?"


def test_the_iod_of_every_sop_class_that_is_named_is_known_unless_the_standard_dropped_it() -> None:
    classes = sop_classes()
    assert {one for one in classes.treated if place_of(one) is UNKNOWN} == set()
    # Those of luggage and workpieces have theirs in standards of their own (DICOS, DICONDE).
    medical = [uid.UID(one) for one, (code, _) in classes.held.items() if code != "not-medical"]
    unknown = [one for one in medical if place_of(one) is UNKNOWN]
    assert [one.name for one in unknown if not one.is_retired] == []


def test_the_types_that_occur_are_those_of_all_places_and_no_others() -> None:
    def walked(tree: Any) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                walked(value)
            elif not name.endswith("/"):
                said[name].add(value)

    said: defaultdict[str, set[str]] = defaultdict(set)
    for part in ("modules", "macros"):
        for tree in json.loads(SHIPPED)[part].values():
            walked(tree if isinstance(tree, dict) else {})
    found = types.occurring()
    assert len(found) > 300
    assert {number for name in said if (number := tag_of(name))} == set(found)
    assert [name for name, values in said.items() if found[tag_of(name)] != values] == []
    for keyword, expected in (("PatientName", "2"), ("VerifyingObserverSequence", "1"), ("StudyDescription", "23")):
        assert "".join(sorted(found[tag(keyword)])) == expected


def tag_of(name: str) -> int:
    return int(name[1:5] + name[6:10], 16) if name.startswith("(") else tag(name)


@pytest.mark.parametrize(
    ("retired", "successor"),
    [
        ("1.2.840.10008.5.1.4.1.1.3", uid.UltrasoundMultiFrameImageStorage),
        ("1.2.840.10008.5.1.4.1.1.5", uid.NuclearMedicineImageStorage),
        ("1.2.840.10008.5.1.4.1.1.6", uid.UltrasoundImageStorage),
        ("1.2.840.10008.5.1.4.1.1.12.3", uid.XRayAngiographicImageStorage),
    ],
)
def test_a_retired_sop_class_has_the_iod_of_its_successor(retired: str, successor: str) -> None:
    assert place_of(retired) is place_of(successor)


def test_what_the_source_does_not_know_yet_is_added_by_tag() -> None:
    sequence, codes = 0x00100043, 0x00100046  # Sex Parameters for Clinical Use Category Sequence and its Code Sequence
    place = place_of(uid.CTImageStorage)
    assert [place.type_of(sequence), place.child(sequence).type_of(codes)] == ["3", "1"]
    assert place.child(sequence).child(codes) is place.child(tag("SeriesDescriptionCodeSequence"))


def test_every_keyword_of_the_table_is_in_the_dictionary_and_every_name_leads_somewhere() -> None:
    todo, done = [place_of(one) for one in json.loads(SHIPPED)["sop_classes"]], set()
    while todo:
        place = todo.pop()
        if place not in done:
            done.add(place)
            todo += [place.child(sequence) for sequence in place._inside]
    assert UNDEFINED not in done
    assert {value for place in done for value in place._types.values()} == {"1", "2", "3"}


@pytest.mark.parametrize("text", ["", "{}", SHIPPED.replace('"3"', '"1"', 1), SHIPPED + " "])
def test_a_table_that_is_not_the_shipped_one_is_refused(text: str) -> None:
    with pytest.raises(TableError, match=r"types\.json"):
        types.table_of(text)


def test_the_table_carries_the_notices_that_its_source_asks_for() -> None:
    table = json.loads(SHIPPED)
    assert "© NEMA" in table["acknowledgement"]
    assert "highdicom" in table["acknowledgement"]
    assert table["licence"][0] == "Copyright 2020 MGH Computational Pathology"
    assert any("permission notice shall be included" in line for line in table["licence"])


@needs_source
def test_the_table_is_what_its_source_condenses_to() -> None:
    assert condense_types.condense(SOURCE) == SHIPPED


@needs_source
def test_every_path_of_every_iod_has_the_type_that_the_source_gives_it() -> None:
    by_sop_class = source()[2]
    iods = {iod: sop_class for sop_class, iod in by_sop_class.items()}
    wrong = [
        (iod, path)
        for iod, sop_class in iods.items()
        for path, expected in required(iod).items()
        if type_of(sop_class, path) != expected
    ]
    assert wrong == []


@needs_source
@pytest.mark.parametrize(
    "sop_class",
    [
        uid.CTImageStorage,
        uid.MRImageStorage,
        uid.PositronEmissionTomographyImageStorage,
        uid.EnhancedCTImageStorage,
        uid.EnhancedMRImageStorage,
        uid.DigitalMammographyXRayImageStorageForPresentation,
        uid.RTPlanStorage,
        uid.RTStructureSetStorage,
        uid.SegmentationStorage,
        uid.GrayscaleSoftcopyPresentationStateStorage,
        uid.SpatialRegistrationStorage,
        uid.VLWholeSlideMicroscopyImageStorage,
    ],
)
def test_at_no_place_of_the_source_is_anything_more_defined(sop_class: str) -> None:
    expected: dict[str, dict[int, str]] = defaultdict(dict)
    for path, value in required(source()[2][sop_class]).items():
        *sequences, keyword = path.split("/")
        expected["/".join(sequences)][tag(keyword)] = value
    cells = (row.tag.strip("()").replace(",", "") for row in confidentiality_rows())
    tags = {int(cell, 16) for cell in cells if re.fullmatch("[0-9A-F]{8}", cell)} - {0x00100043}  # added by hand
    assert len(tags) > 600
    for path, defined in expected.items():
        place = inside(sop_class, *filter(None, path.split("/")))
        assert {one: place.type_of(one) for one in tags if place.type_of(one)} == defined, path
