"""A site with `release = "instance"`: images are in the cloud while their study still arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.logging import disable_run_logger
from pydicom.dataset import Dataset

import flows.early
import flows.route
from deployments.demo import studies
from flows.desk import Desk
from flows.early import load_early
from flows.errors import TerminalError
from flows.inventory import find_work
from flows.leases import LIVE, RECONCILIATION
from flows.ledger import lineage
from flows.ledger.records import StudyOutcome
from flows.orthanc import Orthanc
from flows.orthanc.client import COMPLETE
from flows.route import _load_early
from flows.settings.sites import load_sites
from flows.study import move
from flows.tally import Tally
from flows.withdrawal import withdraw_forsaken
from tests import crash, processes
from tests.cases import read
from tests.faulty import Faulty, faulty
from tests.hospital import Place, ask, counts, emptied, files_of, passwords_in_the_environment
from tests.orthanc_server import OrthancServer


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Start a hospital at which no study becomes stable by itself while a test waits."""
    with OrthancServer(tmp_path_factory.mktemp("slow"), {"StableAge": 3600}) as server:
        yield server


@pytest.fixture
def arriving(place: Place, slow: OrthancServer) -> Place:
    """Offer that hospital, empty, and an empty cloud."""
    place.hospital = emptied(slow)
    return place


def images(count: int = 4) -> list[Dataset]:
    return studies.ct(1, 1, 1, count, rows=16)


def arrive(place: Place, datasets: Iterable[Dataset]) -> None:
    """Store instances, and wait for nothing."""
    for dataset in datasets:
        ask(place.hospital, "POST", "/instances", studies.to_bytes(dataset))


def early(place: Place, datasets: Iterable[Dataset] = (), **project: str) -> int:
    """Let instances arrive, and do what a run does first at such a site."""
    arrive(place, datasets)
    with place.desk(release="instance", **project) as desk:
        return load_early(desk)


def settle_down(place: Place) -> None:
    """Let all studies be stable: after a restart Orthanc calls them so."""
    place.hospital.restart()
    assert all(study["IsStable"] for study in ask(place.hospital, "GET", "/studies?expand")[1])


def moved(place: Place, **project: str) -> StudyOutcome:
    """Let the study be stable, and move it."""
    settle_down(place)
    (outcome,) = place.run(release="instance", **project)
    return outcome


def rows(place: Place, sql: str) -> list[tuple[Any, ...]]:
    with lineage.connect(place.folder / "lineage") as tables:
        return [tuple(row.values()) for row in lineage.rows(tables, sql)]


def states(place: Place) -> dict[str, int]:
    return dict(rows(place, "SELECT state, count(*) FROM early GROUP BY state"))


def sums(place: Place) -> tuple[int, int, int, int, bool]:
    there = place.balance()
    return (there.source_instances, there.loaded, there.held, there.in_flight, there.balanced)


def is_complete(place: Place) -> bool:
    """Tell what a researcher can tell: the study in the cloud has as many instances as its mark says."""
    (study,) = ask(place.cloud, "GET", "/studies")[1]
    status, mark = ask(place.cloud, "GET", f"/studies/{study}/metadata/{COMPLETE}")
    return status == 200 and int(mark) == counts(place.cloud)


def test_images_are_in_the_cloud_before_their_study_is_stable(arriving: Place) -> None:
    assert early(arriving, images(3)) == 3

    assert (counts(arriving.cloud), states(arriving), is_complete(arriving)) == (3, {"early": 3}, False)
    assert sums(arriving) == (3, 0, 0, 3, True)
    assert rows(arriving, "FROM instances") == []


@pytest.mark.parametrize(
    "options", [{"IngestTranscoding": "1.2.840.10008.1.2.4.70"}, {"StoreMD5ForAttachments": False}], ids=str
)
def test_what_a_cloud_stores_otherwise_is_never_called_withdrawn(tmp_path: Path, options: dict[str, Any]) -> None:
    with (
        OrthancServer(tmp_path / "hospital", {"StableAge": 3600}) as hospital,
        OrthancServer(tmp_path / "cloud", options) as cloud,
        passwords_in_the_environment(),
    ):
        place = Place(hospital, cloud, tmp_path)
        arrive(place, images(3))
        with place.desk(release="instance") as desk, suppress(TerminalError):
            load_early(desk)  # it may say at once that nothing can be proven there
        assert counts(cloud) == 3
        arrive(place, [studies.screen_dump(1, 1, 2, rows=16)])  # holds its study
        settle_down(place)
        with pytest.raises(TerminalError, match="3 instances left before their study was stable and must not stay"):
            place.run(release="instance")
        assert (states(place), place.balance().in_flight) == ({"early": 3}, 4)

        emptied(cloud)  # as the message says
        (outcome,) = place.run(release="instance")
        assert (outcome.status, counts(cloud), states(place)) == ("held", 0, {"withdrawn": 3})


def looked_at(place: Place, **project: str) -> None:
    """Do what the flow does before it looks for studies that are stable."""
    with place.desk(**project) as desk, disable_run_logger():
        _load_early(desk, Tally("north"), thorough=True)


def test_the_flow_begins_with_what_arrives_where_the_site_says_so(arriving: Place) -> None:
    arrive(arriving, images(3))
    looked_at(arriving)
    assert counts(arriving.cloud) == 0
    looked_at(arriving, release="instance")
    assert (counts(arriving.cloud), states(arriving)) == (3, {"early": 3})


def test_what_fails_early_stops_no_run(arriving: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_desk: Desk) -> int:
        raise ValueError("Zoroaster^Zelda")

    monkeypatch.setattr(flows.route, "load_early", fails)
    looked_at(arriving, release="instance")


def test_what_arrives_next_follows_and_the_study_completes(arriving: Place) -> None:
    assert [early(arriving, images()[:2]), early(arriving), early(arriving, images()[2:])] == [2, 0, 2]

    outcome = moved(arriving)

    assert (outcome.status, {one.outcome for one in outcome.deliveries}) == ("loaded", {"already-there"})
    assert outcome.checks["instances"] == 4  # the gate looked at all of them
    assert (counts(arriving.cloud), states(arriving), is_complete(arriving)) == (4, {"complete": 4}, True)
    assert sums(arriving) == (4, 4, 0, 0, True)


def test_a_study_that_fails_when_it_is_stable_is_withdrawn_and_says_so(arriving: Place) -> None:
    assert early(arriving, [*images(3), studies.screen_dump(1, 1, 2, rows=16)]) == 3

    outcome = moved(arriving)

    assert (outcome.status, outcome.reason, counts(arriving.cloud)) == ("held", "burned-in-risk", 0)
    assert [hold.message[:12] for hold in outcome.held if hold.code == "withdrawn"] == ["3 instances "]
    assert (states(arriving), sums(arriving)) == ({"withdrawn": 3}, (4, 0, 4, 0, True))


def test_what_only_the_whole_study_shows_is_withdrawn_too(arriving: Place) -> None:
    """Clean one by one: the name of one instance stands in another, whose own patient is called otherwise."""
    slices = images(3)
    slices[0].Manufacturer = "Scanner of Zoroaster"
    slices[1].PatientName = "Zoroaster^Zelda"
    assert early(arriving, slices) == 3

    outcome = moved(arriving)

    assert (outcome.reason, counts(arriving.cloud), states(arriving)) == ("identifier-left", 0, {"withdrawn": 3})


def test_where_a_hold_holds_an_instance_the_others_stay(arriving: Place) -> None:
    slices = images(3)
    slices[0].Manufacturer = "Scanner of Zoroaster"
    slices[1].PatientName = "Zoroaster^Zelda"
    early(arriving, slices, hold="instance")

    moved(arriving, hold="instance")

    assert (counts(arriving.cloud), states(arriving)) == (2, {"withdrawn": 1, "complete": 2})
    assert (is_complete(arriving), sums(arriving)) == (True, (3, 2, 1, 0, True))


def test_what_the_selection_does_not_send_does_not_leave_early(arriving: Place) -> None:
    arriving.selection = 'modalities = ["MR"]'
    assert (early(arriving, images(3)), counts(arriving.cloud)) == (0, 0)


def test_what_the_selection_excludes_when_it_is_stable_is_withdrawn(arriving: Place) -> None:
    arriving.selection = 'modalities = ["CT"]'
    assert early(arriving, images(3)) == 3
    arrive(arriving, [studies.screen_dump(1, 1, 2, rows=16)])

    assert moved(arriving).status == "excluded"

    assert (counts(arriving.cloud), states(arriving), sums(arriving)) == (0, {"withdrawn": 3}, (4, 0, 0, 0, True))


def test_what_cannot_be_proven_alone_waits_for_its_study(arriving: Place) -> None:
    slices = images(3)
    slices[0].Manufacturer = f"Scanner of {slices[0].PatientName.family_name}"
    assert early(arriving, slices) == 2
    assert {read(data).Manufacturer for data in files_of(arriving.cloud)} == {slices[1].Manufacturer}


def test_a_late_image_makes_the_study_incomplete_until_it_is_proven(arriving: Place) -> None:
    early(arriving, images()[:3])
    moved(arriving)
    assert is_complete(arriving)

    assert early(arriving, images()[3:]) == 1
    assert (counts(arriving.cloud), is_complete(arriving), sums(arriving)) == (4, False, (4, 3, 0, 1, True))

    outcome = moved(arriving)
    assert (outcome.status, is_complete(arriving), states(arriving)) == ("loaded", True, {"complete": 4})
    assert sums(arriving) == (4, 4, 0, 0, True)


def test_a_late_failure_withdraws_what_came_late_and_nothing_else(arriving: Place) -> None:
    early(arriving, images()[:3])
    moved(arriving)
    before = sorted(files_of(arriving.cloud))
    assert early(arriving, [*images()[3:], studies.screen_dump(1, 1, 2, rows=16)]) == 1

    outcome = moved(arriving)

    assert (outcome.status, sorted(files_of(arriving.cloud)) == before, is_complete(arriving)) == ("held", True, True)
    assert (states(arriving), sums(arriving)) == ({"complete": 3, "withdrawn": 1}, (5, 3, 2, 0, True))


def test_a_held_study_that_grows_is_left_alone_until_it_is_stable(arriving: Place) -> None:
    early(arriving, [*images(3), studies.screen_dump(1, 1, 2, rows=16)])
    moved(arriving)
    assert (early(arriving, images()[3:]), counts(arriving.cloud)) == (0, 0)


def test_what_was_in_the_cloud_before_is_nobodys_to_withdraw(arriving: Place) -> None:
    """Another ledger brought it, and is lost."""
    early(arriving, images(3))
    moved(arriving)
    (arriving.folder / "lineage").rename(arriving.folder / "lost")
    emptied(arriving.hospital)

    assert early(arriving, [*images()[1:], studies.screen_dump(1, 1, 2, rows=16)]) == 1
    assert moved(arriving).status == "held"

    assert (counts(arriving.cloud), states(arriving)) == (3, {"withdrawn": 1})


def test_other_rules_between_arrival_and_proof_bring_what_they_make(arriving: Place) -> None:
    (arriving.folder / "own.toml").write_text('extends = "research"\n[attributes]\nManufacturer = "remove"\n')
    early(arriving, images(3))

    outcome = moved(arriving, profile="own.toml")

    assert (outcome.status, {one.outcome for one in outcome.deliveries}) == ("loaded", {"stored"})
    assert not any("Manufacturer" in read(data) for data in files_of(arriving.cloud))
    assert (counts(arriving.cloud), is_complete(arriving), sums(arriving)) == (3, True, (3, 3, 0, 0, True))


def test_what_is_gone_when_the_study_is_stable_is_withdrawn(arriving: Place) -> None:
    early(arriving, images(3))
    ask(arriving.hospital, "DELETE", f"/instances/{ask(arriving.hospital, 'GET', '/instances')[1][0]}")

    outcome = moved(arriving)

    assert (outcome.status, outcome.held, counts(arriving.cloud)) == ("loaded", (), 2)
    assert (states(arriving), is_complete(arriving)) == ({"complete": 2, "withdrawn": 1}, True)


def test_a_study_that_is_gone_before_it_is_stable_is_withdrawn(arriving: Place) -> None:
    early(arriving, images(3))
    early(arriving, studies.ct(2, 2, 1, 2, rows=16))
    with arriving.desk() as desk:
        assert withdraw_forsaken(desk, timedelta(0)) == 0
        gone = next(
            study for study in desk.hospital.studies() if study.study_instance_uid == images()[0].StudyInstanceUID
        )
        ask(arriving.hospital, "DELETE", f"/studies/{gone.orthanc_id}")
        assert withdraw_forsaken(desk) == 0  # too young to be called forsaken
        assert withdraw_forsaken(desk, timedelta(0)) == 3
    assert (counts(arriving.cloud), states(arriving)) == (2, {"early": 2, "withdrawn": 3})


def test_what_left_while_the_clock_was_ahead_is_withdrawn(arriving: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    next_year = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(days=365))
    with monkeypatch.context() as ahead:
        ahead.setattr(flows.early, "datetime", next_year)
        assert early(arriving, images(3)) == 3
    emptied(arriving.hospital)
    with arriving.desk() as desk:
        assert withdraw_forsaken(desk) == 3
    assert counts(arriving.cloud) == 0


def beside(place: Place) -> Desk:
    """Lay out the desk of another site at the same hospital, with the same key."""
    south = place.folder / "south.toml"
    south.write_text(place.write_sites(release="instance").read_text().replace("[sites.north]", "[sites.south]"))
    return Desk.open(load_sites(south, only="south"), "south", "south-1")


def test_what_another_site_with_the_same_key_loaded_is_not_withdrawn(arriving: Place) -> None:
    early(arriving, images(3))
    settle_down(arriving)
    with beside(arriving) as desk:
        assert [move(desk, work).status for work in find_work(desk, set())] == ["loaded"]

    with arriving.desk(release="instance") as desk:
        emptied(arriving.hospital)
        assert withdraw_forsaken(desk, timedelta(0)) == 0

    assert counts(arriving.cloud) == 3


def test_nothing_is_withdrawn_of_what_another_site_with_the_same_key_moves_at_this_moment(arriving: Place) -> None:
    early(arriving, images(3))
    settle_down(arriving)
    with beside(arriving) as other, arriving.desk() as desk:
        (work,) = find_work(other, set())
        with other.leases.study(work.work) as is_ours, desk.leases.take(RECONCILIATION), desk.leases.share(LIVE):
            with other.leases.take(RECONCILIATION) as is_theirs:
                assert is_ours and is_theirs
            assert not other.leases.is_shared(LIVE)
            emptied(arriving.hospital)
            assert withdraw_forsaken(desk, timedelta(0)) == 0
        assert counts(arriving.cloud) == 3
        assert withdraw_forsaken(desk, timedelta(0)) == 3


def test_what_another_worker_loaded_and_could_not_close_is_not_withdrawn(arriving: Place) -> None:
    early(arriving, images(3))
    with arriving.desk(release="instance") as desk:
        assert desk.ledger.settled("north", "test") == {}
        settle_down(arriving)
        killed(arriving, "before the end")
        emptied(arriving.hospital)
        assert withdraw_forsaken(desk, timedelta(0)) == 0
    assert (counts(arriving.cloud), states(arriving)) == (3, {"complete": 3})


def test_what_came_again_in_another_series_leaves_the_first_one_not_behind(arriving: Place) -> None:
    (image,) = images(1)
    early(arriving, [image])
    emptied(arriving.hospital)
    image.SeriesInstanceUID += ".1"
    assert early(arriving, [image]) == 1

    assert moved(arriving).status == "loaded"

    assert (counts(arriving.cloud), states(arriving)) == (1, {"complete": 1, "withdrawn": 1})


def test_a_site_that_wants_nothing_early_any_more_withdraws_what_was_forsaken(
    arriving: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    early(arriving, images(3))
    emptied(arriving.hospital)
    monkeypatch.setattr(flows.route, "withdraw_forsaken", lambda desk: withdraw_forsaken(desk, timedelta(0)))
    looked_at(arriving)
    assert (counts(arriving.cloud), states(arriving)) == (0, {"withdrawn": 3})


def test_a_site_that_releases_studies_marks_them_too(place: Place) -> None:
    place.receive(studies.to_bytes(image) for image in images(2))
    place.run()
    assert is_complete(place)


def test_a_cloud_that_refuses_the_mark_leaves_nothing_off_the_record(place: Place) -> None:
    def refuses(_end: Faulty, method: str, _path: str) -> tuple[int, bytes] | None:
        return (403, b"") if method == "PUT" else None

    place.receive(studies.to_bytes(image) for image in images(2))
    with (
        faulty(place.cloud, refuses) as end,
        place.desk() as desk,
        Orthanc(place.cloud.server(url=end.url)) as cloud,
        pytest.raises(TerminalError, match="metadata"),
    ):
        other = replace(desk, cloud=cloud)
        move(other, find_work(other, set())[0])
    assert sums(place) == (2, 2, 0, 0, True)


# Killed


def killed(place: Place, step: str, datasets: Iterable[Dataset] = ()) -> None:
    files = [studies.to_bytes(dataset) for dataset in datasets]
    processes.killed(crash.load_and_withdraw, place.write_sites(release="instance"), step, files)


@pytest.mark.parametrize("step", ["before the intent", "before the load"])
def test_a_run_killed_while_it_loads_early_loses_nothing(arriving: Place, step: str) -> None:
    killed(arriving, step, images(3))
    assert counts(arriving.cloud) <= sum(states(arriving).values())

    outcome = moved(arriving)

    assert (outcome.status, counts(arriving.cloud), is_complete(arriving)) == ("loaded", 3, True)
    assert (set(states(arriving)) <= {"complete"}, sums(arriving)) == (True, (3, 3, 0, 0, True))


@pytest.mark.parametrize("step", ["before the outcome", "before the end"])
def test_a_run_killed_before_it_records_leaves_its_instances_known(arriving: Place, step: str) -> None:
    early(arriving, images(3))
    settle_down(arriving)
    killed(arriving, step)
    assert set(states(arriving)) == ({"early"} if step == "before the outcome" else {"complete"})
    assert arriving.balance().balanced

    arriving.run(release="instance")

    assert (counts(arriving.cloud), states(arriving), is_complete(arriving)) == (3, {"complete": 3}, True)
    assert sums(arriving) == (3, 3, 0, 0, True)


@pytest.mark.parametrize("step", ["before the withdrawal", "before its record", "before the outcome"])
def test_a_run_killed_while_it_withdraws_is_finished_by_the_next(arriving: Place, step: str) -> None:
    early(arriving, [*images(3), studies.screen_dump(1, 1, 2, rows=16)])
    settle_down(arriving)
    killed(arriving, step)
    assert sums(arriving) == (4, 0, 0, 4, True)

    outcome = moved(arriving)

    assert (outcome.status, counts(arriving.cloud), states(arriving)) == ("held", 0, {"withdrawn": 3})
    assert sums(arriving) == (4, 0, 4, 0, True)
