"""Table E.1-1 and what stands beside it, read a second time: the oracle's own reader of ``anonymizer/tables``."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword

from tests.oracle_types import TABLES


@dataclass(frozen=True, eq=False)
class Row:
    """A row of Table E.1-1."""

    number: int
    tag: str
    name: str
    basic: str
    options: dict[str, str]

    def __str__(self) -> str:
        return f"{self.tag} {self.name} [{self.basic}]"


# Attributes of edition 2026d that pydicom 3.0.2 does not know yet, with their VRs (PS3.6).
_NEWER: Final = {
    0x00081301: "SQ",
    0x00081302: "SQ",
    0x00081303: "SQ",
    0x00081304: "SQ",
    0x00100011: "SQ",
    0x00100012: "LT",
    0x00100013: "UT",
    0x00100014: "SQ",
    0x00100015: "SQ",
    0x00100016: "UT",
    0x00100041: "SQ",
    0x00100042: "UT",
    0x00100043: "SQ",
    0x00100044: "SQ",
    0x00100045: "UT",
    0x00100046: "SQ",
    0x00100047: "UR",
    0x00102162: "UC",
    0x3004007F: "LO",
    0x0040A034: "DT",
    0x0040A035: "DT",
    0x0040B034: "DT",
    0x0040B036: "DT",
    0x0040B03B: "SH",
    0x0040B03F: "SH",
    0x0040E012: "UR",
}


def vr_of(tag: int) -> str:
    """Return the VR that edition 2026d gives an attribute; the first where it gives two."""
    return _NEWER.get(tag) or dictionary_VR(tag).split(" or ")[0]


def is_newer(tag: int) -> bool:
    """Tell whether an attribute is newer than the dictionary, so that only the file can tell its VR."""
    return tag in _NEWER and not dictionary_has_tag(tag)


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of Table E.1-1, as they ship."""
    return tuple(
        Row(number, row["tag"], row["name"], row["basic"], row["options"])
        for number, row in enumerate(_json("table_E_1-1.json")["rows"])
    )


@cache
def rows_by_tag() -> dict[int, Row]:
    """Return the rows that name one attribute, by its tag."""
    return {tag: row for row in rows() if (tag := tag_of(row)) is not None}


def tag_of(row: Row) -> int | None:
    """Return the tag of a row; None where it names a range."""
    group, element = row.tag[1:5], row.tag[6:10]
    try:
        return int(group + element, 16)
    except ValueError:
        return None


@cache
def safe_private() -> dict[tuple[str, int, int], str]:
    found = _json("safe_private.json")["rows"]
    return {(row["private_creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"] for row in found}


@cache
def kept() -> dict[str, frozenset[int]]:
    data = tomllib.loads(_text("kept.toml"))
    keywords = {
        "text": [keyword for group in data["text"].values() for keyword in group],
        "described": data["described"]["attributes"],
        "structure": data["structure"]["sequences"],
        "fixed_dates": data["fixed_dates"]["attributes"],
        "patient": data["patient"]["attributes"],
    }
    return {name: frozenset(tag_for_keyword(one) or 0 for one in names) for name, names in keywords.items()}


def _json(name: str) -> Any:
    return json.loads(_text(name))


def _text(name: str) -> str:
    return (TABLES / name).read_text(encoding="utf-8")
