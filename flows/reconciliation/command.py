"""The `entwash reconcile` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.errors import FlowsError
from flows.terminal import LEFT, SiteName, SitesPath, messages, stop

if TYPE_CHECKING:
    from flows.ledger.records import StudyOutcome
    from flows.reconciliation.compare import Reconciled
    from flows.reconciliation.heal import Healing

__all__ = ["reconcile"]


def reconcile(
    site: SiteName,
    sites: SitesPath = None,
    heal: Annotated[
        bool, typer.Option("--heal/--no-heal", help="Mend what may be mended alone, or only find it.")
    ] = True,
) -> None:
    """Compare hospital, ledger and cloud: what is missing, extra or different anywhere.

    What may be mended alone is mended: what the cloud lost is moved again if the same bytes come of it, what no run
    took up is moved, and what the hospital deleted before it was moved is settled. The rest is named, with what to do.
    Nothing in the cloud is deleted or overwritten. Everything is recorded, and the records of runs of earlier days are
    packed, as the flow of each night does.

    Ends with 0 when nothing differs or all of it was mended, 1 when something is left, 2 when it could not begin.
    """
    from flows.reconciliation.page import MOST, advice, rows, sentence  # noqa: PLC0415 - as for all that asks a hospital

    try:
        result = _reconciled(site, sites, heal=heal)
    except FlowsError as error:
        stop(error)
    _print(rows(result))
    if len(result.differences) > MOST:
        messages.print("the table `differences` of the lineage has them all", markup=False)
    if result.left and not heal:
        messages.print("nothing was mended, as --no-heal asks; of a reconciliation that mends holds:", markup=False)
    for todo in dict.fromkeys(f"{one.kind}: {advice(one)}" for one in result.left):
        messages.print(todo, markup=False)
    for why in dict.fromkeys(map(str, result.errors)):
        messages.print(why, markup=False)
    typer.echo(sentence(result))
    raise typer.Exit(LEFT if result.left or result.errors else 0)


def _reconciled(site: str, path: Path | None, *, heal: bool) -> Reconciled:
    from flows.reconciliation.compare import reconciled  # noqa: PLC0415 - as for all that asks a hospital
    from flows.reconciliation.ending import end  # noqa: PLC0415 - as above
    from flows.reconciliation.heal import healed  # noqa: PLC0415 - as above
    from flows.run import recorded_run  # noqa: PLC0415 - as above
    from flows.settings.sites import load_sites  # noqa: PLC0415 - as above

    def healer(_work: str, healing: Healing) -> StudyOutcome | FlowsError | None:
        try:
            return healed(healing)
        except FlowsError as error:
            return error

    sites = load_sites(path, only=site)
    with recorded_run(sites, site, "reconciliation") as (desk, tally):
        desk.check()
        result = reconciled(desk, sites.names, healer if heal else None)
        end(desk, tally, result)
    return result


def _print(found: list[dict[str, str | int]]) -> None:
    if not found:
        return
    names = [name for name in found[0] if name != "what to do"]
    lines = [names, *([str(row[name]) for name in names] for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
