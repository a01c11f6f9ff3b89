"""A real Orthanc on free loopback ports, for the tests that need one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
from pydantic import SecretStr

from deployments.demo.installation import find_orthanc
from deployments.demo.processes import free_port
from flows.settings.sites import Server

USERNAME, PASSWORD = "tester", "only-for-tests"
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0


class OrthancServer:
    """Run one Orthanc in a folder, as often as wanted; what it stored stays between its runs.

    Parameters
    ----------
    folder
        Where it keeps its settings, its database and its log.
    settings
        Orthanc's own options, over those that the tests need.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.http_port, self.dicom_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.log = folder / "orthanc.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "orthanc.json"
        options = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USERNAME: PASSWORD},
            "StableAge": 1,
        }
        self._file.write_text(json.dumps(options | dict(settings or {})), "utf-8")

    def server(self, **changed: Any) -> Server:
        """Return the address and the account as flows take them."""
        account: dict[str, Any] = {
            "section": "cloud",
            "url": self.url,
            "username": USERNAME,
            "password": SecretStr(PASSWORD),
            "password_env": "ENTWASH_CLOUD_PASSWORD",
        }
        return Server(**(account | changed))

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        program = find_orthanc()
        if program is None:
            raise RuntimeError("This test needs Orthanc: install it with `apt-get install orthanc`")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([program, str(self._file)], stdout=log, stderr=log)
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"Orthanc ended at once: {self.log.read_text('utf-8')[-2000:]}")
            if self._answers():
                return self
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Orthanc did not answer within {_START_SECONDS} seconds")

    def stop(self) -> None:
        """End it by its process id and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop it and start it on the same ports with the same storage."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        account = urllib3.make_headers(basic_auth=f"{USERNAME}:{PASSWORD}")
        try:
            with urllib3.PoolManager(retries=False) as pool:
                return pool.request("GET", f"{self.url}/system", headers=account, timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False
