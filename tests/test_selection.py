"""Which studies leave at all: sent, excluded with a reason, or waiting for what has to come with them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments.demo import studies
from flows.errors import TransientError
from flows.held.release import record
from flows.held.studies import held_studies
from flows.inventory import find_work
from flows.ledger import lineage
from flows.ledger.records import StudyOutcome
from flows.look import Look
from flows.orthanc import Catalogue, Orthanc
from flows.selection import Choice, choose
from flows.settings.patterns import fits
from flows.study import move
from tests.clock import Clock
from tests.hospital import Place, ask, counts

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def ct(study: int, **attributes: Any) -> list[bytes]:
    return [studies.to_bytes(one) for one in studies.ct(1, study, 1, 2, rows=16, **attributes)]


def mr(study: int, **attributes: Any) -> list[bytes]:
    return [studies.to_bytes(one) for one in studies.mr(2, study, 1, 3, rows=16, **attributes)]


def structures(study: int) -> bytes:
    images = studies.ct(1, study, 1, 2, rows=16)
    return studies.to_bytes(studies.structure_set(1, study, 2, images))


def looked_at(place: Place, *, thorough: bool = True) -> list[StudyOutcome]:
    """Do what the flow does, without Prefect."""
    with place.desk() as desk:
        look = Look(desk, thorough=thorough)
        outcomes: list[StudyOutcome] = []
        while found := look.find():
            outcomes += [move(desk, work) for work in found]
        look.over(waiting=False)
        return outcomes


def asked(place: Place, query: str) -> list[dict[str, Any]]:
    with lineage.connect(place.folder / "lineage") as tables:
        return lineage.rows(tables, query)


def fates(place: Place) -> dict[str, int]:
    """Return how many instances became what, by the ledger."""
    total = place.balance()
    assert total.balanced
    return {name: count for name in ("loaded", "held", "excluded", "in_flight") if (count := getattr(total, name))}


def found_by(place: Place) -> list[str]:
    """Return how the runs came by studies, in the order in which they did."""
    return [row["found_by"] for row in asked(place, "SELECT found_by FROM raw.seen ORDER BY record")]


def reasons(place: Place) -> list[str]:
    return [row["reason"] for row in asked(place, "SELECT reason FROM studies WHERE status = 'excluded' ORDER BY ALL")]


def test_all_is_sent_and_nothing_is_asked_for_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.receive([*ct(1), *mr(1)])
    monkeypatch.setattr(Catalogue, "series", None)
    monkeypatch.setattr(Catalogue, "origins", None)
    looked_at(place)
    assert fates(place) == {"loaded": 5}


def test_what_is_not_named_stays_at_home_with_its_reason(place: Place) -> None:
    place.receive([*ct(1), *mr(1)])
    looked_at(replace(place, selection='modalities = ["CT"]'))
    assert fates(place) == {"loaded": 2, "excluded": 3}
    assert reasons(place) == ["modality"]
    assert counts(place.cloud) == 2


def test_what_was_loaded_stays_so_when_its_study_grows_by_what_is_not_named(place: Place) -> None:
    some = replace(place, selection='modalities = ["CT"]')
    place.receive(ct(1))
    looked_at(some)
    place.receive([structures(1)])
    looked_at(some)
    assert fates(place) == {"loaded": 2, "excluded": 1}
    assert (reasons(place), counts(place.cloud)) == (["modality"], 2)
    looked_at(replace(place, selection='modalities = ["CT", "MR"]'))
    assert fates(place) == {"loaded": 2, "excluded": 1}
    looked_at(place)
    assert fates(place) == {"loaded": 3}


def test_what_comes_between_choice_and_move_does_not_leave_unasked(place: Place) -> None:
    """One image goes and one that is not selected comes: there are as many as before."""
    some = replace(place, selection='modalities = ["CT"]')
    place.receive(ct(1))
    with some.desk() as desk:
        (work,) = find_work(desk, set())
        time.sleep(1)  # Orthanc writes times in whole seconds
        ask(place.hospital, "DELETE", f"/instances/{ask(place.hospital, 'GET', '/instances')[1][0]}")
        place.receive([structures(1)])
        with pytest.raises(TransientError, match="changes"):
            move(desk, work)
    assert counts(place.cloud) == 0
    looked_at(some)
    assert fates(place) == {"excluded": 2}


def test_a_study_leaves_whole_or_not_at_all(place: Place) -> None:
    place.receive([*ct(1), structures(1)])
    looked_at(replace(place, selection='modalities = ["CT"]'))
    assert fates(place) == {"excluded": 3}


def test_each_criterion_excludes_with_its_code_and_no_text_of_the_hospital(place: Place) -> None:
    place.receive(ct(1, SeriesDescription="Head of Quaerzenfeldt"))
    for selection, reason in {
        'study_descriptions = ["*thorax*"]': "description",
        'series_descriptions = ["*thorax*"]': "description",
        'studies = "all"\nexclude_study_descriptions = ["control of *"]': "description",
        'studies = "all"\nexclude_series_descriptions = ["*quaerzen*"]': "description",
        'station_names = ["CT_OTHER*"]': "station-name",
        'ae_titles = ["CT_SCANNER_2"]': "ae-title",
        'sop_classes = ["1.2.840.10008.5.1.4.1.1.4"]': "sop-class",
    }.items():
        looked_at(replace(place, selection=selection))  # each is another selection, and so asks again
        assert reasons(place) == [reason]
        assert fates(place) == {"excluded": 2}
    assert b"uaerzenf" not in place.ledger_bytes().lower()


def chosen(place: Place, selection: str) -> Choice:
    with replace(place, selection=selection).desk() as desk:
        (study,) = desk.hospital.studies()
        return choose(desk.selection, desk.hospital.catalogue, study, datetime.now(UTC))


def test_what_fits_each_criterion_is_sent(place: Place) -> None:
    place.receive(ct(1, SeriesDescription="Head of Quaerzenfeldt"))
    for selection in (
        'study_descriptions = ["CONTROL*"]\nmodalities = ["CT"]',
        'series_descriptions = ["head ?f *"]',
        'studies = "all"\nexclude_study_descriptions = ["*phantom*"]\nexclude_series_descriptions = ["*dose*"]',
        'station_names = ["ct_*"]',
        f'sop_classes = ["{CT_IMAGE}"]',
    ):
        assert chosen(place, selection) == Choice("send")


def test_what_lacks_the_attribute_does_not_leave(place: Place) -> None:
    lacking = ("SeriesDescription", "StudyDescription", "StationName", "Modality")
    place.receive(ct(1, **dict.fromkeys(lacking)))
    for selection, reason in {
        'series_descriptions = ["*a*"]': "description",
        'study_descriptions = ["*a*"]': "description",
        'station_names = ["*a*"]': "station-name",
        'modalities = ["CT"]': "modality",
        'ae_titles = ["A"]': "ae-title",
    }.items():
        assert chosen(place, selection) == Choice("exclude", reason)


def test_who_sent_an_instance_is_known_of_each(place: Place, tmp_path: Path) -> None:
    def sent(files: Iterable[bytes], title: str) -> None:
        for number, data in enumerate(files):
            (tmp_path / f"{title}-{number}.dcm").write_bytes(data)
        paths = [str(path) for path in tmp_path.glob(f"{title}-*.dcm")]
        command = ["storescu", "-aet", title, "-aec", "ORTHANC", "127.0.0.1", str(place.hospital.dicom_port), *paths]
        subprocess.run(command, check=True, capture_output=True)

    sent(mr(1), "MR_SCANNER")
    sent(ct(1)[:1], "CT_SCANNER_2")
    sent(ct(1)[1:], "SOMEBODY")
    sent(ct(2), "CT_SCANNER_2")
    place.receive([])
    looked_at(replace(place, selection='ae_titles = ["CT_SCANNER_2"]'))
    assert fates(place) == {"loaded": 2, "excluded": 5}


def test_an_excluded_study_is_asked_about_once_for_each_state_and_each_selection(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_mr = replace(place, selection='modalities = ["MR"]')
    place.receive(ct(1))
    looked_at(only_mr)
    with only_mr.desk() as desk:
        monkeypatch.setattr(desk.hospital.catalogue, "series", None)
        assert find_work(desk, set()) == []
    assert len(asked(place, "FROM raw.studies")) == 1

    place.receive([*ct(1), structures(1)])  # it grows
    looked_at(only_mr)
    assert fates(place) == {"excluded": 3}

    looked_at(replace(place, selection='modalities = ["CT", "RTSTRUCT"]'))
    assert fates(place) == {"loaded": 3}
    found = asked(place, "SELECT DISTINCT found_by FROM raw.seen ORDER BY ALL")
    assert [row["found_by"] for row in found] == ["feed", "first-look", "retry"]


def test_a_loaded_study_that_grew_by_what_is_not_selected_is_seen_to_like_any_other(place: Place) -> None:
    only_ct = replace(place, selection='modalities = ["CT"]')
    place.receive(ct(1))
    looked_at(only_ct)
    place.receive([structures(1)])
    (outcome,) = looked_at(only_ct)
    assert (outcome.status, outcome.reason, outcome.source_instances) == ("excluded", "modality", 3)
    assert place.balance().balanced
    assert counts(place.cloud) == 2  # what left before stays


def test_many_excluded_studies_are_one_record(place: Place) -> None:
    place.receive([data for study in range(1, 6) for data in ct(study)])
    looked_at(replace(place, selection='modalities = ["MR"]'))
    assert fates(place) == {"excluded": 10}
    assert asked(place, "SELECT count(DISTINCT record) AS records, count(*) AS studies FROM raw.studies") == [
        {"records": 1, "studies": 5}
    ]
    assert looked_at(replace(place, selection='modalities = ["MR"]')) == []
    assert len(asked(place, "FROM raw.studies")) == 5


# Waiting

WAITS = 'studies = "all"\nwait_for = {RTSTRUCT = ["CT", "MR"]}'


def test_a_structure_set_waits_for_its_images_and_goes_with_them(place: Place) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    assert looked_at(waits) == []
    assert fates(place) == {"in_flight": 1}
    (waiting,) = asked(place, "SELECT reason, instances, age >= INTERVAL 0 SECOND AS aged FROM waiting")
    assert waiting == {"reason": "waits-for-images", "instances": 1, "aged": True}

    place.receive(ct(1))
    looked_at(waits, thorough=False)
    assert fates(place) == {"loaded": 3}
    assert asked(place, "FROM waiting") == []


def test_what_waits_lets_no_schedule_walk_through_the_inventory_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1), *ct(2)])
    looked_at(waits)
    with monkeypatch.context() as nothing:
        nothing.setattr(Orthanc, "studies", None)
        nothing.setattr(Catalogue, "series", None)
        assert looked_at(waits) == looked_at(waits, thorough=False) == []

    place.receive(ct(3))  # now the inventory is walked through, and what waits is not asked about
    looked_at(waits, thorough=False)
    with monkeypatch.context() as nothing:
        nothing.setattr(Catalogue, "series", None)
        assert looked_at(waits) == []
    assert len(asked(place, "FROM raw.seen WHERE waits <> ''")) == 1


def later(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Set the clock of the rooms that look for work forward."""
    monkeypatch.setattr(Clock, "wrong", timedelta(hours=hours))
    monkeypatch.setattr("flows.inventory.datetime", Clock)
    monkeypatch.setattr("flows.look.datetime", Clock)


def test_what_waited_in_vain_is_held_by_the_next_schedule_and_leaves_when_it_is_complete(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    looked_at(waits)
    with monkeypatch.context() as clock:
        later(clock, hours=71)
        assert looked_at(waits) == []
    with monkeypatch.context() as clock:
        later(clock, hours=73)
        (outcome,) = looked_at(waits)
        assert (outcome.status, outcome.reason) == ("held", "waits-for-images")
        clock.setattr(Orthanc, "studies", None)
        assert looked_at(waits) == []
    assert fates(place) == {"held": 1}
    assert found_by(place) == ["first-look", "retry"]
    assert asked(place, "SELECT code, place FROM held") == [{"code": "waits-for-images", "place": ""}]
    assert asked(place, "FROM waiting") == []

    place.receive(ct(1))
    looked_at(waits)
    assert fates(place) == {"loaded": 3}


def test_a_study_that_is_deleted_while_it_waits_is_looked_for_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    looked_at(waits)
    with waits.desk() as desk:
        (study,) = desk.hospital.studies()
    ask(place.hospital, "DELETE", f"/studies/{study.orthanc_id}")
    looked_at(waits)
    later(monkeypatch, hours=73)
    looked_at(waits)
    monkeypatch.setattr(Orthanc, "studies", None)
    assert looked_at(waits) == []


def test_a_released_study_waits_no_longer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    later(monkeypatch, hours=73)
    looked_at(waits)
    with waits.desk() as desk, lineage.connect(desk.ledger.directory) as tables:
        (held,) = held_studies(tables, desk.project)
        record(desk.ledger, [held], who="a physicist", why="there are no images any more")
    (outcome,) = looked_at(waits)
    assert outcome.status == "loaded"

    place.receive([studies.to_bytes(studies.screen_dump(1, 1, 3, rows=16))])  # nobody has looked at it as it is now
    (outcome,) = looked_at(waits)
    assert outcome.reason == "waits-for-images"


def test_a_changed_selection_asks_about_what_waits(place: Place) -> None:
    place.receive([structures(1)])
    looked_at(replace(place, selection=WAITS))
    looked_at(replace(place, selection=f"{WAITS}\nwait_at_most = 48"))
    assert fates(place) == {"in_flight": 1}
    looked_at(replace(place, selection='modalities = ["CT"]'))
    assert fates(place) == {"excluded": 1}
    assert found_by(place) == ["first-look", "retry", "retry"]


def test_a_run_tells_only_of_what_it_let_wait_itself(place: Place) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    for images, let_wait in (([], 1), (ct(1), 0)):
        place.receive(images)
        with waits.desk() as desk:
            look = Look(desk, thorough=True)
            while found := look.find():
                assert [move(desk, work).status for work in found] == ["loaded"]
            assert look.waiting == let_wait
            look.over(waiting=False)


def test_a_run_that_could_not_note_how_far_it_came_asks_again(place: Place) -> None:
    waits = replace(place, selection=WAITS)
    place.receive([structures(1)])
    for _ in range(2):
        with waits.desk() as desk:
            look = Look(desk, thorough=True)
            assert look.find() == []
            assert look.waiting == 1
            look.over(waiting=True)
    assert fates(place) == {"in_flight": 1}


# Patterns


@pytest.mark.parametrize(
    ("pattern", "text", "is_fitting"),
    [
        ("*thorax*", "CT Thorax nativ", True),
        ("*THORAX*", "ct thorax", True),
        ("thorax", "CT Thorax", False),
        ("CT ?horax", "CT Thorax ", True),
        ("a.b", "aXb", False),
        ("[ab]*", "a", False),
        ("*sch\u00e4del*", "SCHA\u0308DEL", True),
        ("*stra\u00dfe*", "STRASSE", True),
        ("*b*", "a\nb\nc", True),
        ("*", "", True),
    ],
)
def test_a_pattern_fits_a_whole_text_and_knows_no_case(pattern: str, text: str, is_fitting: bool) -> None:
    assert fits([pattern], text) == is_fitting
    assert not fits([], text)


def test_the_index_tells_what_a_selection_needs(place: Place) -> None:
    place.receive(ct(1, SeriesDescription="Head"))
    with place.desk() as desk:
        (study,) = desk.hospital.studies()
        (series,) = desk.hospital.catalogue.series(study.orthanc_id)
        origins = desk.hospital.catalogue.origins(series.orthanc_id)
        size = desk.hospital.catalogue.size(study.orthanc_id)
        (found,) = desk.hospital.catalogue.find({"StudyDate": f"{study.study_date}-{study.study_date}"})
    assert (series.modality, series.description) == ("CT", "Head")
    assert [origin.sop_class_uid for origin in origins] == [CT_IMAGE] * 2
    assert size.instances == 2
    assert size.bytes == sum(map(len, ct(1, SeriesDescription="Head")))
    assert found == study
