"""Everything that starts and stops a server: the demo's and the tests' one entrance."""

from __future__ import annotations

from deployments.demo.installation import ensure_orthanc, find_orthanc
from deployments.demo.orthancs import Orthanc
from deployments.demo.prefects import PrefectServer, prefect_environment, with_times
from deployments.demo.processes import Process, ServerError, family, free_port, stop_leftovers
from deployments.demo.workers import Worker

__all__ = [
    "Orthanc",
    "PrefectServer",
    "Process",
    "ServerError",
    "Worker",
    "ensure_orthanc",
    "family",
    "find_orthanc",
    "free_port",
    "prefect_environment",
    "stop_leftovers",
    "with_times",
]
