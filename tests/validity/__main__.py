"""`python -m tests.validity [FOLDER…]`: is any output less valid than its input?

Every file of the folders (without any: of the shared corpus), and a complete instance of every SOP class that is
treated, under both shipped profiles and under each option alone. Exits with 1 where an output has a new error that
is not known.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from pydicom.uid import UID

from anonymizer.engine import tables
from tests.validity import page
from tests.validity.comparison import Source, compare, engines, lines
from tests.validity.complete import complete

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dicom"


def files(folders: list[Path]) -> Iterator[Source]:
    """Yield every file below the folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path.read_bytes


def complete_instances() -> list[Source]:
    """Return a complete instance of every SOP class that is treated; growing them takes minutes."""
    sop_classes = sorted(tables.sop_classes().treated)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        grown = list(pool.map(complete, sop_classes))
    return [(UID(uid).name, partial(bytes, data)) for uid, data in zip(sop_classes, grown, strict=True)]


def main() -> int:
    """Compare and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.validity", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="files to anonymize and compare")
    parser.add_argument("--profile", action="append", default=[], help="a profile or option; without any: all")
    parser.add_argument("--only", choices=["files", "complete"], help="leave the other half out")
    parser.add_argument("--markdown", action="store_true", help="print docs/validity.md")
    arguments = parser.parse_args()
    anonymizers = engines(arguments.profile)
    of_files = {} if arguments.only == "complete" else compare(files(arguments.folders or [CORPUS]), anonymizers)
    of_complete = {} if arguments.only == "files" else compare(complete_instances(), anonymizers)
    if arguments.markdown:
        sys.stdout.write(page.page(of_files, of_complete))
    else:
        for title, tallies in (("files", of_files), ("complete instances", of_complete)):
            sys.stdout.write("\n".join([f"== {title}", *lines(tallies), ""]))
    return int(any(tally.unforeseen() for tallies in (of_files, of_complete) for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
