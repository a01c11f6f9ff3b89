"""The `entwash` command beside `anonymize`: making a key, proving an output, and its help."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pydicom
import pytest

from anonymizer import Key
from flows.cli import app
from tests import samples
from tests.folders import anonymized, entwash, mixed, tree
from tests.samples import element, item, sequence


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "site.key"
    Key.generate(path)
    return path


# verify


@pytest.fixture
def proven(tmp_path: Path, key: Path) -> tuple[Path, Path, Path]:
    """Return source, destination and report of a run that `verify` passes."""
    source = tree(tmp_path / "source", mixed())
    anonymized(source, tmp_path / "out", key)
    return source, tmp_path / "out", tmp_path / "out.json"


def verified(proven: Iterable[Path]) -> tuple[int, dict[str, Any], str]:
    source, destination, report = proven
    result = entwash("verify", source, destination, "--pairs", report)
    return result.exit_code, json.loads(result.stdout), result.output


def test_verify_passes_what_anonymize_made(proven: tuple[Path, Path, Path]) -> None:
    code, found, _ = verified(proven)
    assert (code, found["passed"], found["findings"]) == (0, True, [])
    assert found["checks"]["instances"] == 14


def test_verify_passes_with_nothing_to_prove(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a.dcm": b"text"})
    anonymized(source, tmp_path / "out", key)
    told = entwash("verify", source, tmp_path / "out", "--pairs", tmp_path / "out.json")
    assert (told.exit_code, "there was nothing to prove" in told.stderr) == (0, True)


def test_verify_finds_an_output_that_was_changed(proven: tuple[Path, Path, Path]) -> None:
    path = sorted(proven[1].iterdir())[0]
    ds = pydicom.dcmread(path)
    ds.PatientName = "Beispielowitz7^Exemplariana"
    ds.save_as(path)
    code, found, shown = verified(proven)
    assert (code, found["passed"]) == (1, False)
    about = [one for one in found["findings"] if one["instance"] == path.stem]
    assert {"output-changed", "identifier-left"} <= {one["kind"] for one in about}
    keys = ["kind", "instance", "path", "rule", "output", "sources", "advice"]
    assert all(list(one) == keys and one["advice"] for one in found["findings"])
    report = json.loads(proven[2].read_text())
    sources = [one["source"] for one in report["instances"] if one["output"] == path.name]
    assert all((one["output"], one["sources"]) == (path.name, sources) for one in about)
    assert "Beispielowitz" not in shown


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_verify_finds_an_output_that_was_cut(proven: tuple[Path, Path, Path], cut: int) -> None:
    path = sorted(proven[1].iterdir())[0]
    path.write_bytes(path.read_bytes()[:cut])
    code, found, _ = verified(proven)
    assert code == 1
    assert "output-changed" in {one["kind"] for one in found["findings"] if one["instance"] == path.stem}
    assert all(one["output"] for one in found["findings"])


def test_verify_ends_with_one_line_that_counts_findings_by_kind(proven: tuple[Path, Path, Path]) -> None:
    source, destination, report = proven
    clean = entwash("verify", source, destination, "--pairs", report)
    assert clean.stderr == "14 instances compared, 14 outputs searched: nothing was found\n"
    one = sorted(destination.iterdir())[0]
    one.unlink()
    (destination / "a").write_bytes(b"")
    (destination / "b").write_bytes(b"")
    told = entwash("verify", source, destination, "--pairs", report).stderr.splitlines()
    assert len(told) == 1
    assert told[0].startswith("13 instances compared, 13 outputs searched: ")
    assert "2 output-added" in told[0]
    assert "1 output-missing" in told[0]


def test_verify_names_each_of_two_outputs_that_nobody_can_read(proven: tuple[Path, Path, Path]) -> None:
    broken = sorted(proven[1].iterdir())[:2]
    for path in broken:
        path.write_bytes(b"")
    _, found, _ = verified(proven)
    unreadable = [one for one in found["findings"] if one["kind"] == "unreadable"]
    assert {one["output"] for one in unreadable} == {path.name for path in broken}
    assert all(one["sources"] for one in unreadable)


def test_verify_finds_an_output_that_is_missing(proven: tuple[Path, Path, Path]) -> None:
    path = sorted(proven[1].iterdir())[0]
    path.unlink()
    code, found, _ = verified(proven)
    assert code == 1
    assert ("output-missing", path.stem) in {(one["kind"], one["instance"]) for one in found["findings"]}


def test_verify_finds_a_file_that_no_source_stands_behind(proven: tuple[Path, Path, Path]) -> None:
    (proven[1] / "Quillfeather.dcm").write_bytes(samples.ct())
    code, found, shown = verified(proven)
    assert code == 1
    (added,) = found["findings"]
    assert (added["kind"], added["output"], added["sources"]) == ("output-added", "Quillfeather.dcm", [])
    assert "Bartholomew" not in shown  # what is in the file, unlike its name


def test_a_report_that_lies_beside_the_outputs_is_no_stranger(proven: tuple[Path, Path, Path]) -> None:
    source, destination, report = proven
    assert verified((source, destination, report.rename(destination / "report.json")))[0] == 0


def test_a_report_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", mixed())
    options = ("--key", key, "--project", "demo", "--report", tmp_path)
    result = entwash("anonymize", source, tmp_path / "out", *options)
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "cannot be written" in result.output


def test_verify_finds_a_source_that_nobody_reported(proven: tuple[Path, Path, Path]) -> None:
    _, destination, report = proven
    content = json.loads(report.read_text())
    gone = next(one for one in content["instances"] if one["status"] == "released")
    content["instances"].remove(gone)
    report.write_text(json.dumps(content))
    (destination / gone["output"]).unlink()
    code, found, _ = verified(proven)
    assert code == 1
    (missing,) = (one for one in found["findings"] if one["kind"] == "source-unreported")
    assert missing["sources"] == [gone["source"]]


def test_issuer_and_prefix_are_those_of_a_site(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    anonymized(source, tmp_path / "plain", key)
    anonymized(source, tmp_path / "out", key, "--issuer", "NORTH", "--prefix", "LUNG-")
    (output,) = (tmp_path / "out").iterdir()
    (plain,) = (tmp_path / "plain").iterdir()
    patient, other = (pydicom.dcmread(path).PatientID for path in (output, plain))
    assert patient.startswith("LUNG-")
    assert patient[5:] != other[5:]


def test_a_prefix_that_makes_two_patient_ids_is_refused(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    options = ("--key", key, "--project", "demo", "--prefix", "A\\B")
    result = entwash("anonymize", source, tmp_path / "out", *options)
    assert (result.exit_code, "backslash" in result.output) == (2, True)


def test_verify_finds_a_source_that_is_missing(proven: tuple[Path, Path, Path]) -> None:
    (proven[0] / "small" / "3").unlink()
    code, found, _ = verified(proven)
    assert code == 1
    assert "source-missing" in {one["kind"] for one in found["findings"]}


def test_verify_finds_two_outputs_that_changed_places(proven: tuple[Path, Path, Path]) -> None:
    one, other = sorted(proven[1].iterdir())[:2]
    here, there = one.read_bytes(), other.read_bytes()
    one.write_bytes(there)
    other.write_bytes(here)
    assert verified(proven)[0] == 1


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (None, "cannot be read"),
        ("", "no report"),
        ("[]", "no report"),
        ("{}", "no report"),
        ('{"instances": [{}]}', "no report"),
        ('{"instances": 7}', "no report"),
        ('{"instances": [{"status": "released", "source": "a", "output": "../a.dcm"}]}', "not in"),
    ],
)
def test_verify_ends_with_2_for_a_report_that_is_none(
    report: str | None, message: str, proven: tuple[Path, Path, Path]
) -> None:
    source, destination, path = proven
    path.unlink()
    if report is not None:
        path.write_text(report)
    result = entwash("verify", source, destination, "--pairs", path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_verify_ends_with_2_when_a_folder_is_not_there(proven: tuple[Path, Path, Path]) -> None:
    source, destination, report = proven
    for one, other in ((source, source / "none"), (source / "none", destination)):
        result = entwash("verify", one, other, "--pairs", report)
        assert result.exit_code == 2
        assert "is not there" in result.stderr


# keygen and help


def test_keygen_makes_a_key_prints_its_id_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    result = entwash("keygen", path, "--project", "demo")
    assert (result.exit_code, result.stdout) == (0, f"key id {Key.load(path).key_id('demo')}\n")
    assert path.read_text().strip() not in result.output
    again = entwash("keygen", path)
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr


def test_keyid_prints_the_id_that_records_of_a_project_show(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    report = anonymized(source, tmp_path / "out", key)
    told = entwash("keyid", key, "--project", "demo")
    assert (told.exit_code, told.stdout) == (0, f"key id {report['key_id']}\n")
    assert entwash("keyid", key, "--project", "other").stdout != told.stdout
    assert key.read_text().strip() not in told.output
    assert entwash("keyid", key, "--project", "").exit_code == 2
    missing = entwash("keyid", tmp_path / "none.key", "--project", "demo")
    assert (missing.exit_code, "entwash keygen" in missing.stderr) == (2, True)


def test_keygen_prints_no_id_without_a_project_since_no_record_would_show_it(tmp_path: Path) -> None:
    assert entwash("keygen", tmp_path / "new.key").stdout == ""


def test_the_version_is_that_of_the_package() -> None:
    told = entwash("--version")
    assert (told.exit_code, told.stdout) == (0, f"entwash {version('entwash')}\n")


@pytest.mark.parametrize("where", [".", "/", "", "nowhere/new.key"])
def test_keygen_ends_with_2_where_no_key_can_be_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = entwash("keygen", where)
    assert result.exit_code == 2
    assert result.stderr.startswith("entwash: key file")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["keygen"],
        ["keyid"],
        ["anonymize"],
        ["verify"],
        ["run"],
        ["held"],
        ["held", "list"],
        ["held", "show"],
        ["held", "release"],
    ],
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_a_help_that_teaches(command: list[str], option: str) -> None:
    result = entwash(*command, option)
    assert result.exit_code == 0
    assert len(result.stdout) > 400
    if command:
        assert f"entwash {command[0]}" in result.stdout


def test_the_help_says_what_the_exit_codes_mean() -> None:
    assert "3 when some were held" in " ".join(entwash("anonymize", "--help").stdout.replace("│", " ").split())
    assert "1 when something was" in " ".join(entwash("verify", "--help").stdout.replace("│", " ").split())


def test_every_command_is_tested_for_its_help() -> None:
    assert {command.name or command.callback.__name__ for command in app.registered_commands if command.callback} == {
        "keygen",
        "keyid",
        "anonymize",
        "verify",
        "run",
    }


def test_what_a_library_has_to_say_about_a_value_is_not_printed(tmp_path: Path, key: Path) -> None:
    """Pydicom warns of a character set that it does not know, and quotes it."""
    named = item(element(0x00080005, "CS", "QUILLFEATHER"), element(0x00100010, "PN", b"M\xfcller"))
    odd = samples.ct(element(0x00090010, "LO", "X"), sequence(0x00091001, named, undefined=True))
    source = tree(tmp_path / "source", {"a": odd})
    program = [sys.executable, "-W", "default", "-c", "from flows.cli import app; app()"]
    made = ("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--report", tmp_path / "r.json")
    for arguments in (made, ("verify", source, tmp_path / "out", "--pairs", tmp_path / "r.json")):
        done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "QUILLFEATHER" not in done.stdout + done.stderr


# run


def test_run_says_in_one_sentence_why_it_could_not_begin(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens on ports 7 and 9 of this machine."""
    monkeypatch.setenv("ENTWASH_SITES", "")  # the command sets it, and this takes it back
    monkeypatch.setenv("ENTWASH_TEST_PASSWORD", "only-for-tests")
    (tmp_path / "sites.toml").write_text(
        '[cloud]\nurl = "http://127.0.0.1:9"\nusername = "u"\npassword_env = "ENTWASH_TEST_PASSWORD"\n'
        '[project]\nname = "demo"\n[selection]\nstudies = "all"\n'
        '[sites.north]\nurl = "http://127.0.0.1:7"\nusername = "u"\n'
        f'password_env = "ENTWASH_TEST_PASSWORD"\nkey_file = "{key.name}"\n'
    )
    result = entwash("run", "north", "--sites", tmp_path / "sites.toml")
    assert result.exit_code == 2
    assert "[sites.north]" in result.output
    assert "nothing listens there" in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1
