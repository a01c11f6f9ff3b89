"""The standard's tables as data, refused when they are not what NEMA published.

"DICOM PS3.15 2026d, (c) NEMA": Table E.1-1 and CID 7050 of PS3.16 stand in ``anonymizer/tables`` as JSON.
The files that are Entwash's own judgement (``kept.toml``, ``sop_classes.toml``) stand beside them, and what pydicom's
dictionary lacks (``newer.toml``).
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydicom import uid
from pydicom.datadict import tag_for_keyword

from anonymizer.errors import TableError

EDITION = "2026d"
_TAG = re.compile(r"\([0-9A-F]{4},[0-9A-F]{4}\)")

# Every UID that PS3.6 Table A-1 registers: UID to (name, type, info, retired, keyword).
REGISTERED_UIDS: Mapping[str, tuple[str, str, str, str, str]] = uid.UID_dictionary  # type: ignore[attr-defined]  # untyped there

# Over the rows as sorted compact JSON. Written here and not read from the file: who changes a row could change
# a digest that stands beside it.
_DIGESTS = {
    "table_E_1-1.json": "5c9f4c22913e52bf92ad870387784921b4ac3d05930d1e87792182f5feb72ff5",
    "cid_7050.json": "330f85ad9db6d5a9bc00ac989064253961f917c9a63fb8f706467d6d4f9be74b",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Table E.1-1: its tag cell, the Basic profile's action code and those of the options."""

    tag: str
    name: str
    basic: str
    options: dict[str, str]


def rows_digest(rows: list[Any]) -> str:
    """Return the SHA-256 of table rows, as sorted compact JSON."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def published_rows(name: str, text: str) -> list[dict[str, Any]]:
    """Return the rows of a published table.

    Raises
    ------
    TableError
        When the text is no such table or its rows differ from the published ones by so much as a letter.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(text)["rows"]
    except (ValueError, KeyError, TypeError):
        raise TableError(f"table {name} cannot be read; install Entwash again") from None
    if rows_digest(rows) != _DIGESTS[name]:
        raise TableError(f"table {name} is not the published one (edition {EDITION}); install Entwash again")
    return rows


@cache
def confidentiality_rows() -> tuple[Row, ...]:
    """Return the 657 rows of PS3.15 Table E.1-1."""
    rows = published_rows("table_E_1-1.json", _text("table_E_1-1.json"))
    return tuple(Row(row["tag"], row["name"], row["basic"], row["options"]) for row in rows)


@cache
def method_codes() -> dict[str, str]:
    """Return the de-identification methods of CID 7050: code value (scheme DCM) to code meaning."""
    rows = published_rows("cid_7050.json", _text("cid_7050.json"))
    return {row["code_value"]: row["code_meaning"] for row in rows}


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays although no row names it; tags throughout.

    Attributes
    ----------
    shapes : dict
        Of binary values that stay in some objects only: the UIDs of those SOP classes.
    """

    text: frozenset[int]
    described: frozenset[int]
    codes: frozenset[int]
    creators: frozenset[int]
    binary: frozenset[int]
    structure: frozenset[int]
    fixed_dates: frozenset[int]
    removed: frozenset[int]
    patient: frozenset[int]
    shapes: dict[int, frozenset[str]]
    modalities: frozenset[str]
    digest: str


@cache
def kept() -> Kept:
    """Return ``kept.toml``."""
    text = _text("kept.toml")
    data = tomllib.loads(text)
    return Kept(
        text=_tags(keyword for group in data["text"].values() for keyword in group),
        described=_tags(data["described"]["attributes"]),
        codes=_tags(data["codes"]["attributes"]),
        creators=_tags(data["private_creators"]["attributes"]),
        binary=_tags([*data["binary"]["pictures"], *(one for shape in data["shapes"] for one in shape["attributes"])]),
        structure=_tags(data["structure"]["sequences"]),
        fixed_dates=_tags(data["fixed_dates"]["attributes"]),
        removed=_tags(data["removed"]["attributes"]),
        patient=_tags(data["patient"]["attributes"]),
        shapes={tag: _uids(shape["classes"]) for shape in data["shapes"] for tag in _tags(shape["attributes"])},
        modalities=frozenset(data["modalities"]["terms"]),
        digest=_toml_digest(data),
    )


@cache
def newer() -> dict[int, str]:
    """Return ``newer.toml``: the VRs of attributes of Table E.1-1 that pydicom's dictionary does not know, by tag."""
    data = tomllib.loads(_text("newer.toml"))
    cells = {cell: vr for vr, cells in data.items() for cell in cells}
    if wrong := sorted(cell for cell in cells if not _TAG.fullmatch(cell)):
        raise TableError(f"newer.toml names what is no tag: {', '.join(wrong)}")
    return {int(cell[1:5] + cell[6:10], 16): vr for cell, vr in cells.items()}


@cache
def advice() -> dict[str, str]:
    """Return ``reasons.toml``: what to do about each reason code."""
    return tomllib.loads(_text("reasons.toml"))


@dataclass(frozen=True, slots=True)
class SOPClasses:
    """Which SOP classes are treated, and why others are held: UID to (reason code, message)."""

    treated: frozenset[str]
    held: dict[str, tuple[str, str]]
    digest: str


@cache
def sop_classes() -> SOPClasses:
    """Return ``sop_classes.toml``."""
    text = _text("sop_classes.toml")
    data = tomllib.loads(text)
    return SOPClasses(
        treated=_uids(keyword for group in data["treated"].values() for keyword in group),
        held={
            number: (code, reason["message"])
            for code, reason in data["held"].items()
            for number in _uids(reason["classes"])
        },
        digest=_toml_digest(data),
    )


def _tags(keywords: Any) -> frozenset[int]:
    tags = {keyword: tag_for_keyword(keyword) for keyword in keywords}
    unknown = sorted(keyword for keyword, tag in tags.items() if tag is None)
    if unknown:
        raise TableError(f"kept.toml names attributes that the dictionary does not know: {', '.join(unknown)}")
    return frozenset(tag for tag in tags.values() if tag is not None)


def _uids(keywords: Iterable[str]) -> frozenset[str]:
    uids = {entry[4]: number for number, entry in REGISTERED_UIDS.items()}
    return frozenset(uids[keyword] for keyword in keywords)


def _toml_digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _text(name: str) -> str:
    return files("anonymizer").joinpath("tables", name).read_text(encoding="utf-8")


def known_modalities() -> frozenset[str]:
    """Return the defined terms of Modality (PS3.3 C.7.3.1.1.1)."""
    return frozenset(kept().modalities)
