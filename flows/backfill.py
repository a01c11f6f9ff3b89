"""The flow for what was there before: an archive goes to the cloud by night, behind what arrives.

It asks the hospital for the studies that are meant, and takes of them what the ledger has no outcome for. So a second
start goes on where the first one ended, however that ended. Between two studies it lets the live route go first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any, TypeVar

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State

from flows.archive.criteria import Criteria, patients_in
from flows.archive.plan import plan
from flows.archive.progress import Progress
from flows.archive.window import Window
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import SitesError, TransientError
from flows.hands import task_runner
from flows.inventory import Inventory, Work
from flows.leases import LIVE
from flows.run import Tally, recorded_run
from flows.settings.sites import Site, listed, load_sites
from flows.shown.run import Shown

__all__ = ["Pace", "backfill", "move_all", "why_it_ended", "window_of", "works"]

_List = TypeVar("_List")
_AT_ONCE = 25  # studies that are seen, and so in flight, before they are moved
_LOOK_AGAIN = 1.0  # seconds, while the live route works
_LONGEST_SLEEP = 60.0  # seconds: a clock may be set, and a summer may begin


@flow(
    name="backfill",
    flow_run_name="{site} · backfill",
    task_runner=task_runner(),
    persist_result=False,
    retries=0,
)
def backfill(
    site: str,
    studies_from: date | None = None,
    studies_to: date | None = None,
    modalities: list[str] | None = None,
    descriptions: str = "",
    patients: str = "",
    window: str = "",
    dry_run: bool = True,
) -> State[Any] | None:
    """Move what a site had before it was connected, as far as the criteria mean it and its selection names it.

    Prefect keeps parameters as they are, so what could be about a patient is named here and stands in the sites file.

    Parameters
    ----------
    site : str
        A name of the sites file.
    studies_from, studies_to : date, optional
        Of StudyDate, both included.
    modalities : list of str, optional
        Studies with a series of one of them.
    descriptions, patients : str
        Names of a list in the site's `description_lists` and `patient_lists`; "" for all.
    window : str
        When it works, such as 20:00-06:00 by the clock of the worker; the run ends when it closes. "" is always.
    dry_run : bool
        Count, and move nothing.
    """
    sites = load_sites(only=site)
    row, hours = sites.site(site), window_of(window)
    criteria = Criteria(
        first=studies_from,
        last=studies_to,
        modalities=tuple(modalities or ()),
        descriptions=_descriptions(row, descriptions),
        patients=_patients(row, patients),
    )
    if dry_run:
        with Desk.open(sites, site, run_id="") as desk:
            desk.check()
            table = plan(desk, criteria).rows()
        create_table_artifact(key=f"backfill-{site}", table=table, description=f"**{site}**: what a backfill would do.")
        return None
    with recorded_run(sites, site, "backfill") as (desk, tally):
        pace, progress = Pace(desk, hours), Progress(desk, tally)
        drain = Drain(desk, tally, tell=Shown(site).stopped, moved=progress.moved)
        said = "It ended too soon: see the run's log."
        try:
            move_all(desk, drain, tally, pace.paced(works(desk, criteria)))
            said = why_it_ended(tally, pace)
        finally:
            get_run_logger().info("%s: %s. %s", site, tally.said, said)
            progress.show(said)
        return tally.ending()


def why_it_ended(tally: Tally, pace: Pace) -> str:
    """Say why a backfill ended."""
    if tally.errors:
        return "Something waits or failed; the next start goes on from here."
    if pace.is_over:
        return "The window closed; the next start goes on from here."
    return "All that was meant was tried."


def move_all(desk: Desk, drain: Drain, tally: Tally, works: Iterable[Work]) -> None:
    """Move works one by one, until there are no more or an end is away.

    Raises
    ------
    TerminalError
        A person must act first.
    """
    try:
        desk.check_key()
        drain.begin()
        for work in works:
            drain.move([work])
            tally.forget()
            if drain.is_stopped:
                break
        drain.end()
    except TransientError as error:
        tally.stops(error)


def works(desk: Desk, criteria: Criteria) -> Iterator[Work]:
    """Yield what is meant and not settled, and record it as seen a little before its turn comes."""
    inventory = Inventory(desk, of_all_dates=True)
    studies = criteria.studies(desk)
    while batch := list(islice(studies, _AT_ONCE)):
        inventory.refresh()
        yield from inventory.works(batch, lambda is_new: "backfill" if is_new else "retry")


class Pace:
    """Let works through inside a window of the day, and behind the live route.

    Parameters
    ----------
    desk : Desk
        Of the site.
    window : Window
        When work is done.
    patiently : bool
        Wait until the window opens again. A run that sleeps holds the place of another at its worker, so only who has
        no worker wants this.
    now : callable, optional
        Tells the local time.
    tell : callable, optional
        Is told in one sentence that it waits for the window; once, until work goes on.
    """

    def __init__(
        self,
        desk: Desk,
        window: Window,
        *,
        patiently: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._desk = desk
        self._window = window
        self._patiently = patiently
        self._now = now
        self._tell = tell
        self.is_over = False

    def paced(self, works: Iterator[Work]) -> Iterator[Work]:
        """Yield each work when its turn has come, until the window closes."""
        while self._turn_comes():
            work = next(works, None)
            if work is None:
                return
            yield work
        self.is_over = True

    def _turn_comes(self) -> bool:
        is_told = False
        while True:
            closed = self._window.until_open(self._now()).total_seconds()
            if closed and not self._patiently:
                return False
            if not closed and not self._desk.leases.is_shared(LIVE):
                return True
            if closed and not is_told:
                self._tell(f"the window is closed; this waits until {self._window.opens:%H:%M} and goes on then")
                is_told = True
            time.sleep(min(closed or _LOOK_AGAIN, _LONGEST_SLEEP))


def _descriptions(site: Site, name: str) -> tuple[str, ...]:
    section = f"[sites.{site.name}.description_lists]"
    return _list_of(section, site.description_lists, name) if name else ()


def _patients(site: Site, name: str) -> tuple[str, ...] | None:
    section = f"[sites.{site.name}.patient_lists]"
    return patients_in(_list_of(section, site.patient_lists, name), f"{section} {name}") if name else None


def _list_of(section: str, lists: Mapping[str, _List], name: str) -> _List:
    if name not in lists:
        raise SitesError(f"{section} has no list of the name asked for; it has {listed(lists)}")
    return lists[name]


def window_of(text: str) -> Window:
    """Read a window of the day.

    Raises
    ------
    SitesError
        It is none.
    """
    try:
        return Window.of(text)
    except ValueError as error:
        problem = str(error)
    raise SitesError(f"window {problem}")
