"""The Orthanc client against a real Orthanc, and against ends that misbehave."""

from __future__ import annotations

import logging
import pickle
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import md5 as md5_of
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from flows import errors
from flows.errors import AwayError, FlowsError, GoneError, RefusedError, TerminalError, TransientError
from flows.orthanc import Attempts, Change, Delivery, Orthanc, orthanc_id
from flows.orthanc.client import _PAGE
from flows.settings.sites import Server
from tests.cases import case
from tests.orthanc_server import PASSWORD, OrthancServer

ROOT = "1.2.826.0.1.3680043.8.498"
PLANTED = "0badc0de-0badc0de-0badc0de-0badc0de-0badc0de"  # an Orthanc identifier that no message may show

ONCE = Attempts(pauses=())
QUICK = Attempts(pauses=(0.0, 0.01))


class Instance:
    """One small file of a patient, a study, a series and a number, with what is known of it beforehand."""

    def __init__(self, patient: str = "P1", study: int = 1, series: int = 1, number: int = 1, size: int = 64) -> None:
        self.patient = patient
        self.study_uid = f"{ROOT}.{study}"
        self.series_uid = f"{self.study_uid}.{series}"
        self.sop_uid = f"{self.series_uid}.{number}"
        ds = Dataset()
        ds.SOPClassUID = CTImageStorage
        ds.SOPInstanceUID = self.sop_uid
        ds.PatientID = patient
        ds.StudyInstanceUID = self.study_uid
        ds.SeriesInstanceUID = self.series_uid
        ds.InstanceNumber = number
        ds.ImageComments = "x" * size
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        out = BytesIO()
        ds.save_as(out, enforce_file_format=True)
        self.data = out.getvalue()
        self.md5 = md5_of(self.data, usedforsecurity=False).hexdigest()
        self.id = orthanc_id(patient, self.study_uid, self.series_uid, self.sop_uid)
        self.study_id = orthanc_id(patient, self.study_uid)

    def deliver(self, orthanc: Orthanc) -> Delivery:
        return orthanc.deliver(self.data, self.md5, self.id)


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """Run an Orthanc of one's own."""
    with OrthancServer(folder, settings) as server, Orthanc(server.server()) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    with OrthancServer(tmp_path_factory.mktemp("orthanc")) as running_server:
        yield running_server


@pytest.fixture
def orthanc(server: OrthancServer) -> Iterator[Orthanc]:
    """Give a client of an Orthanc that is empty."""
    with Orthanc(server.server()) as client:
        for study in list(client.studies()):
            client._wire.orthanc.delete_studies_id(study.orthanc_id)
        yield client


# ---- who is there ----------------------------------------------------------------------------------


def test_it_says_which_orthanc_answers(orthanc: Orthanc) -> None:
    system = orthanc.check()
    assert system.name == "test"
    assert system.version.count(".") >= 2 or system.version == "mainline"
    assert system.api_version >= 16


QUESTIONS: dict[str, Callable[[Orthanc], object]] = {
    "check": lambda orthanc: orthanc.check(),
    "studies": lambda orthanc: list(orthanc.studies()),
    "instances": lambda orthanc: orthanc.instances(PLANTED),
    "count_instances": lambda orthanc: orthanc.count_instances(PLANTED),
    "studies_of": lambda orthanc: orthanc.studies_of(ROOT),
    "changes": lambda orthanc: orthanc.changes(0),
    "fetch": lambda orthanc: orthanc.fetch(PLANTED),
    "stored_md5": lambda orthanc: orthanc.stored_md5(PLANTED),
    "store": lambda orthanc: orthanc.store(b"bytes"),
    "deliver": lambda orthanc: orthanc.deliver(b"bytes", "0" * 32, PLANTED),
}


def failure(server: Server, question: str) -> FlowsError:
    """Ask and return the error, after a look at what it and its surroundings would show in a log."""
    with Orthanc(server, attempts=ONCE) as orthanc, pytest.raises(FlowsError) as caught:
        QUESTIONS[question](orthanc)
    error = caught.value
    assert server.place in str(error)
    for link in (error, error.__cause__, error.__context__):
        assert link is None or isinstance(link, FlowsError), "a client's own exception carries the URL"
        assert PLANTED not in str(link)
        assert ROOT not in str(link)
        assert server.password.get_secret_value() not in str(link)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
    return error


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_wrong_password_is_told_with_the_variable_that_holds_it(server: OrthancServer, question: str) -> None:
    error = failure(server.server(password=SecretStr("mistyped-secret")), question)
    assert type(error) is TerminalError
    assert "refused" in str(error)
    assert "ENTWASH_CLOUD_PASSWORD" in str(error)


@case(104)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_orthanc_that_is_away_is_worth_another_attempt(server: OrthancServer, question: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
        error = failure(server.server(url=f"http://127.0.0.1:{unused.getsockname()[1]}"), question)
    assert type(error) is AwayError
    assert "nothing listens there" in str(error)


def test_an_address_that_no_name_service_knows_is_told_as_such(server: OrthancServer) -> None:
    for question in ("check", "fetch"):
        error = failure(server.server(url="http://orthanc.invalid:8042"), question)
        assert type(error) is AwayError
        assert "name" in str(error)


def test_a_wrong_path_behind_the_right_host_is_not_an_orthanc(server: OrthancServer) -> None:
    error = failure(server.server(url=f"{server.url}/elsewhere"), "check")
    assert type(error) is TerminalError
    assert "not an Orthanc" in str(error)


# ---- ends that misbehave ---------------------------------------------------------------------------


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[Server, list[bytes]]]:
    """Listen, and give these bytes to one request after the other; nothing means to hang up.

    Yields the address, and the first line of each request that came.
    """
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            count = 0
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(10)
                with connection, connection.makefile("rb") as lines:
                    while first := lines.readline():
                        asked.append(first.strip())
                        length = 0
                        while header := lines.readline().strip():
                            if header.lower().startswith(b"content-length:"):
                                length = int(header.split(b":")[1])
                        lines.read(length)
                        answer = answers[min(count, len(answers) - 1)]
                        count += 1
                        connection.sendall(answer)
                        if not answer or b"Connection: close" in answer:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Server(section="sites.north", url=url, username="a", password=SecretStr("b-secret")), asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(status: str, body: str = "", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def orthanc_error(code: int) -> str:
    return f'{{"OrthancStatus": {code}, "Uri": "/instances/{PLANTED}", "Details": "/storage/{PLANTED}"}}'


@case(104)
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("reply", "kind", "hint"),
    [
        (answer("500 Internal Server Error", orthanc_error(13)), AwayError, "Orthanc error 13"),
        (answer("502 Bad Gateway", f"<html>{PLANTED}</html>"), AwayError, "502"),
        (answer("429 Too Many Requests"), AwayError, "429"),
        (answer("507 Insufficient Storage"), AwayError, "disk is full"),
        (answer("500 Internal Server Error", orthanc_error(14)), AwayError, "disk is full"),
        (answer("500 Internal Server Error", "database or disk is full"), AwayError, "disk is full"),
        (answer("403 Forbidden"), TerminalError, "refused"),
        (answer("302 Found", headers=f"Location: http://127.0.0.1:1/{PLANTED}\r\n"), TerminalError, "redirect"),
        (answer("400 Bad Request", orthanc_error(15)), RefusedError, "Orthanc error 15"),
        (b"", AwayError, "connection broke"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\nshort",
            AwayError,
            "connection broke",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n", AwayError, "connection broke"),
    ],
)
def test_every_answer_that_is_none_says_whether_to_try_again(
    question: str, reply: bytes, kind: type[FlowsError], hint: str
) -> None:
    with answering(reply) as (server, _):
        error = failure(server, question)
    assert type(error) is kind
    assert hint in str(error)


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name not in {"fetch", "stored_md5"}])
@pytest.mark.parametrize("body", ["<html>welcome</html>", "[1, 2]", "{}", "null", '{"Name": 1}', "[{}]"])
def test_an_answer_of_another_form_is_not_from_an_orthanc(question: str, body: str) -> None:
    replies = [answer("200 OK", body)]
    if question == "deliver":
        replies.insert(0, answer("404 Not Found"))
    with answering(*replies) as (server, _):
        error = failure(server, question)
    assert type(error) is TerminalError
    assert "not an Orthanc" in str(error)


def test_a_connection_that_orthanc_closed_while_idle_costs_no_attempt() -> None:
    with answering(answer("200 OK", "first"), b"", answer("200 OK", "second")) as (server, asked), Orthanc(server) as o:
        assert o.fetch("a") == b"first"
        assert o.fetch("b") == b"second"
    assert len(asked) == 3


@case(104)
def test_an_end_that_keeps_hanging_up_is_asked_a_few_times_and_no_more() -> None:
    for question in ("fetch", "check"):
        with answering(b"") as (server, asked), Orthanc(server, attempts=QUICK) as orthanc, pytest.raises(AwayError):
            QUESTIONS[question](orthanc)
        assert len(asked) == 1 + len(QUICK.pauses)


@case(104)
@pytest.mark.parametrize("failing", [answer("503 Service Unavailable"), answer("500 Internal Server Error"), b""])
def test_an_end_that_fails_now_and_then_costs_no_study(failing: bytes) -> None:
    with answering(failing, failing, answer("200 OK", "bytes")) as (server, asked), Orthanc(server) as orthanc:
        assert orthanc.fetch("a") == b"bytes"
    assert len(asked) == 3


def test_an_end_that_is_full_and_one_that_refuses_are_not_asked_again() -> None:
    for reply in (answer("507 Insufficient Storage"), answer("400 Bad Request"), answer("401 Unauthorized")):
        with answering(reply) as (server, asked), Orthanc(server) as orthanc, pytest.raises(FlowsError):
            orthanc.store(b"bytes")
        assert len(asked) == 1


def test_an_end_that_is_slow_is_not_asked_again_when_patience_is_over() -> None:
    asked: list[float] = []

    def slow() -> None:
        asked.append(time.monotonic())
        time.sleep(0.2)
        raise AwayError("slow", "cloud")

    with pytest.raises(AwayError):
        Attempts(patience=0.1).at(slow)
    assert len(asked) == 1


def test_an_end_that_is_away_is_told_whole_in_another_process() -> None:
    error = pickle.loads(pickle.dumps(AwayError("away", "sites.north", full=True)))  # noqa: S301 - our own bytes
    assert (type(error), str(error), error.section, error.full) == (AwayError, "away", "sites.north", True)


@case(105)
def test_no_log_line_shows_an_identifier(orthanc: Orthanc, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = Instance(study=7)
    one.deliver(orthanc)
    orthanc.fetch(one.id)
    orthanc.instances(one.study_id)
    orthanc.count_instances(one.study_id)
    shown = caplog.text + repr(orthanc) + repr(list(orthanc.studies())) + repr(orthanc.instances(one.study_id))
    shown += repr(orthanc.changes(0)) + repr(orthanc.store(one.data)) + repr(one.deliver(orthanc))
    assert not [text for text in (one.id, one.study_id, one.study_uid, one.sop_uid, PASSWORD) if text in shown]


# ---- the inventory ---------------------------------------------------------------------------------


def test_orthanc_identifiers_are_known_beforehand(orthanc: Orthanc) -> None:
    for patient in ("DEID-ABCDEFGHIJKLMNOP", " blanks ", ""):
        one = Instance(patient)
        assert orthanc.store(one.data).orthanc_id == one.id
        study = next(study for study in orthanc.studies() if study.orthanc_id == one.study_id)
        assert study.series == (orthanc_id(patient, one.study_uid, one.series_uid),)


def test_an_instance_identifier_needs_its_series() -> None:
    with pytest.raises(ValueError, match="series_uid"):
        orthanc_id("P", "1.2", sop_uid="1.2.3")


def test_the_inventory_has_every_study_once_across_pages(orthanc: Orthanc) -> None:
    stored = [Instance(study=number) for number in range(1, _PAGE + 4)]
    for instance in stored:
        orthanc.store(instance.data)
    found = list(orthanc.studies())
    assert len(found) == len(stored)
    assert {study.orthanc_id for study in found} == {instance.study_id for instance in stored}
    assert {study.study_instance_uid for study in found} == {instance.study_uid for instance in stored}


def test_a_study_becomes_stable_and_is_not_before(tmp_path: Path) -> None:
    with running(tmp_path, StableAge=2) as orthanc:
        orthanc.store(Instance().data)
        assert [study.stable for study in orthanc.studies()] == [False]
        assert list(orthanc.stable_studies()) == []
        until = time.monotonic() + 20
        while not list(orthanc.stable_studies()):
            assert time.monotonic() < until
            time.sleep(0.2)


def test_after_a_restart_stable_is_claimed_too_early_and_last_update_still_tells(tmp_path: Path) -> None:
    with OrthancServer(tmp_path, {"StableAge": 3600}) as server, Orthanc(server.server()) as orthanc:
        earliest = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        orthanc.store(Instance().data)
        server.restart()
        (study,) = orthanc.studies()
        assert study.stable, "Orthanc changed: the warning at StudyAtSite can go"
        assert earliest <= study.last_update <= time.strftime("%Y%m%dT%H%M%S", time.gmtime())


def test_instances_are_listed_series_by_series_in_one_order(orthanc: Orthanc) -> None:
    stored = [Instance(series=series, number=number) for number in (3, 1, 2) for series in (2, 1)]
    for instance in stored:
        orthanc.store(instance.data)
    found = orthanc.instances(stored[0].study_id)
    assert found == orthanc.instances(stored[0].study_id)
    assert {(one.orthanc_id, one.size) for one in found} == {(one.id, len(one.data)) for one in stored}
    series = [one.series for one in found]
    assert series == sorted(series)
    assert orthanc.count_instances(stored[0].study_id) == len(stored)


@pytest.mark.parametrize("uid", ["*", "1.2.?", "1.2.3\\4.5", "1.2/é%"])
def test_a_reference_to_what_no_uid_is_called_leads_nowhere(orthanc: Orthanc, uid: str) -> None:
    orthanc.store(Instance("P1").data)
    assert not orthanc.has(uid)


def test_one_study_of_two_patient_ids_counts_as_two(orthanc: Orthanc) -> None:
    one = Instance("P1")
    assert len(orthanc.studies_of(one.study_uid)) == 0
    orthanc.store(one.data)
    assert len(orthanc.studies_of(one.study_uid)) == 1
    orthanc.store(Instance("P2", number=2).data)
    assert len(orthanc.studies_of(one.study_uid)) == 2


def test_the_change_feed_goes_on_where_it_was_left(tmp_path: Path) -> None:
    with running(tmp_path) as orthanc:
        assert orthanc.last_change() == 0
        for study in (1, 2, 3):
            orthanc.store(Instance(study=study).data)
        until = time.monotonic() + 20
        while len(list(orthanc.stable_studies())) < 3:
            assert time.monotonic() < until
            time.sleep(0.2)
        rows: list[Change] = []
        seq, is_done = 0, False
        while not is_done:
            page = orthanc.changes(seq, limit=1)
            assert len(page.rows) <= 1
            assert page.last > seq
            rows += page.rows
            seq, is_done = page.last, page.done
    assert [row.change_type for row in rows] == ["StableStudy"] * 3
    assert {row.orthanc_id for row in rows} == {Instance(study=study).study_id for study in (1, 2, 3)}
    assert [row.seq for row in rows] == sorted(row.seq for row in rows)


def test_a_feed_without_anything_new_ends_where_it_began(orthanc: Orthanc) -> None:
    orthanc.store(Instance().data)
    last = orthanc.last_change()
    assert last > 0
    page = orthanc.changes(last)
    assert (page.rows, page.done) == ((), True)
    assert page.last <= orthanc.last_change()


def test_what_was_deleted_meanwhile_is_gone_and_nothing_worse(orthanc: Orthanc) -> None:
    one = Instance()
    orthanc.store(one.data)
    orthanc._wire.orthanc.delete_studies_id(one.study_id)
    assert orthanc.stored_md5(one.id) is None
    for question in (
        lambda: orthanc.fetch(one.id),
        lambda: orthanc.instances(one.study_id),
        lambda: orthanc.count_instances(one.study_id),
    ):
        with pytest.raises(GoneError):
            question()


# ---- bytes and their proof -------------------------------------------------------------------------


def test_a_file_comes_back_byte_for_byte(orthanc: Orthanc) -> None:
    one = Instance(size=9000)
    assert not orthanc.store(one.data).already
    assert orthanc.store(one.data).already
    assert orthanc.fetch(one.id) == one.data
    assert orthanc.stored_md5(one.id) == one.md5


def test_bytes_that_are_not_dicom_are_refused_for_good(orthanc: Orthanc) -> None:
    for data in (b"garbage", b""):
        with pytest.raises(RefusedError):
            orthanc.store(data)


def test_a_delivery_is_stored_once_and_found_the_next_time(orthanc: Orthanc) -> None:
    one = Instance()
    assert one.deliver(orthanc) == Delivery("stored", one.md5, one.md5, sent=True)
    assert one.deliver(orthanc) == Delivery("already-there", one.md5, one.md5, sent=False)


@case(103)
def test_other_bytes_of_the_same_instance_are_a_conflict_and_stay(orthanc: Orthanc) -> None:
    first, second = Instance(size=64), Instance(size=66)
    assert first.id == second.id
    first.deliver(orthanc)
    assert second.deliver(orthanc) == Delivery("conflict", second.md5, first.md5, sent=False)
    assert orthanc.fetch(first.id) == first.data


@case(103)
def test_of_two_who_deliver_other_bytes_at_once_one_is_told(orthanc: Orthanc) -> None:
    ready = threading.Barrier(2)

    def deliver(instance: Instance) -> str:
        ready.wait()
        return instance.deliver(orthanc).outcome

    with ThreadPoolExecutor(2) as both:
        for number in range(20):
            rivals = [Instance(number=number + 1, size=size) for size in (64, 66)]
            assert sorted(both.map(deliver, rivals)) == ["conflict", "stored"]


def test_many_threads_deliver_each_instance_once(orthanc: Orthanc) -> None:
    instances = [Instance(number=number) for number in range(1, 61)]
    with ThreadPoolExecutor(16) as threads:
        outcomes = [delivery.outcome for delivery in threads.map(lambda one: one.deliver(orthanc), instances)]
    assert outcomes == ["stored"] * 60
    assert orthanc.count_instances(instances[0].study_id) == 60


def test_an_identifier_that_is_not_the_instances_own_is_noticed(orthanc: Orthanc) -> None:
    one = Instance()
    with pytest.raises(TerminalError, match="filed an instance elsewhere"):
        orthanc.deliver(one.data, one.md5, Instance(number=2).id)


def test_a_cloud_that_changes_what_it_stores_is_a_conflict(tmp_path: Path) -> None:
    one = Instance()
    with running(tmp_path, IngestTranscoding="1.2.840.10008.1.2") as orthanc:
        delivery = one.deliver(orthanc)
    assert (delivery.outcome, delivery.sent) == ("conflict", True)
    assert delivery.cloud_md5 != one.md5


def test_a_cloud_that_compresses_its_storage_still_proves_our_bytes(tmp_path: Path) -> None:
    one = Instance(size=9000)
    with running(tmp_path, StorageCompression=True) as orthanc:
        assert one.deliver(orthanc).outcome == "stored"


def test_a_cloud_without_digests_is_told_what_to_set(tmp_path: Path) -> None:
    with running(tmp_path, StoreMD5ForAttachments=False) as orthanc:
        for _ in range(2):
            with pytest.raises(TerminalError, match="StoreMD5ForAttachments"):
                Instance().deliver(orthanc)


def test_a_cloud_that_filters_an_instance_out_is_not_believed(tmp_path: Path) -> None:
    script = tmp_path / "filter.lua"
    script.write_text("function ReceivedInstanceFilter(dicom, origin, info) return false end", "utf-8")
    with running(tmp_path, LuaScripts=[str(script)]) as orthanc, pytest.raises(TerminalError, match="filters"):
        Instance().deliver(orthanc)


@case(104)
def test_an_instance_that_vanishes_right_after_it_was_taken_is_tried_again() -> None:
    one = Instance()
    gone, taken = answer("404 Not Found"), answer("200 OK", f'{{"Status": "Success", "ID": "{one.id}"}}')
    with (
        answering(gone, taken, gone) as (server, _),
        Orthanc(server) as orthanc,
        pytest.raises(TransientError, match="lost an instance"),
    ):
        one.deliver(orthanc)


def test_a_client_outlives_a_restart_of_its_orthanc(tmp_path: Path) -> None:
    one = Instance()
    with OrthancServer(tmp_path) as server, Orthanc(server.server()) as orthanc:
        one.deliver(orthanc)
        server.restart()
        assert orthanc.fetch(one.id) == one.data
        assert orthanc.count_instances(one.study_id) == 1


# ---- the exceptions --------------------------------------------------------------------------------


def test_the_drawn_tree_of_exceptions_is_the_real_one() -> None:
    drawn = re.findall(r"^[ │├└─]*(\w+Error)", errors.__doc__ or "", re.MULTILINE)
    real = [name for name in dir(errors) if name.endswith("Error")]
    assert sorted(drawn) == sorted(real)
    assert {*real, "foreseen"} == set(errors.__all__)
    assert all(issubclass(getattr(errors, name), FlowsError) for name in real)
    assert not issubclass(GoneError, TerminalError)
