"""A folder in, a folder out: anonymize a tree of files, and prove it afterwards.

The order of files and the number of processes change nothing in what comes out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from mmap import ACCESS_READ, mmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from anonymizer.engine.anonymize import Anonymizer
from anonymizer.engine.keys import Key
from anonymizer.engine.meta import IMPLEMENTATION_CLASS_UID
from anonymizer.engine.outcome import TWO_PATIENTS, Held, HoldError, Identity, Reason, Report
from anonymizer.engine.parse import Buffer
from anonymizer.engine.profile import load_profile
from anonymizer.errors import FolderError
from anonymizer.staging import staging

_NO_FILE = "a link to a folder, a folder that is closed, a pipe or a device"
_NOT_DICOM = "not-dicom"
_DICOM_NAMES = frozenset({".dcm", ".dicom", ".ima"})
_STAGING = ".entwash-"
# What a run leaves in its destination, or left when it was killed: outputs, staged ones, half a report. Where UIDs are
# retained, an output has its source's name, and what is in it tells whether it is one.
_OURS = re.compile(rf"2\.25\.[0-9]{{1,39}}\.dcm|{re.escape(_STAGING)}.*|\..*\.part")
_RETAINED = re.compile(r"[0-9.]{1,64}\.dcm")
_HEAD = 1024  # bytes, in which preamble and File Meta Information stand
LARGE = 1 << 26
"""Files from this size on are mapped and not read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an anonymizer is made of, in a form that may go to another process: the key as its file."""

    key_file: Path
    project: str
    profile: str = "research"
    patient_id_prefix: str = "DEID-"
    default_issuer: str = ""

    def anonymizer(self) -> Anonymizer:
        """Read the key and build the anonymizer."""
        return Anonymizer(
            Key.load(self.key_file),
            self.project,
            load_profile(self.profile),
            patient_id_prefix=self.patient_id_prefix,
            default_issuer=self.default_issuer,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one file: a report of the output, or the reason why there is none.

    `identity` is there for what is held too, where it could be read.
    """

    source: Path
    report: Report | None = None
    reason: Reason | None = None
    identity: Identity | None = None

    @property
    def status(self) -> str:
        """Return what became of it: ``released``, ``held``, or ``not-dicom``.

        What only looks broken is held and not passed over: a file that is called .dcm and is none.
        """
        if self.report:
            return "released"
        is_none = self.reason is not None and self.reason.code == _NOT_DICOM
        return _NOT_DICOM if is_none and self.source.suffix.lower() not in _DICOM_NAMES else "held"


def anonymize_folder(
    source: Path,
    destination: Path,
    settings: Settings,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Answer]:
    """Anonymize every file below `source` into ``{SOPInstanceUID}.dcm`` files in `destination`.

    Parameters
    ----------
    source : Path
        A file, or a folder with anything in it.
    destination : Path
        A folder apart from `source`; made if it is not there. It may hold what earlier runs left, and nothing else; a
        file in it is never overwritten with other bytes.
    workers : int
        Processes.
    progress : callable
        Told how many files are done, of how many.

    Returns
    -------
    list of Answer
        One for each file, by path. Each output was written whole before it got its name.

    Raises
    ------
    FolderError
        When `source` is not there or has no file, or `destination` cannot take the outputs.
    """
    files = list(files_below(source))
    check_apart(source, destination)
    if not files:
        raise FolderError(f"{source} has no file in it")
    if foreign := _foreign(destination):
        raise FolderError(
            f"{destination} holds files or folders that Entwash did not put there ({foreign}); name a new folder, an "
            "empty one, or that of an earlier run"
        )
    settings.anonymizer()  # a key or profile that is no good says so here, and not in every worker
    with _staging(destination) as folder:
        answers: list[Answer] = []
        for answer in _answers(files, folder, settings, workers):
            answers.append(answer)
            progress(len(answers), len(files))
        answers = _hold_conflicts(_hold_two_patients(answers), destination)
        return [_named(answer, _staged(folder, number), destination) for number, answer in enumerate(answers)]


def files_below(source: Path) -> Iterator[Path]:
    """Return the files of a tree in the order of their paths."""
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise FolderError(f"{source} is not there")
    closed: list[Path] = []
    for folder, names, files in os.walk(source, onerror=lambda error: closed.append(Path(str(error.filename)))):
        names.sort()
        # A linked folder is not entered, since it can lead in circles; whoever links one reads so in the report.
        yield from (path for name in names if (path := Path(folder) / name).is_symlink())
        yield from (Path(folder) / name for name in sorted(files))
        while closed:
            yield closed.pop()
    yield from closed


def check_apart(source: Path, destination: Path) -> None:
    """Make sure that neither holds the other: what was anonymized must never stand among what is to be.

    Raises
    ------
    FolderError
        When they are one folder, or one is inside the other.
    """
    here, there = source.resolve(), destination.resolve()
    if here == there:
        raise FolderError("source and destination are the same; name a folder apart from the source")
    if here in there.parents:
        raise FolderError(f"{destination} is inside the source {source}; name a folder apart from it")
    if there in here.parents:
        raise FolderError(f"the source {source} is inside {destination}; name a folder apart from it")


def is_report(path: Path) -> bool:
    """Tell whether a file is a report of ``entwash anonymize``."""
    try:
        with path.open("rb") if path.is_file() else BytesIO() as file:
            start = file.read(1)  # a large file of another kind is not read to its end
            return start == b"{" and "instances" in json.loads(start + file.read())
    except (OSError, ValueError):
        return False


def _foreign(destination: Path) -> int:
    """Count what no run of ours left in a destination."""
    if not destination.is_dir():
        return 0
    return sum(1 for path in destination.iterdir() if not _is_ours(path))


def _is_ours(path: Path) -> bool:
    if _OURS.fullmatch(path.name):
        return True
    if not _RETAINED.fullmatch(path.name):
        return is_report(path)
    try:
        with path.open("rb") if path.is_file() else BytesIO() as file:
            return IMPLEMENTATION_CLASS_UID.encode("ascii") in file.read(_HEAD)
    except OSError:
        return False


def earlier_outputs(destination: Path, answers: Iterable[Answer]) -> int:
    """Count the outputs in a destination that are of earlier runs and of none of these answers."""
    ours = {output_path(destination, answer.report).name for answer in answers if answer.report}
    there = {path.name for path in destination.iterdir() if path.suffix == ".dcm"}
    return len(there - ours)


def output_path(destination: Path, report: Report) -> Path:
    """Return where an output stands."""
    return destination / f"{report.sop_instance_uid}.dcm"


def summary(answers: Iterable[Answer], source: Path, settings: Settings) -> dict[str, Any]:
    """Return the report of a run as it is written to JSON; no value of a data set is in it.

    Source paths are relative to `source`. They are the user's own and may name a patient: the report is for
    the place that the files came from.
    """
    anonymizer = settings.anonymizer()
    instances = [_instance(answer, source) for answer in sorted(answers, key=lambda answer: answer.source)]
    counts = Counter(instance["status"] for instance in instances)
    return {
        "key_id": anonymizer.pseudonyms.key_id,
        "project": settings.project,
        "profile": {"name": anonymizer.profile.name, "digest": anonymizer.profile.digest},
        "totals": {
            "read": len(instances),
            "released": counts["released"],
            "outputs": len({instance["output"] for instance in instances} - {None}),  # one file twice is one output
            "held": counts["held"],
            "not_dicom": counts[_NOT_DICOM],
        },
        "instances": instances,
    }


def _instance(answer: Answer, source: Path) -> dict[str, Any]:
    path = answer.source.name if source.is_file() else answer.source.relative_to(source).as_posix()
    if answer.report:
        output, sha256 = f"{answer.report.sop_instance_uid}.dcm", answer.report.sha256
        return {"source": path, "status": "released", "reason": None, "output": output, "sha256": sha256}
    reason = str(answer.reason) if answer.reason else ""
    return {"source": path, "status": answer.status, "reason": reason, "output": None, "sha256": None}


def _answers(files: list[Path], folder: Path, settings: Settings, workers: int) -> Iterator[Answer]:
    jobs = [(path, _staged(folder, number)) for number, path in enumerate(files)]
    if workers == 1 or len(files) < 2:
        anonymizer = settings.anonymizer()
        yield from (_answer(anonymizer, path, staged) for path, staged in jobs)
        return
    # A spawned process starts clean: it inherits no lock of ours, and no key but by its file.
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (settings,)) as pool:
            yield from pool.map(_work, jobs, chunksize=8)
    except BrokenProcessPool:
        raise FolderError("a worker process was ended from outside; run again, with fewer workers") from None


_worker: Anonymizer | None = None


def _start_worker(settings: Settings) -> None:
    global _worker  # noqa: PLW0603 - a process of the pool has one anonymizer, made once
    _worker = settings.anonymizer()


def _work(job: tuple[Path, Path]) -> Answer:
    if _worker is None:
        raise RuntimeError("the worker was not started")
    return _answer(_worker, *job)


def _answer(anonymizer: Anonymizer, path: Path, staged: Path) -> Answer:
    try:
        if path.exists() and not path.is_file():
            return Answer(
                path,
                reason=HoldError("unreadable-file", _NO_FILE).reason,
            )
        data = contents(path)
    except OSError as error:
        return Answer(path, reason=HoldError("unreadable-file", f"cannot be read: {error.strerror}").reason)
    result = anonymizer.anonymize(data)
    if isinstance(result, Held):
        return Answer(path, reason=result.reason, identity=result.identity)
    with staged.open("wb") as file:
        file.writelines(result.parts)
    return Answer(path, report=result.report, identity=result.report)


def contents(path: Path) -> Buffer:
    """Return what a file holds; a large one is mapped, so that its picture goes from disk to disk."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < LARGE:
            return file.read()
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _hold_two_patients(answers: list[Answer]) -> list[Answer]:
    """Hold each study that names two patients."""
    patients: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.identity:
            patients[answer.identity.study_instance_uid].add(answer.identity.patient_id)
    return [
        replace(answer, report=None, reason=TWO_PATIENTS)
        if answer.report and len(patients[answer.report.study_instance_uid]) > 1
        else answer
        for answer in answers
    ]


def _hold_conflicts(answers: list[Answer], destination: Path) -> list[Answer]:
    """Hold what would stand under one name with different bytes, here or from an earlier run."""
    digests: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.report:
            digests[answer.report.sop_instance_uid].add(answer.report.sha256)
    twice = HoldError("instance-twice", "another file has it too, with other content", tag=0x00080018, vr="UI").reason

    def held(answer: Answer) -> Reason | None:
        if not answer.report:
            return None
        if len(digests[answer.report.sop_instance_uid]) > 1:
            return twice
        path = output_path(destination, answer.report)
        return _output_exists() if path.exists() and _sha256(path) != answer.report.sha256 else None

    return [replace(answer, report=None, reason=reason) if (reason := held(answer)) else answer for answer in answers]


def _named(answer: Answer, staged: Path, destination: Path) -> Answer:
    """Give a staged output its name; what another run put there meanwhile is left as it is."""
    if not answer.report:
        return answer
    path = output_path(destination, answer.report)
    try:
        os.link(staged, path)  # unlike a rename, a link replaces nothing
    except FileExistsError:
        return (
            answer if _sha256(path) == answer.report.sha256 else replace(answer, report=None, reason=_output_exists())
        )
    return answer


def _output_exists() -> Reason:
    return HoldError("output-exists", "an output of that name stands in the destination, with other bytes").reason


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _staged(folder: Path, number: int) -> Path:
    return folder / str(number)


@contextmanager
def _staging(destination: Path) -> Iterator[Path]:
    """Offer a folder beside the outputs to write in, so that a rename gives each its name whole."""
    try:
        with staging(destination, _STAGING) as folder:
            yield folder
    except OSError as error:
        raise FolderError(f"{destination} cannot take the outputs: {error.strerror}") from None
