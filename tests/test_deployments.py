"""What a site deploys: prefect.yaml, the doorbell, Orthanc's settings, the sites file, the servers' start and end."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import yaml  # type: ignore[import-untyped]  # Prefect brings PyYAML, but no stubs for it
from prefect import Flow
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.flows import load_flow_from_entrypoint

from deployments.demo import studies
from deployments.demo.outcome import TABLE
from deployments.demo.search import search
from deployments.demo.servers import (
    Orthanc,
    PrefectServer,
    Process,
    ServerError,
    free_port,
    stop_leftovers,
    with_times,
)
from deployments.demo.state import BusyError, State
from flows.ledger import lineage
from flows.ledger.book import Ledger
from flows.settings.sites import load_sites

ROOT = Path(__file__).resolve().parents[1]
PREFECT_YAML = ROOT / "prefect.yaml"
SITES = ("north", "south")
FLOWS = ("route", "backfill", "reconcile")
URLS = {"cloud": "http://127.0.0.1:8041", "north": "http://127.0.0.1:8042", "south": "http://127.0.0.1:8043"}


def deployments(flow: str = "route") -> list[dict[str, Any]]:
    """Return the deployments of one flow."""
    every = cast(list[dict[str, Any]], yaml.safe_load(PREFECT_YAML.read_text())["deployments"])
    return [one for one in every if one["entrypoint"].endswith(f":{flow}")]


# prefect.yaml


@pytest.mark.parametrize(("flow", "before"), [("route", ""), ("reconcile", "reconcile-")])
def test_every_site_has_a_deployment_of_its_own_name_and_work_pool(flow: str, before: str) -> None:
    assert [(one["name"], one["work_pool"]["name"], one["parameters"]) for one in deployments(flow)] == [
        (f"{before}{site}", site, {"site": site}) for site in SITES
    ]


def test_every_run_carries_its_site_as_a_tag() -> None:
    for flow in ("route", "backfill", "reconcile"):
        assert [one["tags"] for one in deployments(flow)] == [["entwash", site] for site in SITES]


@pytest.mark.parametrize("name", FLOWS)
def test_every_entrypoint_is_a_flow(name: str) -> None:
    for deployment in deployments(name):
        flow: Flow[..., Any] = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
        assert flow.name == name
        flow.validate_parameters(deployment["parameters"])


def test_no_deployment_is_of_another_flow() -> None:
    every = yaml.safe_load(PREFECT_YAML.read_text())["deployments"]
    assert len(every) == sum(len(deployments(flow)) for flow in FLOWS)


def test_a_site_is_reconciled_each_night_and_once_at_a_time() -> None:
    for deployment in deployments("reconcile"):
        assert deployment["concurrency_limit"]["limit"] == 1
        (schedule,) = deployment["schedules"]
        assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])


def test_every_site_has_a_backfill_that_nothing_starts_by_itself_and_that_only_counts_unless_told() -> None:
    assert [(one["name"], one["work_pool"]["name"], one["parameters"]) for one in deployments("backfill")] == [
        (f"backfill-{site}", site, {"site": site}) for site in SITES
    ]
    for deployment in deployments("backfill"):
        assert not {"schedules", "triggers"} & deployment.keys()
        flow: Flow[..., Any] = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
        assert flow.name == "backfill"
        assert flow.validate_parameters(deployment["parameters"])["dry_run"] is True


def test_every_trigger_waits_for_the_doorbell_of_its_own_site_alone() -> None:
    for deployment in deployments():
        (trigger,) = (DeploymentEventTrigger.model_validate(one) for one in deployment["triggers"])
        assert deployment["triggers"][0]["match"] == {"prefect.resource.id": f"entwash.site.{deployment['name']}"}
        assert trigger.expect == {"entwash.doorbell"}


def test_a_run_is_there_until_the_study_is_stable_whose_last_image_rang_for_it() -> None:
    stable_age = re.search(
        r"ORTHANC_STABLE_AGE:-(\d+)", (ROOT / "deployments" / "orthanc" / "hospital.json").read_text()
    )
    assert stable_age
    for deployment in deployments():
        (trigger,) = (DeploymentEventTrigger.model_validate(one) for one in deployment["triggers"])
        lingers = timedelta(seconds=deployment["triggers"][0]["parameters"]["linger"])
        assert lingers > trigger.within + timedelta(seconds=int(stable_age[1]))
        assert trigger.within > timedelta(0)


def test_doorbell_and_schedule_start_the_flow_with_parameters_that_it_takes() -> None:
    for deployment in deployments():
        flow: Flow[..., Any] = load_flow_from_entrypoint(str(ROOT / deployment["entrypoint"]))
        signature = inspect.signature(flow.fn)
        for trigger, kind in ((deployment["schedules"][0], "schedule"), (deployment["triggers"][0], "doorbell")):
            assert {"site": deployment["name"], "trigger": kind}.items() <= trigger["parameters"].items()
            signature.bind(**trigger["parameters"])
            flow.validate_parameters(trigger["parameters"])


def test_a_site_runs_once_at_a_time_and_loses_no_ring() -> None:
    for deployment in deployments():
        assert deployment["concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"


def test_other_times_change_schedules_and_doorbells_and_nothing_else(tmp_path: Path) -> None:
    def times(every: dict[str, Any]) -> list[list[int]]:
        return [
            [
                deployment["schedules"][0].pop("interval"),
                deployment["triggers"][0].pop("within"),
                deployment["triggers"][0]["parameters"].pop("linger"),
            ]
            for deployment in every["deployments"]
            if "triggers" in deployment
        ]

    changed, original = yaml.safe_load(with_times(PREFECT_YAML, 7, 3)), yaml.safe_load(PREFECT_YAML.read_text())
    assert (times(changed), times(original)) == ([[7, 2, 3]] * 2, [[300, 120, 185]] * 2)
    assert changed == original


# the sites file


def test_the_example_of_a_sites_file_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "deployments" / "sites.example.toml").read_text()
    state = State(tmp_path)
    state.write_sites(URLS, "entwash")
    for site in SITES:
        text = text.replace(f"/etc/entwash/{site}.key", str(tmp_path / "keys" / f"{site}.key"))
    (tmp_path / "example.toml").write_text(text)
    for server in ("CLOUD", "NORTH", "SOUTH"):
        monkeypatch.setenv(f"ENTWASH_{server}_PASSWORD", "only-for-tests")
    assert sorted(load_sites(tmp_path / "example.toml").sites) == list(SITES)


def test_the_demo_writes_a_sites_file_that_a_worker_with_one_password_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path)
    state.write_sites(URLS, "entwash")
    for name, value in state.variables("cloud", "north").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ENTWASH_SOUTH_PASSWORD", raising=False)
    assert load_sites(only="north").site("north").server.password.get_secret_value() == state.password("north")


def test_what_the_demo_keeps_secret_only_its_owner_can_read(tmp_path: Path) -> None:
    state = State(tmp_path / "demo")
    state.write_sites(URLS, "entwash")
    state.write_environment(state.variables("cloud", *SITES))
    files = [file for file in state.folder.rglob("*") if file.is_file()]
    assert len(files) == 7  # three passwords, two keys, the sites file, the environment
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with State(tmp_path).locked(), pytest.raises(BusyError, match="already"), State(tmp_path).locked():
        pass


# Orthanc with the project's settings


@contextmanager
def doorbell_heard(*answers: int) -> Iterator[tuple[str, list[tuple[str, Mapping[str, str], bytes]]]]:
    """Stand where Prefect's API would, and note every request: path, headers, body.

    The first requests are answered with the `answers`, the others with 204.
    """
    heard: list[tuple[str, Mapping[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, dict(self.headers), body))
            self.send_response(answers[len(heard) - 1] if len(heard) <= len(answers) else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api", heard
        server.shutdown()
        thread.join()


def test_the_doorbell_tells_the_site_and_nothing_of_the_study(tmp_path: Path) -> None:
    made = list(studies.south())
    with (
        doorbell_heard() as (url, heard),
        Orthanc(
            "south",
            "hospital",
            tmp_path,
            "only-for-tests",
            prefect_api_url=url,
            prefect_auth_string="admin:only-for-tests",
            stable_age=1,
        ) as orthanc,
    ):
        for instance in made:
            assert orthanc.store(instance.data)
        rings = len({instance.study_instance_uid for instance in made})
        wait_until(lambda: len(heard) > rings, 20)  # one more for the first that arrived
        kinds = ("patients", "studies", "series", "instances")
        identifiers = [one for kind in kinds for one in cast(list[str], orthanc.get(f"/{kind}"))]
        log = orthanc.log.read_bytes()

    secrets = [spelling for one in studies.PLANTED for spelling in one.spellings]
    secrets += [identifier.encode() for identifier in identifiers]
    ids = set()
    for path, headers, body in heard:
        assert path == "/api/events"
        assert headers["Content-Type"] == "application/json"
        assert headers["Authorization"] == "Basic YWRtaW46b25seS1mb3ItdGVzdHM="
        (event,) = json.loads(body)
        ids.add(uuid.UUID(event.pop("id")))
        assert abs(datetime.fromisoformat(event.pop("occurred")) - datetime.now(UTC)) < timedelta(minutes=1)
        assert event == {
            "event": "entwash.doorbell",
            "resource": {"prefect.resource.id": "entwash.site.south"},
            "payload": {},
        }
        seen = json.dumps([path, dict(headers)]).encode() + body
        assert not [one for one in secrets if one in seen]
    assert len(ids) == len(heard) == rings + 1
    assert {one.version for one in ids} == {4}
    assert not [one for one in secrets if one in log]


def test_the_doorbell_rings_when_instances_arrive_and_not_for_each(tmp_path: Path) -> None:
    made = list(studies.south())
    with (
        doorbell_heard() as (url, heard),
        Orthanc("south", "hospital", tmp_path, "only-for-tests", prefect_api_url=url, stable_age=3600) as orthanc,
    ):
        began = time.monotonic()
        for instance in made:
            assert orthanc.store(instance.data)
        wait_until(lambda: len(heard) >= 1, 20)
        took = time.monotonic() - began
        identifiers = [one.encode() for one in cast(list[str], orthanc.get("/instances"))]
    assert len(made) > 5
    assert len(heard) <= 1 + took / 19
    secrets = [*identifiers, *(spelling for one in studies.PLANTED for spelling in one.spellings)]
    for path, headers, body in heard:
        assert json.loads(body)[0]["resource"] == {"prefect.resource.id": "entwash.site.south"}
        assert not [one for one in secrets if one in json.dumps([path, dict(headers)]).encode() + body]


def test_a_doorbell_that_nobody_hears_loses_nothing_and_names_nobody(tmp_path: Path) -> None:
    first, *rest = studies.south()
    uids = {first.study_instance_uid, *(instance.study_instance_uid for instance in rest)}
    nobody = f"http://127.0.0.1:{free_port()}/api"
    with Orthanc("south", "hospital", tmp_path, "only-for-tests", prefect_api_url=nobody, stable_age=1) as orthanc:
        assert orthanc.store(first.data)
        for instance in rest:
            assert orthanc.store(instance.data)
        wait_until(lambda: all(study["IsStable"] for study in cast(list[Any], orthanc.get("/studies?expand"))), 20)
        time.sleep(4)  # Orthanc rings up to three seconds after it says stable
        # The first instance rang; nobody answered, so neither the next ones did nor the studies.
        assert orthanc.log.read_text(errors="replace").count("doorbell not answered") == 1
        identifiers = [one.encode() for one in cast(list[str], orthanc.get("/studies"))]
        assert len(identifiers) == len(uids)
        log = orthanc.log.read_bytes()
    planted = [spelling for one in studies.PLANTED for spelling in one.spellings]
    assert not [one for one in [*planted, *identifiers] if one in log]


def test_a_hospital_without_the_doorbells_variables_says_so_and_works(tmp_path: Path) -> None:
    with Orthanc("north", "hospital", tmp_path, "only-for-tests") as orthanc:
        assert orthanc.answers()
        assert "set PREFECT_API_URL" in orthanc.log.read_text(errors="replace")


@pytest.mark.parametrize("kind", ["hospital", "cloud"])
def test_orthanc_refuses_to_start_without_a_password_instead_of_taking_an_empty_one(kind: str, tmp_path: Path) -> None:
    orthanc = Orthanc("north", "hospital" if kind == "hospital" else "cloud", tmp_path, "only-for-tests")
    del orthanc.process.environment["ORTHANC_USERS"]
    with pytest.raises(ServerError, match=r"ended at once.*orthanc\.log"), orthanc:
        pass
    assert orthanc.process.family() == []


def test_the_cloud_asks_for_a_password_and_keeps_what_it_has(tmp_path: Path) -> None:
    (first, *_) = studies.south()
    with Orthanc("cloud", "cloud", tmp_path, "only-for-tests") as cloud:
        assert cloud.store(first.data)
        (there,) = cast(list[str], cloud.get("/instances"))
        digest = cloud.read(f"/instances/{there}/attachments/dicom/md5")
        other_pixels = bytes(byte ^ 1 for byte in first.data[-2:])
        assert cloud.store(first.data[:-2] + other_pixels)
        assert cloud.read(f"/instances/{there}/attachments/dicom/md5") == digest
        cloud.password = "another"
        assert not cloud.answers()


def test_orthanc_keeps_address_and_storage_over_a_kill(tmp_path: Path) -> None:
    (first, *_) = studies.south()
    with Orthanc("north", "hospital", tmp_path, "only-for-tests") as orthanc:
        url = orthanc.url
        assert orthanc.store(first.data)
        assert not orthanc.store(b"this is no DICOM file")
        orthanc.kill()
        assert not orthanc.answers()
        orthanc.start()
        assert orthanc.url == url
        assert len(cast(list[str], orthanc.get("/instances"))) == 1


# processes

# as Prefect's worker starts a flow run: in a session of its own
PARENT = "import subprocess, time; subprocess.Popen(['sleep', '60'], start_new_session=True); time.sleep(60)"


def wait_until(ready: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_stopped_process_leaves_no_child(tmp_path: Path) -> None:
    with Process("parent", [sys.executable, "-c", PARENT], tmp_path / "log") as process:
        wait_until(lambda: len(process.family()) == 2, 10)
    assert process.family() == []


def test_a_killed_process_may_leave_its_children_until_it_is_stopped(tmp_path: Path) -> None:
    process = Process("parent", [sys.executable, "-c", PARENT], tmp_path / "log").start()
    wait_until(lambda: len(process.family()) == 2, 10)
    process.kill(children=False)
    assert not process.running
    assert len(process.family()) == 1
    process.stop()
    assert process.family() == []


def test_what_a_killed_demo_left_behind_is_stopped_by_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from deployments.demo.servers import Process\n"
        f"p = Process('left', ['sleep', '60'], Path({str(tmp_path)!r}) / 'log', registry=Path({str(tmp_path)!r}))\n"
        "print(p.start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as demo:
        assert demo.stdout
        left = int(demo.stdout.readline())
        demo.send_signal(signal.SIGKILL)
    wait_until(lambda: Path(f"/proc/{left}/environ").read_bytes() != b"", 5)  # empty for an instant when it begins
    assert stop_leftovers(tmp_path) == 1
    assert not Path(f"/proc/{left}/exe").exists()
    assert stop_leftovers(tmp_path) == 0


def test_a_note_about_nobody_stops_nobody(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        (tmp_path / "old.pid").write_text(f"{stranger.pid}\n")
        (tmp_path / "empty.pid").write_text("")
        assert stop_leftovers(tmp_path) == 0
        assert stranger.poll() is None
        stranger.kill()


def test_a_prefect_that_is_busy_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    with doorbell_heard(503, 503) as (url, heard):
        server = PrefectServer(tmp_path)
        server.api_url = url

        assert server.clear_runs("north") == 0

    assert len(heard) == 2 + 2  # two kinds of runs are asked for


def test_another_refusal_of_prefect_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    with doorbell_heard(500) as (url, heard):
        server = PrefectServer(tmp_path)
        server.api_url = url

        with pytest.raises(ServerError, match=r"answered 500.*server\.log"):
            server.clear_runs("north")

    assert len(heard) == 1


def test_a_server_that_does_not_get_ready_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match="not ready after 0 s"),
        Process("slow", ["sleep", "60"], tmp_path / "slow.log") as slow,
    ):
        slow.wait_until(lambda: False, 0.2)
    assert not slow.running


# the demo's own proof


def test_the_search_finds_an_identity_wherever_it_may_not_be(tmp_path: Path) -> None:
    state = State(tmp_path)
    Ledger(state.lineage).close()
    (first, *_) = studies.south()
    identities = {spelling for one in studies.PLANTED for spelling in one.spellings}
    places = {
        "the cloud": "cloud/storage/one",
        "Prefect's database and logs": "prefect/home/prefect.db",
        "the hospitals' logs": "north/orthanc.log",
        "the lineage files": "lineage/runs/note",
    }
    for site in SITES:
        (tmp_path / site).mkdir()
        (tmp_path / site / "orthanc.log").write_bytes(b"started")
    assert not search(state, identities)
    for part, place in places.items():
        file = tmp_path / place
        before = file.read_bytes() if file.exists() else b""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(first.data)
        assert search(state, identities) == {part: 1}
        file.write_bytes(before)


def test_the_demos_table_can_be_asked_of_an_empty_ledger(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with lineage.connect(tmp_path) as tables:
        assert lineage.rows(tables, TABLE) == []


# make and CI


def test_make_says_in_a_sentence_when_python_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "-f", str(ROOT / "Makefile"), "setup", "PYTHON=python-that-is-not-there"],
        cwd=copy_of_requirements(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAKEFLAGS": ""},
    )
    assert done.returncode == 2
    assert "Install Python 3.11 or newer" in done.stderr


def test_make_without_a_target_lists_the_targets() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "setup", "test", "lint"):
        assert f"make {target}" in done.stdout


def copy_of_requirements(folder: Path) -> Path:
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_text((ROOT / name).read_text())
    return folder
