"""A folder in, a folder out: whatever is in it, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pydicom
import pytest

from anonymizer import Key, load_profile
from anonymizer.engine.pseudonyms import Subject
from anonymizer.folder import Settings, _named, anonymize_folder, output_path
from tests import samples
from tests.folders import ENTWASH, UID_NAME, anonymized, contents, entwash, instance, mixed, reasons, tree
from tests.samples import element


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "site.key"
    Key.generate(path)
    return path


def test_neither_the_number_of_workers_nor_the_order_of_files_changes_a_byte(tmp_path: Path, key: Path) -> None:
    turned = {
        f"{99 - number:02d}-{name.replace('/', '_')}": data for number, (name, data) in enumerate(mixed().items())
    }
    plain, other = tree(tmp_path / "plain", mixed()), tree(tmp_path / "turned", turned)
    assert [path.read_bytes() for path in sorted(other.iterdir())] != [
        path.read_bytes() for path in sorted(plain.rglob("*")) if path.is_file()
    ]
    outputs = []
    for source, workers in ((plain, 1), (other, 1), (other, 3)):
        destination = tmp_path / f"out-{source.name}-{workers}"
        report = anonymized(source, destination, key, "--workers", workers)
        assert report["totals"] == {"read": 18, "released": 14, "outputs": 14, "held": 1, "not_dicom": 3}
        outputs.append(contents(destination))
    assert len(outputs[0]) == 14
    assert outputs[0] == outputs[1] == outputs[2]


def test_another_key_and_another_project_share_nothing(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", mixed())
    Key.generate(tmp_path / "other.key")
    runs = [(key, "demo"), (tmp_path / "other.key", "demo"), (key, "other")]
    found = []
    for number, (key_file, project) in enumerate(runs):
        destination = tmp_path / f"out{number}"
        report = anonymized(source, destination, key_file, project=project)
        outputs = [pydicom.dcmread(path) for path in sorted(destination.iterdir())]
        found.append(
            {
                "uids": {
                    str(one.value)
                    for ds in outputs
                    for one in ds.iterall()
                    if one.VR == "UI" and str(one.value)[:5] == "2.25."
                },
                "ids": {ds.PatientID for ds in outputs} | {str(ds.PatientName) for ds in outputs},
                "accessions": {ds.AccessionNumber for ds in outputs},
                "names": {path.name for path in destination.iterdir()},
                "key id": {report["key_id"]},
            }
        )
    for what in found[0]:
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert found[one][what]
            assert not found[one][what] & found[other][what], what


def test_another_key_moves_dates_by_other_shifts() -> None:
    people = [Subject.of(f"MRN-{number}", "", samples.STUDY) for number in range(40)]
    one, other = samples.anonymizer().pseudonyms, samples.anonymizer(secret=bytes(32)).pseudonyms
    assert sum(one.date_shift(who) == other.date_shift(who) for who in people) <= 2


def test_the_report_has_this_shape_and_no_other(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", mixed())
    destination = tmp_path / "out"
    report = anonymized(source, destination, key, "--profile", "basic")
    assert list(report) == ["key_id", "project", "profile", "totals", "instances"]
    assert report["key_id"] == Key.load(key).key_id("demo")
    assert report["project"] == "demo"
    assert report["profile"] == {"name": "basic", "digest": load_profile("basic").digest}
    assert report["totals"] == {"read": 18, "released": 14, "outputs": 14, "held": 1, "not_dicom": 3}
    assert [one["source"] for one in report["instances"]] == sorted(mixed(), key=lambda name: name.split("/"))
    for one in report["instances"]:
        assert list(one) == ["source", "status", "reason", "output", "sha256"]
        if one["status"] == "released":
            assert one["reason"] is None
            assert UID_NAME.fullmatch(one["output"])
            assert re.fullmatch("[0-9a-f]{64}", one["sha256"])
            assert pydicom.dcmread(destination / one["output"]).SOPInstanceUID == one["output"].removesuffix(".dcm")
        else:
            assert one["status"] == ("held" if one["source"] == "dump/screen.dcm" else "not-dicom")
            assert re.match(r"[a-z-]+: (\([0-9A-F]{4},[0-9A-F]{4}\) [A-Z]{2} )?\S", one["reason"])
            assert one["output"] is one["sha256"] is None
    assert reasons(report) == {
        "dump/deep/er/garbage": "not-dicom",
        "dump/screen.dcm": "burned-in-risk",
        "empty": "not-dicom",
        "notes.txt": "not-dicom",
    }


def test_no_value_of_a_file_is_in_the_report_or_on_the_screen(tmp_path: Path, key: Path) -> None:
    source = tree(
        tmp_path / "source",
        {
            "a": samples.ct(element(0x00080005, "CS", "ISO_IR 6"), element(0x00100020, "LO", b"\xff7741902")),
            "b": samples.ct(),
        },
    )
    report = tmp_path / "report.json"
    result = entwash("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--report", report)
    shown = report.read_text() + result.output
    for value in ("Quill", "7741902", samples.STUDY, samples.STUDY_DATE, samples.ACCESSION, Key.__name__ + "("):
        assert value not in shown
    assert key.read_text().strip() not in shown


def test_the_destination_holds_outputs_and_nothing_else(tmp_path: Path, key: Path) -> None:
    destination = tmp_path / "not" / "there" / "yet"
    report = anonymized(tree(tmp_path / "source", mixed()), destination, key)
    assert {path.name for path in destination.iterdir()} == {
        one["output"] for one in report["instances"] if one["output"]
    }
    assert all(UID_NAME.fullmatch(path.name) for path in destination.iterdir())


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a": "sample"}, 0),
        ({"a": "sample", "b": "text"}, 0),
        ({"a": "sample", "b.dcm": "text"}, 3),
        ({"a": "sample", "b": "screen"}, 3),
        ({"b": "screen"}, 3),
        ({"b": "text"}, 2),
        ({}, 2),
    ],
)
def test_it_ends_with_0_when_all_were_released_3_when_some_were_held_and_2_without_any_dicom_file(
    files: dict[str, str], code: int, tmp_path: Path, key: Path
) -> None:
    kinds = {"sample": samples.ct(), "text": b"text", "screen": mixed()["dump/screen.dcm"]}
    source = tree(tmp_path / "source", {name: kinds[kind] for name, kind in files.items()})
    assert (
        entwash("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--workers", 1).exit_code
        == code
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "nowhere"},
        {"destination": "file"},
        {"destination": "file/below"},
        {"destination": "source"},
        {"destination": "source/below/out"},
        {"destination": "."},
        {"destination": "link/out"},
        {"source": "source/a", "destination": "source"},
        {"destination": "others"},
        {"source": "empty"},
        {"--key": "none.key"},
        {"--key": "file"},
        {"--key": "source"},
        {"--key": "open.key"},
        {"--profile": "none"},
        {"--workers": "0"},
        {"--workers": "many"},
    ],
    ids=lambda wrong: "-".join(part for pair in wrong.items() for part in pair),
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_ends_with_2_and_one_clear_line_when_it_cannot_begin(
    wrong: dict[str, str], workers: str, tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "source", {"a": samples.ct(), "b": instance(7)})
    (tmp_path / "file").write_bytes(b"a file\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "source")
    tree(tmp_path / "others", {"Quillfeather.dcm": samples.ct()})
    (tmp_path / "open.key").write_bytes(key.read_bytes())
    (tmp_path / "open.key").chmod(0o644)
    given = {
        "source": "source",
        "destination": "out",
        "--key": key.name,
        "--project": "demo",
        "--workers": workers,
        **wrong,
    }
    monkeypatch.chdir(tmp_path)
    options = [part for name, value in given.items() if name.startswith("--") for part in (name, value)]
    result = entwash("anonymize", given["source"], given["destination"], *options)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr.strip()
    assert "Quill" not in result.output
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
    assert (tmp_path / "file").read_bytes() == b"a file\n"


@pytest.mark.parametrize("missing", ["--key", "--project"])
def test_a_key_and_a_project_have_to_be_given(missing: str, tmp_path: Path, key: Path) -> None:
    given = {"--key": key, "--project": "demo"}
    del given[missing]
    options = [part for pair in given.items() for part in pair]
    result = entwash("anonymize", tree(tmp_path / "source", {"a": samples.ct()}), tmp_path / "out", *options)
    assert result.exit_code == 2
    assert missing in result.stderr


def test_a_second_run_changes_nothing(tmp_path: Path, key: Path) -> None:
    source, destination = tree(tmp_path / "source", mixed()), tmp_path / "out"
    first = anonymized(source, destination, key)
    before = contents(destination)
    assert anonymized(source, destination, key) == first
    assert contents(destination) == before


def test_what_stands_there_with_other_bytes_is_left_and_the_instance_is_held(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": instance(1), "b": instance(2)})
    first = anonymized(source, tmp_path / "out", key)
    name = first["instances"][0]["output"]
    (tmp_path / "out" / name).write_bytes(b"another")
    second = anonymized(source, tmp_path / "out", key)
    assert reasons(second) == {"a": "output-exists"}
    assert (tmp_path / "out" / name).read_bytes() == b"another"
    assert second["instances"][1] == first["instances"][1]


def test_one_file_twice_is_one_output_and_the_counts_say_so(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct(), "again/a": samples.ct(), "b": instance(2)})
    report = anonymized(source, tmp_path / "out", key)
    assert report["totals"] == {"read": 3, "released": 3, "outputs": 2, "held": 0, "not_dicom": 0}
    assert len({one["output"] for one in report["instances"]}) == len(contents(tmp_path / "out")) == 2
    told = entwash("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--workers", 1)
    assert told.stderr == ""
    assert told.stdout == "3 files read: 3 released as 2 outputs (1 stand twice), 0 held, 0 not DICOM\n"


def test_what_is_no_dicom_is_counted_apart_and_named_in_the_report_but_what_only_looks_broken_is_held(
    tmp_path: Path, key: Path
) -> None:
    files = {"a": samples.ct(), "notes.txt": b"text", "empty": b"", "broken.DCM": b"text", "cut.dcm": b""}
    source = tree(tmp_path / "source", files)
    report = anonymized(source, tmp_path / "out", key)
    assert {one["source"]: one["status"] for one in report["instances"]} == {
        **{"a": "released", "notes.txt": "not-dicom", "empty": "not-dicom", "broken.DCM": "held", "cut.dcm": "held"}
    }
    assert all(one["reason"] for one in report["instances"] if one["status"] != "released")
    assert report["totals"] == {"read": 5, "released": 1, "outputs": 1, "held": 2, "not_dicom": 2}


def test_outputs_with_their_sources_uids_are_known_as_ours_and_sources_are_not(tmp_path: Path, key: Path) -> None:
    profile = tmp_path / "ours.toml"
    profile.write_text('extends = "research"\n[options]\nadd = ["retain_uids"]')
    source, out = tree(tmp_path / "source", {"a": instance(1), "b": instance(2)}), tmp_path / "out"
    first = anonymized(source, out, key, "--profile", profile)
    assert [one["output"] for one in first["instances"]] == [f"{samples.SERIES}.{number}.dcm" for number in (1, 2)]
    assert anonymized(source, out, key, "--profile", profile) == first
    (out / f"{samples.SERIES}.9.dcm").write_bytes(instance(9))
    told = entwash("anonymize", source, out, "--key", key, "--project", "demo", "--profile", profile)
    assert (told.exit_code, "did not put there (1)" in told.stderr) == (2, True)


def test_whoever_asked_for_no_report_is_told_how_to_see_which_files_stay(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct(), "notes.txt": b"text"})
    given = ("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--workers", 1)
    assert "--report FILE" in entwash(*given).stderr
    assert entwash(*given, "--report", tmp_path / "r.json").stderr == ""


def test_a_source_without_any_dicom_file_is_said_and_still_reported(tmp_path: Path, key: Path) -> None:
    given = ("--key", key, "--project", "demo", "--report", tmp_path / "r.json")
    told = entwash("anonymize", tree(tmp_path / "source", {"a": b"text"}), tmp_path / "out", *given)
    assert (told.exit_code, "has no DICOM file" in told.stderr) == (2, True)
    assert [one["status"] for one in json.loads((tmp_path / "r.json").read_text())["instances"]] == ["not-dicom"]


def test_a_destination_may_hold_what_earlier_runs_left_and_is_told_what_this_one_did_not_make(
    tmp_path: Path, key: Path
) -> None:
    first, out = tree(tmp_path / "first", {"a": instance(1)}), tmp_path / "out"
    given = ("--key", key, "--project", "demo", "--workers", 1, "--report", out / "any.name")
    entwash("anonymize", first, out, *given)
    (out / ".entwash-0123456789abcdef").mkdir()  # of a run that was killed
    (out / ".any.name.part").write_bytes(b'{"inst')
    again = entwash("anonymize", first, out, *given)
    assert (again.exit_code, again.stderr) == (0, "")
    other = entwash("anonymize", tree(tmp_path / "second", {"b": instance(2)}), out, *given)
    assert (other.exit_code, len(list(out.glob("*.dcm")))) == (0, 2)
    assert "projects or prefixes (1)" in other.stderr
    (out / "table.json").write_text('{"rows": []}')
    refused = entwash("anonymize", first, out, *given)
    assert (refused.exit_code, "did not put there (1)" in refused.stderr) == (2, True)


def test_one_uid_with_two_contents_holds_both(tmp_path: Path, key: Path) -> None:
    other = samples.ct(element(0x00180050, "DS", "2.5"))
    source = tree(tmp_path / "source", {"a": samples.ct(), "b": other, "c": instance(3)})
    report = anonymized(source, tmp_path / "out", key, "--workers", 2)
    assert reasons(report) == {"a": "instance-twice", "b": "instance-twice"}
    assert len(contents(tmp_path / "out")) == 1


def test_two_patients_in_one_study_hold_the_study_and_no_other(tmp_path: Path, key: Path) -> None:
    stranger = instance(2, element(0x00100020, "LO", "MRN-OTHER"))
    elsewhere = instance(3, element(0x0020000D, "UI", "1.2.3.4"))
    source = tree(tmp_path / "source", {"a": instance(1), "b": stranger, "c": elsewhere})
    report = anonymized(source, tmp_path / "out", key)
    assert reasons(report) == {"a": "two-patients", "b": "two-patients"}
    assert "MRN" not in json.dumps(report)
    assert len(contents(tmp_path / "out")) == 1


def test_a_second_patient_is_seen_even_where_the_instance_is_held_for_something_else(tmp_path: Path, key: Path) -> None:
    burned = instance(2, element(0x00100020, "LO", "MRN-OTHER"), element(0x00280301, "CS", "YES"))
    report = anonymized(tree(tmp_path / "source", {"a": instance(1), "b": burned}), tmp_path / "out", key)
    assert reasons(report) == {"a": "two-patients", "b": "burned-in-risk"}


def test_one_patient_id_of_two_issuers_in_one_study_is_two_patients(tmp_path: Path, key: Path) -> None:
    issued = instance(2, element(0x00100021, "LO", "ELSEWHERE"))
    report = anonymized(tree(tmp_path / "source", {"a": instance(1), "b": issued}), tmp_path / "out", key)
    assert set(reasons(report).values()) == {"two-patients"}


def test_what_cannot_be_read_is_held_and_nothing_waits_for_it(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    (source / "link").symlink_to(source / "nowhere")
    os.mkfifo(source / "pipe")
    (source / "device").symlink_to("/dev/zero")
    report = anonymized(source, tmp_path / "out", key)
    assert reasons(report) == {"device": "unreadable-file", "link": "unreadable-file", "pipe": "unreadable-file"}
    assert report["totals"]["released"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_held(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct(), "b": instance(2)})
    (source / "b").chmod(0)
    assert reasons(anonymized(source, tmp_path / "out", key)) == {"b": "unreadable-file"}


def test_a_linked_folder_is_not_passed_over_in_silence(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    tree(tmp_path / "elsewhere", {"b": instance(2)})
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    report = anonymized(source, tmp_path / "out", key)
    assert reasons(report) == {"linked": "unreadable-file"}


def test_an_output_that_another_run_put_there_meanwhile_is_left_as_it_is(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    out = tmp_path / "out"
    answers: list[str] = []

    def meanwhile(_done: int, _total: int) -> None:
        """Another run, with another profile, is quicker."""
        (other,) = anonymize_folder(source, tmp_path / "other", Settings(key, "demo", "basic"))
        assert other.report
        path = output_path(tmp_path / "other", other.report)
        answers.append(path.name)
        (out / path.name).write_bytes(path.read_bytes())

    (answer,) = anonymize_folder(source, out, Settings(key, "demo", "research"), progress=meanwhile)
    assert answer.reason
    assert answer.reason.code == "output-exists"
    assert (out / answers[0]).read_bytes() == (tmp_path / "other" / answers[0]).read_bytes()


def test_a_name_that_was_taken_at_the_last_moment_stays_with_its_bytes(tmp_path: Path, key: Path) -> None:
    (answer,) = anonymize_folder(
        tree(tmp_path / "source", {"a": samples.ct()}), tmp_path / "out", Settings(key, "demo")
    )
    assert answer.report
    taken, staged = output_path(tmp_path, answer.report), tmp_path / "staged"
    taken.write_bytes(b"others")
    staged.write_bytes(b"ours")
    named = _named(answer, staged, tmp_path)
    assert named.reason
    assert (named.reason.code, taken.read_bytes()) == ("output-exists", b"others")


def test_names_of_files_in_any_bytes_are_reported(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"Müller ä\n.dcm": samples.ct()})
    (Path(os.fsdecode(os.fsencode(source) + b"/\xff\xfe"))).write_bytes(instance(2))
    report = anonymized(source, tmp_path / "out", key)
    assert report["totals"]["released"] == 2
    assert "Müller ä\n.dcm" in {one["source"] for one in report["instances"]}


def test_one_file_is_a_source_too(tmp_path: Path, key: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(samples.ct())
    report = anonymized(tmp_path / "one.dcm", tmp_path / "out", key)
    assert [one["source"] for one in report["instances"]] == ["one.dcm"]
    assert len(contents(tmp_path / "out")) == 1


def test_a_report_that_cannot_be_written_is_one_clear_line(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", {"a": samples.ct()})
    report = key / "report.json"  # below a file
    result = entwash("anonymize", source, tmp_path / "out", "--key", key, "--project", "demo", "--report", report)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_a_full_disk_is_one_clear_line_and_no_half_file(tmp_path: Path, key: Path) -> None:
    """The limit on a file's size fails a write as a full disk does, for root too."""
    big = samples.ct(element(0x7FE00010, "OW", bytes(32)), element(0x30060050, "UN", "\\".join(["1.5"] * 20000)))
    source = tree(tmp_path / "source", {"a": big})
    for workers in ("1", "2"):
        program = (
            "import resource, signal, sys; from flows.cli import app\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "if __name__ == '__main__': app()\n"
        )
        arguments: list[str | Path] = [
            "anonymize",
            source,
            tmp_path / "out",
            "--key",
            key,
            "--project",
            "demo",
            "--workers",
            workers,
        ]
        ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert "cannot take the outputs" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert contents(tmp_path / "out") == {}


def test_the_command_itself_runs_and_agrees_with_the_one_in_this_process(tmp_path: Path, key: Path) -> None:
    source = tree(tmp_path / "source", mixed())
    report = tmp_path / "report.json"
    ended = subprocess.run(
        [ENTWASH, "anonymize", source, tmp_path / "there", "--key", key, "--project", "demo", "--report", report],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LANG": "C"},
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stdout) == (3, "18 files read: 14 released, 1 held, 3 not DICOM\n")
    assert ended.stderr.count("held:") == 1
    assert json.loads(report.read_text()) == anonymized(source, tmp_path / "here", key)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_output_is_whole_the_moment_it_has_its_name(tmp_path: Path, key: Path) -> None:
    side = 4096
    size = [samples.us(0x00280010, side), samples.us(0x00280011, side)]
    source = tree(tmp_path / "source", {"big": instance(1, *size, element(0x7FE00010, "OW", bytes(side * side * 2)))})
    destination = tmp_path / "out"
    sizes: list[int] = []

    def watch() -> None:
        until = time.monotonic() + 30
        while not sizes and time.monotonic() < until:
            sizes.extend(path.stat().st_size for path in destination.glob("*.dcm"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    report = anonymized(source, destination, key)
    watcher.join()
    assert sizes == [(destination / report["instances"][0]["output"]).stat().st_size]
    assert sizes[0] > side * side * 2


def many(folder: Path) -> Path:
    """Write enough files that a run takes a while."""
    pixels = bytes(256 * 256 * 2)
    size = [samples.us(0x00280010, 256), samples.us(0x00280011, 256), element(0x7FE00010, "OW", pixels)]
    return tree(folder, {f"{number:03d}": instance(number, *size) for number in range(1, 121)})


def started(source: Path, destination: Path, key: Path, workers: int) -> subprocess.Popen[bytes]:
    arguments: list[str | Path] = [
        "anonymize",
        source,
        destination,
        "--key",
        key,
        "--project",
        "demo",
        "--workers",
        str(workers),
    ]
    return subprocess.Popen(
        [ENTWASH, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def killed_when(process: subprocess.Popen[bytes], destination: Path, pattern: str, count: int) -> None:
    """Kill a process and its workers with -9 as soon as so many paths are in its destination."""
    until = time.monotonic() + 30
    while sum(1 for _ in destination.glob(pattern)) < count and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_in_the_middle_leaves_no_half_file_and_the_next_run_completes_it(
    workers: int, tmp_path: Path, key: Path
) -> None:
    source, destination = many(tmp_path / "source"), tmp_path / "out"
    anonymized(source, tmp_path / "whole", key, "--workers", 2)
    whole = contents(tmp_path / "whole")
    assert len(whole) == 120
    interrupted = 0
    for pattern, count in (
        (".entwash-*/*", 3),
        ("*.dcm", 1),
    ):  # while files are written, and while they get their names
        process = started(source, destination, key, workers)
        killed_when(process, destination, pattern, count)
        interrupted += process.returncode == -signal.SIGKILL
        left = {path.name: path.read_bytes() for path in destination.glob("*.dcm")}
        assert left.items() <= whole.items()
    assert interrupted
    report = anonymized(source, destination, key, "--workers", workers)
    assert report["totals"] == {"read": 120, "released": 120, "outputs": 120, "held": 0, "not_dicom": 0}
    assert contents(destination) == whole
    assert [path.name for path in destination.iterdir() if not path.is_file()] == []
