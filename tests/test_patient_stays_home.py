"""Nothing of a patient is in anything that Prefect keeps or says, when all goes well and when everything fails."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ahocorasick_rs
import pytest

from deployments.demo import studies
from deployments.demo.servers import free_port
from tests.faulty import Fault, Faulty, faulty
from tests.hospital import PASSWORDS, Place, ask, emptied
from tests.orthanc_server import OrthancServer
from tests.prefect_server import PrefectServer

ROOT = Path(__file__).resolve().parents[1]
LISTS = (
    "/flows/filter",
    "/flow_runs/filter",
    "/task_runs/filter",
    "/artifacts/filter",
    "/artifacts/latest/filter",
    "/logs/filter",
    "/automations/filter",
    "/block_documents/filter",
    "/block_types/filter",
    "/variables/filter",
    "/deployments/filter",
    "/concurrency_limits/filter",
    "/v2/concurrency_limits/filter",
)
TOKEN = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
ESCAPED = re.compile(rb"\\u([0-9a-fA-F]{4})")

# What an engine would say that has a fault of its own: all that it had in its hands.
BREAKING_ENGINE: Final = """
from anonymizer import Anonymizer

def anonymize(self, source):
    raise ValueError(f"cannot handle {bytes(source)[:6000]!r}") from KeyError(bytes(source)[128:6000].decode("latin-1"))

Anonymizer.anonymize = anonymize
"""
BREAKING_LEDGER: Final = """
from flows.ledger.book import Ledger

def record(self, outcome):
    raise OSError(5, "cannot write " + repr(outcome))

Ledger.record = record
"""


@dataclass
class Watched:
    """A Prefect server, a place whose runs it sees, and all that those runs printed."""

    prefect: PrefectServer
    place: Place
    identities: list[bytes] = field(default_factory=list)
    printed: list[bytes] = field(default_factory=list)

    def run(self, before: str = "", flow: str = "from flows.route import route\nroute('north', 'schedule')") -> bool:
        """Run the flow in a process of its own, and tell whether it ended well."""
        done = subprocess.run(
            [sys.executable, "-c", f"{before}\n{flow}"],
            env={
                **os.environ,
                **self.prefect.environment,
                **PASSWORDS,
                "ENTWASH_SITES": str(self.place.folder / "sites.toml"),
                "PREFECT_LOGGING_LEVEL": "DEBUG",
            },
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.printed.append(done.stdout)
        return done.returncode == 0

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that the runs printed and all that Prefect says and keeps; the server is stopped for that."""
        yield from (("printed", text) for text in self.printed)
        for path in LISTS:
            yield path, self._all(path)
        yield "/events/filter", self._events()
        self.prefect.stop()  # what is in its memory goes to its database
        yield from ((str(path), path.read_bytes()) for path in self.prefect.home.rglob("*") if path.is_file())
        yield "log", self.prefect.log.read_bytes()
        with closing(sqlite3.connect(self.prefect.database)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - Prefect's own names
                    yield table, b"\0".join(one if isinstance(one, bytes) else str(one).encode() for one in row)

    def _all(self, path: str) -> bytes:
        found: list[Any] = []
        while page := self.ask(path, {"offset": len(found), "limit": 200}):
            found += page
        return json.dumps(found, ensure_ascii=False).encode()

    def _events(self) -> bytes:
        page = self.ask("/events/filter", {"filter": {"occurred": {"since": "2020-01-01T00:00:00Z"}}, "limit": 50})
        events = page["events"]
        while page.get("next_page"):
            page = self._get(page["next_page"])
            events += page["events"]
        assert len(events) == page["total"] > 0
        return json.dumps(events, ensure_ascii=False).encode()

    def ask(self, path: str, body: object) -> Any:
        """Ask the server's API."""
        return self.prefect.call("POST", path, body)

    def _get(self, url: str) -> Any:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
            return json.loads(answer.read())


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield data as it is, with its escapes undone, and what base64, zlib or gzip hide in it."""
    yield data
    yield ESCAPED.sub(lambda match: chr(int(match[1], 16)).encode("utf-8", "replace"), data)
    for token in TOKEN.findall(data):
        try:
            inside = base64.b64decode(token.replace(b"-", b"+").replace(b"_", b"/") + b"==")
        except binascii.Error:
            continue
        yield inside
        for unpack in (zlib.decompress, gzip.decompress):
            try:
                yield unpack(inside)
            except (zlib.error, OSError, EOFError):
                continue


def spoiling(mode: str, said: bytes) -> Fault:
    """Spoil some answers of a hospital: all that is said then is `said`."""

    def fault(_: Faulty, method: str, path: str) -> tuple[int, bytes] | None:
        if mode == "fails":
            return (500, said) if path.endswith("/file") else None
        return (200, said) if method == "GET" and path.startswith(("/changes", "/studies")) else None

    return fault


@pytest.fixture
def watched(servers: tuple[OrthancServer, OrthancServer], tmp_path: Path) -> Iterator[Watched]:
    """Fill a hospital with studies that hide identities everywhere, and collect these."""
    hospital, cloud = servers
    place = Place(emptied(hospital), emptied(cloud), tmp_path)
    place.write_sites()
    place.receive(instance.data for instance in (*studies.north(), *studies.south()))
    identities = [spelling.lower() for planted in studies.PLANTED for spelling in planted.spellings]
    for level in ("patients", "studies", "series", "instances"):
        identities += [str(one).encode() for one in ask(hospital, "GET", f"/{level}")[1]]
    assert len(identities) > 300
    with PrefectServer(tmp_path / "prefect") as prefect:
        yield Watched(prefect, place, identities)


def changed(place: Place, old: str, new: str) -> None:
    """Change the sites file."""
    path = place.folder / "sites.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def standing_in_what_is_kept(watched: Watched, *least: str) -> set[tuple[str, bytes]]:
    """Return which identities stand where; `least` stands somewhere, or the search looks in the wrong place."""
    places = list(watched.kept())
    everything = b"".join(data for _, data in places)
    assert [word for word in least if word.encode() not in everything] == []
    patterns = sorted(set(watched.identities))
    automaton = ahocorasick_rs.BytesAhoCorasick(patterns)
    return {
        (place, patterns[number])
        for place, data in places
        for spelled in unpacked(data)
        for number, *_ in automaton.find_matches_as_indexes(spelled.lower())
    }


def test_nothing_of_a_patient_is_kept_when_all_goes_well(watched: Watched) -> None:
    assert watched.run()

    least = ("entwash.held", "burned-in-risk", "site-north", "progress-north", "route-north", "DEID-", "· 6 studies")
    assert standing_in_what_is_kept(watched, *least) == set()


def test_nothing_of_a_patient_is_kept_when_everything_fails(watched: Watched) -> None:
    place = watched.place
    hospital, cloud = place.hospital.url, place.cloud.url
    said = json.dumps([planted.text for planted in studies.PLANTED]).encode() + b"".join(watched.identities[:40])

    # An engine and a ledger with faults of their own, that tell all that they had in their hands.
    assert not watched.run(BREAKING_ENGINE)
    assert not watched.run(BREAKING_LEDGER)
    # A hospital that fails for every file, or talks nonsense, and tells of its patients in doing so.
    for mode in ("fails", "talks nonsense"):
        with faulty(place.hospital, spoiling(mode, said)) as amiss:
            changed(place, hospital, amiss.url)
            watched.run()
            changed(place, amiss.url, hospital)
            assert amiss.amiss_so_far
    # A cloud that is away.
    nobody = f"http://127.0.0.1:{free_port()}"
    changed(place, cloud, nobody)
    watched.run()
    changed(place, nobody, cloud)
    # A profile with a fault, in which somebody wrote a name.
    name = studies.PLANTED[0].text
    (place.folder / "own.toml").write_text(
        f'extends = "research"\n[vocabulary]\nwords = ["{name}"]\n[attributes]\nPatientName = "keep"\n'
    )
    changed(place, "[project]\n", '[project]\nprofile = "own.toml"\n')
    assert not watched.run()
    changed(place, 'profile = "own.toml"\n', "")
    # Files that are broken in the middle, of patients with names.
    whole = [instance.data for instance in studies.north()][:2]
    emptied(place.hospital)
    for data in whole:
        ask(place.hospital, "POST", "/instances", data[: len(data) - 700])  # some are refused, as they should be
    watched.identities += [str(one).encode() for one in ask(place.hospital, "GET", "/instances")[1]]
    watched.run()

    least = ("nobody foresaw (ValueError)", "nobody foresaw (OSError)", "Failed", "Waiting", "entwash.breaker-opened")
    assert standing_in_what_is_kept(watched, *least) == set()


def test_the_search_finds_an_identity_that_prefect_kept_however_it_is_packed(watched: Watched) -> None:
    for planted, pack in zip(
        studies.PLANTED[:3],
        (
            "{!r}",
            "base64.b64encode(b'   ' + {!r}.encode() * 3).decode()",
            "base64.b64encode(zlib.compress({!r}.encode() + bytes(range(99)))).decode()",
        ),
        strict=True,
    ):
        raised = pack.format(planted.text)
        flow = (
            f"import base64, zlib\nfrom prefect import flow\n@flow\ndef one():\n    raise ValueError({raised})\none()"
        )
        assert not watched.run(flow=flow)

    found = standing_in_what_is_kept(watched)
    for planted in studies.PLANTED[:3]:
        there = {place for place, one in found if one == planted.text.encode().lower()}
        assert {"/flow_runs/filter", "flow_run_state"} <= there
