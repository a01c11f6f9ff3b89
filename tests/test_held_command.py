"""`entwash held`: what is held and why, and trying it again."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from typer.testing import Result

from deployments.demo import studies
from flows import tasks
from flows.drain import Drain
from flows.errors import TransientError
from flows.inventory import find_work
from flows.ledger import lineage
from flows.shown import table
from flows.study import move
from flows.tally import Tally, Waits
from tests.folders import entwash
from tests.hospital import Place, ask, counts, emptied

NAME = str(studies.ct(1, 1, 1, 1, rows=16)[0].PatientName.family_name)
FIX = 'extends = "research"\n[attributes]\nManufacturer = "empty"\n'


def named(count: int = 3, study: int = 1) -> list[Dataset]:
    """Return a study whose scanner is called after the patient."""
    images = studies.ct(1, study, 1, count, rows=16)
    for image in images:
        image.Manufacturer = f"Scanner of {NAME}"
    return images


@pytest.fixture
def held(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Offer a hospital with a held study, and the command its sites file."""
    place.receive(studies.to_bytes(image) for image in named())
    place.run()
    monkeypatch.setenv("ENTWASH_SITES", str(place.write_sites()))
    yield place


def the_study(*options: str) -> dict[str, Any]:
    result = entwash("held", "list", "--json", *options)
    (study,) = json.loads(result.stdout)
    return dict(study)


def release(*options: object) -> Result:
    return entwash("held", "release", the_study()["short"], "--why", "the scanner is renamed", *options)


def releases(place: Place) -> list[tuple[Any, ...]]:
    with lineage.connect(place.folder / "lineage") as tables:
        rows = lineage.rows(tables, "SELECT who, why, became FROM releases ORDER BY record")
    return [tuple(row.values()) for row in rows]


# list


def test_the_list_names_site_study_age_and_reasons(held: Place) -> None:
    result = entwash("held", "list")

    header, row = result.stdout.splitlines()
    assert header.split() == ["site", "study", "held", "since", "(UTC)", "age", "instances", "why"]
    assert re.fullmatch(r"north  \d{8}  [-\d]+ [:\d]+ +a moment +3 of 3 +identifier-left 3", row)


def test_the_list_can_be_read_by_a_program_and_narrowed(held: Place) -> None:
    study = the_study("--site", "north", "--code", "identifier-left")

    assert study["study_instance_uid"].endswith(study["short"])
    assert (study["reasons"], study["source_instances"], study["held_instances"]) == ({"identifier-left": 3}, 3, 3)
    assert json.loads(entwash("held", "list", "--json", "--code", "conflict").stdout) == []
    assert "knows no site" in entwash("held", "list", "--site", "west").stderr


def test_a_study_that_the_hospital_deleted_meanwhile_is_told(held: Place) -> None:
    def night() -> None:
        assert entwash("reconcile", "north").exit_code in {0, 1}

    images = [studies.to_bytes(image) for image in named()]
    one, *_ = ask(held.hospital, "GET", "/instances")[1]
    ask(held.hospital, "DELETE", f"/instances/{one}")
    night()
    assert the_study()["gone_at_hospital_since"] is None  # what is left can be tried again
    emptied(held.hospital)
    night()
    assert the_study()["gone_at_hospital_since"]
    assert "identifier-left 3 (gone at the hospital)" in entwash("held", "list").stdout
    assert "gone at the hospital, as a reconciliation found" in entwash("held", "show", the_study()["short"]).stdout
    assert "bring it back there" in release().stderr
    assert releases(held) == []
    held.receive(images)
    night()
    assert the_study()["gone_at_hospital_since"] is None


def test_list_and_show_need_neither_password_nor_key_nor_hospital(held: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENTWASH_TEST_PASSWORD")
    monkeypatch.delenv("ENTWASH_CLOUD_PASSWORD")
    (held.folder / "north.key").unlink()

    short = the_study()["short"]
    assert entwash("held", "show", short).exit_code == 0


def test_there_may_be_nothing_held_and_there_may_be_no_ledger(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTWASH_SITES", str(place.write_sites()))
    assert "there is no ledger" in entwash("held", "list").stderr
    place.run()
    result = entwash("held", "list")
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (0, "", "nothing is held")


# show


def test_the_page_says_what_was_checked_what_was_found_and_what_to_do(held: Place) -> None:
    text = entwash("held", "show", the_study()["short"]).stdout

    assert "instances compared with their sources: 3" in text
    assert "**identifier-left** at (0008,0070), Manufacturer: 3 instances" in text
    assert "rule: an identifier (patient) of the source's (0010,0010) stands in the output" in text
    assert "what to do: let the profile remove or clean this attribute" in text
    assert "3 of 3 instances (CT) stay at the hospital" in text


def test_the_page_of_what_the_engine_holds_says_what_to_do_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.receive([studies.to_bytes(studies.screen_dump(1, 1, 2, rows=16))])
    place.run()
    monkeypatch.setenv("ENTWASH_SITES", str(place.write_sites()))

    text = entwash("held", "show", the_study()["short"]).stdout

    assert "held before the gate was asked" in text
    assert text.count("keep such objects at the hospital") == 1


def test_a_study_is_found_by_its_beginning_its_end_or_all_of_it(held: Place) -> None:
    held.receive(studies.to_bytes(image) for image in named(study=2))
    held.run()
    one, other = (each["study_instance_uid"] for each in json.loads(entwash("held", "list", "--json").stdout))
    for part in (one, one[:15], one[5:15], one[-8:]):
        assert f"study {one}" in entwash("held", "show", part).stdout
    both = entwash("held", "show", "2.25.")
    assert (both.exit_code, "more digits" in both.stderr) == (2, True)
    assert other[-8:] in both.stderr
    assert "see `entwash held list`" in entwash("held", "show", "nobody").stderr


def test_nothing_of_a_patient_is_shown_unless_it_is_asked_for(held: Place) -> None:
    short = the_study()["short"]
    held.receive([studies.to_bytes(studies.screen_dump(2, 1, 2, rows=16))])
    held.run()
    shown = "".join(
        result.output
        for result in (entwash("held", "list"), entwash("held", "list", "--json"), entwash("held", "show", short))
    ).lower()
    for planted in studies.PLANTED:
        for spelling in planted.spellings:
            assert spelling.decode("latin-1").lower() not in shown
    assert NAME.lower() not in shown


def test_values_are_refused_where_no_person_reads_them(held: Place) -> None:
    result = entwash("held", "show", the_study()["short"], "--values")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--to" in result.stderr


def on_a_terminal(*arguments: str) -> str:
    """Run the command with a terminal for its output, and return what stands on it."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "from flows.cli import app; app()", *arguments]
    with subprocess.Popen(program, stdout=theirs, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[1]) as process:
        os.close(theirs)
        read = b""
        try:
            while part := os.read(ours, 4096):
                read += part
        except OSError:  # Linux says so when the other end is closed
            pass
        assert process.wait() == 0, read.decode()
    os.close(ours)
    return read.decode()


def test_values_are_shown_on_a_terminal_and_marked(held: Place) -> None:
    before = held.ledger_bytes()

    text = on_a_terminal("held", "show", the_study()["short"], "--values")

    assert f">>> Scanner of {NAME}" in text
    assert held.ledger_bytes() == before
    assert NAME.encode() not in before


def test_values_go_into_a_file_only_when_it_is_named_and_that_is_its_owners_alone(held: Place) -> None:
    short, path = the_study()["short"], held.folder / "page.md"

    result = entwash("held", "show", short, "--values", "--to", path)

    assert (result.exit_code, NAME in result.output) == (0, False)
    assert "delete it when it is read" in result.stderr
    assert f">>> Scanner of {NAME}" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    again = entwash("held", "show", short, "--to", path)
    assert (again.exit_code, "left as it is" in again.stderr) == (2, True)


def test_a_value_cannot_speak_to_the_terminal(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    images = named(1)
    images[0].Manufacturer = f"\x1b[2J{NAME}"
    place.receive(studies.to_bytes(image) for image in images)
    (outcome,) = place.run()
    assert outcome.status == "held"
    monkeypatch.setenv("ENTWASH_SITES", str(place.write_sites()))

    entwash("held", "show", the_study()["short"], "--values", "--to", place.folder / "page.md")

    text = (place.folder / "page.md").read_text()
    assert "\x1b" not in text
    assert ">>> " in text


# release


def test_what_is_released_after_a_fix_of_the_profile_is_loaded_by_the_next_run(held: Place) -> None:
    (held.folder / "ours.toml").write_text(FIX)

    assert release("--who", "the physicist").exit_code == 0
    (outcome,) = held.run(profile="ours.toml")

    assert (outcome.status, counts(held.cloud), held.balance().balanced) == ("loaded", 3, True)
    assert releases(held) == [("the physicist", "the scanner is renamed", "loaded")]
    assert entwash("held", "list").stdout == ""


def test_what_is_released_without_a_fix_is_held_again(held: Place) -> None:
    assert held.run() == []
    assert release().exit_code == 0
    assert the_study()["release_waits"]

    (outcome,) = held.run()

    assert (outcome.status, outcome.reason, counts(held.cloud)) == ("held", "identifier-left", 0)
    assert held.run() == []
    assert [became for *_, became in releases(held)] == ["held"]
    assert "held by run" in entwash("held", "show", the_study()["short"]).stdout


def test_a_release_is_what_a_correction_in_the_cloud_needs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    images = studies.ct(1, 1, 1, 2, rows=16)
    place.receive(studies.to_bytes(image) for image in images)
    place.run()
    emptied(place.hospital)
    images[0].KVP = "99"
    place.receive(studies.to_bytes(image) for image in images)
    place.run()
    monkeypatch.setenv("ENTWASH_SITES", str(place.write_sites()))
    assert the_study()["reasons"] == {"conflict": 1}
    emptied(place.cloud)
    assert place.run() == []

    release()
    (outcome,) = place.run()

    assert (outcome.status, counts(place.cloud), place.balance().balanced) == ("loaded", 2, True)


def test_an_attempt_that_began_before_a_release_does_not_answer_it(held: Place) -> None:
    release()
    with held.desk() as desk:
        (work,) = find_work(desk, set())
        release("--who", "somebody later")
        move(desk, work)

    assert [became for *_, became in releases(held)] == ["held", None]
    assert len(held.run()) == 1
    assert held.run() == []


def test_a_release_can_be_tried_here_and_now(held: Place) -> None:
    (held.folder / "ours.toml").write_text(FIX)
    again = release("--now")
    assert again.exit_code == 3
    assert "held, 3 instances: identifier-left" in again.stdout
    held.write_sites(profile="ours.toml")

    result = release("--now")

    assert (result.exit_code, counts(held.cloud), held.balance().balanced) == (0, 3, True)
    assert [became for *_, became in releases(held)] == ["held", "loaded"]
    with lineage.connect(held.folder / "lineage") as tables:
        rows = lineage.rows(tables, "SELECT trigger, state, loaded, held FROM runs ORDER BY started_at")
    assert [tuple(row.values()) for row in rows] == [("manual", "finished", 0, 3), ("manual", "finished", 3, 0)]


def test_now_tries_what_was_released_and_nothing_else(held: Place) -> None:
    held.receive(studies.to_bytes(image) for image in studies.ct(5, 1, 1, 2, rows=16))

    release("--now")

    assert counts(held.cloud) == 0
    assert [outcome.status for outcome in held.run()] == ["loaded"]


def test_the_same_release_twice_is_one(held: Place) -> None:
    release()
    second = release()
    assert (second.exit_code, "waits" in second.stderr) == (0, True)
    release("--who", "another")

    assert len(releases(held)) == 2
    assert len(held.run()) == 1


def test_two_people_may_release_at_once(held: Place) -> None:
    short = the_study()["short"]
    program = [sys.executable, "-c", "from flows.cli import app; app()", "held", "release", short, "--why", "renamed"]
    processes = [
        subprocess.Popen([*program, "--who", who], cwd=Path(__file__).parents[1], stderr=subprocess.DEVNULL)
        for who in ("one", "two")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]

    assert {who for who, *_ in releases(held)} == {"one", "two"}
    (outcome,) = held.run()
    assert outcome.status == "held"
    assert {became for *_, became in releases(held)} == {"held"}
    assert held.run() == []


def test_two_attempts_at_once_leave_one_study_and_a_ledger_that_balances(held: Place) -> None:
    held.write_sites(profile="ours.toml")
    (held.folder / "ours.toml").write_text(FIX)
    release()
    threads = [threading.Thread(target=held.run, kwargs={"profile": "ours.toml"}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (counts(held.cloud), held.balance().balanced, held.balance().loaded) == (3, True, 3)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 501])
def test_a_release_without_a_reason_in_one_line_is_refused(held: Place, text: str) -> None:
    result = entwash("held", "release", the_study()["short"], "--why", text)

    assert (result.exit_code, "--why" in result.stderr) == (2, True)
    assert releases(held) == []


@pytest.mark.parametrize("option", ["--why", "--who"])
def test_a_text_that_names_the_patient_is_refused_and_not_repeated(held: Place, option: str) -> None:
    image = studies.ct(1, 1, 1, 1, rows=16)[0]
    for text in (
        NAME.upper(),
        image.PatientID,
        image.StudyInstanceUID,
        f"{image.PatientBirthDate:.4}-{image.PatientBirthDate[4:6]}-{image.PatientBirthDate[6:]}",
    ):
        options = {"--why": "renamed", "--who": "me"} | {option: f"asked for {text}, who wanted it"}
        given = [part for pair in options.items() for part in pair]
        result = entwash("held", "release", the_study()["short"], *given)

        assert (result.exit_code, str(text) in result.output) == (2, False), text
    assert releases(held) == []


def test_where_the_hospital_cannot_be_asked_that_is_said_and_the_release_recorded(
    held: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = the_study()["short"]
    monkeypatch.delenv("ENTWASH_TEST_PASSWORD")

    refused = entwash("held", "release", short, "--why", "renamed", "--now")
    assert (refused.exit_code, releases(held)) == (2, [])
    result = entwash("held", "release", short, "--why", "renamed")

    assert (result.exit_code, len(releases(held))) == (0, 1)
    assert "not checked against the study" in result.stderr


def test_who_is_the_account_unless_somebody_is_named(held: Place) -> None:
    release()
    assert releases(held)[0][0]


def test_what_is_not_held_cannot_be_released(held: Place) -> None:
    result = entwash("held", "release", "12345", "--why", "renamed")
    assert (result.exit_code, "no held study" in result.stderr) == (2, True)


def test_the_help_says_that_nothing_leaves_unproven_and_warns_of_names() -> None:
    text = " ".join(entwash("held", "release", "--help").stdout.replace("│", " ").split())
    assert "Nothing leaves unproven" in text
    assert "Write no names or numbers of patients" in text


# the artifact


def test_the_runs_artifact_names_held_studies_with_their_reasons(held: Place) -> None:
    release()
    outcomes = held.run()
    with held.desk() as desk:
        text = table._description(desk, Tally("north", outcomes), 1.0)

    study = outcomes[0].study_instance_uid
    assert f"- study {study}: `entwash held show {study[-8:]}`" in text
    assert "`identifier-left` (0008,0070)" in text
    assert "(3)" in text
    assert NAME not in text


def test_a_uid_that_the_profile_retains_is_not_told_to_prefect(held: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    own = held.folder / "own.toml"
    own.write_text('extends = "research"\n[options]\nadd = ["retain_uids"]\n')
    told: list[object] = []
    monkeypatch.setattr(table, "create_table_artifact", lambda **table: told.append(table))

    def moved(label: str, *_: object, **__: object) -> SimpleNamespace:
        told.append(label)
        return SimpleNamespace(result=lambda **_: Waits(TransientError("it will be tried again")))

    monkeypatch.setattr(tasks, "move_study", moved)
    with held.desk(profile=str(own)) as desk:
        (work,) = find_work(desk, set())
        tally = Tally("north", [move(desk, work)], [work])
        table.publish(desk, tally, 1.0)
        Drain(desk, Tally("north"), by=tasks.as_tasks(desk), tell=lambda error: pytest.fail(str(error))).move([work])

    (outcome,) = tally.outcomes
    assert (outcome.status, outcome.study_instance_uid) == ("held", work.source_uid)
    assert work.source_uid[-8:] not in repr(told)
    assert f"- study {work.work}: `entwash held show {work.work[-8:]}`" in repr(told)
    assert told[-1] == work.work[-8:]
    result = entwash("held", "show", work.work[-8:])
    assert (result.exit_code, "identifier-left" in result.stdout) == (0, True)


def test_the_hospital_is_asked_for_values_only(held: Place) -> None:
    short = the_study()["short"]
    emptied(held.hospital)
    assert ask(held.hospital, "GET", "/studies")[1] == []
    assert entwash("held", "show", short).exit_code == 0
    result = entwash("held", "show", short, "--values", "--to", held.folder / "page.md")
    assert (result.exit_code, "no longer at the hospital" in result.stderr) == (2, True)
