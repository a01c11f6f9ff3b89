"""What a site's profile can say of one attribute, and why it cannot say the rest.

A word is taken only where the engine can do what it says: which those are, the attribute and its VR tell.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from pydicom.datadict import (  # type: ignore[attr-defined]  # RepeatersDictionary is untyped there
    RepeatersDictionary,
    dictionary_has_tag,
    dictionary_VR,
    keyword_dict,
    keyword_for_tag,
    repeater_has_tag,
    tag_for_keyword,
)

from anonymizer.engine import deciding, tables
from anonymizer.engine.content import CELLS

OVERRIDES = ("remove", "empty", "dummy", "uid", "clean", "keep")
"""What a site may say of an attribute, from what tells least to what tells most."""

FULL_DATES, MODIFIED_DATES = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"

_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")
_GROUPS = {"50": "curves (groups 50xx) go", "60": "overlays (groups 60xx) go"}

DATES = frozenset({"DA", "DT", "TM"})
# Texts that are made of words; a name, an address of a machine or a link is never cleaned.
DESCRIPTIONS = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
# What has no dummy: nobody can say what a value is, or zeros of which length would be one.
_WITHOUT_DUMMY = frozenset({"UN", "OD", "OF", "OL", "OV"})


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)


# Not a site's to choose, and why.
FIXED = {
    "its pseudonym links what belongs together": _tags(
        *("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
        *("PatientName", "PatientID", "AccessionNumber", "StudyID"),
    ),
    "an output says by it what was done": _tags(
        *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
        "LongitudinalTemporalInformationModified",
    ),
    "an instance cannot be read without it": _tags(
        *("SpecificCharacterSet", "SOPClassUID", "PixelData", "FloatPixelData", "DoubleFloatPixelData")
    ),
    "it is made new from the frames": _tags("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
}
# What says how pixels are read, and the colours that they are numbers of (PS3.3 C.7.6.3).
FOR_PIXELS = frozenset(deciding.DECIDING) | _tags(
    *(
        f"{colour}PaletteColorLookupTable{what}"
        for colour in ("Red", "Green", "Blue")
        for what in ("Data", "Descriptor")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
)


def tag_named(attribute: str) -> int | str:
    """Return the tag of what a site names by keyword or (gggg,eeee), or why no profile can say anything of it."""
    match = _TAG.fullmatch(attribute)
    tag = int(match[1] + match[2], 16) if match else tag_for_keyword(attribute)
    if tag is None:
        repeating = next((mask for mask, entry in RepeatersDictionary.items() if entry[4] == attribute), "")
        return _nameless(attribute, repeating[:2]) if repeating else _unheard(attribute)
    if tag >> 16 & 1:
        return (
            f"{attribute} is private: those that Table E.3.10-1 lists stay with the option retain_safe_private, and no "
            "profile can name one; delete the line"
        )
    if tag in tables.newer():
        return f"{attribute} is newer than the dictionary and treated as Table E.1-1 has it; delete the line"
    if not dictionary_has_tag(tag):
        if repeater_has_tag(tag) or f"{tag >> 24:02X}" in _GROUPS:
            return _nameless(attribute, f"{tag >> 24:02X}")
        return _unheard(attribute)
    return tag


def _nameless(attribute: str, group: str) -> str:
    """Say why nothing can be said of an attribute that stands in many groups, or many times in one."""
    what = _GROUPS.get(group, "repeating attributes are treated by their VR")
    return f"{attribute} cannot be treated otherwise than it is: {what}, whatever a profile says; delete the line"


def _unheard(attribute: str) -> str:
    folded = {keyword.lower(): keyword for keyword in keyword_dict}
    near = difflib.get_close_matches(re.sub(r"[\W_]", "", attribute).lower(), folded, n=1, cutoff=0.85)
    return f"{attribute} is no attribute of the standard: give its keyword or (gggg,eeee)" + (
        f"; did you mean {folded[near[0]]}?" if near else ""
    )


def possible(tag: int, options: Iterable[str]) -> tuple[str, ...]:
    """Return what a site may say of an attribute under these options: each word does what it says.

    Parameters
    ----------
    tag : int
        One of the dictionary's.
    options : iterable of str
        Columns of Table E.1-1 that hold.
    """
    return tuple(word for word in OVERRIDES if not _obstacle(tag, word, frozenset(options)))


def faults_of(tag: int, word: str, options: Iterable[str]) -> list[str]:
    """Return why a site cannot say this of an attribute, nothing where it can."""
    name = keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    if reason := _fixed(tag):
        return [f"{name} cannot be treated otherwise than it is: {reason}"]
    words = ", ".join(possible(tag, options))
    if word not in OVERRIDES:
        return [f"{name}: {word!r} is none of {', '.join(OVERRIDES)}; possible here: {words}"]
    if reason := _obstacle(tag, word, frozenset(options)):
        return [f"{name} ({_vr(tag)}): {word!r} is not possible: {reason}; possible here: {words}"]
    return []


def _fixed(tag: int) -> str:
    """Return why no word at all is possible, nothing where one is."""
    if not dictionary_has_tag(tag):
        return "the dictionary does not know it"
    if tag >> 16 == 0x0002:
        return "File Meta Information is made new"
    if tag >> 16 < 0x0008 or dictionary_VR(tag) == "NONE":
        return "it is no part of a data set"
    return next((reason for reason, tags in FIXED.items() if tag in tags), "")


def _obstacle(tag: int, word: str, options: frozenset[str]) -> str:
    """Return why one word is not possible, nothing where it is."""
    if reason := _fixed(tag):
        return reason
    if tag in FOR_PIXELS:
        return "" if word == "keep" else "an image cannot be read without it"
    vr = _vr(tag)
    if word == "dummy" and vr in _WITHOUT_DUMMY:
        return f"there is no dummy for a value of VR {vr}"
    if tag == CELLS and word in {"keep", "clean"}:
        return "no concept tells whom a cell of a table is about"
    if word == "uid" and vr != "UI":
        return "only a UID (VR UI) can be replaced by a UID"
    if word == "clean" and vr not in DESCRIPTIONS and vr != "SQ":
        return f"only a text of words (VR {', '.join(sorted(DESCRIPTIONS))}) or a sequence can be cleaned"
    return _not_kept(vr, options) if word == "keep" else ""


def _not_kept(vr: str, options: frozenset[str]) -> str:
    if vr == "UR":
        return "a link leads to where it came from"
    if vr == "UN":
        return "a value of unknown VR could be anything"
    if vr in DATES and FULL_DATES not in options:
        return f"the option {FULL_DATES} keeps dates and times, {MODIFIED_DATES} moves dates and keeps times"
    return ""


def _vr(tag: int) -> str:
    return dictionary_VR(tag).split(" ", maxsplit=1)[0]
