"""What stands in an archive's index about its studies; no file is read for it.

Measured on 1.10.1 and 1.13: `Since` of `/tools/find` is not to be relied on beside a query (refused by one, wrong in
the other), so whoever asks for many studies asks several times for a few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.orthanc.answers import number, parsed, rows, study
from flows.orthanc.records import Origin, SeriesAtSite, Size, StudyAtSite
from flows.orthanc.wire import Wire

__all__ = ["Catalogue"]


class Catalogue:
    """Ask one Orthanc about what it has.

    Parameters
    ----------
    wire : Wire
        To that Orthanc.

    Raises
    ------
    TransientError, TerminalError
        From every method: whether another attempt may help. GoneError if the study or the series was deleted
        meanwhile.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def find(self, query: Mapping[str, str]) -> list[StudyAtSite]:
        """Return the studies that answer to a query: attributes by name, as C-FIND takes them."""
        what = "some of its studies"
        question = {"Level": "Study", "Query": dict(query), "Expand": True, "CaseSensitive": True}
        answer = self._wire.ask(what, lambda: self._wire.orthanc.post_tools_find(question))
        return parsed(self._wire, what, answer, lambda said: [study(row) for row in rows(said)])

    def series(self, orthanc_study_id: str) -> list[SeriesAtSite]:
        """Describe the series of a study."""
        what = "the series of a study"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_studies_id_series(orthanc_study_id))
        found = parsed(self._wire, what, answer, lambda said: [_series(row) for row in rows(said)])
        if not found:  # no study is without series, and Orthanc 1.13 lists none for one that is gone
            raise self._wire.gone(what)
        return found

    def origins(self, orthanc_series_id: str) -> list[Origin]:
        """Say of each instance of a series what it is and who sent it: one question for all of them."""
        what = "where instances came from"
        question = {"Resources": [orthanc_series_id], "Level": "Instance", "Metadata": True}
        answer = self._wire.ask(what, lambda: self._wire.orthanc.post_tools_bulk_content(question))
        found = parsed(self._wire, what, answer, lambda said: [_origin(row["Metadata"]) for row in rows(said)])
        if not found:
            raise self._wire.gone(what)
        return found

    def size(self, orthanc_study_id: str) -> Size:
        """Count the instances and bytes of a study."""
        what = "the size of a study"
        answer = self._wire.ask(what, lambda: self._wire.orthanc.get_studies_id_statistics(orthanc_study_id))
        found = parsed(
            self._wire,
            what,
            answer,
            lambda said: Size(number(said["CountInstances"]), number(said["UncompressedSize"])),
        )
        if not found.instances:  # Orthanc 1.13 counts nothing in a study that is gone, and no study is empty
            raise self._wire.gone(what)
        return found


def _series(row: Any) -> SeriesAtSite:
    tags = row["MainDicomTags"]
    return SeriesAtSite(
        orthanc_id=row["ID"],
        modality=tags.get("Modality", "").strip(),
        description=tags.get("SeriesDescription", ""),
        station_name=tags.get("StationName", ""),
    )


def _origin(metadata: Any) -> Origin:
    return Origin(
        sop_class_uid=metadata.get("SopClassUid", ""),
        remote_aet=metadata.get("RemoteAET", "").strip(),
    )
