"""The `entwash backfill` command: what it is asked for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.errors import FlowsError
from flows.terminal import LEFT, SiteName, SitesPath, stop

__all__ = ["backfill"]


def backfill(
    site: SiteName,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", metavar="DATE", formats=["%Y-%m-%d"], help="StudyDate of the first, such as 2015-01-01."
        ),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", metavar="DATE", formats=["%Y-%m-%d"], help="StudyDate of the last.")
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option("--modality", metavar="CODE", help="Studies with a series of it, such as CT; more than one."),
    ] = None,
    description: Annotated[
        list[str] | None,
        typer.Option(
            "--description",
            metavar="PATTERN",
            help="Studies with such a StudyDescription, as `'*thorax*'`; more than one.",
        ),
    ] = None,
    patients: Annotated[
        Path | None, typer.Option("--patients", metavar="FILE", help="Studies of these alone: one PatientID a line.")
    ] = None,
    window: Annotated[
        str, typer.Option("--window", metavar="HOURS", help="Work from when to when, such as 20:00-06:00.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be done, and do nothing.")] = False,
    sites: SitesPath = None,
) -> None:
    """Move what a site had before it was connected, here and now: begin with `--dry-run`.

    Options narrow what is looked at. The site's selection still says what of it leaves. What is settled is not done
    again, so that a second start goes on where the first one ended, however it ended. While the live route works, and
    outside the window, this waits; the window is by the clock of this machine. Nothing of it comes to Prefect.

    Ends with 0 when all that was meant is settled, 1 when something waits, 2 when it could not begin.
    """
    from flows.archive import here  # noqa: PLC0415 - pydicom and DuckDB take a second to load

    try:
        is_settled = here.run(
            site, first, last, modality or [], description or [], patients, window, sites, dry_run=dry_run
        )
    except FlowsError as error:
        stop(error)
    raise typer.Exit(0 if is_settled else LEFT)
