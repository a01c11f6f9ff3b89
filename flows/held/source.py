"""The source of a held study, read again at the hospital: for whoever may see it there, and to keep it out of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from anonymizer import Pseudonyms
from anonymizer.gate import Evidence, Examiner
from anonymizer.mentions import mentions
from anonymizer.reveal import sop_instance_uid_of, values_at
from flows.desk import Desk
from flows.errors import GoneError, TerminalError, foreseen
from flows.held.studies import Finding, HeldStudy
from flows.inventory import work_token
from flows.outcome import UNREADABLE

__all__ = ["names_somebody", "values_found"]

_MOST = 10


@foreseen("the study could not be read")
def values_found(desk: Desk, study: HeldStudy) -> dict[tuple[str, str], list[str]]:
    """Return what stands at the places found, by code and place; different values once each.

    Raises
    ------
    FlowsError
        When the hospital cannot be asked, or the study is not there. It holds no value.
    """
    found: dict[tuple[str, str], list[str]] = {(each.code, each.place): [] for each in study.findings}
    for data in _sources(desk, study):
        names = _names(desk.anonymizer.pseudonyms, sop_instance_uid_of(data))
        for finding in _about(study.findings, names):
            values = found[finding.code, finding.place]
            values += [value for value in values_at(data, finding.place) if value not in values]
    return {place: values[:_MOST] for place, values in found.items()}


@foreseen("the study could not be read")
def names_somebody(desk: Desk, study: HeldStudy, texts: Iterable[str]) -> bool:
    """Tell whether one of the texts holds an identifier of the study.

    Raises
    ------
    FlowsError
        When the hospital cannot be asked, or the study is not there: nobody can tell.
    """
    examiner = Examiner()
    evidence: list[Evidence] = [examiner.examine(data, data) for data in _sources(desk, study)]
    if any(mentions(text, evidence) for text in texts):
        return True
    if not all(each.identifiers for each in evidence):
        raise TerminalError("an instance of the study cannot be read")
    return False


def _sources(desk: Desk, study: HeldStudy) -> Iterator[bytes]:
    """Fetch the instances of a study one by one. Nobody reads what was held for being too large to be read."""
    if UNREADABLE & study.reasons.keys():
        raise TerminalError("the study holds what is too large to be read: look at it with the hospital's own tools")
    there = [one.orthanc_id for one in desk.hospital.studies() if work_token(desk, one.orthanc_id) == study.work]
    if not there:
        raise GoneError("the study is no longer at the hospital")
    for orthanc_id in there:
        for instance in desk.hospital.instances(orthanc_id):
            yield bytes(desk.hospital.fetch(instance.orthanc_id))


def _names(pseudonyms: Pseudonyms, uid: str) -> set[str]:
    """Return what the ledger may call a source instance: a profile may retain UIDs."""
    return {uid, pseudonyms.uid(uid)} - {""}


def _about(findings: Iterable[Finding], names: set[str]) -> Iterator[Finding]:
    return (each for each in findings if each.place and (not each.instances or names & set(each.instances)))
