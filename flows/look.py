"""One run's look at a hospital: what has to be moved, until there is nothing left.

First the change feed, from where the last run left it: cheap, and it has what rang the doorbell. Then, unless a
doorbell woke the run, the inventory, because the feed forgets: an Orthanc that restarts before a study is stable never
tells that it was. Where nothing changed since the inventory was last walked through, it is not walked through again.

What the selection lets wait is kept in mind, with the time at which its patience ends: if it grows, the feed tells it,
and if it does not, the inventory is walked through once more when that time has come.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime

from flows import cursor
from flows.cursor import RECENT, Cursor
from flows.desk import Desk
from flows.errors import GoneError
from flows.inventory import Inventory, Work, stable_until
from flows.ledger.records import FoundBy
from flows.orthanc import ORTHANCS_TIME, StudyAtSite

__all__ = ["Look"]


class Look:
    """Look at a hospital, again and again, until nothing is found.

    Parameters
    ----------
    desk : Desk
        Of the site.
    thorough : bool
        Walk through the inventory too, if anything changed since the last time.
    """

    def __init__(self, desk: Desk, *, thorough: bool) -> None:
        self._desk = desk
        self._thorough = thorough
        self._inventory = Inventory(desk)
        self._settings = f"{desk.settings} {desk.live_from}".rstrip()
        self._path = desk.ledger.directory / ".cursors" / desk.anonymizer.pseudonyms.token("cursor", desk.site)
        self._kept = cursor.kept(self._path)
        # Where records were taken away, what they settled has to be found again.
        self._was = self._kept if self._kept and self._kept.settled <= self._inventory.settled else None
        if self._was:
            is_same = self._was.swept_settings == self._settings
            # Under other settings each is asked about anew, and is no discovery all the same.
            self._inventory.waiting = {one: until if is_same else "" for one, until in self._was.waiting.items()}
        self._seq = self._was.seq if self._was else 0
        self._swept: Cursor | None = None
        self._open = 0

    def find(self) -> list[Work]:
        """Return what is to be moved; nothing once all was returned."""
        self._inventory.refresh()
        if self._was and (found := self._announced()):
            return found
        return self._sweep() if self._has_to_sweep() else []

    def news(self) -> tuple[int, str]:
        """Return what was announced and released last: where it is the same as before, a look would find nothing.

        Cheap, in a ledger of any size.
        """
        return self._desk.hospital.last_change(), self._desk.ledger.latest_release_of_any()

    @property
    def excluded(self) -> int:
        """How many studies the selection kept at home."""
        return self._inventory.excluded

    @property
    def waiting(self) -> int:
        """How many studies the selection let wait for what has to come with them."""
        return self._inventory.let_wait

    def over(self, *, waiting: bool) -> None:
        """Note how far the run came; with studies that wait nothing is noted, and the next run finds them again.

        Raises
        ------
        LedgerError
            The note cannot be written.
        """
        swept = self._swept or self._was
        if waiting or swept is None:
            return
        self._inventory.refresh()
        now = Cursor(
            seq=self._seq,
            swept_seq=swept.swept_seq,
            swept_settings=swept.swept_settings,
            swept_open=swept.swept_open,
            swept_release=swept.swept_release,
            settled=self._inventory.settled,
            waiting=self._inventory.waiting,
        )
        if now != self._kept:
            cursor.keep(self._path, now)

    def _announced(self) -> list[Work]:
        """Return what the change feed has told since."""
        if self._desk.hospital.last_change() < self._seq:
            self._was = None  # the hospital's database was made anew: nothing that was known holds
            return []
        found: dict[str, None] = {}
        is_done = False
        while not is_done:
            page = self._desk.hospital.changes(self._seq)
            found.update((change.orthanc_id, None) for change in page.rows)
            is_done = page.done or page.last <= self._seq
            self._seq = max(self._seq, page.last)
        return self._inventory.works(self._described(found), lambda is_new: "feed" if is_new else "retry")

    def _described(self, orthanc_ids: Iterable[str]) -> Iterator[StudyAtSite]:
        for orthanc_id in orthanc_ids:
            try:
                study = self._desk.hospital.study(orthanc_id)
            except GoneError:
                continue  # deleted since
            if study.stable:  # or else it grows again, and will be announced again
                yield study

    def _has_to_sweep(self) -> bool:
        was = self._was
        if self._swept or was is None:
            return self._swept is None
        if self._inventory.latest_release > was.swept_release:
            return True  # somebody waits for it, whatever woke the run
        if not self._thorough:
            return False
        if was.swept_open or was.swept_settings != self._settings:
            return True
        now = datetime.now(UTC).strftime(ORTHANCS_TIME)
        if any(until <= now for until in self._inventory.waiting.values()):
            return True
        return self._desk.hospital.last_change() != was.swept_seq

    def _sweep(self) -> list[Work]:
        """Return what the inventory has and neither feed nor ledger knows."""
        last = self._desk.hospital.last_change()
        announced: set[str] = set()
        if self._was is None:
            self._seq = last
            # What they call stable is, however young.
            page = self._desk.hospital.changes(max(0, last - RECENT))
            announced = {change.orthanc_id for change in page.rows}
        # Under other settings, such as an earlier `live_from`, what is found was never to be announced.
        is_known = self._was is not None and self._was.swept_settings == self._settings
        by: FoundBy = "sweep" if is_known else "first-look"
        self._open = 0
        found = self._inventory.works(self._settled_down(announced), lambda is_new: by if is_new else "retry")
        self._inventory.forget_overdue()
        self._swept = Cursor(
            seq=self._seq,
            swept_seq=last,
            swept_settings=self._settings,
            swept_open=self._open,
            swept_release=self._inventory.latest_release,
            settled=self._inventory.settled,
        )
        self._was = self._was or self._swept
        return found

    def _settled_down(self, announced: Container[str]) -> Iterator[StudyAtSite]:
        """Yield the studies that are stable and are not so since just now, and count the others."""
        youngest = stable_until(self._desk)
        for study in self._desk.hospital.studies():
            if study.stable and (study.last_update <= youngest or study.orthanc_id in announced):
                yield study
            else:
                self._open += 1
