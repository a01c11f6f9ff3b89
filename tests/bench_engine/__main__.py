"""``python -m tests.bench_engine``: measure, and print the table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench_engine import tables
from tests.bench_engine.engines import ENGINES
from tests.bench_engine.rounds import ROOT, Folder, in_order, measure, processes
from tests.bench_engine.series import MADE


def main() -> None:
    """Measure what is asked for."""
    given = _arguments().parse_args()
    state = ROOT / ".bench"
    made = [one for one in MADE if not given.only or one.name in given.only]
    folders = [Folder(one.name, one.write(state / "made"), one.title) for one in made]
    folders += [_folder(text) for text in given.folder]
    with processes(in_order(given.engine), state, _say) as workers:
        versions = {worker.engine.name: worker.order("version") for worker in workers}
        results = [measure(folder, workers, given.rounds, _say) for folder in folders]
    sys.stdout.write(tables.text(results, versions))
    if given.markdown:
        given.markdown.write_text(tables.page(results, versions, given.rounds), encoding="utf-8")
        _say(f"wrote {given.markdown}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench_engine", description="Measure engines side by side.")
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=PATH", help="a folder of your own")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help=f"of {', '.join(one.name for one in MADE)}, or none"
    )
    names = ", ".join(engine.name for engine in ENGINES)
    parser.add_argument("--engine", action="append", default=[], metavar="NAME", help=f"of {names}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the whole page here, such as docs/speed.md"
    )
    return parser


def _folder(text: str) -> Folder:
    name, separator, path = text.partition("=")
    if not separator or not Path(path).is_dir():
        raise SystemExit(f"--folder {text}: give NAME=PATH, PATH being a folder")
    return Folder(name, Path(path), name)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
