"""What comes late, goes or changes at the hospital after its study was loaded."""

from __future__ import annotations

from collections.abc import Iterable
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from deployments.demo import studies
from flows import copies
from flows.ledger import lineage
from flows.ledger.records import StudyOutcome
from flows.orthanc import Orthanc, Stored
from tests.cases import read
from tests.hospital import Place, ask, counts, emptied, files_of
from tests.orthanc_server import OrthancServer

TWO_RULES = '[attributes]\nManufacturer = "remove"\n'


def images(count: int = 4) -> list[Dataset]:
    """Return a CT study of one series."""
    return studies.ct(1, 1, 1, count, rows=16)


def arrive(place: Place, datasets: Iterable[Dataset]) -> None:
    place.receive(studies.to_bytes(dataset) for dataset in datasets)


def moved(place: Place, datasets: Iterable[Dataset] = (), **project: str) -> StudyOutcome:
    """Let something arrive, and return the outcome of the one study that was moved."""
    arrive(place, datasets)
    (outcome,) = place.run(**project)
    return outcome


def delete(place: Place, *datasets: Dataset) -> None:
    """Delete instances at the hospital."""
    wanted = {dataset.SOPInstanceUID for dataset in datasets}
    for one in ask(place.hospital, "GET", "/instances?expand")[1]:
        if one["MainDicomTags"]["SOPInstanceUID"] in wanted:
            ask(place.hospital, "DELETE", f"/instances/{one['ID']}")


def exchange(place: Place, dataset: Dataset) -> None:
    """Replace an instance at the hospital by another of the same UID."""
    delete(place, dataset)
    arrive(place, [dataset])


def rows(place: Place, sql: str) -> list[tuple[Any, ...]]:
    with lineage.connect(place.folder / "lineage") as tables:
        return [tuple(row.values()) for row in lineage.rows(tables, sql)]


def sums(place: Place) -> tuple[int, int, int, int, bool]:
    there = place.balance()
    return (there.source_instances, there.loaded, there.held, there.in_flight, there.balanced)


def changed(place: Place) -> list[tuple[Any, ...]]:
    return rows(place, "SELECT change, count(*) FROM changed_at_source GROUP BY ALL ORDER BY ALL")


def delivered(outcome: StudyOutcome) -> list[str]:
    return sorted(delivery.outcome for delivery in outcome.deliveries)


def stored(place: Place) -> list[bytes]:
    return sorted(files_of(place.cloud))


def stricter(place: Place) -> str:
    """Return a profile that removes what the one before kept."""
    own = place.folder / "stricter.toml"
    own.write_text('extends = "research"\n' + TWO_RULES)
    return str(own)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the copies that are fetched from the cloud."""
    found: list[str] = []
    fetch = copies.Copies.fetch

    def counted(self: copies.Copies, copy: Any, folder: Path) -> Any:
        found.append(copy.sop_instance_uid)
        return fetch(self, copy, folder)

    monkeypatch.setattr(copies.Copies, "fetch", counted)
    return found


# What is new


def test_a_late_slice_alone_is_loaded(place: Place, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    moved(place, images()[:3])
    sent: list[int] = []
    store = Orthanc.store

    def counted(self: Orthanc, data: bytes | mmap) -> Stored:
        sent.append(len(data))
        return store(self, data)

    monkeypatch.setattr(Orthanc, "store", counted)

    outcome = moved(place, images()[3:])

    assert (outcome.status, delivered(outcome), len(sent), fetched) == (
        "loaded",
        ["already-there"] * 3 + ["stored"],
        1,
        [],
    )
    assert outcome.checks["instances"] == 4  # the gate looked at all of them
    assert (counts(place.cloud), sums(place), changed(place)) == (4, (4, 4, 0, 0, True), [])


def test_a_late_structure_set_finds_its_images_and_what_waited_for_it_waits_no_more(place: Place) -> None:
    slices = images()
    plan = studies.structure_set(1, 1, 2, slices)
    arrive(place, [*slices[:2], plan])
    first = moved(place)
    assert {one.state for one in first.references if one.level == "instance"} == {"resolved", "external"}

    moved(place, slices[2:])

    assert rows(place, 'SELECT DISTINCT state FROM "references"') == [("resolved",)]
    assert (counts(place.cloud), sums(place)) == (5, (5, 5, 0, 0, True))


def test_a_reference_to_another_study_closes_when_that_comes_late(place: Place) -> None:
    slices = images()
    plan = studies.structure_set(1, 2, 1, slices)
    arrive(place, [*slices[:2], plan])
    place.run()
    assert rows(place, "SELECT count(*) FROM pending") == [(0,)]

    moved(place, slices[2:])

    states = rows(place, "SELECT DISTINCT state FROM \"references\" WHERE level = 'instance'")
    assert states == [("elsewhere",)]
    assert (counts(place.cloud), place.balance().balanced) == (5, True)


# Other rules than those of then


def test_a_late_slice_after_the_profile_changed_is_no_conflict(place: Place, fetched: list[str]) -> None:
    first = moved(place, images()[:3])
    before = stored(place)

    outcome = moved(place, images()[3:], profile=stricter(place))

    assert (outcome.status, delivered(outcome)) == ("loaded", ["already-there"] * 3 + ["stored"])
    assert len(fetched) == 3
    assert set(before) < set(stored(place))
    assert (counts(place.cloud), sums(place), changed(place)) == (4, (4, 4, 0, 0, True), [])
    made = rows(place, "SELECT profile_digest, count(*) FROM instances GROUP BY ALL ORDER BY 2")
    assert made == [(outcome.profile_digest, 1), (first.profile_digest, 3)]


def test_the_study_says_for_ever_what_made_each_of_its_instances(place: Place, fetched: list[str]) -> None:
    moved(place, images()[:2])
    middle = moved(place, images()[2:3], profile=stricter(place))
    assert len(fetched) == 2

    moved(place, images()[3:], profile=stricter(place))

    made = dict(rows(place, "SELECT profile_digest, count(*) FROM instances GROUP BY ALL"))
    assert made[middle.profile_digest] == 2
    assert sorted(made.values()) == [2, 2]


def test_what_another_profile_makes_likewise_counts_as_its_own(place: Place, fetched: list[str]) -> None:
    moved(place, images()[:3])
    own = place.folder / "same.toml"
    own.write_text('extends = "research"\n[vocabulary]\nwords = ["oncolung"]\n')

    outcome = moved(place, images()[3:], profile=str(own))

    assert fetched == []
    assert rows(place, "SELECT DISTINCT profile_digest FROM instances") == [(outcome.profile_digest,)]


def test_dates_that_stand_now_and_moved_before_are_still_torn(place: Place) -> None:
    """Outputs of two profiles may lie in one study only if they fit to each other."""
    moved(place, images()[:3])
    own = place.folder / "full.toml"
    own.write_text('extends = "basic"\n[options]\nadd = ["retain_longitudinal_full_dates"]\n')

    outcome = moved(place, images()[3:], profile=str(own))

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "not-as-before", 3)
    assert sums(place) == (4, 3, 1, 0, True)


def test_what_the_gate_finds_wrong_in_the_clouds_copy_says_what_to_do(place: Place) -> None:
    """Nobody knew that it was a name. A profile stops it: a person deletes the copies, and they are made anew."""
    slices = images()
    for one in slices[:2]:
        one.Manufacturer = "Scanner of Zoroaster"
    for one in slices[2:]:
        one.PatientName = "Zoroaster^Zelda"
    moved(place, slices[:2])

    held = moved(place, slices[2:3], profile=stricter(place))

    assert (held.status, {hold.code for hold in held.held}, len(held.held)) == ("held", {"identifier-left"}, 2)
    assert all(hold.message.endswith("delete it there and release the study") for hold in held.held)
    assert (counts(place.cloud), sums(place)) == (2, (3, 2, 1, 0, True))

    emptied(place.cloud)
    outcome = moved(place, slices[3:], profile=stricter(place))
    assert (outcome.status, delivered(outcome)) == ("loaded", ["stored"] * 4)
    assert (counts(place.cloud), sums(place), changed(place)) == (4, (4, 4, 0, 0, True), [])


# Gone


def test_what_the_hospital_deleted_stays_in_the_cloud_and_is_counted_apart(place: Place) -> None:
    slices = images()
    moved(place, slices[:3])
    delete(place, slices[0])

    outcome = moved(place, slices[3:])

    assert (outcome.status, outcome.source_instances, counts(place.cloud)) == ("loaded", 3, 4)
    assert sums(place) == (3, 3, 0, 0, True)
    assert rows(place, "SELECT gone_at_source FROM balance_by_site") == [(1,)]
    ((change, uid, noticed),) = rows(place, "SELECT change, sop_instance_uid, noticed_at FROM changed_at_source")
    assert (change, noticed) == ("gone", outcome.finished_at.replace(tzinfo=None))
    assert uid in {read(data).SOPInstanceUID for data in files_of(place.cloud)}
    assert uid not in {one.sop_instance_uid for one in outcome.instances}


def test_what_is_gone_stays_noticed_since_then_and_is_forgotten_when_it_comes_back(place: Place) -> None:
    slices = images()
    moved(place, slices[:2])
    delete(place, slices[0])
    first = moved(place, slices[2:3])

    moved(place, slices[3:])
    assert rows(place, "SELECT noticed_at FROM changed_at_source") == [(first.finished_at.replace(tzinfo=None),)]

    outcome = moved(place, slices[:1])
    assert delivered(outcome) == ["already-there"] * 4
    assert (counts(place.cloud), sums(place), changed(place)) == (4, (4, 4, 0, 0, True), [])


def test_a_reference_to_what_is_gone_at_the_hospital_still_leads_to_the_cloud(place: Place) -> None:
    slices = images()
    plan = studies.structure_set(1, 1, 2, slices)
    moved(place, [*slices, plan])
    delete(place, *slices[:3])

    outcome = moved(place, [studies.structure_set(1, 1, 3, slices)])

    assert (outcome.status, changed(place), counts(place.cloud)) == ("loaded", [("gone", 3)], 6)
    assert {one.state for one in outcome.references} == {"resolved"}
    assert sums(place) == (3, 3, 0, 0, True)


def test_all_images_may_be_gone_of_what_points_at_them(place: Place) -> None:
    slices = images()
    moved(place, slices)
    delete(place, *slices[1:])
    arrive(place, [studies.structure_set(1, 1, 3, slices)])
    delete(place, slices[0])

    outcome = moved(place)

    assert (outcome.status, outcome.source_instances, changed(place)) == ("loaded", 1, [("gone", 4)])
    assert {one.state for one in outcome.references} == {"resolved"}


# Replaced


def test_a_replacement_that_the_clouds_copy_still_fits_is_recorded_and_held_by_nothing(
    place: Place, fetched: list[str]
) -> None:
    slices = images()
    moved(place, slices[:3])
    before = stored(place)
    slices[0].GantryDetectorTilt = "0"  # the copy lacks it, and says nothing that is not so

    exchange(place, slices[0])
    outcome = moved(place, slices[3:])

    assert (outcome.status, delivered(outcome), len(fetched)) == ("loaded", ["already-there"] * 3 + ["stored"], 1)
    assert (changed(place), set(before) < set(stored(place))) == ([("replaced", 1)], True)
    assert (counts(place.cloud), sums(place)) == (4, (4, 4, 0, 0, True))


def test_a_replacement_of_what_never_leaves_is_recorded_too(place: Place, fetched: list[str]) -> None:
    slices = images(3)
    moved(place, slices)
    slices[0].InstitutionName = "Another"

    exchange(place, slices[0])
    outcome = moved(place)

    assert (outcome.status, fetched, changed(place)) == ("loaded", [], [("replaced", 1)])
    assert (counts(place.cloud), sums(place)) == (3, (3, 3, 0, 0, True))


def test_other_pixels_are_held_with_what_a_person_has_to_find_out(place: Place) -> None:
    slices = images()
    moved(place, slices[:3])
    before = stored(place)
    slices[0].PixelData = bytes(reversed(slices[0].PixelData))

    exchange(place, slices[0])
    outcome = moved(place, slices[3:])

    (hold,) = outcome.held
    assert (outcome.status, hold.code) == ("held", "conflict")
    assert "the hospital replaced this instance" in hold.message
    assert (stored(place), changed(place)) == (before, [("replaced", 1)])
    assert sums(place) == (4, 2, 2, 0, True)


def test_the_cloud_may_be_cleared_for_the_replacement(place: Place) -> None:
    slices = images()
    moved(place, slices[:3])
    slices[0].PixelData = bytes(reversed(slices[0].PixelData))
    exchange(place, slices[0])
    place.run()
    emptied(place.cloud)

    outcome = moved(place, slices[3:])

    assert (outcome.status, delivered(outcome), changed(place)) == ("loaded", ["stored"] * 4, [])
    assert sums(place) == (4, 4, 0, 0, True)


def test_where_a_hold_holds_an_instance_a_wrong_replacement_holds_itself(place: Place) -> None:
    slices = images()
    moved(place, slices[:3], hold="instance")
    slices[0].PixelData = bytes(reversed(slices[0].PixelData))

    exchange(place, slices[0])
    outcome = moved(place, slices[3:], hold="instance")

    assert (outcome.reason, counts(place.cloud), changed(place)) == ("conflict", 4, [("replaced", 1)])
    assert sums(place) == (4, 3, 1, 0, True)


def test_an_orthanc_that_overwrites_is_noticed(tmp_path: Path, place: Place) -> None:
    slices = images(3)
    with OrthancServer(tmp_path / "overwrites", {"OverwriteInstances": True}) as hospital:
        place.hospital = hospital
        moved(place, slices)
        slices[0].InstitutionName = "Another"
        outcome = moved(place, slices[:1])
    assert (outcome.status, outcome.source_instances, changed(place)) == ("loaded", 3, [("replaced", 1)])
    assert (counts(place.cloud), sums(place)) == (3, (3, 3, 0, 0, True))


# Held since


def test_what_was_loaded_counts_as_loaded_though_its_study_is_held_since(place: Place) -> None:
    moved(place, images())

    outcome = moved(place, [studies.screen_dump(1, 1, 2, rows=16)])

    assert (outcome.status, outcome.reason) == ("held", "burned-in-risk")
    assert (counts(place.cloud), sums(place)) == (4, (5, 4, 1, 0, True))
