"""An end that fails now and then: it stands before a real Orthanc, and passes on what it does not refuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from tests.orthanc_server import OrthancServer

FULL = (500, b'{"HttpStatus": 500, "OrthancStatus": 11, "OrthancError": "The file storage is full"}')
BUSY = (503, b"busy")


@dataclass(frozen=True)
class Late:
    """A request is passed on so many seconds later."""

    seconds: float


Fault = Callable[["Faulty", str, str], tuple[int, bytes] | Late | None]
"""Tell what a request gets instead of the Orthanc's answer, by method and path; None if it is passed on."""


@dataclass
class Faulty:
    """Count the requests that come, and answer some of them amiss."""

    orthanc: OrthancServer
    fault: Fault
    url: str = ""
    asked: int = 0
    amiss_so_far: int = 0
    posted: int = 0
    _inside: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count a request that is being answered."""
        with self._lock:
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def wait(self) -> None:
        """Wait until all is passed on that is late: it would reach whoever uses the Orthanc next."""
        until = time.monotonic() + 30
        while self._inside and time.monotonic() < until:
            time.sleep(0.02)

    def amiss(self, method: str, path: str) -> tuple[int, bytes] | None:
        """Count a request; return what it gets instead of an answer."""
        with self._lock:
            self.asked += 1
            answer = self.fault(self, method, path)
            is_passed_on = answer is None or isinstance(answer, Late)
            self.amiss_so_far += answer is not None
            self.posted += is_passed_on and (method, path) == ("POST", "/instances")
        if isinstance(answer, Late):
            time.sleep(answer.seconds)
            return None
        return answer


@contextmanager
def faulty(orthanc: OrthancServer, fault: Fault) -> Iterator[Faulty]:
    """Stand before an Orthanc at an address of its own."""
    end = Faulty(orthanc, fault)
    pool = urllib3.PoolManager(maxsize=16, retries=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _pass(self) -> None:
            with end.inside():
                self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            answer = end.amiss(self.command, self.path)
            if answer is None:
                headers = {"Authorization": self.headers["Authorization"]}
                try:
                    got = pool.request(self.command, orthanc.url + self.path, body=body, headers=headers)
                    answer = (got.status, got.data)
                except urllib3.exceptions.HTTPError:  # it is away: so is this
                    self.close_connection = True
                    return
            try:
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])
            except ConnectionError:  # whoever asked waits no longer
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    end.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield end
    finally:
        end.wait()
        server.shutdown()
        thread.join()
        server.server_close()
        pool.clear()
