"""The selection: which of a hospital's studies leave at all, as a site's file says it.

Closed: where a criterion is named, what it does not name does not leave, and what lacks the attribute does not either.
A study leaves whole or not at all, so each of its series has to fit. What Orthanc has in its index is asked, and of
that only what the selection needs; no file is read. A reason is a code: a description is the hospital's own free text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from flows.orthanc import ORTHANCS_TIME, Catalogue, SeriesAtSite, StudyAtSite
from flows.settings.patterns import fits
from flows.settings.selectionrow import SelectionRow

__all__ = ["SEND", "WAITS_FOR_IMAGES", "Choice", "choose"]

WAITS_FOR_IMAGES = "waits-for-images"
"""The code of a study that has to get more series before it leaves."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the selection makes of a study.

    Attributes
    ----------
    outcome : str
        `send`, `exclude`, `wait` for what has to come, or `overdue` if that did not come in time.
    reason : str
        A code; "" for what is sent.
    until : str
        Until when it waits, as Orthanc writes times; "" for what does not wait.
    """

    outcome: Literal["send", "exclude", "wait", "overdue"]
    reason: str = ""
    until: str = ""


SEND: Final = Choice("send")


def choose(
    selection: SelectionRow, catalogue: Catalogue, study: StudyAtSite, now: datetime, *, released: bool = False
) -> Choice:
    """Say whether a study leaves; ask its hospital only what that needs.

    Parameters
    ----------
    catalogue : Catalogue
        Of the hospital.
    now : datetime
        In UTC.
    released : bool
        Somebody released the study as it is: it waits for nothing any more.

    Raises
    ------
    FlowsError
        When the hospital cannot be asked. GoneError if the study was deleted there meanwhile.
    """
    if reason := _against_study(selection, study):
        return Choice("exclude", reason)
    if not (_asks_series(selection) or _asks_instances(selection)):
        return SEND
    series = catalogue.series(study.orthanc_id)
    reason = next((found for one in series if (found := _against_series(selection, one))), "")
    if reason := reason or _against_instances(selection, catalogue, series):
        return Choice("exclude", reason)
    return SEND if released else _complete(selection, study, series, now)


def _asks_series(selection: SelectionRow) -> bool:
    of = selection
    allowed = (of.modalities, of.series_descriptions, of.station_names)
    return any((*allowed, of.exclude_series_descriptions, of.wait_for))


def _asks_instances(selection: SelectionRow) -> bool:
    return bool(selection.ae_titles or selection.sop_classes)


def _against_study(selection: SelectionRow, study: StudyAtSite) -> str:
    fitting = selection.study_descriptions is None or fits(selection.study_descriptions, study.description)
    return "" if fitting and not fits(selection.exclude_study_descriptions, study.description) else "description"


def _against_series(selection: SelectionRow, series: SeriesAtSite) -> str:
    if selection.modalities is not None and series.modality not in selection.modalities:
        return "modality"
    fitting = selection.series_descriptions is None or fits(selection.series_descriptions, series.description)
    if not fitting or fits(selection.exclude_series_descriptions, series.description):
        return "description"
    if selection.station_names is not None and not fits(selection.station_names, series.station_name):
        return "station-name"
    return ""


def _against_instances(selection: SelectionRow, catalogue: Catalogue, series: Iterable[SeriesAtSite]) -> str:
    if not _asks_instances(selection):
        return ""
    for origin in (origin for one in series for origin in catalogue.origins(one.orthanc_id)):
        if selection.sop_classes is not None and origin.sop_class_uid not in selection.sop_classes:
            return "sop-class"
        if selection.ae_titles is not None and origin.remote_aet not in selection.ae_titles:
            return "ae-title"
    return ""


def _complete(selection: SelectionRow, study: StudyAtSite, series: Iterable[SeriesAtSite], now: datetime) -> Choice:
    """Let a study wait in which something lacks what it was drawn on, planned or computed from."""
    there = {one.modality for one in series}
    if all(there.intersection(needed) for waiting, needed in selection.wait_for.items() if waiting in there):
        return SEND
    try:
        since = datetime.strptime(study.last_update, ORTHANCS_TIME).replace(tzinfo=now.tzinfo)
    except ValueError:
        return Choice("overdue", WAITS_FOR_IMAGES)  # nobody can tell since when it waits
    until = since + timedelta(hours=selection.wait_at_most)
    if until <= now:
        return Choice("overdue", WAITS_FOR_IMAGES)
    return Choice("wait", WAITS_FOR_IMAGES, until.strftime(ORTHANCS_TIME))
