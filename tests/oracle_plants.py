"""Canaries: for every row of Table E.1-1 values that say whose they are."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from tests.oracle import Attribute, Place, Step
from tests.oracle_table import Row, tag_of, vr_of

HARMLESS: Final = b"CHEST"
"""A word of the vocabulary."""
OLD: Final = b"093Y"

PATIENT_ID: Final = 0x00100020
ISSUER: Final = 0x00100021
STUDY: Final = 0x0020000D
MEDIA_STORAGE_SOP_INSTANCE: Final = 0x00020003
SOP_INSTANCE: Final = 0x00080018
_VENDOR, _LISTED_VENDOR, _ANOTHER_LISTED = "ZQ000000", "GEMS_ACQU_01", "NQHeader"

# What is planted for the rows that name a range: tag, VR and private creator.
_RANGES = {
    "(50xx,xxxx)": ((0x50003000, "OW", ""), (0x501E2500, "LO", ""), (0x50FE0005, "US", "")),
    "(60xx,3000)": ((0x60003000, "OW", ""), (0x601E3000, "OW", "")),
    "(60xx,4000)": ((0x60004000, "LT", ""), (0x60FE4000, "LT", "")),
    "(gggg,eeee) where gggg is odd": (
        (0x00290010, "LO", _VENDOR),
        (0x00291001, "LO", _VENDOR),
        (0x00311020, "SH", ""),
        (0x00190010, "LO", _LISTED_VENDOR),
        (0x00191023, "DS", _LISTED_VENDOR),
        (0x0019109E, "LO", _LISTED_VENDOR),
        (0x001910F0, "LO", _LISTED_VENDOR),
        (0x00990010, "LO", _ANOTHER_LISTED),
        (0x00991001, "UI", _ANOTHER_LISTED),
    ),
}

# Every date stands in one year, and none moves by less than one: so no moved date is another's canary.
_FIRST_DAY = "1981"
_CANARY = re.compile(
    rb"(?=(ZQ\d{6}|1\.9\.1\d{6}|13370\.\d{6}|1337\d{6}|133742\.\d{6}|1981(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d)|093Y"
    rb"|1\.2\.826\.0\.1\.3680043\.10\.990[.\d]*))"
)

Item: TypeAlias = tuple[tuple[Step, int], ...]
"""Where an item stands: its sequences from the top level, each with the number of the item in it."""


class Spot(NamedTuple):
    """Where in a file the rows are planted.

    Attributes
    ----------
    path : tuple of Step
        None at all is the top level.
    undefined : bool
        Whether the length of the outermost sequence is undefined.
    unknown : bool
        Whether the outermost sequence calls itself UN; its items are in implicit VR then (PS3.5 6.2.2).
    """

    name: str
    path: tuple[Step, ...] = ()
    undefined: bool = False
    unknown: bool = False


@dataclass(frozen=True, eq=False)
class Plant:
    """One planted element.

    Attributes
    ----------
    row : Row or None
        Whose; None for what stands beside rows to be kept.
    place : Place
        By which the attribute's Type is found.
    vr : str
        By which it is written where the encoding has VRs.
    value : bytes
        Without padding; nothing for a sequence.
    """

    row: Row | None
    spot: Spot
    item: Item
    place: Place
    attribute: Attribute
    vr: str
    value: bytes

    @cached_property
    def canary(self) -> bytes:
        """Return what a search for survivors finds of the value; nothing of two bytes or of harmless text."""
        found = _CANARY.search(self.value)
        return found[1] if found else b""


def survivors(data: bytes) -> set[bytes]:
    """Return every canary that stands in some bytes."""
    return {found[1] for found in _CANARY.finditer(data)}


def planted_for(row: Row) -> tuple[tuple[int, str, str], ...]:
    """Return what is planted for a row: tag, VR and private creator."""
    tag = tag_of(row)
    return _RANGES[row.tag] if tag is None else ((tag, vr_of(tag), ""),)


def is_creator(tag: int) -> bool:
    """Tell whether a tag is a Private Creator's."""
    return bool(tag >> 16 & 1) and tag & 0xFF00 == 0


def canary(vr: str, number: int) -> bytes:
    """Return a value of a VR that no other number gives (but of the VRs that are too short for that).

    Parameters
    ----------
    number : int
        Below a million.
    """
    token = f"ZQ{number:06d}"
    day = f"{_FIRST_DAY}{number // 28 % 12 + 1:02d}{number % 28 + 1:02d}"
    numbers = {
        "AS": OLD.decode(),
        "DA": day,
        "DS": f"13370.{number:06d}",
        "DT": f"{day}133742.{number:06d}",
        "IS": f"1337{number:06d}",
        "PN": f"{token}^Mallory",
        "TM": f"133742.{number:06d}",
        "UI": f"1.9.1{number:06d}",
        "UR": f"https://{token}.example",
    }
    return struct.pack("<H", number & 0xFFFF) if vr == "US" else numbers.get(vr, token).encode()
