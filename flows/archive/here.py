"""A backfill in this process, without Prefect, because what it is given may be about patients."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.archive.criteria import Criteria, patients_in
from flows.archive.pace import Pace
from flows.archive.plan import plan
from flows.archive.window import Window, window_of
from flows.archive.work import move_all, works_of
from flows.desk import Desk
from flows.drain import Drain
from flows.errors import SitesError
from flows.hands import in_this_process
from flows.run import recorded_run
from flows.settings.patterns import checked_pattern
from flows.settings.selectionrow import Modality
from flows.settings.sites import Sites, load_sites
from flows.tally import Tally
from flows.terminal import messages

__all__ = ["run"]

_MEGA = 1_000_000


def run(
    site: str,
    first: datetime | None,
    last: datetime | None,
    modalities: list[str],
    descriptions: list[str],
    patients: Path | None,
    window: str,
    sites: Path | None,
    *,
    dry_run: bool,
) -> bool:
    """Do what the command says; tell whether all that was meant is settled.

    Raises
    ------
    FlowsError
        It could not begin, or not go on.
    """
    criteria = Criteria(
        first=first.date() if first else None,
        last=last.date() if last else None,
        modalities=_checked("--modality", modalities),
        descriptions=_patterns(descriptions),
        patients=patients_in(patients, "--patients") if patients else None,
    )
    hours = window_of(window)
    known = load_sites(sites, only=site)
    if dry_run:
        _show(known, site, criteria)
        return True
    tally = _move(known, site, criteria, hours)
    messages.print(f"{site}: {tally.said}", markup=False)
    if tally.errors:
        messages.print(str(tally.errors[0]), markup=False)
    return not (tally.errors or tally.is_incomplete)


def _move(sites: Sites, site: str, criteria: Criteria, window: Window) -> Tally:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        recorded_run(sites, site, "backfill") as (desk, tally),
        Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as progress,
    ):
        shown = progress.add_task("looking")

        drain = Drain(
            desk,
            tally,
            by=in_this_process(desk),
            tell=lambda error: messages.print(str(error), markup=False),
            moved=lambda _: progress.update(shown, description=tally.said),
        )
        pace = Pace(desk, window, patiently=True, tell=lambda text: messages.print(f"{site}: {text}", markup=False))
        move_all(desk, drain, tally, pace.paced(works_of(desk, criteria)))
    return tally


def _show(sites: Sites, site: str, criteria: Criteria) -> None:
    """Print what would be done."""
    with Desk.open(sites, site, run_id="") as desk:
        desk.check()
        rows = plan(desk, criteria).rows()
    table = Table(title=f"{site}: what a backfill would do", title_justify="left")
    for name in rows[0]:
        table.add_column(name.replace("bytes", "MB"), justify="left" if name in {"year", "modalities"} else "right")
    for row in rows:
        table.add_row(*(f"{_shown(name, value)}" for name, value in row.items()), end_section=row is rows[-2:][0])
    Console(width=200).print(table)


def _shown(name: str, value: str | int) -> str:
    return f"{int(value) / _MEGA:,.1f}" if name.startswith("bytes") else f"{value}"


def _checked(option: str, values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(TypeAdapter(Modality).validate_python(value) for value in values)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
    raise SitesError(f"{option} {problem}")


def _patterns(values: list[str]) -> tuple[str, ...]:
    try:
        return tuple(map(checked_pattern, values))
    except ValueError as error:
        problem = str(error)
    raise SitesError(f"--description {problem}")
