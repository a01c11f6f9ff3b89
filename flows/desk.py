"""The desk: what one run at one site works with, laid out once from the sites file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from anonymizer import Anonymizer, AnonymizerError, Key, load_profile
from anonymizer.staging import staging
from flows.errors import TerminalError, TransientError, foreseen
from flows.leases import Leases
from flows.ledger.book import Ledger
from flows.orthanc import Orthanc
from flows.settings.selectionrow import SelectionRow
from flows.settings.sites import Hold, Release, Sites
from flows.threads import THREADS

__all__ = ["ENGINE_VERSION", "Desk"]

ENGINE_VERSION = version("entwash")


class Named(Protocol):
    """A study as the ledger calls it."""

    @property
    def work(self) -> str:
        """Keyed token."""
        ...

    @property
    def study_instance_uid(self) -> str:
        """As the cloud calls it."""
        ...


@dataclass(frozen=True, repr=False)
class Desk:
    """One site's hospital and cloud, its engine, its ledger and a place for files in the making.

    `hold` says what one held instance holds: its study, or itself and what points at it. `release` says whether an
    instance leaves before its study is stable: see :mod:`flows.early`. `stable_age` is the StableAge of the hospital's
    Orthanc, in seconds. `selection` says which of its studies leave at all, and `live_from`, a date as DICOM writes it,
    from which StudyDate on the live route looks at them.

    Safe to use from many threads. A context manager: what it opened, it closes.
    """

    site: str
    project: str
    hospital: Orthanc
    cloud: Orthanc
    anonymizer: Anonymizer
    ledger: Ledger
    leases: Leases
    spool: Path
    run_id: str
    hold: Hold = "study"
    release: Release = "study"
    stable_age: int = 60
    live_from: str = ""
    selection: SelectionRow = field(default_factory=lambda: SelectionRow(studies="all"))
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @classmethod
    def open(cls, sites: Sites, name: str, run_id: str) -> Self:
        """Lay out the desk of a site.

        Raises
        ------
        TerminalError
            When the key file or the profile cannot be used.
        TransientError
            When the ledger or the spool cannot be written.
        """
        site = sites.site(name)
        try:
            anonymizer = Anonymizer(
                Key.load(site.key_file),
                sites.project.name,
                load_profile(sites.project.profile),
                patient_id_prefix=sites.project.patient_id_prefix,
                default_issuer=site.default_issuer,
            )
        except AnonymizerError as error:
            raise TerminalError(f"[sites.{name}] {error}") from None
        with contextlib.ExitStack() as opened:
            pseudonyms = anonymizer.pseudonyms
            ledger = Ledger(sites.lineage)
            opened.callback(ledger.close)
            hospital = opened.enter_context(Orthanc(site.server, THREADS))
            cloud = opened.enter_context(Orthanc(sites.cloud, THREADS))
            return cls(
                site=name,
                project=sites.project.name,
                hospital=hospital,
                cloud=cloud,
                anonymizer=anonymizer,
                ledger=ledger,
                leases=Leases(ledger.directory / ".leases", name, partial(pseudonyms.token, "lease")),
                spool=sites.lineage / "spool",
                run_id=run_id,
                hold=site.hold,
                release=site.release,
                stable_age=site.stable_age,
                live_from=f"{site.live_from:%Y%m%d}" if site.live_from else "",
                selection=site.selection,
                _opened=opened.pop_all(),
            )

    def __repr__(self) -> str:
        return f"Desk({self.site})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def settings(self) -> str:
        """Keyed token of all that decides what this site makes of a study; the same as long as nobody changes it."""
        engine = self.anonymizer
        decides = (engine.profile.digest, ENGINE_VERSION, engine.default_issuer, engine.pseudonyms.patient_id_prefix)
        return engine.pseudonyms.token("settings", *decides, self.hold, self.selection.model_dump_json())

    def told(self, study: Named) -> str:
        """Return how Prefect may call a study: by its pseudonym, or where its own UID stays by the ledger's token."""
        return study.work if self.anonymizer.retains_uids else study.study_instance_uid

    def label(self, study: Named) -> str:
        """Return how names in Prefect call a study, as short as `entwash held show` takes it."""
        return self.told(study)[-8:]

    @foreseen("hospital and cloud could not be asked who they are")
    def check(self) -> None:
        """Ask both ends who they are, so that nothing is worked on that cannot be delivered, and for the project's key.

        Raises
        ------
        TransientError
            When an end or the ledger is away.
        TerminalError
            When a person must act first.
        """
        self.check_key()
        self.hospital.check()
        self.cloud.check()

    def check_key(self) -> None:
        """Refuse another key than the project began with.

        Raises
        ------
        LedgerError
            The ledger cannot be read.
        TerminalError
            A person must put the right key back.
        """
        key, first = self.anonymizer.pseudonyms.key_id, self.ledger.first_key(self.site, self.project)
        if first not in ("", key):
            # With another key everything gets other pseudonyms, and nothing of it can be compared with what was before.
            raise TerminalError(
                f"[sites.{self.site}] key_file: holds the key {key}, and project {self.project} began with the key "
                f"{first}. Put that one back, or give the data that leaves now a project of its own"
            )

    @contextlib.contextmanager
    def spooled(self) -> Iterator[Path]:
        """Offer a folder for the outputs of one study until the gate has seen them all.

        Only anonymized files stand there, for as long as their study takes. What a killed process left is
        removed here, by whoever comes next.
        """
        try:
            with staging(self.spool, "study-") as folder:
                yield folder
        except OSError as error:
            raise TransientError(
                f"the spool folder beside the lineage cannot be written ({error.strerror}): make room on its disk. "
                "It will be tried again"
            ) from None
