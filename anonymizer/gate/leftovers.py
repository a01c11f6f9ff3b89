"""What has to be gone whatever an output claims, and private attributes, which may stand by a claim only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from anonymizer.gate.findings import Flaw, Position, is_private

if TYPE_CHECKING:
    from anonymizer.gate.notes import Part

GONE = frozenset(
    {
        0x00880200,  # IconImageSequence (PS3.15 Table E.1-1, Note 11)
        0x04000500,  # EncryptedAttributesSequence
        0x04000550,  # ModifiedAttributesSequence
        0x04000551,  # NonconformingModifiedAttributesSequence
        0x04000561,  # OriginalAttributesSequence
        0x4FFE0001,  # MACParametersSequence
        0xFFFAFFFA,  # DigitalSignaturesSequence
        0xFFFCFFFC,  # DataSetTrailingPadding
    }
)
"""Attributes that tell what was before, that sign it, or that show it: the code X of Table E.1-1 in every option."""

_GROUPS = frozenset({0x0000, 0x0004})
_REPEATING = frozenset({0x50, 0x60})
"""Commands and directory records (PS3.15 E.1.1), curves 50xx and overlays 60xx."""

_FILE_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
"""What the file meta information needs: no application entity titles, addresses or private information."""


def has_to_go(tag: int) -> bool:
    """Tell whether no output may have an attribute, at any depth."""
    group = tag >> 16
    if group == 0x0002:
        return tag not in _FILE_META
    is_repeating = group >> 8 in _REPEATING and not group & 1
    return is_repeating or group in _GROUPS or tag in GONE


def is_private_tag(tag: int) -> bool:
    """Tell whether a tag is that of a private attribute or creator; the length of a group is neither."""
    return bool(tag & 0x10000) and bool(tag & 0xFFFF)


def check(output: Part, *, may_have_private: bool) -> Iterator[Flaw]:
    """Yield what is left in a part of an output.

    Parameters
    ----------
    output : Part
        A part of the output.
    may_have_private : bool
        Whether the output claims Retain Safe Private Option; which attributes are safe, the gate does not know.
    """
    for position in output.leftovers:
        if has_to_go(position[-1]):
            rule = "an attribute stands that no output may have"
            yield Flaw("left-behind", position, rule)
        elif not may_have_private and not is_private(position[:-2]):
            yield Flaw("private-left", position, "a private attribute stands and no claim lets it")


def check_preamble(preamble: bytes) -> Iterator[Flaw]:
    """Yield a flaw if something is left in the preamble of an output."""
    if preamble.strip(b"\0"):
        yield Flaw("left-behind", (), "the preamble has to be empty")


def is_inside(position: Position) -> bool:
    """Tell whether a position lies inside of an attribute that goes as a whole."""
    return not GONE.isdisjoint(position[:-1:2])
