"""Concepts: which code items are public, and what their codes mean (PS3.3 8.8, PS3.16 section 8).

A code says by itself what it means, so a meaning that somebody wrote otherwise is replaced, not believed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from anonymizer.engine.vocabulary import Vocabulary

DUMMY = "DEIDENTIFIED"
_LONGEST_REMEMBERED = 64
_LONGEST_MEANING = 64  # characters of an LO (PS3.5 6.2)
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,3}){0,3}")  # 1.4, 2016
_DATE = re.compile(r"(?:19|20)[0-9]{2}\.(?:0?[1-9]|1[0-2])\.[0-9]{1,3}|[0-9]{1,2}\.[0-9]{1,2}\.(?:19|20)?[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Scheme:
    """What the code values of a public coding scheme look like."""

    dictionary: str
    values: re.Pattern[str] | None
    joined: re.Pattern[str] | None
    annotated: re.Pattern[str] | None
    check: str

    def has(self, value: str) -> bool:
        """Tell whether a value that no dictionary knows is one that the scheme could have given."""
        if self.values is None:
            return False
        if self.annotated:
            if not all(_shipped_vocabulary().allows(text) for text in self.annotated.findall(value)):
                return False
            value = self.annotated.sub("", value)
        parts = filter(None, self.joined.split(value)) if self.joined else (value,)  # /min has but one
        return all(map(self.values.fullmatch, parts)) and (not self.check or _CHECKS[self.check](value))


def public_code(designator: str, value: str) -> bool:
    """Tell whether a code is a public concept's: its scheme is one, and it could have given this value.

    Parameters
    ----------
    designator : str
        Coding Scheme Designator (0008,0102).
    value : str
        Code Value (0008,0100) or Long Code Value (0008,0119).
    """
    if designator not in schemes() or not value or not value.isascii():
        return False
    # A Long Code Value can be of any length; then it is not remembered.
    return (
        _is_public(designator, value)
        if len(value) <= _LONGEST_REMEMBERED
        else _is_public.__wrapped__(designator, value)
    )


@lru_cache(maxsize=4096)
def _is_public(designator: str, value: str) -> bool:
    scheme = schemes()[designator]
    return value in _meanings().get(scheme.dictionary, {}) or scheme.has(value)


def meaning(designator: str, value: str, text: str, vocabulary: Vocabulary) -> str:
    """Return the Code Meaning (0008,0104) to write for a public code.

    Its own when the dictionary gives it, or when every token of it is of the vocabulary; else the dictionary's, and
    a dummy where that has none.
    """
    scheme = schemes().get(designator)
    known = _meanings().get(scheme.dictionary, {}).get(value, ()) if scheme else ()
    if text.isascii() and (_folded(text) in map(_folded, known) or vocabulary.allows(text)):
        return text
    return min((one for one in known if one.isascii() and len(one) <= _LONGEST_MEANING), key=_plainness, default=DUMMY)


def public_version(text: str) -> bool:
    """Tell whether a Coding Scheme Version (0008,0103) is a number of a release and nothing else."""
    return bool(_VERSION.fullmatch(text)) and not _DATE.fullmatch(text)


@cache
def digest() -> str:
    """Return the SHA-256 of ``coding_schemes.toml``, for the profile's digest."""
    return hashlib.sha256(json.dumps(_table(), sort_keys=True).encode()).hexdigest()


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("anonymizer").joinpath("tables", "coding_schemes.toml").read_text(encoding="utf-8"))


@cache
def schemes() -> dict[str, Scheme]:
    """Return ``coding_schemes.toml``, by Coding Scheme Designator."""
    return {
        designator: Scheme(
            dictionary=data.get("dictionary", designator),
            values=_pattern(data, "values"),
            joined=_pattern(data, "joined"),
            annotated=_pattern(data, "annotated"),
            check=data.get("check", ""),
        )
        for designator, data in _table().items()
    }


def _pattern(data: dict[str, str], name: str) -> re.Pattern[str] | None:
    return re.compile(data[name], re.ASCII) if name in data else None


@cache
def _meanings() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the meanings of every code that pydicom knows, by scheme and value.

    Made of PS3.16 and its context groups, which pydicom ships; read when the first code comes, for it takes a tenth
    of a second.
    """
    from pydicom.sr import _concepts_dict, _snomed_dict  # noqa: PLC0415 - see above

    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    concepts: dict[str, Any] = _concepts_dict.concepts  # scheme, keyword, value: (meaning, context groups)
    for scheme, keywords in concepts.items():
        for codes in keywords.values():
            for value, (text, _groups) in codes.items():
                found[scheme][value].append(text)
    for value, concept in _snomed_dict.mapping["SRT"].items():
        found["SRT"][value] += found["SCT"].get(concept, [])
    return {scheme: {value: tuple(texts) for value, texts in values.items()} for scheme, values in found.items()}


@cache
def _shipped_vocabulary() -> Vocabulary:
    return Vocabulary()


def _plainness(text: str) -> tuple[bool, int, str]:
    """Order meanings: "Source" before "Source (attribute)", which is the same with SNOMED's category."""
    return text.endswith(")"), len(text), text


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


# The dihedral group of ten elements and the powers of a permutation (Verhoeff, 1969; SNOMED CT Release File
# Specification 5.5).
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _verhoeff(value: str) -> bool:
    """Tell whether the last digit is the check digit of those before it."""
    check = 0
    for position, digit in enumerate(map(int, reversed(value))):
        for _ in range(position % 8):
            digit = _PERMUTATION[digit]  # noqa: PLW2901 - permuted as often as its position says
        check = _composed(check, digit)
    return check == 0


def _composed(one: int, other: int) -> int:
    """Compose two motions of a pentagon: 0 to 4 turn it, 5 to 9 turn and flip it."""
    if one < 5:
        return (one + other) % 5 + (5 if other >= 5 else 0)
    return (one - other) % 5 + (5 if other < 5 else 0)


def _luhn(value: str) -> bool:
    """Tell whether the last digit is the check digit of those before it, hyphens aside (LOINC Users' Guide)."""
    digits = [int(digit) for digit in reversed(value) if digit.isdigit()]
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


_CHECKS = {"verhoeff": _verhoeff, "luhn": _luhn}
