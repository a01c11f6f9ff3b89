"""Everything that flows ask of an Orthanc, in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self, TypeVar

from flows.errors import FlowsError, GoneError, TerminalError, TransientError
from flows.orthanc.answers import number, parsed, rows
from flows.orthanc.answers import study as described
from flows.orthanc.attempts import Attempts
from flows.orthanc.catalogue import Catalogue
from flows.orthanc.records import (
    Change,
    Changes,
    Delivery,
    InstanceAtSite,
    Outcome,
    Stored,
    StudyAtSite,
    System,
)
from flows.orthanc.wire import Answer, Wire
from flows.settings.sites import Server

__all__ = ["Orthanc"]

LARGE = 1 << 26
"""Octets from which on an instance is not held in memory."""
_PAGE = 100  # studies a request; an expanded one is about a kilobyte
_BY_UID = frozenset({"Study", "Series", "Instance"})
_STABLE_STUDY = "StableStudy"  # the change that says that a study got no new instance for StableAge seconds
_NEW_INSTANCE = "NewInstance"
COMPLETE = 5318
"""The metadata of a study in the cloud that says how many instances of it were proven whole."""
_WILDCARDS = frozenset("*?")
_T = TypeVar("_T")


class Orthanc:
    """Talk to one Orthanc; safe to use from many threads, one object a process.

    Parameters
    ----------
    server
        Where, and as whom.
    threads
        How many threads move bulk bytes at once.
    attempts
        How often each request is put.

    Raises
    ------
    TransientError, TerminalError
        From every method: whether another attempt may help. GoneError if the study or the instance was
        deleted at the other end meanwhile.
    """

    def __init__(self, server: Server, threads: int = 8, attempts: Attempts = Attempts()) -> None:  # noqa: B008 - frozen
        self._server = server
        self._wire = Wire(server, threads, attempts)
        self.catalogue = Catalogue(self._wire)

    def __repr__(self) -> str:
        return f"Orthanc({self._server.place})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    # ---- questions ----

    def check(self) -> System:
        """Ask who is there: the first thing to do, since everything that can be wrong shows here."""
        what = "its version"
        try:
            answer = self._wire.ask(what, self._wire.orthanc.get_system)
        except GoneError:
            raise self._wire.nonsense(what) from None
        return self._parsed(
            what,
            answer,
            lambda said: System(str(said["Name"]), str(said["Version"]), int(said["ApiVersion"])),
        )

    def studies(self) -> Iterator[StudyAtSite]:
        """Walk through the inventory, stable or not, a page at a time.

        A study deleted during the walk may hide one neighbour until the next walk.
        """
        seen: set[str] = set()
        since, before = 0, list[StudyAtSite]()
        while page := self._page(since):
            if page == before:
                raise TerminalError(
                    f"The Orthanc at {self._server.place} gives the same studies for each page of its list: see what "
                    "stands between, such as a proxy that drops what stands behind the question mark"
                )
            # Orthanc leaves out what was deleted since it listed the page: a short page is not the last.
            since, before = since + _PAGE, page
            for study in page:
                if study.orthanc_id not in seen:
                    seen.add(study.orthanc_id)
                    yield study

    def stable_studies(self) -> Iterator[StudyAtSite]:
        """Walk through the studies that Orthanc calls stable; see StudyAtSite for what that is worth."""
        return (study for study in self.studies() if study.stable)

    def study_ids(self) -> list[str]:
        """List all studies at once, by their identifiers alone: what a walk may miss is here, at 45 octets a study."""
        what = "the list of studies"
        answer = self._wire.carry(what, "GET", "/studies")
        return self._parsed(what, answer, lambda said: [str(row) for row in rows(said)])

    def study(self, orthanc_study_id: str) -> StudyAtSite:
        """Describe one study of the inventory."""
        what = "a study"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_studies_id(orthanc_study_id))
        return self._parsed(what, answer, described)

    def _page(self, since: int) -> list[StudyAtSite]:
        # Orthanc 1.10.1 wants both or neither of since and limit.
        params = {"expand": "", "since": since, "limit": _PAGE}
        what = "the list of studies"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_studies(params=params))
        return self._parsed(what, answer, lambda said: [described(row) for row in rows(said)])

    def instances(self, orthanc_study_id: str) -> list[InstanceAtSite]:
        """List a study's instances, series by series, in an order that is the same every time."""
        what = "the instances of a study"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_studies_id_instances(orthanc_study_id))
        found = self._parsed(what, answer, lambda said: [_instance(row) for row in rows(said)])
        if not found:  # Orthanc 1.13 lists nothing for a study that is gone, and no study is empty
            raise self._wire.gone(what)
        return sorted(found, key=lambda instance: (instance.series, instance.orthanc_id))

    def instance_ids(self, orthanc_study_id: str) -> frozenset[str]:
        """Return the identifiers of a study's instances, none if it is not there: cheaper than to list them."""
        what = "the series of a study"
        try:
            answer = self._wire.carry(what, "GET", f"/studies/{orthanc_study_id}/series")
        except GoneError:
            return frozenset()
        return self._parsed(what, answer, lambda said: frozenset(one for row in rows(said) for one in row["Instances"]))

    def count_instances(self, orthanc_study_id: str) -> int:
        """Count a study's instances: far cheaper than to list them."""
        return self.catalogue.size(orthanc_study_id).instances

    def studies_of(self, study_instance_uid: str) -> frozenset[str]:
        """Return the identifiers of the studies with this StudyInstanceUID: two mean two PatientIDs inside one.

        None of what cannot be one: see :meth:`has`.
        """
        if not _can_be_asked_for(study_instance_uid):
            return frozenset()
        found = self._lookup("studies of one StudyInstanceUID", study_instance_uid)
        return frozenset(identifier for kind, identifier in found if kind == "Study")

    def has(self, uid: str) -> bool:
        """Tell whether a study, a series or an instance has this UID.

        Orthanc refuses to look for what has a wildcard in it, and does not find what is not ASCII: no UID is so.
        """
        if not _can_be_asked_for(uid):
            return False
        return any(kind in _BY_UID for kind, _ in self._lookup("whether it has the target of a reference", uid))

    def _lookup(self, what: str, identifier: str) -> list[tuple[str, str]]:
        """Return the kinds and identifiers of everything that is called so."""
        orthanc = self._wire.orthanc
        # pyorthanc's own post_tools_lookup sends a form, which httpx deprecates for text.
        url = f"{self._server.url}/tools/lookup"
        answer = self._wire.ask(what, lambda: orthanc.post(url, content=identifier))
        return self._parsed(what, answer, lambda said: [(str(row["Type"]), str(row["ID"])) for row in rows(said)])

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """Read which studies became stable from the change after `since` on; gaps in Seq are normal."""
        return self._changes(_STABLE_STUDY, since, limit)

    def arrivals(self, since: int, limit: int = 1000) -> Changes:
        """Read which instances arrived from the change after `since` on; gaps in Seq are normal."""
        return self._changes(_NEW_INSTANCE, since, limit)

    def _changes(self, kind: str, since: int, limit: int) -> Changes:
        # Orthanc chooses from 1.12.5 on; before, it gives changes of every type.
        what, params = "its changes", {"since": since, "limit": limit, "type": kind}
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_changes(params=params))
        page = self._parsed(what, answer, _changes)
        return replace(page, rows=tuple(row for row in page.rows if row.change_type == kind))

    def instance(self, orthanc_id: str) -> InstanceAtSite:
        """Describe one instance of the inventory."""
        what = "an instance"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_instances_id(orthanc_id))
        return self._parsed(what, answer, _instance)

    def study_of(self, orthanc_instance_id: str) -> StudyAtSite:
        """Describe the study of an instance."""
        what = "the study of an instance"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_instances_id_study(orthanc_instance_id))
        return self._parsed(what, answer, described)

    def last_change(self) -> int:
        """Return the Seq of the latest change of any kind; 0 where nothing ever changed."""
        what = "its latest change"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_changes(params={"last": ""}))
        return self._parsed(what, answer, _changes).last

    # ---- bytes ----

    def fetch(self, orthanc_id: str, *, size: int = 0, folder: Path | None = None) -> bytes | mmap:
        """Get an instance's file.

        Parameters
        ----------
        size
            What Orthanc says of it. A large one comes by way of the disk.
        folder
            Where that is: a file without a name, gone with its last use.
        """
        what, path = "an instance", f"/instances/{orthanc_id}/file"
        if size < LARGE or folder is None:
            return self._wire.carry(what, "GET", path).body
        with TemporaryFile(dir=folder) as file:
            self._wire.download(what, path, file)
            return mmap(file.fileno(), 0, access=ACCESS_READ) if file.tell() else b""

    def stored_md5(self, orthanc_id: str) -> str | None:
        """Ask for the MD5 of an instance's stored file; None if there is none."""
        path = f"/instances/{orthanc_id}/attachments/dicom/md5"
        try:
            answer = self._wire.carry("a digest", "GET", path)
        except GoneError:
            return None
        digest = answer.body.decode("ascii", "replace").strip().lower()
        if not re.fullmatch(r"[0-9a-f]{32}", digest):
            raise TransientError(
                f"The Orthanc at {self._server.place} gave something for a digest that is none; "
                "see what stands between. It will be tried again"
            )
        return digest

    def has_instance(self, orthanc_id: str) -> bool:
        """Tell whether there is an instance, whatever its bytes."""
        try:
            self._wire.carry("whether an instance is there", "GET", f"/instances/{orthanc_id}/attachments")
        except GoneError:
            return False
        return True

    def store(self, data: bytes | mmap) -> Stored:
        """Store one DICOM file; Orthanc keeps what it has unless OverwriteInstances is set there."""
        what = "storing an instance"
        answer = self._wire.carry(what, "POST", "/instances", data)
        status, orthanc_id = self._parsed(what, answer, lambda said: (said["Status"], str(said.get("ID", ""))))
        if status not in {"Success", "AlreadyStored"}:
            raise TerminalError(
                f"The Orthanc at {self._server.place} did not keep an instance that it was given: "
                "see its own filters (ReceivedInstanceFilter, plugins)"
            )
        return Stored(orthanc_id, already=status == "AlreadyStored")

    def delete(self, orthanc_id: str) -> None:
        """Delete one instance; fine if it is gone already."""
        with suppress(GoneError):
            self._wire.carry("deleting an instance", "DELETE", f"/instances/{orthanc_id}")

    def mark_complete(self, orthanc_study_id: str, instances: int) -> None:
        """Note beside a study how many instances of it were proven whole: it is complete if it has so many."""
        path = f"/studies/{orthanc_study_id}/metadata/{COMPLETE}"
        self._wire.carry("marking a study", "PUT", path, str(instances).encode())

    def deliver(self, data: bytes | mmap, md5: str, orthanc_id: str) -> Delivery:
        """Bring an instance in, never over another, and prove it by the digest that is read back.

        Parameters
        ----------
        data
            The DICOM file.
        md5
            Its MD5 in hex digits.
        orthanc_id
            What :func:`~flows.orthanc.orthanc_id` says of it.

        Raises
        ------
        TerminalError
            If Orthanc files it under another identifier: then the question before was about nothing.
        """
        there = self.stored_md5(orthanc_id)
        sent = there is None
        already = True
        if there is None:
            stored = self.store(data)
            if stored.orthanc_id != orthanc_id:
                raise TerminalError(
                    f"The Orthanc at {self._server.place} filed an instance elsewhere than its PatientID and "
                    "UIDs say: a script or a setting there changes what it is given"
                )
            already, there = stored.already, self.stored_md5(orthanc_id)
            if there is None:
                raise self._unproven(orthanc_id)
        good: Outcome = "already-there" if already else "stored"
        return Delivery(good if there == md5 else "conflict", md5, there, sent)

    def _unproven(self, orthanc_id: str) -> FlowsError:
        """Tell why an instance that was just taken has no digest."""
        try:
            self._wire.carry("the size of a file", "GET", f"/instances/{orthanc_id}/attachments/dicom/size")
        except GoneError:
            return TransientError(
                f"The Orthanc at {self._server.place} lost an instance right after it took it: "
                "somebody deletes there, or its storage is at its limit. It will be tried again"
            )
        return TerminalError(
            f"The Orthanc at {self._server.place} keeps no MD5 of its files, so no delivery can be proven: "
            'set "StoreMD5ForAttachments": true there'
        )

    def _parsed(self, what: str, answer: Answer, parse: Callable[[Any], _T]) -> _T:
        return parsed(self._wire, what, answer, parse)


def _can_be_asked_for(uid: str) -> bool:
    return uid.isascii() and not _WILDCARDS & set(uid)


def _instance(row: Any) -> InstanceAtSite:
    return InstanceAtSite(orthanc_id=row["ID"], series=row["ParentSeries"], size=number(row["FileSize"]))


def _changes(said: Any) -> Changes:
    found = [
        Change(row["Seq"], row["ChangeType"], row["ResourceType"], row["ID"], row["Date"])
        for row in rows(said["Changes"])
    ]
    return Changes(tuple(found), last=said["Last"], done=said["Done"])
