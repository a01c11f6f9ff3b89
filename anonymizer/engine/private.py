"""Private blocks and the private attributes that the standard lists as safe (PS3.5 7.8, PS3.15 E.3.10).

"DICOM PS3.15 2026d, (c) NEMA": Table E.3.10-1 stands in ``anonymizer/tables/safe_private.json``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from anonymizer.engine.tables import EDITION, rows_digest
from anonymizer.errors import TableError

_NAME = "safe_private.json"
_DIGEST = "75216344c25cceb592a267f25a66ea4475974e87facce28405637b98768f648c"

# A block may hold either VR; the one that a file without VRs is read by (PS3.5 A.1). Both are bytes, kept as they are.
_EITHER = {"OW/OB": "OW"}

# What no creator can own: PS3.5 7.8 forbids private elements in these groups, though their numbers are odd.
_NEVER_PRIVATE = frozenset({0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF})

Blocks: TypeAlias = Mapping[int, str]
"""The creators of the private blocks of one data set or item, by group << 8 | block."""


@cache
def safe_private_rows() -> tuple[tuple[str, int, int, str], ...]:
    """Return the 479 rows of PS3.15 Table E.3.10-1: private creator, group, low byte of the element, VR.

    The VR is spelt as in the table: empty in five rows and ``OW/OB`` in two.

    Raises
    ------
    TableError
        When the file is no such table or its rows differ from the published ones by so much as a letter.
    """
    return rows_of(files("anonymizer").joinpath("tables", _NAME).read_text(encoding="utf-8"))


def rows_of(text: str) -> tuple[tuple[str, int, int, str], ...]:
    """Return the rows of a file's text, as :func:`safe_private_rows` does."""
    try:
        rows = json.loads(text)["rows"]
    except (ValueError, KeyError, TypeError):
        raise TableError(f"table {_NAME} cannot be read; install Entwash again") from None
    if rows_digest(rows) != _DIGEST:
        raise TableError(f"table {_NAME} is not the published one (edition {EDITION}); install Entwash again")
    return tuple((row["private_creator"], int(row["group"], 16), int(row["element"], 16), row["vr"]) for row in rows)


def digest() -> str:
    """Return the SHA-256 of the table's rows, once they are the published ones."""
    safe_private_rows()
    return _DIGEST


@cache
def _listed() -> dict[tuple[str, int, int], str]:
    # A row without a VR says nothing of what its value is: not kept.
    return {(creator, group, low): _EITHER.get(vr, vr) for creator, group, low, vr in safe_private_rows() if vr}


@cache
def _listed_creators() -> frozenset[tuple[str, int | None]]:
    return frozenset((creator, one) for creator, group, _ in _listed() for one in (group, None))


def listed_vr(creator: str, group: int, element: int) -> str | None:
    """Return the VR with which Table E.3.10-1 lists a private attribute, None where it does not.

    Parameters
    ----------
    creator : str
        The private creator in force; compared letter by letter, without surrounding spaces and NULs.
    group, element : int
        Of the tag; only the element's low byte counts, for a block can stand anywhere.

    Notes
    -----
    Where the table says ``OW/OB``, the answer is ``OW``. The five rows without a VR are not listed: a value of
    which nothing is known cannot be shown to be safe.
    """
    return _listed().get((creator.strip(" \0"), group, element & 0xFF))


def is_listed_creator(creator: str, group: int | None = None) -> bool:
    """Return whether Table E.3.10-1 lists any attribute of a creator, in a group or in any at all."""
    return (creator.strip(" \0"), group) in _listed_creators()


def blocks_of(creators: Iterable[tuple[int, str]]) -> Blocks:
    """Return the private blocks of one data set or item (PS3.5 7.8.1).

    Parameters
    ----------
    creators : iterable of (int, str)
        Tag and value of its Private Creator elements. Others are passed over: what is no (gggg,0010-00FF) in an odd
        group, what stands in a group that is never private, and what has no value.

    Notes
    -----
    A creator can own more blocks than one. A block that is claimed twice belongs to nobody, for nothing says which
    claim holds. An item has blocks of its own: those of the data set around it do not reach into it.
    """
    claims = [
        (tag >> 8 & 0xFFFF00 | tag & 0xFF, creator.strip(" \0"))
        for tag, creator in creators
        if 0x10 <= tag & 0xFFFF <= 0xFF and is_private_group(tag >> 16)
    ]
    times = Counter(block for block, _ in claims)
    return {block: creator for block, creator in claims if creator and times[block] == 1}


def creator_of(blocks: Blocks, tag: int) -> str:
    """Return the private creator of a private data element (gggg,bbee), empty where its block has none."""
    return blocks.get(tag >> 8, "")


def is_private_group(group: int) -> bool:
    """Return whether elements of a group can be private (PS3.5 7.8)."""
    return bool(group & 1) and group not in _NEVER_PRIVATE
