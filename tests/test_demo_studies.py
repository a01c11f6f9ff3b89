"""The demo's studies: the same everywhere, whole in themselves, and full of what must not leave."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import combinations
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deployments.demo import studies

ROOT = Path(__file__).parents[1]
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"


@cache
def instances(site: str) -> tuple[studies.Instance, ...]:
    return tuple({"north": studies.north, "south": studies.south}[site]())


@cache
def datasets(site: str) -> tuple[Dataset, ...]:
    return tuple(pydicom.dcmread(BytesIO(instance.data)) for instance in instances(site))


def both() -> tuple[Dataset, ...]:
    return datasets("north") + datasets("south")


def registered(value: str) -> bool:
    """Tell whether a UID names itself in pydicom's dictionary (PS3.6 annex A)."""
    return UID(value).name != value


def elements(ds: Dataset, path: str = "") -> Iterator[tuple[str, DataElement]]:
    """Yield every element that is not a sequence, at every depth, with its path."""
    for element in ds:
        here = f"{path}{element.tag}"
        if element.VR == "SQ":
            for nested in element.value:
                yield from elements(nested, f"{here}.")
        else:
            yield here, element


def values(element: DataElement) -> list[str]:
    if element.value is None or element.value == "":
        return []
    return [str(value) for value in (element.value if element.VM > 1 else [element.value])]


def nested(ds: Dataset) -> Iterator[Dataset]:
    for element in ds:
        if element.VR == "SQ":
            for one in element.value:
                yield one
                yield from nested(one)


def absent_uids() -> set[str]:
    study = studies.ABSENT_STUDY
    return {studies.uid(1, study), studies.uid(1, study, 1), studies.uid(1, study, 1, 1)}


def digest(site: str) -> str:
    whole = hashlib.sha256()
    for instance in {"north": studies.north, "south": studies.south}[site]():
        whole.update(instance.data)
    return whole.hexdigest()


def test_the_same_call_gives_the_same_bytes_here_and_in_another_process() -> None:
    here = [digest("north"), digest("south")]
    assert here == [digest("north"), digest("south")]
    elsewhere = subprocess.run(
        [sys.executable, "-c", "from tests.test_demo_studies import digest as d; print(d('north'), d('south'))"],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert elsewhere.stdout.split() == here


def test_each_study_holds_as_many_files_as_its_documentation_says() -> None:
    documented = {}
    for site, patient, study, files in re.findall(
        r"^(north|south) +(\d) +(\d) .* (\d+)$", studies.__doc__ or "", re.MULTILINE
    ):
        documented[site, studies.uid(int(patient), int(study))] = int(files)
    found = Counter((site, one.study_instance_uid) for site in ("north", "south") for one in instances(site))
    assert found == documented


def test_an_instance_says_what_its_file_says() -> None:
    for site in ("north", "south"):
        for instance, ds in zip(instances(site), datasets(site), strict=True):
            assert instance.sop_instance_uid == ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
            assert instance.study_instance_uid == ds.StudyInstanceUID
            assert instance.modality == ds.Modality


def test_no_two_instances_share_a_uid() -> None:
    uids = [ds.SOPInstanceUID for ds in both()]
    assert len(set(uids)) == len(uids) == 76


def test_every_referenced_instance_is_there_with_the_class_that_is_claimed_for_it() -> None:
    for site in ("north", "south"):
        classes = {ds.SOPInstanceUID: ds.SOPClassUID for ds in datasets(site)}
        found = 0
        for ds in datasets(site):
            for one in nested(ds):
                target = one.get("ReferencedSOPInstanceUID")
                if target is None or target in absent_uids():
                    continue
                if one.ReferencedSOPClassUID == DETACHED_STUDY_MANAGEMENT:
                    assert target == ds.StudyInstanceUID
                else:
                    assert classes[target] == one.ReferencedSOPClassUID
                found += 1
        assert found > {"north": 250, "south": 5}[site]


def test_every_referenced_study_series_and_frame_of_reference_is_there() -> None:
    for site in ("north", "south"):
        known = {
            keyword: {ds.get(keyword) for ds in datasets(site)} | absent_uids()
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
        }
        known["ReferencedFrameOfReferenceUID"] = known["FrameOfReferenceUID"]
        for one in (one for ds in datasets(site) for one in nested(ds)):
            for keyword, uids in known.items():
                target = one.get(keyword)
                assert target is None or target in uids or registered(target)


def test_the_one_reference_that_dangles_is_in_the_report() -> None:
    dangling = {
        ds.Modality for ds in both() for _, one in elements(ds) if one.VR == "UI" and set(values(one)) & absent_uids()
    }
    assert dangling == {"SR"}


def test_the_companions_point_into_the_scan_and_at_each_other() -> None:
    edges = set()
    first = [ds for ds in datasets("north") if ds.StudyInstanceUID == studies.uid(1, 1)]
    modality = {ds.SOPInstanceUID: ds.Modality for ds in first}
    for ds in first:
        for one in nested(ds):
            if one.get("ReferencedSOPInstanceUID") in modality:
                edges.add((ds.Modality, modality[one.ReferencedSOPInstanceUID]))
    assert edges >= {
        ("RTSTRUCT", "CT"),
        ("RTPLAN", "RTSTRUCT"),
        ("RTPLAN", "RTDOSE"),
        ("RTDOSE", "RTPLAN"),
        ("RTDOSE", "RTSTRUCT"),
        ("SEG", "CT"),
        ("SR", "CT"),
        ("SR", "SEG"),
        ("KO", "CT"),
        ("KO", "SR"),
        ("PR", "CT"),
    }


def test_a_registration_of_the_second_study_points_into_the_first() -> None:
    (registration,) = (
        ds for ds in datasets("north") if ds.Modality == "REG" and ds.StudyInstanceUID == studies.uid(1, 2)
    )
    (other,) = registration.StudiesContainingOtherReferencedInstancesSequence
    assert other.StudyInstanceUID == studies.uid(1, 1)
    days = {pydicom.valuerep.DA(ds.StudyDate) for ds in datasets("north") if ds.PatientID == registration.PatientID}
    assert (max(days) - min(days)).days == 35


def test_the_mr_series_share_a_frame_of_reference_and_name_each_other() -> None:
    images = [ds for ds in datasets("north") if ds.Modality == "MR"]
    series = {ds.SOPInstanceUID: ds.SeriesInstanceUID for ds in images}
    assert len({ds.FrameOfReferenceUID for ds in images}) == 1
    edges = {
        (ds.SeriesInstanceUID, series[one.ReferencedSOPInstanceUID])
        for ds in images
        for one in ds.ReferencedImageSequence
    }
    assert len(edges) == 6
    assert all(here != there for here, there in edges)


def test_three_transfer_syntaxes_are_used() -> None:
    assert len({ds.file_meta.TransferSyntaxUID for ds in both()}) == 3


def test_two_people_share_a_patient_id_across_the_hospitals() -> None:
    shared = {ds.PatientID for ds in datasets("north")} & {ds.PatientID for ds in datasets("south")}
    assert len(shared) == 1
    people = {
        (str(ds.PatientName), ds.PatientBirthDate, ds.get("IssuerOfPatientID"))
        for ds in both()
        if ds.PatientID in shared
    }
    names, birth_dates, issuers = (set(column) for column in zip(*people, strict=True))
    assert len(people) == len(names) == len(birth_dates) == 2
    assert None in issuers


def test_what_must_be_held_is_alone_in_its_study() -> None:
    held = [one for site in ("north", "south") for one in instances(site) if one.expected == "held"]
    assert [one.modality for one in held] == ["OT"]
    neighbours = [one for one in instances("south") if one.study_instance_uid == held[0].study_instance_uid]
    assert neighbours == held


def test_everything_planted_stands_in_a_file() -> None:
    files = [studies.inflated(one.data) for site in ("north", "south") for one in instances(site)]
    missing = [
        planted
        for planted in studies.PLANTED
        if not any(spelling in file for spelling in planted.spellings for file in files)
    ]
    assert not missing


def test_every_name_date_and_uid_of_the_files_is_listed() -> None:
    listed = {kind: {one.text for one in studies.PLANTED if one.kind == kind} for kind in ("name", "date", "uid")}
    for ds in both():
        for path, element in elements(ds):
            for value in values(element):
                if element.VR == "PN":
                    parts = [part for group in value.split("=") for part in group.split("^")[:2] if part]
                    assert set(parts) <= listed["name"], path
                elif element.VR in ("DA", "DT") and element.keyword != "ContextGroupVersion":
                    assert value[:8] in listed["date"], path
                elif element.VR == "UI" and not registered(value):
                    assert value in listed["uid"], path


def test_nothing_registered_or_published_is_listed_as_planted() -> None:
    texts = {one.text for one in studies.PLANTED}
    assert not any(registered(one.text) for one in studies.PLANTED if one.kind == "uid")
    published = [
        str(element.value) for ds in both() for _, element in elements(ds) if element.keyword == "ContextGroupVersion"
    ]
    assert published
    assert not texts & set(published)


def test_registered_uids_stand_where_only_a_dictionary_tells_them_from_others() -> None:
    found = {
        element.keyword: value
        for ds in both()
        for _, element in elements(ds)
        if element.VR == "UI" and element.keyword.endswith(("FrameOfReferenceUID", "SchemeUID", "ResourceUID"))
        for value in values(element)
        if registered(value)
    }
    assert set(found) >= {"FrameOfReferenceUID", "CodingSchemeUID", "MappingResourceUID"}


def test_no_date_can_be_mistaken_for_another_one_that_was_shifted() -> None:
    days = {pydicom.valuerep.DA(one.text) for one in studies.PLANTED if one.kind == "date" and one.text.isdecimal()}
    for one, other in combinations(days, 2):
        weeks, rest = divmod(abs((one - other).days), 7)
        assert rest or not 52 <= weeks <= 520


def test_uids_hide_in_private_nested_and_multi_valued_places() -> None:
    scan = datasets("north")[0]
    listed = {one.text for one in studies.PLANTED if one.kind == "uid"}
    paths = {
        (path.count(".") > 0, element.tag.is_private, element.VR, element.VM > 1)
        for path, element in elements(scan)
        if element.VR in ("UI", "UN", "LO") and any(uid in str(element.value) for uid in listed)
    }
    assert paths >= {
        (False, False, "UI", True),
        (True, False, "UI", False),
        (False, True, "UI", False),
        (False, True, "UI", True),
        (True, True, "UI", False),
        (False, True, "UN", False),
        (False, True, "LO", False),
    }


def test_the_preamble_and_the_file_meta_name_people() -> None:
    scan = instances("north")[0].data
    names = [spelling for one in studies.PLANTED if one.kind == "name" for spelling in one.spellings]
    assert any(name in scan[:128] for name in names)
    assert str(pydicom.dcmread(BytesIO(scan)).file_meta.SourceApplicationEntityTitle).encode() in names


def test_names_keep_their_letters_in_three_character_sets() -> None:
    written = {str(ds.PatientName) for ds in both()}
    assert {ds.get("SpecificCharacterSet") if ds["SpecificCharacterSet"].VM == 1 else "2022" for ds in both()} == {
        "ISO_IR 100",
        "ISO_IR 192",
        "2022",
    }
    assert any("ä" in name for name in written)
    assert any("Š" in name for name in written)
    assert any("月" in name and "つ" in name for name in written)


def test_builders_take_other_numbers_and_attributes() -> None:
    scan = studies.ct(7, 2, 3, 2, rows=16, SeriesDescription="mine", ProtocolName=None)
    assert [ds.SOPInstanceUID for ds in scan] == [studies.uid(7, 2, 3, instance) for instance in (1, 2)]
    assert {ds.SeriesDescription for ds in scan} == {"mine"}
    assert len(scan[0].PixelData) == 2 * 16 * 16


@pytest.mark.parametrize(
    "transfer_syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_writing_leaves_a_data_set_as_it_is(transfer_syntax: str) -> None:
    (scan,) = studies.ct(7, 2, 3, 1, rows=16)
    before = scan.to_json()
    written = pydicom.dcmread(BytesIO(studies.to_bytes(scan, transfer_syntax)))
    assert written.file_meta.TransferSyntaxUID == transfer_syntax
    assert written.to_json() == before == scan.to_json()
