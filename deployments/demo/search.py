"""A search for identities in everything that left a hospital, and in everything that kept a record of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import ahocorasick_rs

from deployments.demo.state import State
from deployments.demo.studies import inflated
from flows.ledger import lineage

_VIEWS = ("runs", "studies", "series", "instances", "references", "held", "deliveries", "balance")


def search(state: State, identities: Iterable[bytes]) -> Counter[str]:
    """Count the files in which an identity stands, by the part of the demo that they belong to.

    Parameters
    ----------
    state
        The demo's folder.
    identities
        Names, numbers, dates and UIDs, as bytes.

    Returns
    -------
    Counter
        Empty when nothing was found. What was found is not repeated.
    """
    patterns = sorted({one for one in identities if one})
    found: Counter[str] = Counter()
    if not patterns:
        return found
    automaton = ahocorasick_rs.BytesAhoCorasick(patterns)
    for part, data in _everything(state):
        if automaton.find_matches_as_indexes(data):
            found[part] += 1
    return found


def _everything(state: State) -> Iterator[tuple[str, bytes]]:
    for file in _files(state.folder / "cloud"):
        data = file.read_bytes()
        # a deflated data set would hide everything
        is_dicom = data[128:132] == b"DICM"
        yield "the cloud", inflated(data) if is_dicom else data
    for file in _files(state.folder / "prefect"):
        yield "Prefect's database and logs", file.read_bytes()
    for site in ("north", "south"):
        yield "the hospitals' logs", (state.folder / site / "orthanc.log").read_bytes()
    for file in _files(state.lineage):
        yield "the lineage files", file.read_bytes()
    # the columns of a Parquet file are compressed, so its content is read as well
    with lineage.connect(state.lineage) as tables:
        for view in _VIEWS:
            for row in tables.execute(f'SELECT * FROM "{view}"').fetchall():  # noqa: S608 - constants above
                yield "the lineage tables", repr(row).encode()


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())
