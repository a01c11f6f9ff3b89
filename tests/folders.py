"""Folders of files for the tests of the `entwash` command, and the command itself."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from deployments.demo import studies
from flows.cli import app
from tests import samples
from tests.samples import element

ENTWASH = Path(sys.executable).with_name("entwash")
UID_NAME = re.compile(r"2\.25\.[1-9][0-9]*\.dcm")


def entwash(*arguments: object) -> Result:
    """Run the command in this process; a way out other than an exit code is an error of the test."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def instance(number: int, *others: bytes) -> bytes:
    """Return one of many instances of the samples' series."""
    return samples.ct(element(0x00080018, "UI", f"{samples.SERIES}.{number}"), *others)


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder that need not be there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@cache
def mixed() -> dict[str, bytes]:
    """Return files of many kinds: 14 to be released, 1 to be held, 3 that are no DICOM."""
    scan = studies.ct(7, 1, 1, 4, rows=16)
    files = {f"scan/{number}": studies.to_bytes(ds) for number, ds in enumerate(scan)}
    files |= {f"mr/{number}.dcm": studies.to_bytes(ds) for number, ds in enumerate(studies.mr(8, 1, 1, 3, rows=16))}
    files |= {f"small/{number}": instance(number) for number in range(1, 7)}
    files["structures.dcm"] = studies.to_bytes(studies.structure_set(7, 1, 2, scan))
    files["dump/screen.dcm"] = studies.to_bytes(studies.screen_dump(9, 1, 1, rows=16))
    files |= {"notes.txt": b"Quillfeather was here", "empty": b"", "dump/deep/er/garbage": bytes(range(256))}
    return files


def anonymized(source: Path, destination: Path, key: Path, *options: object, project: str = "demo") -> dict[str, Any]:
    """Run ``entwash anonymize`` and return its report."""
    report = destination.with_name(f"{destination.name}.json")
    workers = () if "--workers" in options else ("--workers", 1)  # starting processes takes a second
    given = ("--key", key, "--project", project, "--report", report, *workers, *options)
    result = entwash("anonymize", source, destination, *given)
    assert result.exit_code in {0, 3}, result.output
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, hidden ones and those in folders too."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reasons(report: dict[str, Any]) -> dict[str, str]:
    """Return the code of each reason, by source."""
    return {one["source"]: one["reason"].split(":")[0] for one in report["instances"] if one["status"] != "released"}
