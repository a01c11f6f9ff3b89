"""Cutting pieces out of a codestream: what stays is the source's own bytes, and never copied."""

from __future__ import annotations

from collections.abc import Iterable

from anonymizer.engine.outcome import HoldError, Part

_PIXEL_DATA = 0x7FE00010

Edit = tuple[int, int, bytes]
"""From where to where in a codestream, and what comes in the place of it."""


def spliced(codestream: memoryview, edits: Iterable[Edit], stop: int) -> list[Part] | None:
    """Return a codestream with pieces of it replaced.

    Parameters
    ----------
    codestream : memoryview
        With the padding that a fragment may have.
    edits : iterable of Edit
        In order, none over another.
    stop : int
        Where the codestream ends.

    Returns
    -------
    list of bytes-like, or None
        The parts, without padding; None when there is nothing to change.
    """
    parts: list[Part] = []
    at = 0
    for start, end, new in edits:
        if at < start:
            parts.append(codestream[at:start])
        if new:
            parts.append(new)
        at = end
    if not at and is_padding(codestream, stop):
        return None
    if at < stop:
        parts.append(codestream[at:stop])
    return parts


def is_padding(codestream: memoryview, stop: int) -> bool:
    """Tell whether behind the end stands nothing, or the one byte that makes the length even (PS3.5 A.4).

    That is a zero, but some writers take another that says as little.
    """
    return stop == len(codestream) or (stop + 1 == len(codestream) and stop % 2 == 1 and codestream[stop] in {0, 0xFF})


def unreadable(message: str) -> HoldError:
    """Return what holds a frame that is broken, or has something in it that no standard puts there."""
    return HoldError("codestream-unreadable", f"a frame {message}", tag=_PIXEL_DATA, vr="OB")


def not_treated(message: str) -> HoldError:
    """Return what holds a frame that may be sound, but nobody can tell what it carries."""
    return HoldError("codestream-not-treated", f"a frame {message}", tag=_PIXEL_DATA, vr="OB")
