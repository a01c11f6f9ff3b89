"""Somebody is called when he should be, and not otherwise: real automations on a real Prefect server."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deployments.automations import SettingError, automations, bring
from deployments.demo import studies
from flows.settings.hours import Hours
from tests.faulty import FULL, faulty
from tests.hospital import PASSWORDS, Place, all_is_there, emptied, passwords_in_the_environment
from tests.ledgers import delivery, outcome, seen
from tests.mailbox import Mailbox, mailbox
from tests.orthanc_server import OrthancServer
from tests.prefect_server import PrefectServer

ROOT = Path(__file__).resolve().parents[1]
CT = [studies.to_bytes(image) for image in studies.ct(1, 1, 1, 3, rows=16)]
OTHER = [studies.to_bytes(image) for patient in (2, 3) for image in studies.ct(patient, 1, 1, 3, rows=16)]
PHOTOGRAPH = [instance.data for instance in studies.south() if instance.modality == "OT"]
SILENT_SECONDS = 10
PATIENCE = 60.0


@dataclass
class Called:
    """What came by the webhook."""

    url: str
    texts: list[str] = field(default_factory=list)

    def by(self, words: str) -> list[str]:
        """Return the messages with these words in them."""
        return [text for text in self.texts if words in text]

    def wait(self, words: str) -> str:
        """Wait for a message."""
        wait_until(lambda: bool(self.by(words)))
        return self.by(words)[0]


@contextmanager
def listening() -> Iterator[Called]:
    """Stand where a chat would, and note what it is told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            called.texts.append(body["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        called = Called(f"http://127.0.0.1:{server.server_port}/a-secret-token")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield called
        server.shutdown()
        thread.join()


@dataclass
class Station:
    """A Prefect server with the automations, who is called, and a place whose runs it sees."""

    prefect: PrefectServer
    called: Called
    mailed: Mailbox

    def python(self, *arguments: str, **variables: str) -> str:
        """Run Python with this server's variables, and return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, **self.prefect.environment, **PASSWORDS, **variables},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run(self, place: Place, trigger: str) -> None:
        """Run the flow once, as a worker does."""
        code = f"from flows.route import route; route('north', {trigger!r})"
        self.python("-c", code, ENTWASH_SITES=str(place.folder / "sites.toml"))

    def bring(self, **variables: str) -> str:
        """Bring the automations."""
        # Without TLS, and with a password that a test can look for.
        mail = f"mailto://127.0.0.1:{self.mailed.port}?from=north@example.org&to=night@example.org&mode=insecure"
        addresses = {"ENTWASH_ALARM_WEBHOOK": self.called.url, "ENTWASH_ALARM_MAIL": f"{mail}&name=a-secret-token"}
        return self.python("-m", "deployments.automations", **addresses, **variables)

    def last(self) -> None:
        """Wait until everything that the server was told before this is told on."""
        word = f"site-{uuid4().hex[:8]}"
        self.python("-c", f"from flows.shown.alarms import alarm; assert alarm({word!r}, 'held', studies=1, codes='x')")
        self.called.wait(word)

    def ask(self, path: str, body: object) -> Any:
        """Ask the server's API."""
        return self.prefect.call("POST", path, body)


def wait_until(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    home = tmp_path_factory.mktemp("station") / "prefect"
    with listening() as called, mailbox() as mailed, PrefectServer(home) as prefect:
        there = Station(prefect, called, mailed)
        there.bring()
        yield there


@pytest.fixture
def site(servers: tuple[OrthancServer, OrthancServer], tmp_path: Path) -> Place:
    hospital, cloud = servers
    place = Place(emptied(hospital), emptied(cloud), tmp_path)
    place.write_sites()
    return place


def always(place: Place, hours: str) -> None:
    """Say when the hospital is busy."""
    path = place.folder / "sites.toml"
    path.write_text(path.read_text() + f'busy = "{hours}"\n')


def now_at_rest() -> str:
    """Return hours that are over by some hours, or that begin in some."""
    return "mon-sun 00:00-00:01" if datetime.now().astimezone().hour > 0 else "mon-sun 22:00-23:00"


def test_quiet_runs_and_a_night_call_nobody(station: Station, site: Place) -> None:
    always(site, now_at_rest())
    site.receive(CT)
    station.run(site, "doorbell")
    station.run(site, "schedule")

    heard = {"event": {"prefix": ["entwash."]}, "occurred": {"since": "2026-01-01T00:00:00Z"}}
    wait_until(lambda: len(station.ask("/events/filter", {"filter": heard})["events"]) >= 2)
    events = station.ask("/events/filter", {"filter": heard})["events"]
    assert {one["event"] for one in events} == {"entwash.arrived", "entwash.resting"}
    assert {one["resource"]["prefect.resource.id"] for one in events} == {"entwash.site.north"}
    assert station.called.texts == []


def test_a_silent_hospital_is_told_once(station: Station, site: Place) -> None:
    always(site, "mon-sun 00:00-23:59")
    station.bring(ENTWASH_SILENT_HOURS=str(SILENT_SECONDS / 3600))
    site.receive(CT)
    station.run(site, "schedule")

    text = station.called.wait("is silent")

    assert text.startswith("Entwash: north is silent\nnorth: no doorbell and no new study")
    station.run(site, "schedule")
    time.sleep(SILENT_SECONDS)
    assert len(station.called.by("is silent")) == 1


def test_studies_that_no_doorbell_announced_are_told(station: Station, site: Place) -> None:
    site.receive(CT)
    station.run(site, "schedule")  # the first look at a hospital misses no ring
    site.receive(OTHER)
    station.run(site, "schedule")

    text = station.called.wait("doorbells are lost")

    assert text.splitlines()[0] == "Entwash: at north doorbells are lost"
    assert "north: studies that no doorbell announced 2." in text


def test_a_held_study_is_told_with_its_code_and_once_an_hour(station: Station, site: Place) -> None:
    site.receive(PHOTOGRAPH)
    station.run(site, "doorbell")

    text = station.called.wait("holds studies")

    assert text.splitlines()[0] == "Entwash: north holds studies"
    assert "north: studies held 1 (burned-in-risk)." in text
    assert "entwash held list --site north" in text
    emptied(site.hospital)
    site.receive(PHOTOGRAPH)
    station.run(site, "doorbell")
    station.last()
    assert len(station.called.by("north holds studies")) == 1


def test_a_ledger_that_does_not_balance_is_told(station: Station, site: Place) -> None:
    with passwords_in_the_environment(), site.desk() as desk:
        key_id = desk.anonymizer.pseudonyms.key_id
        desk.ledger.seen([seen(1, project="test")])
        desk.ledger.record(outcome(1, project="test", key_id=key_id, deliveries=(delivery(1, 1),)))
    station.run(site, "schedule")

    text = station.called.wait("does not balance")

    assert "studies that do not balance 1, instances that are not proven to be in the cloud 2." in text


def test_a_cloud_that_is_full_opens_its_breaker_and_that_is_told(station: Station, site: Place) -> None:
    site.receive(CT)
    sites = site.folder / "sites.toml"
    with faulty(site.cloud, lambda _, method, path: FULL if (method, path) == ("POST", "/instances") else None) as full:
        sites.write_text(sites.read_text().replace(site.cloud.url, full.url))
        station.run(site, "doorbell")

    text = station.called.wait("has stopped")

    assert "north: the breaker of cloud opened (full)." in text
    assert site.balance().in_flight == len(CT)
    site.write_sites()
    station.run(site, "schedule")
    assert all_is_there(site, len(CT))


def test_each_end_that_stops_is_told_by_itself(station: Station) -> None:
    code = "from flows.shown.alarms import alarm; assert alarm('south', 'breaker-opened', end={end!r}, code='away')"
    for end in ("cloud", "sites.south", "cloud"):
        station.python("-c", code.format(end=end))

    for end in ("cloud", "sites.south"):
        station.called.wait(f"south: the breaker of {end} opened (away).")
    station.last()
    assert len(station.called.by("south has stopped")) == 2


def test_a_run_that_fails_is_told_and_so_is_a_ledger_that_cannot_be_written(station: Station, site: Place) -> None:
    site.receive(CT)
    leases = site.folder / "lineage" / ".leases"
    leases.parent.mkdir()
    leases.write_bytes(b"")  # where a folder should be
    code = (
        "from prefect import tags\nfrom flows.route import route\n"
        "with tags('entwash'): print(route('north', 'schedule', return_state=True).type)"
    )
    assert "FAILED" in station.python("-c", code, ENTWASH_SITES=str(site.folder / "sites.toml"))

    text = station.called.wait("the run north · schedule failed")

    assert "the run in Prefect says why, and what to do (prefect.flow-run." in text
    leases.unlink()
    station.run(site, "schedule")
    assert all_is_there(site, len(CT))


def test_of_each_deployment_a_failure_is_told_once_and_none_of_others_flows(station: Station) -> None:
    def ends(name: str, kind: str, deployment: str, *tags: str, flow: str = "route") -> None:
        rows = [
            ("flow", "prefect.flow.1", flow),
            ("deployment", f"prefect.deployment.{deployment}", deployment),
            *(("tag", f"prefect.tag.{tag}", tag) for tag in tags),
        ]
        event = {
            "id": str(uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": f"prefect.flow-run.{kind}",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{uuid4()}", "prefect.resource.name": name},
            "related": [
                {"prefect.resource.role": role, "prefect.resource.id": one, "prefect.resource.name": called}
                for role, one, called in rows
            ],
        }
        station.ask("/events", [event])

    ends("first", "Failed", "one", "entwash", "north")
    ends("first again", "Failed", "one", "entwash", "north")
    ends("second", "Crashed", "two", "entwash", flow="reconcile")
    ends("third", "Completed", "three", "entwash", flow="backfill")
    ends("of others", "Failed", "four", flow="backfill")
    ends("of ours, and no work", "Failed", "five", "entwash", flow="something")

    for name in ("first", "second"):
        station.called.wait(f"Entwash: the run {name} failed")
    station.last()
    assert len(station.called.by("Entwash: the run")) == 3  # and the one of the test before


def test_whoever_is_called_by_mail_reads_the_same(station: Station) -> None:
    text = station.called.wait("north has stopped")

    wait_until(lambda: any("north has stopped" in message["subject"] for message in station.mailed.messages))

    (message,) = (one for one in station.mailed.messages if "north has stopped" in one["subject"])
    body = message.get_body(("html", "plain"))
    assert message["to"] == "night@example.org"
    assert body is not None
    assert f"{message['subject']}\n" + html.unescape(body.get_content()).strip() == text


REFUSING = """
from flows.shown import alarms, page, run, table

def refuse(*_, **__):
    raise RuntimeError("Prefect refuses")

alarms.get_client = table.create_table_artifact = page.create_markdown_artifact = refuse
run.get_client = run.create_progress_artifact = run.update_progress_artifact = refuse
"""


def test_a_prefect_that_refuses_what_is_only_for_people_makes_no_run_bad(station: Station, site: Place) -> None:
    site.receive([*CT, *PHOTOGRAPH])

    code = f"{REFUSING}\nfrom flows.route import route; route('north', 'schedule')"
    said = station.python("-c", code, ENTWASH_SITES=str(site.folder / "sites.toml"))

    assert (site.balance().loaded, site.balance().held, site.balance().in_flight) == (3, 1, 0)
    for what in ("an event", "the run's table", "the page of the site", "the run's name", "the run's progress"):
        assert f"{what} could not be left in Prefect (RuntimeError)" in said


def test_the_automations_may_be_brought_again(station: Station) -> None:
    before = station.ask("/automations/filter", {})
    said = station.bring(ENTWASH_SILENT_HOURS=str(SILENT_SECONDS / 3600))
    after = station.ask("/automations/filter", {})
    names = [one.name for one in automations([uuid4()])]
    assert sorted(one["name"] for one in after) == sorted(names)
    assert {one["id"] for one in after} == {one["id"] for one in before}
    assert said.strip() == f"Prefect has these automations now: {', '.join(names)}."


def test_the_address_is_shown_to_nobody(station: Station) -> None:
    shown = json.dumps([station.ask("/block_documents/filter", {}), station.ask("/automations/filter", {})])
    assert {"entwash-alarm-webhook", "entwash-alarm-mail"} <= set(re.findall(r"entwash-alarm-\w+", shown))
    assert "a-secret-token" not in shown
    assert b"a-secret-token" not in station.prefect.database.read_bytes()


def test_without_an_address_nothing_is_brought_and_the_message_names_the_settings() -> None:
    with pytest.raises(SettingError, match="ENTWASH_ALARM_WEBHOOK or ENTWASH_ALARM_MAIL"):
        bring({})


@pytest.mark.parametrize("hours", ["four", "0", "-1", "nan"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(SettingError, match="must be a number of hours"):
        bring({"ENTWASH_ALARM_WEBHOOK": "http://127.0.0.1:9", "ENTWASH_SILENT_HOURS": hours})


@pytest.mark.parametrize(
    ("text", "moment", "is_busy"),
    [
        ("mon-fri 07:00-19:00", "2026-11-26 07:00", True),
        ("mon-fri 07:00-19:00", "2026-11-26 06:59", False),
        ("mon-fri 07:00-19:00", "2026-11-26 19:00", False),
        ("mon-fri 07:00-19:00", "2026-11-28 12:00", False),
        ("sat 07:00-19:00", "2026-11-28 12:00", True),
    ],
)
def test_a_hospital_is_busy_in_its_hours(text: str, moment: str, is_busy: bool) -> None:
    assert Hours.read(text).include(datetime.fromisoformat(moment)) is is_busy


@pytest.mark.parametrize(
    "text", ["", "mon-fri", "fri-mon 07:00-19:00", "mon 19:00-07:00", "mon 7:00-19:00", "mon 07:00-24:00"]
)
def test_hours_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as mon-fri 07:00-19:00"):
        Hours.read(text)
