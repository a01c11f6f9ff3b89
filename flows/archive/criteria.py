"""What a backfill is about: which of a hospital's studies it looks at, by date, modality, description and patient.

These criteria only narrow what is looked at; whether any of it leaves is for the site's selection to say. A list of
patients is a file at the hospital: nobody but the hospital's Orthanc is told what stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from flows.desk import Desk
from flows.errors import GoneError, SitesError, TerminalError
from flows.inventory import stable_until
from flows.orthanc import StudyAtSite
from flows.settings.patterns import fits

__all__ = ["Criteria", "patients_in"]

_DAY = "%Y%m%d"
_FIRST_DAY, _BEFORE_ARCHIVES = date(1000, 1, 1), date(1980, 1, 1)  # PS3.5 writes years in four digits
_AHEAD = timedelta(days=366)  # clocks of devices that run ahead
_WILDCARDS = frozenset("*?\\")


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Say which studies; what is not given does not narrow.

    Attributes
    ----------
    first, last : date or None
        Of StudyDate, both included. A study without a StudyDate is in no range.
    modalities : tuple of str
        One of the study's series has one of them.
    descriptions : tuple of str
        Patterns, of which StudyDescription fits one.
    patients : tuple of str or None
        PatientIDs, as the hospital writes them.

    Raises
    ------
    SitesError
        The first date is later than the last one.
    """

    first: date | None = None
    last: date | None = None
    modalities: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = field(default=(), repr=False)
    patients: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.first and self.last and self.last < self.first:
            raise SitesError("the first StudyDate is later than the last one: no study is between them")

    def studies(self, desk: Desk) -> Iterator[StudyAtSite]:
        """Yield the studies at the hospital that are stable and meant, each once."""
        seen: set[str] = set()
        youngest = stable_until(desk)
        for study in self._asked(desk):
            if study.orthanc_id in seen or not study.stable or study.last_update > youngest:
                continue
            seen.add(study.orthanc_id)
            if self._means(desk, study):
                yield study

    def _asked(self, desk: Desk) -> Iterator[StudyAtSite]:
        """Yield what the hospital's Orthanc gives for the narrowest question that it can be asked."""
        find = desk.hospital.catalogue.find
        if self.patients is not None:
            for patient in self.patients:
                yield from find({"PatientID": patient})
        elif self.first or self.last:
            for first, last in _months(self.first or _FIRST_DAY, self.last or datetime.now(UTC).date() + _AHEAD):
                yield from find({"StudyDate": f"{first:{_DAY}}-{last:{_DAY}}"})
        else:
            yield from desk.hospital.studies()

    def _means(self, desk: Desk, study: StudyAtSite) -> bool:
        day = study.study_date
        if self.first and not day >= f"{self.first:{_DAY}}":  # "" is before all
            return False
        if self.last and not (day and day <= f"{self.last:{_DAY}}"):
            return False
        if self.patients is not None and study.patient_id not in self.patients:
            return False
        if self.descriptions and not fits(self.descriptions, study.description):
            return False
        return not self.modalities or self._has_modality(desk, study)

    def _has_modality(self, desk: Desk, study: StudyAtSite) -> bool:
        try:
            return any(one.modality in self.modalities for one in desk.hospital.catalogue.series(study.orthanc_id))
        except GoneError:
            return False


def patients_in(path: Path, called: str) -> tuple[str, ...]:
    """Read a list of PatientIDs, one a line.

    Parameters
    ----------
    path : Path
        The file.
    called : str
        What a message calls it: its path may say what it is about.

    Raises
    ------
    TerminalError
        It cannot be read, or used. The message holds nothing of it but the number of a line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise TerminalError(f"{called}: the list of patients cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise TerminalError(f"{called}: the list of patients is not text in UTF-8: save it as such") from None
    found = {line.strip(): number for number, line in enumerate(lines, 1) if line.strip()}
    if not found:
        raise TerminalError(f"{called}: the list of patients is empty: write one PatientID a line")
    if bad := [number for patient, number in found.items() if _WILDCARDS & set(patient)]:
        raise TerminalError(f"{called}: line {bad[0]} is no PatientID: *, ? and \\ would ask for others too")
    return tuple(found)


def _months(first: date, last: date) -> Iterable[tuple[date, date]]:
    """Yield a range of days month by month, so that no answer is long; what is older than archives at once."""
    if first < _BEFORE_ARCHIVES <= last:
        yield first, _BEFORE_ARCHIVES - timedelta(days=1)
        first = _BEFORE_ARCHIVES
    while first <= last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, following - timedelta(days=1))
        first = following
