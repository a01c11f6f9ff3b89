"""Proving a folder: the gate over two folders and the report that pairs them, without the key."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from anonymizer.errors import FolderError
from anonymizer.folder import check_apart, contents, files_below
from anonymizer.gate import Examiner, Finding, Gate


@dataclass(frozen=True, slots=True)
class Pair:
    """A source file and the output that the report gives it; `name` is the source's path in the report."""

    source: Path
    output: Path
    sha256: str | None
    name: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding, with the files that it is about where these are known."""

    finding: Finding
    sources: tuple[str, ...] = ()
    output: str = ""

    def plain(self) -> dict[str, Any]:
        return {**asdict(self.finding), "output": self.output, "sources": list(self.sources)}


def prove_folder(source: Path, destination: Path, report: Path) -> dict[str, Any]:
    """Run the gate over everything that a report calls released.

    Parameters
    ----------
    source, destination : Path
        What was anonymized, and what came out.
    report : Path
        The JSON that ``entwash anonymize --report`` wrote.

    Returns
    -------
    dict
        ``passed``, ``checks`` (counts) and ``findings`` (kind, instance, path, rule, output, sources), ready for JSON.
        ``output`` and ``sources`` are names of files, as the report has them; empty where nobody can tell which.

    Raises
    ------
    FolderError
        When a folder or the report cannot be read.
    """
    instances = _instances(source, destination, report)
    pairs = list(_pairs(instances, source, destination, report))
    try:
        unreported = _unreported(instances, source, destination, report)
        return _proven(pairs, [*unreported, *_strangers(destination, pairs, report)])
    except OSError as error:
        raise FolderError(f"a file to be proven cannot be read: {error.strerror}") from None


def _proven(pairs: list[Pair], found: list[_Found]) -> dict[str, Any]:
    gate, examiner = Gate(), Examiner()
    proven: list[Pair] = []
    of_instance: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        missing = _missing(pair)
        if missing:
            found.append(_of([pair], missing))
            continue
        output = contents(pair.output)
        if pair.sha256 and hashlib.sha256(output).hexdigest() != pair.sha256:
            found.append(_of([pair], _finding("output-changed", pair.output, "not the file that the report describes")))
        evidence = examiner.examine(contents(pair.source), output)
        if evidence.instance:
            gate.add(evidence)
        else:  # a file so broken that it has no name is called by that of its file
            gate.add(
                replace(evidence, flaws=tuple(replace(flaw, instance=pair.output.stem) for flaw in evidence.flaws))
            )
        for name in {evidence.instance, pair.output.stem}:
            of_instance[name].append(pair)
        proven.append(pair)
    for path in sorted({pair.output for pair in proven}):
        gate.search(contents(path), path.stem)
    verdict = gate.verdict()
    found += [_of(of_instance[finding.instance] if finding.instance else [], finding) for finding in verdict.findings]
    return {
        "passed": not found,
        "checks": dict(verdict.checks),
        "findings": [one.plain() for one in found],
    }


def _of(pairs: list[Pair], finding: Finding) -> _Found:
    outputs = {pair.output.name for pair in pairs}
    return _Found(finding, tuple(sorted({pair.name for pair in pairs})), outputs.pop() if len(outputs) == 1 else "")


def _instances(source: Path, destination: Path, report: Path) -> list[dict[str, Any]]:
    if not source.exists() or not destination.is_dir():
        raise FolderError(f"{destination if source.exists() else source} is not there")
    check_apart(source, destination)
    try:
        instances: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["instances"]
        for one in instances:
            one["source"], one["status"], one["output"]
    except OSError as error:
        raise FolderError(f"report {report} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise FolderError(f"{report} is no report of `entwash anonymize`") from None
    return instances


def _pairs(instances: list[dict[str, Any]], source: Path, destination: Path, report: Path) -> Iterator[Pair]:
    for one in instances:
        if one["status"] != "released":
            continue
        output = str(one["output"])
        if Path(output).name != output:
            raise FolderError(f"{report} names an output that is not in {destination}")
        path = source if source.is_file() else source / str(one["source"])
        yield Pair(path, destination / output, one.get("sha256"), str(one["source"]))


def _unreported(instances: list[dict[str, Any]], source: Path, destination: Path, report: Path) -> Iterator[_Found]:
    """Find source files that the report says nothing of: nobody may be missing."""
    reported = {str(one["source"]) for one in instances}
    for path in files_below(source):
        name = path.name if source.is_file() else path.relative_to(source).as_posix()
        if name not in reported and path.resolve() != report.resolve():
            rule = "a file of the source that the report does not name"
            yield _Found(Finding("source-unreported", "", "", rule), sources=(name,))


def _missing(pair: Pair) -> Finding | None:
    if not pair.output.is_file():
        return _finding("output-missing", pair.output, "the report calls it released, and it is not there")
    if not pair.source.is_file():
        return _finding("source-missing", pair.output, "its source is not there to compare with")
    return None


def _strangers(destination: Path, pairs: Iterable[Pair], report: Path) -> Iterator[_Found]:
    """Find files in the destination that no source stands behind; the report itself may be there."""
    known = {pair.output.name for pair in pairs}
    if report.resolve().parent == destination.resolve():
        known.add(report.name)
    for path in sorted(destination.iterdir()):
        if path.name not in known:
            rule = "a file that the report does not name stands in the destination"
            yield _Found(Finding("output-added", "", "", rule), output=path.name)


def _finding(kind: str, output: Path, rule: str) -> Finding:
    return Finding(kind, output.stem, "", rule)
