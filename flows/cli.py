"""The `entwash` command."""

from __future__ import annotations

import json
import os
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from anonymizer import OPTION_CODES, AnonymizerError, Key, load_profile, profile_names
from anonymizer.errors import FolderError
from anonymizer.folder import Settings, anonymize_folder, earlier_outputs, files_below, is_report, summary
from flows.archive.command import backfill
from flows.errors import FlowsError, NotBegunError, SitesError
from flows.held.command import app as held
from flows.held.page import advice
from flows.reconciliation.command import reconcile
from flows.terminal import HELD, LEFT, SiteName, SitesPath, messages, stop

__all__ = ["app"]

app = typer.Typer(
    name="entwash",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a pretty traceback shows local variables, and those are patients
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Move imaging studies from hospitals to a cloud, without the patients in them, and prove it.

    The same source, key and project always give the same output, so what belongs together stays together,
    whenever and in whatever order it is anonymized.

    Begin with `entwash keygen hospital.key`, then `entwash anonymize`, then `entwash verify`.
    """,
)

_PROFILES = f"{', '.join(profile_names())}, or the path of a site's own .toml file"
ProfileName = Annotated[str, typer.Argument(metavar="NAME", help=f"Which: {_PROFILES}.")]
KeyFile = Annotated[Path, typer.Option("--key", metavar="FILE", help="Key file of the site, made by `entwash keygen`.")]
ProjectName = Annotated[
    str,
    typer.Option("--project", metavar="NAME", help="Purpose of the data; pseudonyms of two projects never match."),
]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"entwash {version('entwash')}")
        raise typer.Exit


@app.callback()
def main(
    shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take the options that stand before a command; the application's own help is shown for this."""


@app.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the key goes; a file that is there is never overwritten.")],
    project: Annotated[
        str | None,
        typer.Option("--project", metavar="NAME", help="Print the key's id in this project, as `entwash keyid` does."),
    ] = None,
) -> None:
    """Make a secret key: 64 hexadecimal digits in a file that only you can read.

    Whoever has the key can link pseudonyms back to patients; whoever loses it can never link next year's
    studies to this year's. It stays at the hospital, with a backup that is as safe.
    """
    try:
        key = Key.generate(file)
    except AnonymizerError as error:
        stop(error)
    if project:
        typer.echo(f"key id {key.key_id(project)}")


@app.command()
def keyid(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A key file, made by `entwash keygen`.")],
    project: ProjectName,
) -> None:
    """Print the id of a key in a project: 8 hexadecimal digits that reports and lineage tables show.

    It tells which of a site's keys made a record, and says nothing about the key. In two projects one key has two
    ids, so that nobody can tell from records that they belong together.
    """
    try:
        typer.echo(f"key id {Settings(file, project).anonymizer().pseudonyms.key_id}")
    except AnonymizerError as error:
        stop(error)


@app.command()
def anonymize(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A file, or a folder with anything in it.")],
    destination: Annotated[
        Path,
        typer.Argument(
            metavar="DST",
            help="Receives {SOPInstanceUID}.dcm files: a folder apart from SRC, new, empty, or of an earlier run.",
        ),
    ],
    key: KeyFile,
    project: ProjectName,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help=f"What stays: {_PROFILES}.")] = "research",
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write what became of each file, as JSON. It holds your paths."),
    ] = None,
    issuer: Annotated[
        str,
        typer.Option(
            "--issuer", metavar="NAME", help="Issuer of patient IDs that name none; default_issuer of a site."
        ),
    ] = "",
    prefix: Annotated[
        str,
        typer.Option("--prefix", metavar="TEXT", help="What PatientID begins with; patient_id_prefix of a project."),
    ] = "DEID-",
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Processes; the output is the same for any number.")
    ] = min(os.cpu_count() or 1, 8),
) -> None:
    """Anonymize a file or a folder tree.

    Each instance is released as a file of its own, or held with a reason; a held one holds no other. What is held stays
    where it is. Files that are no DICOM are counted apart; one that is called .dcm and is none is held. A file that
    stands twice in SRC is one output.

    A second run over the same SRC gives the same files, and adds what was missing. Nothing in DST is overwritten: an
    output of other bytes, as another profile makes it, holds the instance.

    Ends with 0 when all were released, 3 when some were held, 2 when it could not begin or SRC has no DICOM file.
    """
    settings = Settings(key, project, profile, patient_id_prefix=prefix, default_issuer=issuer)
    if report:
        _check_report(report)
    try:
        with _progress() as bar:
            answers = anonymize_folder(source, destination, settings, workers=workers, progress=bar)
        result = summary(answers, source, settings)
    except AnonymizerError as error:
        stop(error)
    if report:
        _write_json(report, result)
    totals = result["totals"]
    typer.echo(_counted(totals))
    for line in _reasons(result["instances"]):
        messages.print(line, markup=False)
    if others := earlier_outputs(destination, answers):
        said = (
            f"{destination} also holds outputs of earlier runs with other files, keys, projects or prefixes ({others})"
        )
        messages.print(f"{said}; this run's report does not name them", markup=False)
    if not report and totals["read"] > totals["released"]:
        messages.print("--report FILE writes which files these are, and why", markup=False)
    if totals["read"] == totals["not_dicom"]:
        stop(FolderError(f"{source} has no DICOM file in it"))
    raise typer.Exit(HELD if totals["held"] else 0)


@app.command()
def verify(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="What was anonymized, as `entwash anonymize` was given it.")
    ],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="What came out.")],
    pairs: Annotated[
        Path,
        typer.Option("--pairs", metavar="REPORT", help="The report of `entwash anonymize --report`: who became whom."),
    ],
) -> None:
    """Prove an output without the key: references, identifiers, dates, pixels, completeness.

    Prints JSON: what was checked and every finding, with its kind, the instance and its files, the tag path, the rule
    that was broken and what to do; never a value of a data set. It names your files, as the report does. At the end
    stands, apart from the JSON, how many findings there are of each kind.

    Ends with 0 when nothing was found, 1 when something was, 2 when it could not begin.
    """
    from anonymizer.proof import prove_folder  # noqa: PLC0415 - the gate takes a moment to load

    try:
        result = prove_folder(source, destination, pairs)
    except AnonymizerError as error:
        stop(error)
    for finding in result["findings"]:
        finding["advice"] = advice(finding["kind"])
    typer.echo(json.dumps(result, indent=2))
    messages.print(_found(result), markup=False)
    raise typer.Exit(0 if result["passed"] else LEFT)


@app.command()
def run(
    site: SiteName,
    sites: SitesPath = None,
) -> None:
    """Move everything that is stable at a site and not yet settled, here and now.

    The same flow that a Prefect worker runs, in this process, for whom a worker is too much. It uses the
    Prefect server of PREFECT_API_URL where that is set, and a temporary one otherwise.

    Ends with 0 when all that was there is settled, 1 when something waits, 2 when it could not begin.
    """
    # A temporary server of ours reports nothing to anybody; Prefect reads this when it is loaded.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from flows.run_here import run_here  # noqa: PLC0415 - Prefect takes a second to load

    if sites:
        os.environ["ENTWASH_SITES"] = str(sites.absolute())
    try:
        run_here(site)
    except (SitesError, NotBegunError) as error:
        stop(error)
    except FlowsError as error:
        messages.print(str(error), markup=False)
        raise typer.Exit(LEFT) from None


app.command()(backfill)
app.command()(reconcile)
app.add_typer(held, name="held")

profiles = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"""Read what a profile does: attribute by attribute, against another, or as a conformance statement.

    Profiles are {", ".join(profile_names())}, and files of a site's own, which extend one of them; README.md shows one.
    Options that such a file can add and remove, by the columns of Table E.1-1:

    {chr(10).join(f"    - {option}" for option in OPTION_CODES).strip()}
    """,
)
app.add_typer(profiles, name="profile")


@profiles.command()
def show(name: ProfileName) -> None:
    """Print one line an attribute: tag, name and VR, what happens to it, the code that it follows, and why.

    An action alone holds where the object's IOD says Type 3; where another Type asks for another action, both
    are named. What stands behind "else" happens to a value that the first cannot be done to.

    Codes are those of Table E.1-1a: X remove, Z empty or dummy, D dummy, U new UID, K keep, C clean. Where a site's own
    file says something of the attribute, its word stands there.
    """
    from anonymizer.lines import lines  # noqa: PLC0415 - and all tables with it

    try:
        chosen = load_profile(name)
    except AnonymizerError as error:
        stop(error)
    for line in lines(chosen):
        typer.echo(str(line))


@profiles.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help=f"A profile: {_PROFILES}.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A DICOM file, or a folder of them.")],
) -> None:
    """Show on real files what becomes of attributes otherwise under B than under A, and in how many instances.

    An attribute is gone, empty, replaced or kept. First come instances that one profile holds and the other releases,
    with the reason; at the end stands how many files were read, compared, held by both, and no DICOM. Nothing is
    written, no key is needed, and no value is shown.
    """
    from anonymizer.difference import compared  # noqa: PLC0415 - as above

    try:
        chosen = [load_profile(name) for name in (first, second)]
        files = list(files_below(source))
        if not files:
            raise FolderError(f"{source} has no file in it")
    except AnonymizerError as error:
        stop(error)
    found = compared(chosen[0], chosen[1], map(_read, files))
    for one in found.differences:
        typer.echo(str(one))
    messages.print(str(found), markup=False)


def _read(path: Path) -> bytes | None:
    """Return what stands in a file, None where nothing can be read: in a closed one, a linked folder, a pipe."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


@profiles.command()
def statement(name: ProfileName) -> None:
    """Print the conformance statement that PS3.15 E.1.3 asks for, in Markdown."""
    from anonymizer.statement import statement as stated  # noqa: PLC0415 - as above

    try:
        chosen = load_profile(name)
    except AnonymizerError as error:
        stop(error)
    typer.echo(stated(chosen, "" if name in profile_names() else Path(name).name), nl=False)


def _check_report(path: Path) -> None:
    """Find out now, and not after hours, that the report cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(OSError(f"report {path} cannot be written: {error.strerror}"))
    if path.is_file() and not is_report(path):
        stop(OSError(f"report {path} is a file of another kind already; it is left as it is"))
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        stop(OSError(f"report {path} cannot be written: name a file in a folder of yours"))


def _write_json(path: Path, result: dict[str, Any]) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        stop(OSError(f"report {path} cannot be written: {error.strerror}"))


def _found(result: dict[str, Any]) -> str:
    """Say in one line what was compared and found."""
    checks, kinds = result["checks"], Counter(finding["kind"] for finding in result["findings"])
    compared = f"{checks['instances']} instances compared, {checks['searched']} outputs searched"
    if not kinds:
        return f"{compared}: nothing was found" if checks["instances"] else f"{compared}: there was nothing to prove"
    files = {(finding["output"], *finding["sources"]) for finding in result["findings"]} - {("",)}
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{compared}: {kinds.total()} findings in {len(files)} files ({listed})"


def _counted(totals: dict[str, int]) -> str:
    twice = totals["released"] - totals["outputs"]
    outputs = f" as {totals['outputs']} outputs ({twice} stand twice)" if twice else ""
    return (
        f"{totals['read']} files read: {totals['released']} released{outputs}, {totals['held']} held, "
        f"{totals['not_dicom']} not DICOM"
    )


def _reasons(instances: list[dict[str, Any]]) -> list[str]:
    """Return one line a reason, the most frequent first."""
    counts = Counter(instance["reason"] for instance in instances if instance["status"] == "held")
    return [f"  {count} held: {reason}" for reason, count in counts.most_common()]


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("anonymizing", total=None)

    def __call__(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


class _progress:  # noqa: N801 - reads as the function it stands for
    """Show a bar on a terminal, nothing elsewhere."""

    def __enter__(self) -> _Bar:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal)
        self._progress.start()
        return _Bar(self._progress)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
