"""One hospital, one cloud: what a run does with studies as they really are."""

from __future__ import annotations

import hashlib
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from mmap import mmap
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from anonymizer import folder as anonymizer_folder
from deployments.demo import studies
from flows.errors import TerminalError, TransientError
from flows.hands import move_if_ours
from flows.inventory import find_work
from flows.ledger import lineage
from flows.orthanc import Orthanc, client
from flows.settings.sites import Server
from flows.study import move
from tests.cases import case
from tests.hospital import Place, all_is_there, ask, counts, emptied, files_of
from tests.orthanc_server import OrthancServer

CT = [studies.to_bytes(image) for image in studies.ct(1, 1, 1, 6, rows=16)]


def test_a_study_arrives_whole_and_the_ledger_balances(place: Place) -> None:
    place.receive(CT)

    (outcome,) = place.run()

    assert (outcome.status, outcome.source_instances, counts(place.cloud)) == ("loaded", 6, 6)
    balance = place.balance()
    assert (balance.source_instances, balance.loaded, balance.in_flight, balance.balanced) == (6, 6, 0, True)


def test_loaded_means_that_the_cloud_gave_our_digest_back(place: Place) -> None:
    place.receive(CT)

    (outcome,) = place.run()

    stored = {hashlib.md5(data, usedforsecurity=False).hexdigest() for data in files_of(place.cloud)}
    assert {instance.md5 for instance in outcome.instances} == stored
    assert {delivery.cloud_md5 for delivery in outcome.deliveries} == stored


def test_a_second_run_loads_nothing(place: Place) -> None:
    place.receive(CT)
    place.run()

    assert place.run() == []
    assert counts(place.cloud) == 6


def test_large_instances_go_by_the_disk_and_come_out_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory is neither source nor output; large is here what has a thousand octets."""
    place.receive(CT)
    small = {delivery.cloud_md5 for outcome in place.run() for delivery in outcome.deliveries}
    shutil.rmtree(place.folder / "lineage")
    emptied(place.cloud)
    for room in (client, anonymizer_folder):
        monkeypatch.setattr(room, "LARGE", 1000)
    fetched: list[object] = []
    fetch = Orthanc.fetch

    def watched(*one: Any, **more: Any) -> bytes | mmap:
        fetched.append(fetch(*one, **more))
        return fetched[-1]  # type: ignore[return-value]  # what fetch returned

    monkeypatch.setattr(Orthanc, "fetch", watched)

    (outcome,) = place.run()

    assert {type(one) for one in fetched} == {mmap}
    assert {delivery.cloud_md5 for delivery in outcome.deliveries} == small
    assert {delivery.outcome for delivery in outcome.deliveries} == {"stored"}
    assert [path for path in (place.folder / "lineage").rglob("*") if path.is_file() and "spool" in path.parts] == []


def test_a_lost_ledger_doubles_nothing(place: Place) -> None:
    place.receive(CT)
    place.run()
    (place.folder / "lineage").rename(place.folder / "lost")

    (outcome,) = place.run()

    assert {delivery.outcome for delivery in outcome.deliveries} == {"already-there"}
    assert (counts(place.cloud), place.balance().balanced) == (6, True)


def test_a_late_structure_set_still_points_at_its_images(place: Place) -> None:
    images = studies.ct(1, 1, 1, 4, rows=16)
    place.receive(studies.to_bytes(image) for image in images)
    place.run()
    place.receive([studies.to_bytes(studies.structure_set(1, 1, 2, images))])

    (outcome,) = place.run()

    assert sorted(delivery.outcome for delivery in outcome.deliveries) == ["already-there"] * 4 + ["stored"]
    loaded = [pydicom.dcmread(BytesIO(data)) for data in files_of(place.cloud)]
    (structure_set,) = (one for one in loaded if one.Modality == "RTSTRUCT")
    contour = structure_set.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0]
    assert contour.ReferencedSOPInstanceUID in {one.SOPInstanceUID for one in loaded if one.Modality == "CT"}
    assert all_is_there(place, 5)


def test_a_held_instance_keeps_its_study_at_the_hospital(place: Place) -> None:
    screen = studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))
    place.receive([*CT, screen])

    (outcome,) = place.run()

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "burned-in-risk", 0)
    balance = place.balance()
    assert (balance.held, balance.loaded, balance.balanced) == (7, 0, True)


def test_a_name_in_a_kept_attribute_is_stopped_by_the_gate(place: Place) -> None:
    images = studies.ct(1, 1, 1, 3, rows=16)
    images[1].Manufacturer = f"Scanner of {images[1].PatientName.family_name}"
    place.receive(studies.to_bytes(image) for image in images)

    (outcome,) = place.run()

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "identifier-left", 0)
    (hold,) = outcome.held
    assert hold.place == "(0008,0070)"
    assert str(images[1].PatientName.family_name) not in repr(outcome)


def test_what_was_held_is_tried_again_when_the_profile_changed(place: Place) -> None:
    place.receive([studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))])
    place.run()

    assert place.run() == []
    (again,) = place.run(profile="basic")
    assert again.status == "held"


def test_two_patients_in_one_study_are_held(place: Place) -> None:
    first, second = studies.ct(1, 1, 1, 2, rows=16)
    second.PatientID = "SOMEBODY-ELSE"
    place.receive([studies.to_bytes(first), studies.to_bytes(second)])

    outcomes = place.run()

    assert [outcome.reason for outcome in outcomes] == ["two-patients"] * 2
    assert counts(place.cloud) == 0


def test_a_patient_id_that_was_corrected_after_loading_doubles_nothing(place: Place) -> None:
    place.receive(CT)
    place.run()
    corrected = studies.ct(1, 1, 1, 6, rows=16)
    for image in corrected:
        image.PatientID = "CORRECTED"
    ask(place.hospital, "DELETE", f"/patients/{ask(place.hospital, 'GET', '/patients')[1][0]}")
    place.receive(studies.to_bytes(image) for image in corrected)

    (outcome,) = place.run()

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "two-patients", 6)


def test_one_instance_uid_in_two_series_is_held(place: Place) -> None:
    first, second = studies.ct(1, 1, 1, 1, rows=16)[0], studies.ct(1, 1, 2, 1, rows=16)[0]
    second.SOPInstanceUID = first.SOPInstanceUID
    place.receive([studies.to_bytes(first), studies.to_bytes(second)])

    (outcome,) = place.run()

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "instance-twice", 0)


def test_an_instance_deleted_before_its_turn_is_not_called_loaded(place: Place) -> None:
    place.receive(CT)
    with place.desk() as desk:
        (work,) = find_work(desk, set())
        ask(place.hospital, "DELETE", f"/instances/{ask(place.hospital, 'GET', '/instances')[1][0]}")
        with pytest.raises(TransientError, match="changes at the hospital"):
            move(desk, work)
    assert counts(place.cloud) == 0

    (outcome,) = place.run()

    assert (outcome.source_instances, counts(place.cloud), place.balance().balanced) == (5, 5, True)


class Amiss(Orthanc):
    """A hospital's Orthanc that answers amiss."""

    def __init__(self, server: Server, answer: Callable[[bytes], bytes]) -> None:
        super().__init__(server)
        self._answer = answer

    def fetch(self, orthanc_id: str, *, size: int = 0, folder: Path | None = None) -> bytes:
        """Get an instance's file, or what becomes of it on the way."""
        return self._answer(bytes(super().fetch(orthanc_id, size=size, folder=folder)))


def _fail(data: bytes) -> bytes:
    raise ValueError(str(pydicom.dcmread(BytesIO(data)).PatientName))


OTHER = studies.to_bytes(studies.ct(1, 7, 1, 1, rows=16)[0])


@case(104)
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda data: data[:-2], "another size"),
        (lambda data: OTHER.ljust(len(data), b"\0")[: len(data)], "another study"),
    ],
    ids=["cut", "another instance"],
)
def test_a_hospital_that_answers_amiss_leaves_the_study_in_flight(
    place: Place, answer: Callable[[bytes], bytes], message: str
) -> None:
    place.receive(CT)
    with place.desk() as desk, Amiss(place.hospital.server(section="sites.north"), answer) as amiss:
        (work,) = find_work(desk, set())
        with pytest.raises(TransientError, match=message):
            move(replace(desk, hospital=amiss), work)
    assert (counts(place.cloud), place.balance().in_flight) == (0, 6)


@case(105)
def test_an_error_that_nobody_foresaw_keeps_its_text_to_itself(place: Place) -> None:
    place.receive(CT)
    name = str(studies.ct(1, 1, 1, 1, rows=16)[0].PatientName)
    with place.desk() as desk, Amiss(place.hospital.server(section="sites.north"), _fail) as amiss:
        (work,) = find_work(desk, set())
        with pytest.raises(TerminalError, match="ValueError") as caught:
            move_if_ours(replace(desk, hospital=amiss), work)
    assert caught.value.__context__ is None
    assert name not in "".join(traceback.format_exception(caught.value))


def test_a_picture_that_lost_its_pixels_is_held(place: Place) -> None:
    images = studies.ct(1, 1, 1, 2, rows=16)
    del images[1].PixelData
    place.receive(studies.to_bytes(image) for image in images)

    (outcome,) = place.run()

    assert (outcome.reason, counts(place.cloud)) == ("pixel-data-missing", 0)


@case(103)
def test_other_bytes_in_the_cloud_are_held_and_never_overwritten(place: Place) -> None:
    place.receive(CT)
    place.run()
    changed = studies.ct(1, 1, 1, 6, rows=16)
    changed[0].KVP = "99"
    ask(place.hospital, "DELETE", f"/patients/{ask(place.hospital, 'GET', '/patients')[1][0]}")
    place.receive(studies.to_bytes(image) for image in changed)
    before = sorted(files_of(place.cloud))

    (outcome,) = place.run()

    assert (outcome.status, outcome.reason, len(outcome.held)) == ("held", "conflict", 1)
    assert sorted(files_of(place.cloud)) == before
    assert place.balance().balanced


@case(104)
def test_a_cloud_that_goes_away_in_the_middle_costs_nothing_but_time(place: Place) -> None:
    place.receive(CT)
    with place.desk() as desk:
        (work,) = find_work(desk, set())
        place.cloud.stop()
        try:
            with pytest.raises(TransientError, match=r"\[cloud\].*cannot be asked"):
                move(desk, work)
        finally:
            place.cloud.start()
    assert (place.balance().in_flight, counts(place.cloud)) == (6, 0)

    (outcome,) = place.run()

    assert (outcome.status, counts(place.cloud), place.balance().in_flight) == ("loaded", 6, 0)


def test_a_hospital_that_is_away_is_a_clear_error(place: Place) -> None:
    with place.desk() as desk:
        place.hospital.stop()
        try:
            with pytest.raises(TransientError, match=r"\[sites.north\].*nothing listens there"):
                desk.check()
        finally:
            place.hospital.start()


def test_a_wrong_password_is_a_clear_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTWASH_TEST_PASSWORD", "wrong")
    with place.desk() as desk, pytest.raises(TerminalError, match="ENTWASH_TEST_PASSWORD"):
        desk.check()


@case(105)
def test_nothing_of_a_patient_stands_in_the_lineage_or_the_cloud(place: Place) -> None:
    place.receive(instance.data for instance in studies.north())

    place.run()

    stored = b"".join(studies.inflated(data) for data in files_of(place.cloud)).lower()
    kept = place.ledger_bytes().lower()
    for planted in studies.PLANTED:
        for spelling in planted.spellings:
            assert spelling.lower() not in stored, planted.kind
            assert spelling.lower() not in kept, planted.kind


@case(107)
def test_no_hospital_identifier_of_orthanc_stands_in_the_lineage(place: Place) -> None:
    place.receive(CT)
    place.run()

    kept = place.ledger_bytes()
    identifiers = [one for level in ("patients", "studies", "series", "instances")
                   for one in ask(place.hospital, "GET", f"/{level}")[1]]  # fmt: skip
    assert len(identifiers) == 9
    assert not [one for one in identifiers if one.encode() in kept]


@case(107)
def test_what_orthanc_notes_beside_an_object_in_the_cloud_tells_nothing_of_its_source(place: Place) -> None:
    """Its metadata (who sent it, from where, when) and its attachments, at every level."""
    place.receive(instance.data for instance in studies.north())
    theirs = {one for level in LEVELS for one in ask(place.hospital, "GET", f"/{level}")[1]}
    place.run()

    notes = dict(noted(place.cloud))
    assert set(notes) >= {"metadata of studies", "metadata of instances", "attachments of instances"}
    texts = {one.encode() for one in theirs} | {one for planted in studies.PLANTED for one in planted.spellings}

    def told(server: OrthancServer) -> int:
        everything = b"\n".join(note for _, note in noted(server)).lower()
        return sum(text.lower() in everything for text in texts)

    assert len(theirs) > 40
    assert (told(place.cloud), told(place.hospital) > 20) == (0, True)


LEVELS = ("patients", "studies", "series", "instances")


def noted(server: OrthancServer) -> Iterator[tuple[str, bytes]]:
    """Yield all that a server keeps beside its objects: their metadata, by name, and their attachments."""
    for level in LEVELS:
        for one in ask(server, "GET", f"/{level}")[1]:
            for kind, end in (("metadata", ""), ("attachments", "/data")):
                for name in ask(server, "GET", f"/{level}/{one}/{kind}")[1]:
                    value = ask(server, "GET", f"/{level}/{one}/{kind}/{name}{end}")[1]
                    told = value if isinstance(value, bytes) else repr(value).encode()
                    yield f"{kind} of {level}", studies.inflated(told) if told[128:132] == b"DICM" else told


def test_lineage_counts_references_that_hold(place: Place) -> None:
    images = studies.ct(1, 1, 1, 4, rows=16)
    place.receive(studies.to_bytes(one) for one in [*images, studies.structure_set(1, 1, 2, images)])
    place.run()

    with lineage.connect(place.folder / "lineage") as tables:
        rows = lineage.rows(tables, 'SELECT level, state, count(*) AS n FROM "references" GROUP BY ALL ORDER BY ALL')
    # four slices, and the study that the structure set names as an instance (PS3.3 C.8.8.6.3)
    assert {"level": "instance", "state": "resolved", "n": 5} in rows
    assert all(row["state"] == "resolved" for row in rows)


def states(place: Place) -> set[str]:
    """Return the states of all references, those of one level or another."""
    with lineage.connect(place.folder / "lineage") as tables:
        return {str(row["state"]) for row in lineage.rows(tables, 'SELECT DISTINCT state FROM "references"')}


def waiting(place: Place) -> set[str]:
    """Return the levels of what waits for its target."""
    with lineage.connect(place.folder / "lineage") as tables:
        return {str(row["level"]) for row in lineage.rows(tables, "FROM pending WHERE age > INTERVAL 0 SECONDS")}


def two_visits() -> tuple[list[Dataset], list[Dataset]]:
    """Return the images of a visit, and those of the next one with a registration that points at both."""
    first, second = studies.ct(1, 1, 1, 2, rows=16), studies.ct(1, 2, 1, 2, rows=16)
    registration = studies.registration(1, 2, 2, second, fixed_frame=first[0].FrameOfReferenceUID, fixed_images=first)
    return first, [*second, registration]


def test_a_reference_to_a_study_that_the_hospital_does_not_have_leads_outside_until_it_comes(place: Place) -> None:
    first, second = two_visits()
    place.receive(studies.to_bytes(one) for one in second)
    place.run()
    assert states(place) == {"resolved", "external"}

    place.receive(studies.to_bytes(one) for one in first)
    place.run()
    assert states(place) == {"resolved", "elsewhere"}


def test_a_reference_to_a_study_that_is_held_waits_until_it_is_loaded(place: Place) -> None:
    first, second = two_visits()
    dump = studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))
    place.receive([*(studies.to_bytes(one) for one in (*first, *second)), dump])
    place.run()
    assert states(place) == {"resolved", "pending"}
    assert waiting(place) == {"instance", "series", "study", "frame-of-reference"}

    (identifier,) = ask(place.hospital, "POST", "/tools/lookup", dcmread(BytesIO(dump)).SOPInstanceUID.encode())[1]
    ask(place.hospital, "DELETE", identifier["Path"])
    place.run()
    assert states(place) == {"resolved", "elsewhere"}
    assert waiting(place) == set()


def test_a_study_that_does_not_fit_to_what_was_loaded_before_is_held(place: Place) -> None:
    first, second = two_visits()
    place.receive(studies.to_bytes(one) for one in first)
    place.run()
    place.receive(studies.to_bytes(one) for one in second)
    (outcome,) = place.run(patient_id_prefix="LUNG-")
    assert (outcome.status, outcome.reason) == ("held", "not-as-before")

    (outcome,) = place.run()  # once the settings are what they were, it is tried again by itself
    assert (outcome.status, counts(place.cloud)) == ("loaded", 5)


def test_a_project_goes_on_with_the_key_that_it_began_with(place: Place) -> None:
    place.receive(CT)
    place.run()
    key = place.folder / "north.key"
    theirs = key.read_bytes()
    key.unlink()
    with place.desk() as desk, pytest.raises(TerminalError, match=r"\[sites.north\] key_file: .* Put that one back"):
        desk.check()
    with place.desk(name="another") as desk:
        desk.check()

    key.write_bytes(theirs)
    with place.desk() as desk:
        desk.check()


def test_a_profile_that_retains_uids_brings_them_to_the_cloud(place: Place) -> None:
    own = place.folder / "own.toml"
    own.write_text('extends = "research"\n[options]\nadd = ["retain_uids"]\n')
    first, _ = two_visits()
    place.receive(studies.to_bytes(one) for one in first)
    (outcome,) = place.run(profile=str(own))
    assert (outcome.status, outcome.study_instance_uid) == ("loaded", first[0].StudyInstanceUID)
    assert place.balance().balanced


def test_the_spool_is_empty_after_a_run(place: Place) -> None:
    place.receive(CT)
    dead = place.folder / "lineage" / "spool" / "study-left"
    dead.mkdir(parents=True)
    place.run()
    assert list((place.folder / "lineage" / "spool").iterdir()) == []
