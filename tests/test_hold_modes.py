"""What one held instance holds: its study, or, where the site says so, itself and what points at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from pydicom.dataset import Dataset

from deployments.demo import studies
from flows.ledger import lineage
from flows.ledger.records import StudyOutcome
from tests.hospital import Place, counts

INSTANCE = {"hold": "instance"}


def moved(place: Place, images: Iterable[Dataset], **project: str) -> StudyOutcome:
    place.receive(studies.to_bytes(image) for image in images)
    (outcome,) = place.run(**project)
    return outcome


def named(images: Iterable[Dataset]) -> None:
    """Let the scanner's maker be called after the patient: the gate finds that in the output."""
    for image in images:
        image.Manufacturer = f"Scanner of {image.PatientName.family_name}"


def fates(place: Place) -> Mapping[str, int]:
    with lineage.connect(place.folder / "lineage") as tables:
        rows = lineage.rows(tables, "SELECT status, reason, count(*) AS n FROM instances GROUP BY ALL")
    return {f"{row['status']} {row['reason']}".strip(): row["n"] for row in rows}


def sums(place: Place) -> tuple[int, int, int, int, bool]:
    there = place.balance()
    return (there.source_instances, there.loaded, there.held, there.in_flight, there.balanced)


def test_an_instance_that_the_engine_holds_stays_alone(place: Place) -> None:
    outcome = moved(place, [*studies.ct(1, 1, 1, 6, rows=16), studies.screen_dump(1, 1, 2, rows=16)], **INSTANCE)

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "burned-in-risk", 6)
    assert fates(place) == {"loaded": 6, "held burned-in-risk": 1}
    assert sums(place) == (7, 6, 1, 0, True)


def test_an_instance_that_the_gate_holds_stays_alone(place: Place) -> None:
    images = studies.ct(1, 1, 1, 4, rows=16)
    named(images[2:3])

    outcome = moved(place, images, **INSTANCE)

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "identifier-left", 3)
    assert sums(place) == (4, 3, 1, 0, True)
    assert outcome.checks["instances"] == 3  # proven again, without the held one


def test_a_structure_set_that_points_at_a_held_image_stays_with_it_and_so_does_what_points_at_that(
    place: Place,
) -> None:
    images = studies.ct(1, 1, 1, 4, rows=16)
    structures = studies.structure_set(1, 1, 2, images)
    plan = studies.plan(1, 1, 3, structures)
    other = studies.mr(1, 1, 4, 2, rows=16)
    named(images[:1])

    outcome = moved(place, [*images, structures, plan, *other], **INSTANCE)

    assert {hold.code for hold in outcome.held} == {"identifier-left", "points-at-held"}
    assert {hold.place[:11] for hold in outcome.held if hold.code == "points-at-held"} >= {"(3006,0010)"}
    assert fates(place) == {"loaded": 5, "held identifier-left": 1, "held points-at-held": 2}
    assert (outcome.reason, counts(place.cloud), sums(place)) == ("identifier-left", 5, (8, 5, 3, 0, True))


def test_what_points_at_an_image_that_the_engine_holds_stays_too(place: Place) -> None:
    """The engine made no output of it, so only its pseudonym can tell who it is."""
    images = studies.ct(1, 1, 1, 3, rows=16)
    del images[1].PixelData

    outcome = moved(place, [*images, studies.structure_set(1, 1, 2, images)], **INSTANCE)

    assert sorted(hold.code for hold in outcome.held) == ["pixel-data-missing", "points-at-held"]
    assert sums(place) == (4, 2, 2, 0, True)


@pytest.mark.parametrize("names_an_image", [False, True])
def test_a_series_that_is_named_as_a_whole_is_pointed_at_by_whom_names_no_image_of_it(
    place: Place,
    names_an_image: bool,
) -> None:
    images = studies.ct(1, 1, 1, 3, rows=16)
    shown = studies.presentation(1, 1, 2, images[1:])
    if not names_an_image:
        del shown.ReferencedSeriesSequence[0].ReferencedImageSequence
        shown.DisplayedAreaSelectionSequence[0].pop("ReferencedImageSequence", None)
        shown.pop("GraphicAnnotationSequence", None)
    named(images[:1])

    outcome = moved(place, [*images, shown], **INSTANCE)

    pointing = [hold.place for hold in outcome.held if hold.code == "points-at-held"]
    assert pointing == ([] if names_an_image else ["(0008,1115)[1].(0020,000E)"])
    assert sums(place)[1:] == ((3, 1, 0, True) if names_an_image else (2, 2, 0, True))


def test_no_released_instance_points_at_a_held_one(place: Place) -> None:
    images = studies.ct(1, 1, 1, 4, rows=16)
    named(images[:1])
    moved(
        place, [*images, studies.structure_set(1, 1, 2, images), studies.presentation(1, 1, 3, images[2:])], **INSTANCE
    )

    with lineage.connect(place.folder / "lineage") as tables:
        pointing = lineage.rows(
            tables,
            'SELECT r.target FROM "references" AS r JOIN instances AS i ON r.target = i.sop_instance_uid'
            " WHERE i.status = 'held'",
        )
    assert pointing == []
    assert sums(place) == (6, 4, 2, 0, True)


def test_the_study_is_held_whole_unless_the_site_says_otherwise(place: Place) -> None:
    moved(place, [*studies.ct(1, 1, 1, 3, rows=16), studies.screen_dump(1, 1, 2, rows=16)])

    assert (counts(place.cloud), sums(place)) == (0, (4, 0, 4, 0, True))


def test_two_patients_hold_the_study_always(place: Place) -> None:
    images = studies.ct(1, 1, 1, 2, rows=16)
    for image, issuer in zip(images, ("NORTH", "SOUTH"), strict=True):
        image.IssuerOfPatientID = issuer  # Orthanc tells patients by their ID alone

    outcome = moved(place, images, **INSTANCE)

    assert (outcome.status, outcome.reason, counts(place.cloud)) == ("held", "two-patients", 0)
    assert sums(place) == (2, 0, 2, 0, True)


def test_one_instance_uid_in_two_series_holds_both_and_nothing_else(place: Place) -> None:
    images = studies.ct(1, 1, 1, 3, rows=16)
    twin = studies.ct(1, 1, 2, 1, rows=16)[0]
    twin.SOPInstanceUID = images[0].SOPInstanceUID

    outcome = moved(place, [*images, twin], **INSTANCE)

    assert (outcome.reason, counts(place.cloud), sums(place)) == ("instance-twice", 2, (4, 2, 2, 0, True))


def test_what_identifies_in_a_held_instance_is_searched_for_in_the_rest(place: Place) -> None:
    """A name that only the held instance tells stands in another one's kept attribute."""
    images = studies.ct(1, 1, 1, 3, rows=16)
    screen = studies.screen_dump(1, 1, 2, rows=16)
    screen.OtherPatientNames = "Quillfeather^Isolde"
    images[0].Manufacturer = "Scanner of Quillfeather"

    outcome = moved(place, [*images, screen], **INSTANCE)

    assert sorted(hold.code for hold in outcome.held) == ["burned-in-risk", "identifier-left"]
    assert sums(place) == (4, 2, 2, 0, True)


def test_a_study_of_which_everything_is_held_is_held_whole(place: Place) -> None:
    outcome = moved(place, [studies.screen_dump(1, 1, 2, rows=16)], **INSTANCE)

    assert (outcome.status, outcome.instances, counts(place.cloud)) == ("held", (), 0)
    assert sums(place) == (1, 0, 1, 0, True)
