"""The engines that are measured, each as it is called in a program: a file's bytes in, a file's bytes out.

Imported in the peers' environment and in the project's; an engine's package is imported only to make the engine.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

Treat = Callable[[bytes], bytes]


class RefusedError(Exception):
    """Raised when an engine puts out nothing for an instance; says why, and no value."""


@dataclass(frozen=True)
class Engine:
    """An engine and how it is called.

    Attributes
    ----------
    name : str
        Of a line in the table.
    package : str
        What it is installed as.
    make : callable
        Return a new engine that has seen nothing yet.
    how : str
        What is called, for the reader of a table.
    peer : bool
        Whether it has an environment of its own, of the versions in ``peers/``.
    folders : bool
        Whether it is measured from folder to folder instead, files read and written.
    """

    name: str
    package: str
    make: Callable[[], Treat]
    how: str
    peer: bool = False
    folders: bool = False

    @property
    def tries_as(self) -> str:
        """Return the name of the engine that refuses what this one refuses."""
        return self.name.partition(",")[0]


def _entwash(*, digests: bool = False) -> Treat:
    from anonymizer import Anonymizer, Key, Released, load_profile

    engine = Anonymizer(Key(bytes(32)), "bench", load_profile("research"))

    def treat(data: bytes) -> bytes:
        result = engine.anonymize(data)
        if not isinstance(result, Released):
            raise RefusedError(result.reason.code)
        if digests and not (result.report.sha256 and result.report.md5):
            raise RefusedError("without digests")
        return result.data

    return treat


def _dcmanon() -> Treat:
    from dcmanon import Anonymizer  # type: ignore[import-not-found]  # is in its own environment

    engine = Anonymizer()
    return lambda data: bytes(engine.anonymize(BytesIO(data)))


def _dicognito() -> Treat:
    from dicognito.anonymizer import Anonymizer  # type: ignore[import-not-found]  # is in its own environment

    engine = Anonymizer(seed="bench")

    def treat(data: bytes) -> bytes:
        dataset = _read(data)
        engine.anonymize(dataset)
        return _written(dataset)

    return treat


def _dicom_anonymizer() -> Treat:
    from dicomanonymizer import anonymize_dicom_file  # type: ignore[import-not-found]  # is in its own environment

    def treat(data: bytes) -> bytes:
        output = BytesIO()
        anonymize_dicom_file(BytesIO(data), output)
        return output.getvalue()

    return treat


def _idiscore() -> Treat:
    from idiscore.defaults import create_default_core  # type: ignore[import-not-found]  # is in its own environment

    core = create_default_core()
    return lambda data: _written(core.deidentify(_read(data)))


def _pydicom() -> Treat:
    return lambda data: _written(_read(data))


def _read(data: bytes) -> Any:
    import pydicom

    return pydicom.dcmread(BytesIO(data))


def _written(dataset: Any) -> bytes:
    output = BytesIO()
    dataset.save_as(output)
    return output.getvalue()


def _with_digests() -> Treat:
    return _entwash(digests=True)


ENTWASH: Final = "Entwash"
_BETWEEN: Final = "between pydicom's reading and writing"
ENGINES: Final = (
    Engine(
        ENTWASH, "entwash", _entwash, "`Anonymizer.anonymize`, profile `research`, and the bytes of what it released"
    ),
    Engine("Entwash, with digests", "entwash", _with_digests, "the same, and SHA-256 and MD5 of those bytes"),
    Engine(
        "Entwash, folder to folder",
        "entwash",
        _with_digests,
        "`anonymize_folder`: files found, read, anonymized with digests, written and named",
        folders=True,
    ),
    Engine("dcmanon", "dcmanon", _dcmanon, "Rust; `Anonymizer().anonymize`, default configuration", peer=True),
    Engine("dicognito", "dicognito", _dicognito, f"`Anonymizer().anonymize` {_BETWEEN}", peer=True),
    Engine(
        "dicom-anonymizer", "dicom-anonymizer", _dicom_anonymizer, "`anonymize_dicom_file`, default rules", peer=True
    ),
    Engine("idiscore", "idiscore", _idiscore, f"`create_default_core().deidentify` {_BETWEEN}, pydicom 2", peer=True),
    Engine(
        "pydicom",
        "pydicom",
        _pydicom,
        "`dcmread` and `save_as`, nothing changed: no anonymizer, but below three of them",
    ),
)


@contextmanager
def passes(engine: Engine, files: Sequence[bytes]) -> Iterator[Callable[[], Callable[[], None]]]:
    """Offer a function that gets a new engine ready and returns the pass over all files that is to be measured."""
    if not engine.folders:
        yield lambda: _in_memory(engine.make(), files)
        return
    with tempfile.TemporaryDirectory(prefix="entwash-bench-", dir=_memory()) as folder:
        source = Path(folder) / "source"
        source.mkdir()
        for number, data in enumerate(files):
            (source / f"{number:04}.dcm").write_bytes(data)
        yield lambda: _folder_to_folder(source, Path(folder))


def _in_memory(treat: Treat, files: Sequence[bytes]) -> Callable[[], None]:
    def run() -> None:
        for data in files:
            treat(data)

    return run


def _folder_to_folder(source: Path, folder: Path) -> Callable[[], None]:
    from anonymizer import Key
    from anonymizer.folder import Settings, anonymize_folder

    destination, key = folder / "destination", folder / "key"
    shutil.rmtree(destination, ignore_errors=True)
    key.unlink(missing_ok=True)
    Key.generate(key)
    return lambda: _check(anonymize_folder(source, destination, Settings(key, "bench")))


def _check(answers: Sequence[Any]) -> None:
    held = sum(1 for answer in answers if not answer.report)
    if held:
        raise RefusedError(f"{held} of {len(answers)}")


def _memory() -> str | None:
    """Return a folder in memory where the system has one, so that no disk is measured."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - as the place of a temporary folder
