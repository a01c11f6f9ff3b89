"""Telling whether a text that a person typed names anybody or anything that identifies in given sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from anonymizer.gate.evidence import Evidence
from anonymizer.gate.identifiers import BIRTH_DATE, DATE, SHORTEST, TEXT_TAGS, UID, Identifier
from anonymizer.gate.spellings import NARROW, needles_of

__all__ = ["mentions"]


def mentions(text: str, sources: Iterable[Evidence]) -> bool:
    """Tell whether a text holds an identifier of one of the sources, by the gate's own spellings.

    Stricter than the search of an output, since a sentence has no numbers that happen to be there: dates are
    recognised in every spelling, and names of fewer than four letters where they are written like names.
    """
    identifiers = {each for evidence in sources for each in evidence.identifiers}
    dated = (each._replace(group=BIRTH_DATE) if each.group == DATE else each for each in identifiers)
    needles, _ = needles_of(dated, (), frozenset())
    folded = text.encode().lower()
    patterns = {needle.pattern for needle in needles if needle.width == NARROW}
    return any(_stands_in(pattern, folded) for pattern in patterns) or any(
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in _short_names(identifiers)
    )


def _stands_in(pattern: bytes, folded: bytes) -> bool:
    return re.search(rb"(?<![0-9a-z\x80-\xff])" + re.escape(pattern) + rb"(?![0-9a-z\x80-\xff])", folded) is not None


def _short_names(identifiers: Iterable[Identifier]) -> Iterator[str]:
    for each in identifiers:
        is_name = each.tag not in TEXT_TAGS and each.group not in (UID, DATE, BIRTH_DATE)
        if is_name and each.text.isalpha() and len(each.text.encode()) < SHORTEST:
            if not each.text.isascii():
                yield each.text
            elif len(each.text) > 1:
                yield from (each.text.capitalize(), each.text.upper())
