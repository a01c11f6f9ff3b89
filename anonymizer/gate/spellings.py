"""Write an identifier in every way in which it could stand in a file."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from anonymizer.gate.identifiers import (
    BIRTH_DATE,
    DATE,
    PATIENT,
    SHORTEST,
    TEXT_TAGS,
    UID,
    Identifier,
    is_short_pair,
)

SHORTEST_NUMBER = 5
"""Shorter numbers count things, or are years."""

SHORTEST_UID = 8

DUMMIES = frozenset(
    {
        "19000101",
        "anon",
        "anonymised",
        "anonymized",
        "anonymous",
        "de-identified",
        "deidentified",
        "dummy",
        "none",
        "null",
        "patient",
        "phantom",
        "removed",
        "test",
        "unknown",
        "unspecified",
    }
)
"""Texts that anonymizers write themselves and people who test; they stand in names and in vocabulary."""

TITLES = frozenset(
    {
        *("bsc", "dipl", "dr", "ing", "jr", "mag", "md", "med", "mr", "mrs", "ms", "msc", "phd", "prof", "sr"),
        *("docent", "docteur", "doctor", "doktor", "dottor", "dottoressa", "professor", "junior", "senior"),
        *("frau", "freiherr", "herr", "madame", "mevrouw", "miss", "mister", "senor", "senora", "signor", "signora"),
        *("della", "delle", "dello", "von", "van", "der", "den"),
    }
)
"""What stands around names without being one."""

BETWEEN = ("^", " ", ", ", ",", "_", "-", ".", "")
"""What people write between two names."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""As programs write them."""

_MARKS, _LETTERED = re.compile(r"[\s._/-]"), re.compile(r"^[^\W\d_]{1,6}[\s._/-]?")
_SHORTEST_PART = 7
"""Digits of a number that stand without the rest of it; six are a time."""

_TWO_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "þ": "th"}
)
_ONE_LETTER = str.maketrans("øØłŁđĐðıæ", "oOlLdDdia")
"""What is typed for letters that a keyboard lacks, where it is not the letter without its mark."""

_LONG_WORD = 7
"""Letters; a shorter word with a digit is a word of its own, such as T2."""

NARROW, WIDE, NO_WORD = 1, 2, 0
"""How far apart characters stand: in bytes, in UTF-16, and where there are no words with ends to find."""


class Needle(NamedTuple):
    """Bytes to search for, folded to lower case, and what they mean.

    Parameters
    ----------
    pattern : bytes
        What to find.
    identifier : Identifier
        Where it came from.
    width : int
        NARROW, WIDE or NO_WORD.
    """

    pattern: bytes
    identifier: Identifier
    width: int

    @property
    def is_number(self) -> bool:
        """Tell whether this is a number so short that numeric attributes hold it as part of others."""
        digits = self.pattern.replace(b"\0", b"")
        return self.identifier.group not in (UID, DATE, BIRTH_DATE) and digits.isdigit() and len(digits) < 8

    @property
    def is_long_word(self) -> bool:
        """Tell whether this is a word so long that digits beside it make no other one of it: SMITHERS1950."""
        word = self.pattern.replace(b"\0", b"")
        return self.identifier.group == PATIENT and word.isalpha() and len(word) >= _LONG_WORD


def needles_of(
    identifiers: Iterable[Identifier], encodings: Iterable[str], own_words: frozenset[str]
) -> tuple[list[Needle], Counter[str]]:
    """Return what to search for, and the counts of what is searched and what is not.

    Parameters
    ----------
    identifiers : iterable of Identifier
        What the sources hold.
    encodings : iterable of str
        Python's names of the sources' encodings.
    own_words : frozenset of str
        Words in lower case that the output's pseudonyms consist of, such as their prefix.
    """
    codecs = sorted(set(encodings) | {"utf-8"})
    patterns: dict[bytes, Needle] = {}
    counts: Counter[str] = Counter(identifiers=0, identifiers_too_short=0, identifiers_dummy=0)
    for identifier in _distinct(identifiers):
        text = identifier.text
        if _is_dummy(text, own_words):
            counts["identifiers_dummy"] += 1
        elif _is_common(identifier):
            counts["identifiers_too_short"] += 1
        else:
            counts["identifiers"] += 1
            for pattern, width in _encoded(identifier, codecs):
                patterns.setdefault(pattern, Needle(pattern, identifier, width))
    return list(patterns.values()), counts


def _distinct(identifiers: Iterable[Identifier]) -> Iterator[Identifier]:
    seen: set[str] = set()
    for identifier in sorted(identifiers):
        if identifier.text not in seen:
            seen.add(identifier.text)
            yield identifier


def _is_dummy(text: str, own_words: frozenset[str]) -> bool:
    folded = text.casefold()
    words = re.findall(r"[^\W_]+", folded)
    # "Ph.D." has its dots inside, "Prof. Dr." is two titles.
    spoken = DUMMIES | TITLES | own_words
    return not {folded, "".join(words)}.isdisjoint(spoken) or (bool(words) and spoken.issuperset(words))


def _is_common(identifier: Identifier) -> bool:
    text = identifier.text
    if identifier.group == UID:
        return len(text) < SHORTEST_UID
    if identifier.group not in (DATE, BIRTH_DATE) and text.isascii() and text.isdigit():
        return len(text) < SHORTEST_NUMBER or len(set(text)) == 1
    # One character over and over ("0000", "-----", "xxxx") is what people type to get past a form.
    return len(text.encode()) < SHORTEST or len(set(text.casefold())) == 1


def _encoded(identifier: Identifier, codecs: list[str]) -> Iterator[tuple[bytes, int]]:
    for text in _written(identifier):
        for codec in ("ascii",) if text.isascii() else codecs:
            pattern = _encode(text, codec)
            if len(pattern) >= SHORTEST:
                yield pattern, NARROW
        if max(text) < "\u0100":
            # Both byte orders of UTF-16 have this in common.
            yield b"\0".join(bytes([ord(character)]) for character in text).lower(), WIDE
        else:
            yield _encode(text, "utf-16-le"), NO_WORD
            yield _encode(text, "utf-16-be"), NO_WORD


def _encode(text: str, codec: str) -> bytes:
    try:
        return text.encode(codec).lower()
    except (UnicodeEncodeError, LookupError):
        return b""


def _written(identifier: Identifier) -> set[str]:
    text = identifier.text
    if identifier.group == BIRTH_DATE:
        return set(_days(text[:4], text[4:6], text[6:8]))
    if text.isdigit() and len(text.lstrip("0")) >= SHORTEST_NUMBER:
        # A number is written without its leading zeros where it becomes an IS.
        return {text, text.lstrip("0")}
    family, _, given = text.partition("^")
    texts = {text, *_digits(identifier)}
    if is_short_pair(family, given):
        texts = {mark.join(pair) for mark in BETWEEN for pair in ((family, given), (given, family))}
    return {written for text in texts for written in _cases(text)}


def _digits(identifier: Identifier) -> Iterator[str]:
    """Yield what stands in a patient's number without its marks or its letters: in 774-19-02, in MRN-7741902."""
    if identifier.tag not in TEXT_TAGS or identifier.group != PATIENT:
        return
    for digits in {_MARKS.sub("", identifier.text), _LETTERED.sub("", identifier.text)}:
        number = digits.lstrip("0")
        if number.isascii() and number.isdigit() and len(number) >= _SHORTEST_PART and len(set(number)) > 1:
            yield digits
            yield number


def _days(year: str, month: str, day: str) -> Iterator[str]:
    """Yield a day as people write it: in whatever order, with or without marks, zeros and a month of letters.

    Not with two digits of the year: so short a number counts things.
    """
    name = MONTHS[int(month) - 1]
    for mark in ("", "-", ".", "/", "_", " "):
        yield mark.join((year, month, day))
        yield mark.join((day, month, year))
        yield mark.join((month, day, year))
        yield mark.join((day, name, year))
        yield mark.join((year, name, day))
        if mark:
            yield mark.join((day.lstrip("0"), month.lstrip("0"), year))
            yield mark.join((month.lstrip("0"), day.lstrip("0"), year))
        yield mark.join((day.lstrip("0"), name, year))
    yield from (f"{name} {day}, {year}", f"{name} {day.lstrip('0')}, {year}")


def _plain(text: str) -> str:
    """Return a text without the marks of its letters, as people type it on keyboards that lack them."""
    parted = unicodedata.normalize("NFD", text.translate(_ONE_LETTER))
    return "".join(character for character in parted if not unicodedata.combining(character))


def _cases(text: str) -> set[str]:
    if text.isascii():
        return {text}
    # Bytes are folded for ASCII only, so other letters are looked for in either case.
    cases = {text, text.lower(), text.upper()}
    plain = {_plain(text), _plain(text.lower().translate(_TWO_LETTERS))}
    written = {unicodedata.normalize(form, case) for case in cases for form in ("NFC", "NFD")}
    return written | {one for one in plain if one.isascii()}
