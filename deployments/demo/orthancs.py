"""Orthanc servers with the project's own settings: started, filled, stopped."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal, Self

from deployments.demo.installation import find_orthanc
from deployments.demo.processes import Process, ServerError, Startable, free_port

SETTINGS = Path(__file__).resolve().parents[1] / "orthanc"
READY_SECONDS = 60.0


class Orthanc(Startable):
    """One Orthanc with the project's own settings, on a port of its own, with its own storage.

    A port, once drawn, stays: `stop` and `start` are a restart on the same address and storage.

    Parameters
    ----------
    name
        The site's name for a hospital; any name for the cloud.
    kind
        Which settings file of deployments/orthanc it starts with.
    folder
        Storage and log are made below it.
    password
        Of the one user, `username`.
    prefect_api_url
        Where a hospital's doorbell rings; without it the doorbell is off.
    stable_age
        Seconds without a new instance after which a study is stable.
    dicom
        Whether to listen for C-STORE. Orthanc 1.10 listens on every address then, and asks no password.
    """

    username = "entwash"

    def __init__(
        self,
        name: str,
        kind: Literal["hospital", "cloud"],
        folder: Path,
        password: str,
        *,
        prefect_api_url: str = "",
        prefect_auth_string: str = "",
        stable_age: int = 3,
        dicom: bool = False,
        registry: Path | None = None,
    ) -> None:
        self.name = name
        self.password = password
        self.storage = folder / "storage"
        self.http_port = free_port()
        self.dicom_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        environment = {
            "ORTHANC_NAME": name,
            "ORTHANC_STORAGE": str(self.storage),
            "ORTHANC_USERS": json.dumps({self.username: password}),
            "ORTHANC_HTTP_PORT": str(self.http_port),
            "ORTHANC_REMOTE_ACCESS": "false",
            "ORTHANC_DICOM": "true" if dicom else "false",
            "ORTHANC_DICOM_PORT": str(self.dicom_port),
            "ORTHANC_STABLE_AGE": str(stable_age),
            "ENTWASH_SITE": name,
            "PREFECT_API_URL": prefect_api_url,
            "PREFECT_API_AUTH_STRING": prefect_auth_string,
        }
        program = find_orthanc() or Path("Orthanc")
        self.process = Process(
            f"Orthanc {name}",
            [program, SETTINGS / f"{kind}.json"],
            folder / "orthanc.log",
            environment=environment,
            registry=registry,
        )

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.process.log

    def start(self) -> Self:
        """Start and wait until it answers."""
        if not find_orthanc():
            raise ServerError("Orthanc is missing. Install it with: sudo apt-get install orthanc")
        self.storage.mkdir(parents=True, exist_ok=True)
        self.process.start()
        self.process.wait_until(self.answers, READY_SECONDS)
        return self

    def answers(self) -> bool:
        """Whether it answers to its user and password."""
        try:
            self.get("/system")
        except OSError:
            return False
        return True

    def get(self, path: str) -> object:
        """Return the JSON that a path of its REST API answers."""
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        """Return the bytes that a path of its REST API answers."""
        return self._request("GET", path)

    def store(self, data: bytes) -> bool:
        """Store one DICOM file, as a modality would; False when Orthanc refuses it."""
        try:
            self._request("POST", "/instances", data)
        except urllib.error.HTTPError as error:
            if 400 <= error.code < 500 and error.code not in {401, 403}:
                return False
            raise ServerError(f"Orthanc {self.name} answered {error.code} to a file. See {self.log}.") from None
        return True

    def stop(self) -> None:
        """Stop it; storage stays."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it with -9; storage stays."""
        self.process.kill()

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - our own server, always http on 127.0.0.1
            self.url + path, data=body, method=method, headers={"Authorization": f"Basic {token}"}
        )
        with _NO_PROXY.open(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content


_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
