"""The flow for what was there before: an archive goes to the cloud by night, behind what arrives.

It asks the hospital for the studies that are meant, and takes of them what the ledger has no outcome for. So a second
start goes on where the first one ended, however that ended. Between two studies it lets the live route go first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.runtime import flow_run

from flows.archive.criteria import Criteria, patients_in
from flows.archive.pace import Pace
from flows.archive.plan import plan
from flows.archive.progress import Progress
from flows.archive.window import window_of
from flows.archive.work import move_all, why_it_ended, works_of
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import SitesError
from flows.run import recorded_run
from flows.settings.sites import Site, listed, load_sites
from flows.shown.run import Shown
from flows.shown.states import ended
from flows.tasks import as_tasks, task_runner

__all__ = ["backfill"]

_List = TypeVar("_List")


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
    with recorded_run(sites, site, "backfill", flow_run.id) as (desk, tally):
        pace, progress = Pace(desk, hours), Progress(desk, tally)
        drain = Drain(desk, tally, by=as_tasks(desk), tell=Shown(site).stopped, moved=progress.moved)
        said = "It ended too soon: see the run's log."
        try:
            move_all(desk, drain, tally, pace.paced(works_of(desk, criteria)))
            said = why_it_ended(tally, pace)
        finally:
            get_run_logger().info("%s: %s. %s", site, tally.said, said)
            progress.show(said)
        return ended(tally)


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
