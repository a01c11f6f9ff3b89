"""The `entwash held` commands: list, show, release."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.errors import FlowsError, NotBegunError
from flows.held.page import page
from flows.held.studies import HeldStudy, age_text, chosen, held_studies, short_forms
from flows.ledger import lineage
from flows.settings.sites import Records, Sites, load_records, load_sites
from flows.terminal import HELD, LEFT, SitesPath, messages, stop

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""See what is held back at the hospitals and why, and have it tried again.

    A held study shows its pseudonym, counts, places and rules. What stands at those places is shown only by `show
    --values`, at the hospital's own terminal. Released means tried again, through the engine and the gate: nothing
    leaves unproven.

    All that is listed comes from the ledger, so that no password and no key is needed for `list` and `show`.
    """,
)

Study = Annotated[
    str, typer.Argument(metavar="STUDY", help="The study's pseudonym, or as much of its beginning or end as is unique.")
]
OfSite = Annotated[str | None, typer.Option("--site", metavar="NAME", help="Of this site alone.")]


@app.command("list")
def list_(
    site: OfSite = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="With this reason alone, such as identifier-left.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it for a program.")] = False,
    sites: SitesPath = None,
) -> None:
    """List what is held, the oldest first: where, which study, since when, how many instances, and why.

    Everything is read from the ledger. A study is held since it was first held and not loaded in between, however often
    it was tried since. The short name of a study, in the second column, is what `show` and `release` take.

    Ends with 0, whether something is held or not, and with 2 when there is no ledger.
    """
    studies = _held(_records(sites), site, code)
    now = datetime.now(UTC)
    short = short_forms(studies)
    if as_json:
        typer.echo(json.dumps([_plain(study, short[study.study_instance_uid], now) for study in studies], indent=2))
    elif studies:
        rows: list[tuple[str, ...]] = [("site", "study", "held since (UTC)", "age", "instances", "why")]
        rows += [_row(study, short[study.study_instance_uid], now) for study in studies]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    else:
        messages.print("nothing is held", markup=False)


@app.command()
def show(
    study: Study,
    site: OfSite = None,
    values: Annotated[
        bool,
        typer.Option(
            "--values", help="Show what stands at the places found, read again at the hospital. Needs its key."
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write the page into a new file that only you can read."),
    ] = None,
    sites: SitesPath = None,
) -> None:
    """Show one held study as a page: what was checked, what was found and where, what to do about it.

    The page names pseudonyms, places and rules. With `--values` it shows what stands at those places in the hospital's
    own study, too: that identifies a patient. It is shown on a terminal alone and refused elsewhere, such as in a pipe,
    unless `--to` names a file for it.

    Ends with 0, or with 2 when there is no such study, or the hospital cannot be asked.
    """
    if values and not to and not sys.stdout.isatty():
        stop(NotBegunError("--values shows a patient's data and this is no terminal: name a file for it with --to"))
    found = _held(_records(sites), site)
    meant = _chosen(found, study)
    short = short_forms(found)[meant[0].study_instance_uid]
    seen = [_values(sites, one) if values else None for one in meant]
    now = datetime.now(UTC)
    text = "\n".join(page(one, short, now, there) for one, there in zip(meant, seen, strict=True))
    if not to:
        typer.echo(text)
        return
    _write(to, text)
    said = "; it holds a patient's data: delete it when it is read" if values else ""
    messages.print(f"written to {to}, which only you can read{said}", markup=False)


@app.command()
def release(
    study: Study,
    why: Annotated[
        str,
        typer.Option("--why", metavar="TEXT", help="What was corrected. For the record: NO PATIENT'S NAME OR NUMBER."),
    ],
    who: Annotated[
        str, typer.Option("--who", metavar="NAME", help="Who decided it, without a patient's name. Else this account.")
    ] = "",
    site: OfSite = None,
    now: Annotated[bool, typer.Option("--now", help="Try it here and now, and do not wait for the next run.")] = False,
    sites: SitesPath = None,
) -> None:
    """Have a held study tried again, after a correction, and record who wanted that and why.

    **Nothing leaves unproven.** Released means tried again: the next run of the site (or this process, with `--now`)
    takes the study from the hospital through the engine and the gate once more. What is still not proven is held
    again, with its reason. There is no way around the gate.

    WHO and WHY stay in the ledger for ever and are read by auditors. Write no names or numbers of patients. Where the
    hospital can be asked, a text that holds an identifier of the study is refused.

    Ends with 0 when it is recorded, and with `--now` when it was loaded; 3 when it was held again; 1 when it waits; 2
    when it could not begin.
    """
    from flows.held.release import account, check_text, record, try_now  # noqa: PLC0415 - pydicom and DuckDB take a second to load
    from flows.ledger.book import Ledger  # noqa: PLC0415 - as above

    try:
        texts = (check_text("--who", who or account()), check_text("--why", why))
        records = _records(sites)
        meant = _chosen(_held(records, site), study)
        if all(one.gone_since for one in meant):
            raise NotBegunError(
                "the last reconciliation found it gone at the hospital, so it cannot be tried again: bring it back "
                "there, reconcile, and release it then"
            )
        ready = _checked(sites, meant, texts, must=now)
        ledger = Ledger(records.lineage)
        recorded = record(ledger, meant, *texts)
        ledger.close()
        said = (
            "released: it is tried again, through engine and gate" if recorded else "was released so already, and waits"
        )
        messages.print(f"{meant[0].study_instance_uid} {said}", markup=False)
        if not (now and ready):
            return
        tally = try_now(ready, meant)
    except FlowsError as error:
        stop(error)
    for outcome in tally.outcomes:
        said = f"{outcome.status}, {outcome.source_instances} instances"
        typer.echo(f"{outcome.study_instance_uid} {said}{f': {outcome.reason}' * bool(outcome.reason)}")
    for reason in tally.errors:
        messages.print(str(reason), markup=False)
    if not tally.outcomes and not tally.errors:
        messages.print("it is not at the hospital now, or still changes there; the next run will see", markup=False)
    if any(outcome.status == "held" for outcome in tally.outcomes):
        raise typer.Exit(HELD)
    raise typer.Exit(0 if tally.outcomes and not tally.errors else LEFT)


def _records(sites: Path | None) -> Records:
    try:
        return load_records(sites)
    except FlowsError as error:
        stop(error)


def _held(records: Records, site: str | None, code: str | None = None) -> list[HeldStudy]:
    try:
        if site is not None and site not in records.names:
            raise NotBegunError(f"the sites file knows no site of this name; it knows {', '.join(records.names)}")
        with lineage.connect(records.lineage) as tables:
            return held_studies(tables, records.project, site, code)
    except FlowsError as error:
        stop(error)


def _chosen(studies: list[HeldStudy], name: str) -> list[HeldStudy]:
    try:
        return chosen(studies, name)
    except FlowsError as error:
        stop(error)


def _values(sites: Path | None, study: HeldStudy) -> dict[tuple[str, str], list[str]]:
    from flows.desk import Desk  # noqa: PLC0415 - as for all that asks a hospital
    from flows.held.source import values_found  # noqa: PLC0415 - as above

    try:
        with Desk.open(load_sites(sites, only=study.site), study.site, run_id="") as desk:
            return values_found(desk, study)
    except FlowsError as error:
        stop(error)


def _checked(sites: Path | None, studies: list[HeldStudy], texts: tuple[str, ...], *, must: bool) -> Sites | None:
    """Refuse texts that name somebody of the study; say so where that cannot be checked from here.

    Raises
    ------
    FlowsError
        When a text names somebody, or when both ends must be there and are not.
    """
    from flows.desk import Desk  # noqa: PLC0415 - as above
    from flows.held.source import names_somebody  # noqa: PLC0415 - as above

    site = studies[0].site
    ready: Sites | None = None
    names = False
    try:
        ready = load_sites(sites, only=site)
        with Desk.open(ready, site, run_id="") as desk:
            if must:
                desk.check()
                must = False
            names = any(names_somebody(desk, study, texts) for study in studies)
    except FlowsError as error:
        if must:
            raise
        messages.print(f"the texts were not checked against the study: {error}", markup=False)
    if names:
        raise NotBegunError(
            "--why or --who holds something that identifies in this study: say it without names and numbers"
        )
    return ready


def _row(study: HeldStudy, short: str, now: datetime) -> tuple[str, ...]:
    why = ", ".join(f"{code} {count}" for code, count in study.reasons.items())
    return (
        study.site,
        short,
        f"{study.since:%Y-%m-%d %H:%M}",
        age_text(now - study.since),
        f"{study.held_instances} of {study.source_instances}",
        why + " (released, waits)" * study.waits + " (gone at the hospital)" * (study.gone_since is not None),
    )


def _plain(study: HeldStudy, short: str, now: datetime) -> dict[str, Any]:
    return {
        "site": study.site,
        "project": study.project,
        "study_instance_uid": study.study_instance_uid,
        "short": short,
        "patient_id": study.patient_id,
        "held_since": study.since.isoformat(),
        "last_tried": study.held_at.isoformat(),
        "age_seconds": int((now - study.since).total_seconds()),
        "source_instances": study.source_instances,
        "held_instances": study.held_instances,
        "reasons": study.reasons,
        "release_waits": study.waits,
        "gone_at_hospital_since": study.gone_since.isoformat() if study.gone_since else None,
    }


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        stop(NotBegunError(f"{path} is there already, and is left as it is"))
    except OSError as error:
        stop(NotBegunError(f"{path} cannot be written: {error.strerror}"))
