"""What belongs together stays together: on whole studies, instance by instance, in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # untyped there

from anonymizer import Anonymizer, Held, Key, Released, load_profile
from deployments.demo import studies
from tests import samples

NORTH, SOUTH = Key(bytes(range(32))), Key(bytes(range(32, 64)))


def engine(key: Key = NORTH, profile: str = "research") -> Anonymizer:
    return Anonymizer(key, "relations", load_profile(profile))


def treated(data: bytes, by: Anonymizer) -> Dataset:
    result = by.anonymize(data)
    assert isinstance(result, Released), result
    return pydicom.dcmread(BytesIO(result.data))


def outputs(sources: Iterable[Dataset], by: Anonymizer | None = None) -> list[Dataset]:
    """Return the output of each instance, every one by an anonymizer that never saw another."""
    return [treated(studies.to_bytes(source), by or engine()) for source in sources]


def day(ds: Dataset, keyword: str = "StudyDate") -> date:
    text = str(ds[keyword].value)
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def uids(ds: Dataset) -> Iterator[tuple[str, str]]:
    """Yield every UID of a data set at every depth, with where it stands."""

    def walk(inside: Dataset, path: str) -> Iterator[tuple[str, str]]:
        for element in inside:
            if element.VR == "SQ":
                for number, one in enumerate(element.value):
                    yield from walk(one, f"{path}{element.tag}[{number}].")
            elif element.VR == "UI" and not element.tag.is_private and element.value:
                values = element.value if element.VM > 1 else [element.value]
                for number, value in enumerate(values):
                    yield f"{path}{element.tag}/{number}", str(value)

    return walk(ds, "")


@cache
def whole(site: str) -> tuple[tuple[Dataset, Dataset | None], ...]:
    """Return every instance of a demo hospital beside its output, None for what is held."""
    by = engine(NORTH if site == "north" else SOUTH)
    pairs = []
    for instance in {"north": studies.north, "south": studies.south}[site]():
        result = by.anonymize(instance.data)
        assert isinstance(result, Released) == (instance.expected == "loaded"), instance.modality
        output = pydicom.dcmread(BytesIO(result.data)) if isinstance(result, Released) else None
        pairs.append((pydicom.dcmread(BytesIO(instance.data)), output))
    return tuple(pairs)


def released_pairs(site: str) -> list[tuple[Dataset, Dataset]]:
    return [(source, output) for source, output in whole(site) if output is not None]


def test_a_patient_comes_back_as_the_same_patient() -> None:
    first, second = outputs([*studies.ct(7, 1, 1, 1, rows=8), *studies.mr(7, 2, 1, 1, rows=8)])
    assert first.PatientID == second.PatientID
    assert first.PatientName == second.PatientName
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert first.AccessionNumber != second.AccessionNumber


def test_the_next_visit_is_as_many_days_later_as_it_was() -> None:
    sources = [*studies.ct(7, 1, 1, 1, rows=8), *studies.mr(7, 2, 1, 1, rows=8), *studies.ct(7, 9, 1, 1, rows=8)]
    found = outputs(sources)
    shifts = {day(output) - day(source) for source, output in zip(sources, found, strict=True)}
    assert len(shifts) == 1
    assert -3640 <= shifts.pop().days <= -364
    assert (day(found[1]) - day(found[0])).days == 35
    assert (day(found[2]) - day(found[0])).days == 8 * 35


@pytest.mark.parametrize("site", ["north", "south"])
def test_every_date_that_is_left_moved_by_the_shift_of_its_patient(site: str) -> None:
    shifts: dict[str, set[int]] = defaultdict(set)
    keywords = (
        "StudyDate",
        "SeriesDate",
        "AcquisitionDate",
        "ContentDate",
        "StructureSetDate",
        "ReviewDate",
        "RTPlanDate",
    )
    for source, output in released_pairs(site):
        for keyword in keywords:
            if source.get(keyword) and output.get(keyword) not in {None, "", "19000101"}:
                shifts[output.PatientID].add((day(output, keyword) - day(source, keyword)).days)
    assert len(shifts) == {"north": 2, "south": 1}[site]
    assert all(len(found) == 1 for found in shifts.values())


def test_two_patients_share_neither_identity_nor_shift() -> None:
    one, other = outputs([*studies.ct(7, 1, 1, 1, rows=8), *studies.ct(8, 1, 1, 1, rows=8)])
    assert one.PatientID != other.PatientID
    assert one.PatientName != other.PatientName
    shifts = {samples.days_moved(patient_id=f"XT-{number:07d}") for number in range(1, 30)}
    assert len(shifts) > 20


def test_a_structure_set_still_points_at_its_images() -> None:
    scan = studies.ct(7, 1, 1, 3, rows=8)
    images = outputs(scan)
    structures = outputs([studies.structure_set(7, 1, 2, scan)])[0]
    (frame,) = structures.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert frame.FrameOfReferenceUID == images[0].FrameOfReferenceUID == structures.FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == images[0].StudyInstanceUID == structures.StudyInstanceUID
    assert series.SeriesInstanceUID == images[0].SeriesInstanceUID
    named = [one.ReferencedSOPInstanceUID for one in series.ContourImageSequence]
    assert named == [image.SOPInstanceUID for image in images]
    assert {one.ReferencedSOPClassUID for one in series.ContourImageSequence} == {scan[0].SOPClassUID}
    for contour in structures.ROIContourSequence[0].ContourSequence:
        assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID in named
        assert contour.ContourData


def test_a_plan_a_dose_and_a_report_still_point_at_each_other() -> None:
    scan = studies.ct(7, 1, 1, 2, rows=8)
    structures = studies.structure_set(7, 1, 2, scan)
    plan = studies.plan(7, 1, 3, structures)
    dose = studies.dose(7, 1, 4, plan, structures)
    report = studies.report(7, 1, 6, scan)
    images, others = outputs(scan), outputs([structures, plan, dose, report])
    names = {ds.SOPInstanceUID for ds in (*images, *others)}
    new_plan, new_dose, new_report = others[1:]
    assert new_plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == others[0].SOPInstanceUID
    assert new_dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == new_plan.SOPInstanceUID
    evidence = [
        one.ReferencedSOPInstanceUID
        for study in new_report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]
    assert evidence
    assert set(evidence) <= names


@pytest.mark.parametrize("site", ["north", "south"])
def test_one_uid_has_one_pseudonym_over_a_whole_hospital_and_no_two_share_one(site: str) -> None:
    forth: dict[str, set[str]] = defaultdict(set)
    back: dict[str, set[str]] = defaultdict(set)
    for source, output in released_pairs(site):
        before, after = dict(uids(source)), dict(uids(output))
        for path, value in after.items():
            if path in before:
                forth[before[path]].add(value)
                back[value].add(before[path])
    assert len(forth) > {"north": 80, "south": 20}[site]
    assert all(len(found) == 1 for found in forth.values())
    assert all(len(found) == 1 for found in back.values())
    for one, (other,) in forth.items():
        assert (one == other) == (one in UID_dictionary)


@pytest.mark.parametrize("site", ["north", "south"])
def test_every_reference_that_resolved_resolves_and_every_one_that_dangled_dangles(site: str) -> None:
    pairs = released_pairs(site)
    there = {source.SOPInstanceUID for source, _ in pairs}
    names = {str(source.SOPInstanceUID): str(output.SOPInstanceUID) for source, output in pairs}
    arrived = set(names.values())
    resolved = dangling = 0
    for source, output in pairs:
        before, after = dict(uids(source)), dict(uids(output))
        for path, value in before.items():
            if "(0008,1155)" not in path or path not in after:
                continue
            if value in there:
                assert after[path] == names[value]
                resolved += 1
            else:
                assert after[path] not in arrived
                dangling += 1
    assert resolved > {"north": 200, "south": -1}[site]
    assert dangling >= {"north": 1, "south": 0}[site]


def test_two_mr_series_in_one_frame_of_reference_stay_in_one() -> None:
    t1, t2 = studies.mr(7, 1, 1, 2, rows=8), studies.mr(7, 1, 2, 2, rows=8)
    studies.refer(t2, t1)
    one, other = outputs(t1), outputs(t2)
    assert {ds.FrameOfReferenceUID for ds in (*one, *other)} == {one[0].FrameOfReferenceUID}
    assert one[0].SeriesInstanceUID != other[0].SeriesInstanceUID
    assert one[0].FrameOfReferenceUID != t1[0].FrameOfReferenceUID
    named = [reference.ReferencedSOPInstanceUID for reference in other[0].ReferencedImageSequence]
    assert named == [ds.SOPInstanceUID for ds in one]


def test_an_atlas_that_the_standard_registers_stays_itself() -> None:
    atlas = "1.2.840.10008.1.4.1.1"
    scan = studies.mr(7, 1, 1, 1, rows=8)
    registration = outputs([studies.registration(7, 1, 4, scan, fixed_frame=atlas)])[0]
    assert registration.FrameOfReferenceUID == atlas
    assert registration.RegistrationSequence[0].FrameOfReferenceUID == outputs(scan)[0].FrameOfReferenceUID


def test_one_patient_id_at_two_hospitals_with_two_keys_is_two_people_who_share_nothing() -> None:
    one, other = studies.ct(1, 1, 1, 1, rows=8)[0], studies.ct(3, 1, 1, 1, rows=8)[0]
    assert one.PatientID == other.PatientID
    north, south = outputs([one], engine(NORTH))[0], outputs([other], engine(SOUTH))[0]
    assert north.PatientID != south.PatientID
    assert north.PatientName != south.PatientName


def test_one_instance_under_two_keys_shares_no_pseudonym() -> None:
    source = studies.ct(7, 1, 1, 1, rows=8)[0]
    north, south = outputs([source], engine(NORTH))[0], outputs([source], engine(SOUTH))[0]
    both = {value for _, value in uids(north)} & {value for _, value in uids(south)}
    assert both <= set(UID_dictionary)
    assert north.PatientID != south.PatientID
    assert north.AccessionNumber != south.AccessionNumber
    assert north.StudyID != south.StudyID
    assert north.StudyDate != south.StudyDate


def test_two_hospitals_that_are_given_one_key_on_purpose_link_their_patient() -> None:
    here, there = studies.ct(7, 1, 1, 1, rows=8)[0], studies.mr(7, 2, 1, 1, rows=8)[0]
    assert outputs([here], engine())[0].PatientID == outputs([there], engine())[0].PatientID


def test_the_order_in_which_instances_come_changes_no_byte() -> None:
    files = [studies.to_bytes(ds) for ds in (*studies.ct(7, 1, 1, 3, rows=8), *studies.mr(8, 1, 1, 3, rows=8))]
    forth, back = engine(), engine()
    one = [bytes_of(forth.anonymize(data)) for data in files]
    other = [bytes_of(back.anonymize(data)) for data in files[::-1]][::-1]
    assert one == other
    assert [bytes_of(forth.anonymize(data)) for data in files] == one


def bytes_of(result: Released | Held) -> bytes:
    assert isinstance(result, Released), result
    return result.data


@pytest.mark.parametrize("site", ["north", "south"])
def test_pixels_are_what_they_were(site: str) -> None:
    compared = 0
    for source, output in released_pairs(site):
        if "PixelData" in source:
            assert output.PixelData == source.PixelData
            compared += 1
    assert compared == {"north": 52, "south": 16}[site]


@pytest.mark.parametrize("profile", ["basic", "research"])
@pytest.mark.parametrize("site", ["north", "south"])
def test_nothing_that_was_planted_is_left(site: str, profile: str) -> None:
    spellings = [(planted, spelling) for planted in studies.PLANTED for spelling in planted.spellings]
    by = engine(profile=profile)
    found = set()
    for instance in {"north": studies.north, "south": studies.south}[site]():
        result = by.anonymize(instance.data)
        shown = result.data if isinstance(result, Released) else repr(result).encode()
        found |= {planted for planted, spelling in spellings if spelling in shown}
    assert found == set()


def test_what_is_held_takes_its_study_with_it_in_name_only() -> None:
    held = [source for source, output in whole("south") if output is None]
    assert [source.Modality for source in held] == ["OT"]
    result = engine(SOUTH).anonymize(studies.to_bytes(held[0]))
    assert isinstance(result, Held)
    assert result.identity is not None
    assert result.identity.study_instance_uid == engine(SOUTH).pseudonyms.uid(held[0].StudyInstanceUID)
