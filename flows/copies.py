"""What the cloud has of a study already, when the study comes again: grown, shrunk or changed.

The cloud keeps what it has. What the engine makes now mostly has the digest that the ledger knows, and so is the
cloud's copy. Where it has another, because profile, engine or source changed, the copy itself is fetched, and the gate
judges that beside today's source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from mmap import mmap
from pathlib import Path

from anonymizer import Report
from flows.desk import ENGINE_VERSION, Desk
from flows.errors import GoneError
from flows.inventory import Work
from flows.ledger import records
from flows.orthanc import orthanc_id
from flows.outcome import CONFLICT
from flows.proof import OF_THE_STUDY, Kept, Output

__all__ = ["Copies", "standing", "told_of_copies"]

_REPLACED = (
    "the hospital replaced this instance since it was loaded, and what the cloud has does not fit to it any more; find"
    " out which is right, and delete the other one"
)
_OLDER = "; this is the cloud's copy of it, loaded earlier: where it has to go, delete it there and release the study"


class Copies:
    """What earlier runs loaded of one study; asks the cloud for the bytes.

    Parameters
    ----------
    desk : Desk
        Of the site.
    work : Work
        The study.
    """

    def __init__(self, desk: Desk, work: Work) -> None:
        self._desk = desk
        self._study = work.study_instance_uid
        self._loaded = desk.ledger.loaded(desk.site, desk.project, work.work)
        self._by_uid = {one.sop_instance_uid: one for one in self._loaded.instances}

    def of(self, sop_instance_uid: str) -> records.Instance | None:
        """Return what was loaded under a SOPInstanceUID; None if nothing was."""
        return self._by_uid.get(sop_instance_uid)

    def new(self, report: Report, source: str) -> records.Instance:
        """Return what is to be recorded of an output that was made now, once it is loaded."""
        return records.Instance(
            sop_instance_uid=report.sop_instance_uid,
            series_instance_uid=report.series_instance_uid,
            sop_class_uid=report.sop_class_uid,
            status="loaded",
            size=report.size,
            sha256=report.sha256,
            md5=report.md5,
            source=source,
            profile_digest=self._desk.anonymizer.profile.digest,
            engine_version=ENGINE_VERSION,
        )

    def source_of(self, data: bytes | mmap) -> str:
        """Return the keyed token of a source's bytes."""
        return self._desk.anonymizer.pseudonyms.token("source", hashlib.sha256(data).hexdigest())

    def is_replaced(self, copy: records.Instance, source: str, new: records.Instance | None) -> bool:
        """Tell whether the hospital has other bytes by now than those that a copy was made of.

        Parameters
        ----------
        copy : Instance
            As it was recorded.
        source : str
            Token of what the hospital has now.
        new : Instance or None
            What was made of that now; None if nothing was.
        """
        if copy.source:
            return copy.source != source
        # An older record. The same rules make other bytes of another source alone.
        is_same = (copy.profile_digest, copy.engine_version) == (self._desk.anonymizer.profile.digest, ENGINE_VERSION)
        return is_same and (new is None or new.md5 != copy.md5)

    def fetch(self, copy: records.Instance, folder: Path) -> bytes | mmap | None:
        """Return a copy's bytes from the cloud; None if it does not have these very bytes any more."""
        uids = (self._study, copy.series_instance_uid, copy.sop_instance_uid)
        there = orthanc_id(self._loaded.patient_id, *uids)
        with suppress(GoneError):
            data = self._desk.cloud.fetch(there, size=copy.size, folder=folder)
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == copy.md5:
                return data
        return None

    @property
    def targets(self) -> frozenset[str]:
        """Everything of the study in the cloud that can be pointed at."""
        uids = {uid for one in self._loaded.instances for uid in (one.sop_instance_uid, one.series_instance_uid)}
        return frozenset({*uids, *self._loaded.frames})

    def changes(self, treated: Collection[Output | Kept]) -> tuple[records.SourceChange, ...]:
        """Return which copies the hospital deleted or replaced; `treated` is all that it has now."""
        there = {uid for one in treated if (uid := _name(one))}
        # An instance that nobody can name may be any of those that are missed.
        gone = set(self._by_uid) - there if all(map(_name, treated)) else set()
        replaced = {uid for one in treated if one.is_replaced and (uid := _name(one))}
        return (
            *(records.SourceChange(sop_instance_uid=uid, change="gone") for uid in sorted(gone)),
            *(records.SourceChange(sop_instance_uid=uid, change="replaced") for uid in sorted(replaced)),
        )


def standing(treated: Iterable[Output | Kept]) -> dict[str, records.Instance]:
    """Return what the cloud has of what the hospital has, whatever holds the study now: by SOPInstanceUID."""
    return {
        one.copy.sop_instance_uid: one.record if isinstance(one, Output) else one.copy
        for one in treated
        if one.copy and not one.is_replaced
    }


def told_of_copies(holds: Iterable[records.Hold], outputs: Sequence[Output]) -> tuple[records.Hold, ...]:
    """Return holds in which those that name the cloud's copies say so.

    What was replaced by something that the cloud's copy does not fit to is a conflict: once, whatever shows it.
    """
    copies = {one.report.sop_instance_uid: one.is_fetched and one.is_replaced for one in outputs if one.copy}
    found: dict[records.Hold, None] = {}
    named: set[str] = set()
    for hold in holds:
        uid = hold.sop_instance_uid
        if uid not in copies or hold.code in OF_THE_STUDY:
            found[hold] = None
        elif not copies[uid]:
            found[replace(hold, message=hold.message + _OLDER)] = None
        elif uid not in named:
            named.add(uid)
            found[replace(hold, code=CONFLICT, message=_REPLACED)] = None
    return tuple(found)


def _name(one: Output | Kept) -> str:
    if isinstance(one, Output):
        return one.report.sop_instance_uid
    return one.held.identity.sop_instance_uid if one.held.identity else ""
