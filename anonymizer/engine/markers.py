"""What an output says of its own de-identification (PS3.15 E.1, E.2; PS3.3 C.7.1.1, C.12.1)."""

from __future__ import annotations

from collections.abc import Iterable

from anonymizer.engine import encode, tables
from anonymizer.engine.parse import Syntax
from anonymizer.engine.profile import Profile

PATIENT_IDENTITY_REMOVED = 0x00120062
METHOD = 0x00120063
METHOD_CODES = 0x00120064
LONGITUDINAL = 0x00280303

# Earlier methods that are still true of an output: what was cleaned stays clean. What an earlier program retained
# is gone by now, and a claim to have retained it would be false.
_LASTING = frozenset({"113100", "113101", "113102", "113103", "113104", "113105"})

# With what is said of the dates in all, these can be true: what an earlier program removed nobody retains or moves, and
# what it moved may well be retained as it came.
_DATE_CLAIMS = {"113106": {"UNMODIFIED", "MODIFIED"}, "113107": {"MODIFIED"}}

# From what tells most to what tells least: a source that says less than we would is believed.
_LONGITUDINAL = ("UNMODIFIED", "MODIFIED", "REMOVED")

_PROGRAM = "Entwash"
# What is done of Retain Device Identity Option beside Modified Dates: no code of CID 7050 says it, and so words do.
_DEVICES_WITHOUT_DATES = "Devices retained without their dates"


def longitudinal(profile: Profile, source: str) -> str:
    """Return Longitudinal Temporal Information Modified (0028,0303); never less strict than the source's."""
    ours = "MODIFIED" if profile.moves_dates else "UNMODIFIED" if profile.keeps_dates else "REMOVED"
    theirs = source if source in _LONGITUDINAL else "UNMODIFIED"
    return max(ours, theirs, key=_LONGITUDINAL.index)


def markers(
    claims: Iterable[str],
    modified: str,
    earlier_codes: Iterable[str],
    syntax: Syntax,
    *,
    devices_without_dates: bool = False,
) -> dict[int, bytes]:
    """Return the attributes that say what was done: tag to encoded element.

    Parameters
    ----------
    claims : iterable of str
        Codes of CID 7050 that the profile may claim; without any, no code is claimed at all.
    modified : str
        What :func:`longitudinal` answered.
    earlier_codes : iterable of str
        Codes of CID 7050 that the source claims already; those that are still true are claimed once.
    devices_without_dates : bool
        Whether devices are retained and their dates moved.

    Notes
    -----
    No version of Entwash stands in an output: the same source has to give the same bytes after an update.
    """
    meanings = tables.method_codes()
    ours = [code for code in claims if modified in _DATE_CLAIMS.get(code, {modified})]
    codes = dict.fromkeys([*(code for code in earlier_codes if code in _LASTING), *ours]) if ours else {}
    items = [_item(code, meanings[code], syntax) for code in codes]
    method = "\\".join([_PROGRAM, *([_DEVICES_WITHOUT_DATES] if ours and devices_without_dates else [])])
    return {
        PATIENT_IDENTITY_REMOVED: encode.element(PATIENT_IDENTITY_REMOVED, "CS", b"YES", syntax),
        METHOD: encode.element(METHOD, "LO", method.encode("ascii"), syntax),
        METHOD_CODES: encode.sequence(METHOD_CODES, items, syntax) if items else b"",
        LONGITUDINAL: encode.element(LONGITUDINAL, "CS", modified.encode("ascii"), syntax),
    }


def _item(code: str, meaning: str, syntax: Syntax) -> bytes:
    values = [(0x00080100, "SH", code), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning)]
    return b"".join(encode.element(tag, vr, text.encode("ascii"), syntax) for tag, vr, text in values)
