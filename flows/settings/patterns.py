"""Patterns of texts, as a person writes them for descriptions: * is any text, ? any character; case does not count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from unicodedata import normalize

__all__ = ["checked_pattern", "fits"]


def checked_pattern(value: str) -> str:
    """Return a pattern.

    Raises
    ------
    ValueError
        It is none. The message does not repeat it.
    """
    if not value.strip("*? ") or not value.isprintable():
        raise ValueError('must be a text with at least one letter, in which * stands for any text, such as "*thorax*"')
    return value


def fits(patterns: Iterable[str], text: str) -> bool:
    """Tell whether a text as a whole fits to one of the patterns."""
    plain = _plain(text)
    return any(_matcher(pattern)(plain) for pattern in patterns)


@cache
def _matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    of = {"*": ".*", "?": "."}
    return re.compile("".join(of.get(letter, re.escape(letter)) for letter in _plain(pattern)), re.DOTALL).fullmatch


def _plain(text: str) -> str:
    return normalize("NFC", normalize("NFC", text).casefold()).strip()
