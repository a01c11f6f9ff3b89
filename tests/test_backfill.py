"""A backfill: what it means, what it counts before, when it works, and that it goes on where it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import UID

from deployments.demo import studies
from deployments.demo.prefects import prefect_environment
from flows import breaker
from flows.archive.criteria import Criteria, patients_in
from flows.archive.pace import Pace
from flows.archive.plan import FATES, plan
from flows.archive.window import Window
from flows.archive.work import move_all, why_it_ended, works_of
from flows.backfill import backfill
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import SitesError, TerminalError, TransientError
from flows.hands import in_this_process
from flows.inventory import Work
from flows.ledger import lineage
from flows.look import Look
from flows.study import move
from flows.tally import Tally
from tests.folders import entwash
from tests.hospital import Place, ask, counts
from tests.prefect_server import PrefectServer
from tests.test_away import quick_desk

ALWAYS = Window()


def ct(patient: int, study: int, day: str, **attributes: Any) -> list[bytes]:
    images = studies.ct(patient, study, 1, 2, rows=16, StudyDate=day, **attributes)
    return [studies.to_bytes(image) for image in images]


def mr(patient: int, study: int, day: str, **attributes: Any) -> list[bytes]:
    images = studies.mr(patient, study, 1, 3, rows=16, StudyDate=day, **attributes)
    return [studies.to_bytes(image) for image in images]


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)


def archive() -> list[bytes]:
    return [
        *ct(1, 1, "20150312", StudyDescription="CT Thorax"),
        *ct(1, 2, "20170101", StudyDescription="CT Head"),
        *mr(2, 1, "20170131", StudyDescription="MR Head"),
        *ct(2, 2, "20170201", StudyDescription="CT Abdomen"),
        *mr(3, 1, "", StudyDescription="MR Knee"),
    ]


def day(study: int) -> str:
    return f"{date.fromordinal(date(2015, 1, 1).toordinal() + study):%Y%m%d}"


def meant(place: Place, **criteria: Any) -> list[str]:
    """Return the descriptions of the studies that criteria mean."""
    with place.desk() as desk:
        return sorted(study.description for study in Criteria(**criteria).studies(desk))


def patient(number: int) -> str:
    return str(studies.ct(number, 1, 1, 1, rows=16)[0].PatientID)


def moved(place: Place, **criteria: Any) -> Counter[str]:
    """Do what the flow does, without Prefect; return how often each outcome came."""
    with place.desk() as desk:
        pace = Pace(desk, ALWAYS)
        return Counter(move(desk, work).status for work in pace.paced(works_of(desk, Criteria(**criteria))))


def rows(place: Place, query: str) -> list[dict[str, Any]]:
    with lineage.connect(place.folder / "lineage") as tables:
        return lineage.rows(tables, query)


def test_each_criterion_narrows_what_is_looked_at(place: Place) -> None:
    place.receive(archive())
    every = ["CT Abdomen", "CT Head", "CT Thorax", "MR Head", "MR Knee"]
    assert meant(place) == every
    assert meant(place, first=date(2017, 1, 1)) == ["CT Abdomen", "CT Head", "MR Head"]
    assert meant(place, last=date(2017, 1, 31)) == ["CT Head", "CT Thorax", "MR Head"]
    assert meant(place, first=date(2017, 1, 31), last=date(2017, 2, 1)) == ["CT Abdomen", "MR Head"]
    assert meant(place, first=date(2018, 1, 1)) == meant(place, last=date(2015, 3, 11)) == []
    assert meant(place, modalities=("MR", "US")) == ["MR Head", "MR Knee"]
    assert meant(place, descriptions=("*head", "*knee")) == ["CT Head", "MR Head", "MR Knee"]
    assert meant(place, patients=(patient(2), "NOBODY")) == ["CT Abdomen", "MR Head"]
    assert meant(place, patients=(patient(2).lower(),)) == []
    assert meant(place, patients=(patient(1), patient(2)), modalities=("CT",), last=date(2017, 1, 1)) == [
        "CT Head",
        "CT Thorax",
    ]


def test_what_still_arrives_is_not_meant(place: Place) -> None:
    place.receive(archive())
    assert meant(replace(place, stable_age=3600)) == []


def test_a_backfill_moves_what_is_meant_and_a_second_one_what_is_left(place: Place) -> None:
    place.receive(archive())
    assert moved(place, modalities=("CT",)) == {"loaded": 3}
    assert place.balance().in_flight == 0
    assert moved(place, first=date(2017, 1, 1)) == {"loaded": 1}
    assert moved(place) == {"loaded": 1}
    assert moved(place) == {}
    assert counts(place.cloud) == 12
    assert place.balance().balanced
    assert rows(place, "SELECT DISTINCT found_by FROM raw.seen") == [{"found_by": "backfill"}]


def test_the_selection_still_says_what_leaves(place: Place) -> None:
    only_mr = replace(place, selection='modalities = ["MR"]')
    place.receive(archive())
    assert moved(only_mr, first=date(2017, 1, 1)) == {"loaded": 1}
    total = place.balance()
    assert (total.loaded, total.excluded, total.in_flight) == (3, 4, 0)


def test_a_dry_run_counts_by_year_and_modalities_and_records_nothing(place: Place) -> None:
    no_screens = replace(place, selection='studies = "all"\nexclude_study_descriptions = ["*abdomen*"]')
    place.receive([*archive(), *mr(4, 1, "20171231")])
    moved(no_screens, last=date(2015, 12, 31))
    before = len(list((place.folder / "lineage").rglob("*.parquet")))
    with no_screens.desk() as desk:
        found = plan(desk, Criteria()).rows()
    assert len(list((place.folder / "lineage").rglob("*.parquet"))) == before
    columns = ("year", "modalities", "studies", "instances", *FATES, "instances to do")
    assert [tuple(row[name] for name in columns) for row in found] == [
        ("2015", "CT", 1, 2, 1, 0, 0, 0, 0),
        ("2017", "CT", 2, 4, 0, 1, 0, 1, 2),
        ("2017", "MR", 2, 6, 0, 0, 0, 2, 6),
        ("no date", "MR", 1, 3, 0, 0, 0, 1, 3),
        ("all", "", 6, 15, 1, 1, 0, 4, 11),
    ]
    sizes = int(ask(place.hospital, "GET", "/statistics")[1]["TotalDiskSize"])
    assert found[-1]["bytes"] == sizes
    assert 0 < int(found[-1]["bytes to do"]) < sizes


def test_a_modality_that_is_a_text_is_not_shown(place: Place) -> None:
    place.receive([*ct(1, 1, "20170101"), *ct(1, 2, "20170101", Modality="MEIER 1934")])
    with place.desk() as desk:
        assert [row["modalities"] for row in plan(desk, Criteria()).rows()] == ["CT", "other", ""]


# Beside the live route


def looked_at(place: Place) -> list[str]:
    with place.desk() as desk:
        look = Look(desk, thorough=True)
        ways: list[str] = []
        while found := look.find():
            ways += [work.found_by for work in found if move(desk, work)]
        look.over(waiting=False)
        return ways


def test_what_is_older_than_live_from_is_for_a_backfill_alone(place: Place) -> None:
    site = replace(place, site="live_from = 2017-01-31")
    place.receive(archive())
    assert looked_at(site) == ["first-look"] * 3  # and the one without a date, which nobody else would take
    assert looked_at(site) == []
    assert place.balance().source_instances == 8
    assert place.balance().in_flight == 0

    place.receive(ct(1, 1, "20150312", StudyDescription="CT Thorax")[:1])
    place.receive(ct(3, 2, "20160101"))  # it arrives now, and is old
    assert looked_at(site) == []
    assert moved(site) == {"loaded": 3}
    assert place.balance().balanced


def test_another_live_from_has_the_inventory_looked_at_again(place: Place) -> None:
    place.receive(archive())
    looked_at(replace(place, site="live_from = 2020-01-01"))
    assert len(looked_at(replace(place, site="live_from = 2017-02-01"))) == 1
    assert len(looked_at(place)) == 3


def test_what_a_backfill_held_is_tried_again_by_the_route(place: Place) -> None:
    site = replace(place, site="live_from = 2020-01-01")
    place.receive(
        [*ct(1, 1, "20170101"), studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16, StudyDate="20170101"))]
    )
    assert moved(site) == {"held": 1}
    assert looked_at(replace(site, site=f'{site.site}\nhold = "instance"')) == ["retry"]


def test_what_a_wider_selection_names_of_an_archive_is_for_a_backfill(place: Place) -> None:
    site = replace(place, site="live_from = 2020-01-01", selection='modalities = ["MR"]')
    place.receive([*ct(1, 1, "20170101"), *ct(2, 2, "20210101")])
    assert looked_at(site) == []
    assert moved(site) == {}
    assert place.balance().excluded == 4
    wider = replace(site, selection='studies = "all"')
    assert looked_at(wider) == ["retry"]
    assert moved(wider) == {"loaded": 1}
    assert place.balance().loaded == 4


def test_a_backfill_lets_the_live_route_go_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.archive.pace._LOOK_AGAIN", 0.01)
    place.receive([*ct(1, 1, "20170101"), *ct(1, 2, "20170102")])
    told: list[str] = []
    with place.desk() as desk, place.desk() as other:
        paced = Pace(desk, ALWAYS).paced(works_of(desk, Criteria()))
        move(desk, next(paced))
        arrived, over = threading.Event(), threading.Event()

        def route() -> None:
            with other.leases.share("live"):
                arrived.set()
                over.wait(0.5)
                told.append("live")

        thread = threading.Thread(target=route)
        thread.start()
        arrived.wait()
        move(desk, next(paced))
        told.append("backfill")
        thread.join()
        assert next(paced, None) is None
    assert told == ["live", "backfill"]


def test_a_backfill_ends_when_an_end_stays_away_and_leaves_the_rest_for_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "_PAUSES", (0.1,))
    monkeypatch.setattr(breaker, "PATIENCE", 0.3)
    place.receive([image for study in range(4) for image in ct(1, study + 1, day(study))])
    given: list[Work] = []

    def until_the_cloud_goes(desk: Desk) -> Iterator[Work]:
        for work in works_of(desk, Criteria()):
            given.append(work)
            if len(given) == 2:
                place.cloud.stop()
            yield work

    with quick_desk(place) as desk:
        tally = Tally("north")
        try:
            drain = Drain(desk, tally, by=in_this_process(desk), tell=lambda _: None)
            move_all(desk, drain, tally, until_the_cloud_goes(desk))
        finally:
            place.cloud.start()
    assert (len(given), tally.studies, len(tally.waiting), tally.loaded) == (2, 1, 1, 2)
    assert moved(place) == {"loaded": 3}
    assert (place.balance().balanced, counts(place.cloud)) == (True, 8)


# Windows


@pytest.mark.parametrize(
    ("text", "is_open", "closed"),
    [
        ("", ["00:00", "12:00"], []),
        ("20:00-06:00", ["20:00", "23:59", "00:00", "05:59"], ["06:00", "12:00", "19:59"]),
        ("09:30-17:00", ["09:30", "16:59"], ["09:29", "17:00", "00:00"]),
    ],
)
def test_a_window_is_open_from_its_first_minute_to_before_its_last(
    text: str, is_open: list[str], closed: list[str]
) -> None:
    window = Window.of(text)
    for time_of_day, expected in [*((one, True) for one in is_open), *((one, False) for one in closed)]:
        assert window.is_open(at(*map(int, time_of_day.split(":")))) == expected


def test_a_window_tells_how_long_it_is_closed() -> None:
    window = Window.of("20:00-06:00")
    assert window.until_open(at(19, 30)).total_seconds() == 1800
    assert window.until_open(at(21)).total_seconds() == 0
    assert Window.of("02:00-06:00").until_open(at(23)).total_seconds() == 3 * 3600


@pytest.mark.parametrize(
    "text", ["20-06", "20:00", "24:00-06:00", "20:00-20:00", "20:00-06:60", "8:00-09:00", "nightly"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 20:00-06:00"):
        Window.of(text)


def test_a_run_ends_when_its_window_closes_and_the_next_goes_on(place: Place) -> None:
    place.receive([image for study in range(4) for image in ct(1, study + 1, day(study))])
    times = iter([at(5, 57 + minute) for minute in range(3)] + [at(6)])
    with place.desk() as desk:
        pace = Pace(desk, Window.of("20:00-06:00"), now=lambda: next(times))
        assert [move(desk, work).status for work in pace.paced(works_of(desk, Criteria()))] == ["loaded"] * 3
        assert pace.is_over
        closed = Pace(desk, Window.of("20:00-06:00"), now=lambda: at(12))
        assert list(closed.paced(works_of(desk, Criteria()))) == []
        assert closed.is_over
    assert moved(place) == {"loaded": 1}


def test_a_patient_one_waits_until_the_window_opens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.receive(ct(1, 1, "20170101"))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    times = iter([at(19, 58, 30), at(19, 59, 30)])
    told: list[str] = []
    with place.desk() as desk:
        pace = Pace(desk, Window.of("20:00-06:00"), patiently=True, now=lambda: next(times, at(20)), tell=told.append)
        assert len(list(pace.paced(works_of(desk, Criteria())))) == 1
        assert not pace.is_over
    assert slept == [60, 30]
    assert told == ["the window is closed; this waits until 20:00 and goes on then"]


# Lists of patients


def test_a_list_of_patients_is_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("\ufeff A 1 \r\nB2\n\nA 1\n#3", "utf-8")
    assert patients_in(path, "--patients") == ("A 1", "B2", "#3")


@pytest.mark.parametrize(
    ("content", "hint"), [(b"", "empty"), (b"MRN-1\nMRN-*\n", "line 2"), (b"MRN-1\nM\xfcller", "UTF-8")]
)
def test_a_bad_list_is_told_without_a_word_of_it(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "trial-of-meier.txt"
    path.write_bytes(content)
    with pytest.raises(TerminalError, match=hint) as caught:
        patients_in(path, "[sites.north.patient_lists] trial")
    assert "MRN" not in str(caught.value)
    assert "meier" not in str(caught.value)
    with pytest.raises(TerminalError, match="No such file") as caught:
        patients_in(tmp_path / "gone-meier.txt", "--patients")
    assert "meier" not in str(caught.value)


def test_patterns_and_patients_do_not_show_in_a_repr() -> None:
    assert "MRN" not in repr(Criteria(patients=("MRN-1",), descriptions=("*MRN*",)))


# The flow


def test_prefect_is_given_names_of_lists_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.folder / "of-meier.txt").write_text(f"{patient(2)}\n")
    lists = '[sites.north.patient_lists]\ntrial-a = "of-meier.txt"\n[sites.north.description_lists]\nheads = ["*head*"]'
    path = replace(place, site=lists).write_sites()
    monkeypatch.setenv("ENTWASH_SITES", str(path))
    place.receive(archive())
    left: list[dict[str, Any]] = []
    monkeypatch.setattr("flows.backfill.create_table_artifact", lambda **what: left.append(what))

    backfill.fn("north", patients="trial-a", descriptions="heads")
    (table,) = left
    assert table["table"][-1]["studies"] == 1
    assert counts(place.cloud) == 0
    assert patient(2) not in repr(left)
    assert "meier" not in repr(left)

    wrongs: list[dict[str, Any]] = [{"patients": "trial-b"}, {"descriptions": "*head*"}, {"window": "at night"}]
    for wrong in wrongs:
        with pytest.raises(SitesError) as caught:
            backfill.fn("north", **wrong)
        assert "meier" not in str(caught.value)
        assert not [value for value in wrong.values() if str(value) in str(caught.value)]


def test_the_flow_runs_under_prefect_which_keeps_nothing_of_a_patient(place: Place) -> None:
    (place.folder / "of-meier.txt").write_text(f"{patient(2)}\n")
    lists = '[sites.north.patient_lists]\ntrial-a = "of-meier.txt"'
    path = replace(place, site=lists).write_sites()
    place.receive(archive())
    with PrefectServer(place.folder / "prefect") as prefect:
        variables = prefect_environment(prefect.home, prefect.api_url) | {"ENTWASH_SITES": str(path)}
        program = "from flows.backfill import backfill as flow\nfor dry in (True, False): flow('north', {})"
        given = "studies_from=date(2017, 1, 1), modalities=['MR'], patients='trial-a', window='', dry_run=dry"
        command = [sys.executable, "-c", f"from datetime import date\n{program.format(given)}"]
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert counts(place.cloud) == 3

    kept = b"".join(file.read_bytes() for file in prefect.home.rglob("*") if file.is_file())
    there = [
        str(one) for level in ("patients", "studies", "series") for one in ask(place.hospital, "GET", f"/{level}")[1]
    ]
    for text in (patient(2), "of-meier", "MR Head", *there):
        assert text.encode() not in kept + done.stderr + done.stdout
    assert b"trial-a" in kept
    assert b"what a backfill would do" in kept
    assert b"**north**, backfill: 1 study settled; instances: 3 loaded, 0 kept at the hospital, in 0.0 h. All" in kept
    assert b"site-north" in kept


def test_a_backfill_says_why_it_ended(place: Place) -> None:
    with place.desk() as desk:
        pace, tally = Pace(desk, ALWAYS), Tally("north")
        assert why_it_ended(tally, pace) == "All that was meant was tried."
        pace.is_over = True
        assert why_it_ended(tally, pace).startswith("The window closed")
        tally.stops(TransientError("the cloud is away"))
        assert why_it_ended(tally, pace).startswith("Something waits or failed")


# The command


def test_the_command_shows_what_it_would_do_and_does_it(place: Place) -> None:
    sites = place.write_sites()
    place.receive(archive())
    (place.folder / "list.txt").write_text(f"{patient(1)}\n{patient(2)}\n")
    options = ("--sites", sites, "--patients", place.folder / "list.txt", "--from", "2017-01-01", "--modality", "CT")
    shown = entwash("backfill", "north", *options, "--dry-run")
    assert shown.exit_code == 0
    assert "2017" in shown.stdout
    assert counts(place.cloud) == 0
    assert patient(1) not in shown.output

    done = entwash("backfill", "north", *options)
    assert (done.exit_code, counts(place.cloud)) == (0, 4)
    assert "2 studies settled" in done.output


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--window", "at night"), "20:00-06:00"),
        (("--modality", "ct scan"), "upper-case"),
        (("--description", "??*"), "at least one letter"),
        (("--patients", "/nowhere/meier"), "No such file"),
        (("--from", "2017-02-01", "--to", "2017-01-31"), "later than the last one"),
    ],
)
def test_the_command_says_in_one_sentence_what_it_cannot_use(place: Place, options: tuple[str, ...], hint: str) -> None:
    result = entwash("backfill", "north", "--sites", place.write_sites(), *options)
    assert result.exit_code == 2
    assert hint in result.output
    assert options[1] not in result.output
    assert len(result.output.strip().splitlines()) == 1


def begun(place: Place) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own."""
    program = "from flows.cli import app; app()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "backfill", "north", "--sites", str(place.folder / "sites.toml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_backfill_that_was_killed_goes_on_where_it_was(place: Place) -> None:
    place.write_sites()
    place.receive([image for study in range(12) for image in ct(1, study + 1, day(study))])
    for loaded in (3, 9):
        process = begun(place)
        until = time.monotonic() + 60
        while counts(place.cloud) < loaded and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert loaded <= counts(place.cloud) < 24
    assert moved(place).keys() == {"loaded"}
    assert counts(place.cloud) == 24
    total = place.balance()
    assert (total.balanced, total.loaded, total.in_flight) == (True, 24, 0)
    delivered = rows(place, "SELECT count(*) AS rows, count(DISTINCT sop_instance_uid) AS instances FROM instances")
    assert delivered == [{"rows": 24, "instances": 24}]


def test_a_thousand_small_studies_go_in_one_backfill_each_instance_once(place: Place) -> None:
    (template,) = studies.ct(1, 1, 1, 1, rows=2)
    for number in range(1000):
        template.StudyInstanceUID, template.SeriesInstanceUID = UID(f"1.2.3.{number}"), UID(f"1.2.3.{number}.1")
        template.SOPInstanceUID = UID(f"1.2.3.{number}.1.1")
        template.StudyDate = day(number)
        assert ask(place.hospital, "POST", "/instances", studies.to_bytes(template))[0] == 200
    place.receive([])
    assert moved(place) == {"loaded": 1000}
    total = place.balance()
    assert (total.balanced, total.loaded, total.in_flight, counts(place.cloud)) == (True, 1000, 0, 1000)
