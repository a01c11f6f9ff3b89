"""The wire to one Orthanc: the two HTTP clients, and the one place where their faults get our words.

Exceptions and log lines of httpx and urllib3 carry URLs, and a URL carries an Orthanc identifier. So
none of them leaves this module.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from mmap import mmap
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pyorthanc  # type: ignore[import-untyped]  # it ships no py.typed
import urllib3

from flows.errors import AwayError, FlowsError, GoneError, RefusedError, TerminalError
from flows.orthanc.attempts import Attempts
from flows.settings.sites import Server

__all__ = ["Answer", "Wire"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0

_PART = 1 << 20
_AGAIN = "It will be tried again"
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, urllib3.exceptions.HTTPError, HTTPException, OSError)
_DISK = {11, 14}  # FullStorage and CannotWriteFile in Orthanc's OrthancFramework/Sources/Enumerations.h

for _name in ("httpx", "httpcore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # below that, their lines carry URLs


@cache
def _trust() -> ssl.SSLContext:
    """Read the machine's own certificates, once: some hundred of them take 35 ms."""
    return ssl.create_default_context()


class Answer(NamedTuple):
    """Hold an HTTP answer, whichever client it came by."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Parse the body; None if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Wire:
    """Carry requests to one Orthanc from any number of threads.

    Parameters
    ----------
    server
        Where, and as whom.
    threads
        How many connections bulk bytes may use at once; further threads wait for one.
    attempts
        How often each request is put: each may come twice without harm.
    """

    def __init__(self, server: Server, threads: int, attempts: Attempts) -> None:
        self._server = server
        self._attempts = attempts
        # Both clients trust the machine's own certificates and read no proxy variable.
        trust = _trust()
        password = server.password.get_secret_value()
        self.orthanc = pyorthanc.Orthanc(
            server.url,
            return_raw_response=True,
            auth=httpx.BasicAuth(server.username, password),
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # Orthanc closes an idle connection after one second.
            limits=httpx.Limits(keepalive_expiry=0.5),
            verify=trust,
            trust_env=False,
        )
        credentials = b64encode(f"{server.username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}
        self._path = urlsplit(server.url).path
        # By way of the manager, because it knows for http that TLS settings do not apply.
        self._pool = urllib3.PoolManager(
            maxsize=threads,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            ssl_context=trust,
        ).connection_from_url(server.url)

    def close(self) -> None:
        """Close all connections."""
        self.orthanc.close()
        self._pool.close()

    def ask(self, what: str, question: Callable[[], object]) -> Answer:
        """Put a question by pyorthanc.

        Parameters
        ----------
        what
            The subject of the question for messages, without any identifier.
        question
            A call of one of pyorthanc's methods.
        """

        def answer() -> Answer:
            response = question()
            assert isinstance(response, httpx.Response)  # noqa: S101 - return_raw_response is set
            return Answer(response.status_code, response.content)

        return self._attempts.at(lambda: self._answered(what, answer))

    def carry(self, what: str, method: str, path: str, body: bytes | mmap | None = None) -> Answer:
        """Send or get bulk bytes by urllib3."""
        return self._attempts.at(lambda: self._answered(what, lambda: self._sent(method, path, body)))

    def download(self, what: str, path: str, file: IO[bytes]) -> None:
        """Get bulk bytes into a file, a little at a time."""

        def answer() -> Answer:
            file.seek(0)
            file.truncate()
            response = self._pool.urlopen(
                "GET", self._path + path, headers=self._headers, redirect=False, preload_content=False
            )
            try:
                if response.status != HTTPStatus.OK:
                    return Answer(response.status, response.data)
                for part in response.stream(_PART):
                    file.write(part)
                return Answer(response.status, b"")
            finally:
                response.release_conn()

        self._attempts.at(lambda: self._answered(what, answer))
        file.flush()

    def _answered(self, what: str, answer: Callable[[], Answer]) -> Answer:
        """Return a good answer; raise for any other, and for none."""
        try:
            found = answer()
        except _FAULTS as fault:
            error = self._unreached(what, fault)
        else:
            if 200 <= found.status < 300:
                return found
            error = self._refused(what, found)
        raise error  # outside the except block: not even __context__ holds the client's own exception

    def _sent(self, method: str, path: str, body: bytes | mmap | None) -> Answer:
        # A view, or urllib3 would take what is mapped for a file of unknown length.
        view: Any = memoryview(body) if isinstance(body, mmap) else body
        response = self._pool.urlopen(method, self._path + path, view, self._headers, redirect=False)
        return Answer(response.status, response.data)

    def nonsense(self, what: str) -> TerminalError:
        """Make the error for an answer that no Orthanc gives."""
        return TerminalError(
            f"What answers at {self._server.place} is not an Orthanc: it cannot tell {what}. Check the url"
        )

    def gone(self, what: str) -> GoneError:
        """Make the error for what was deleted at the other end."""
        return GoneError(f"The Orthanc at {self._server.place} cannot give {what}: it was deleted there meanwhile")

    def _refused(self, what: str, answer: Answer) -> FlowsError:
        place, status = self._server.place, answer.status
        report = answer.json()
        code = report.get("OrthancStatus") if isinstance(report, dict) else None
        # Of Orthanc's own words only the number: its texts hold URIs and paths.
        said = f"answered {status}" + (f" (Orthanc error {code})" if isinstance(code, int) else "")
        if status in {401, 403}:
            return TerminalError(
                f"User name or password refused by the Orthanc at {place}: "
                f"check username and the variable {self._server.password_env or 'with the password'}"
            )
        if status == 404:
            return self.gone(what)
        if status == 507 or code in _DISK or (status >= 500 and b"disk" in answer.body.lower()):
            return self._away(f"{said} for {what}: its disk is full or cannot be written. Make room there", full=True)
        if status >= 500 or status in {408, 425, 429}:
            return self._away(f"{said} for {what}: see its own log")
        if 300 <= status < 400:
            return TerminalError(f"{place} {said}, a redirect: put the final address into url")
        return RefusedError(f"The Orthanc at {place} {said} for {what} and will do so again: see its own log")

    def _unreached(self, what: str, fault: Exception) -> FlowsError:
        """Say in plain words why no answer came."""
        place = self._server.place
        chain = tuple(_chain(fault))

        def any_is(*kinds: type[BaseException]) -> bool:
            return any(isinstance(link, kinds) for link in chain)

        if any_is(ssl.SSLCertVerificationError):
            return TerminalError(
                f"The certificate of {place} is not trusted by this machine: "
                "install its authority's certificate here, or correct the url"
            )
        if any_is(socket.gaierror, urllib3.exceptions.NameResolutionError):
            why = "its name is not known here: check the url and the name service"
        elif any_is(ConnectionRefusedError):
            why = "nothing listens there: start Orthanc, or check the url"
        elif any_is(TimeoutError, httpx.TimeoutException, urllib3.exceptions.TimeoutError):
            why = "it did not answer in time: see whether it is overloaded, and the network"
        else:
            why = "the connection broke: see whether it is running, and the network"
        return self._away(f"cannot be asked for {what}; {why}")

    def _away(self, why: str, *, full: bool = False) -> AwayError:
        message = f"The Orthanc at {self._server.place} {why}. {_AGAIN}"
        return AwayError(message, self._server.section, full=full)


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__
