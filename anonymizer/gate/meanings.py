"""What the standard's own dictionaries say that a code means (PS3.16, as pydicom ships it)."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any


def is_meaning(code: str, text: str) -> bool:
    """Tell whether a text is what a public terminology calls a code.

    Parameters
    ----------
    code : str
        Of whatever scheme: what it stands for was compared with the source.
    text : str
        The meaning that stands beside it.
    """
    return text in _meanings().get(code, ())


def is_public(text: str) -> bool:
    """Tell whether a text is a code of a public terminology, or what one calls a code."""
    return text in _meanings() or text.casefold() in _spoken()


@cache
def _spoken() -> frozenset[str]:
    return frozenset(text.casefold() for texts in _meanings().values() for text in texts)


@cache
def _meanings() -> dict[str, set[str]]:
    from pydicom.sr import _concepts_dict, _snomed_dict  # noqa: PLC0415 - a tenth of a second, and rarely needed

    found: defaultdict[str, set[str]] = defaultdict(set)
    concepts: dict[str, Any] = _concepts_dict.concepts  # scheme, keyword, value: (meaning, context groups)
    for keywords in concepts.values():
        for codes in keywords.values():
            for code, (text, _groups) in codes.items():
                found[code].add(text)
    for code, concept in _snomed_dict.mapping["SRT"].items():
        found[code] |= found.get(concept, set())
    return dict(found)
