"""Vocabulary: which descriptions say nothing but what was done, in known words (PS3.15 E.3.5).

A description stays when every token of it is a word of ``tables/vocabulary`` or of the site's own, or a number that
can only be a measure. One token that nobody knows, and the whole text goes: a name is just that.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from anonymizer.engine.numbers import TIMES, Chain
from anonymizer.errors import ProfileError, TableError

_LONGEST = 1024  # characters; what is longer tells a story
_MOST_WEIGHT = 8  # digits that tell something, in a whole text
_MOST_ATOMS = 5  # of a word such as "t1w3d"

_PIECES = re.compile(r"[a-z0-9]+|[^a-z0-9]+")
_ATOMS = re.compile(r"[a-z]+|[0-9]+")
_TIMES = re.compile(r"(?<=[0-9]) *x *(?=[0-9])")  # 24 x 38 x 3
_WORD = re.compile(r"(?=.*[a-z])[a-z0-9]{2,}")
_GAPS = string.punctuation + " \t\r\n\f"
_CONTROL = "\0"
_SPACED = "".join(one if one.isalnum() else " " if one in _GAPS else _CONTROL for one in map(chr, range(128)))
_UNKNOWN = "?"
_NOBODY: frozenset[str] = frozenset()
_READING = "reading.toml"
_TIGHT = re.compile(r" ?[=:_.#-]? ?")  # between a label and its number

# By the kinds of tokens: three letters or more; two with a number; in one piece, a letter among others or two numbers
# that are no sides of a picture, as in K1A, A1B2 and 3d505a01.
_INITIALS = re.compile(r"l *l *l|l *l *n|n *l *l|l[^ ][^ ]|[^ ]l[^ ]|[^ ][^ ]l|n[lwb]+n|[lnu]b")
# Sex and an age over 89, however they are parted: 95M, F/91, 95 (F), female 95; and a year of birth.
_SEX, _OVER_89, _PARTED = r"(?:[mfw]|female|old)", r"(?:9|1[01])[0-9]", r"[^a-z0-9]{0,3}"
_AGES = re.compile(
    rf"(?<![a-z0-9.])(?:{_SEX}{_PARTED}{_OVER_89}(?![0-9])|{_OVER_89}{_PARTED}{_SEX}(?![a-z0-9])|birth{_PARTED}[0-9])"
)


@dataclass(frozen=True, slots=True)
class Shipped:
    """What ``tables/vocabulary`` holds.

    Attributes
    ----------
    words, letters : frozenset of str
        What may stand anywhere; of single letters at most two in a row.
    units, labels : frozenset of str
        What makes the number before it, or behind it, a measure.
    months : frozenset of str
        Words that make a date of the number beside them.
    company : dict of str to frozenset of str
        Words that are names as well, and the words beside which they are none.
    shorthands : re.Pattern
        What is written with strokes between single letters.
    digest : str
        SHA-256 over all of it.
    """

    words: frozenset[str]
    letters: frozenset[str]
    units: frozenset[str]
    labels: frozenset[str]
    months: frozenset[str]
    company: dict[str, frozenset[str]]
    shorthands: re.Pattern[str]
    digest: str


class Vocabulary:
    """The words that a description may be made of.

    Parameters
    ----------
    words : iterable of str
        The site's own, beside the shipped ones: ASCII letters and digits, at least two characters and one letter.

    Raises
    ------
    ProfileError
        When one of the site's words is no word.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        given = sorted(set(words))
        if faults := [fault for word in given if (fault := fault_of(word))]:
            raise ProfileError("\n  ".join(faults))
        own = frozenset(word.lower() for word in given)
        self._shipped = shipped()
        self._known = self._shipped.words | own

    def allows(self, text: str) -> bool:
        """Tell whether every token of a text is known, so that none of them can name anybody.

        Case does not matter. What stands between the tokens does not either, but between numbers, where it can
        make a date.
        """
        if not text.isascii() or len(text) > _LONGEST:
            return False
        folded = text.lower()
        spaced = folded.translate(_SPACED)
        if self._known.issuperset(spaced.split()):
            return True
        return _CONTROL not in spaced and self._explains(folded)

    def _explains(self, folded: str) -> bool:
        tokens = self._tokens(folded)
        shape = self._shape(tokens)
        if _UNKNOWN in shape or _INITIALS.search(shape):
            return False
        if "n" not in shape:
            return True
        chains = list(self._chains(tokens))
        if not all(chain.is_harmless() for chain in chains) or sum(chain.weight for chain in chains) > _MOST_WEIGHT:
            return False
        if _AGES.search(folded):
            return False
        if "w" in shape or any(chain.labelled for chain in chains):
            return True
        return sum(len(token) for token in tokens if token.isdigit()) < 3  # without a word it is somebody's number

    def _tokens(self, folded: str) -> list[str]:
        """Split into known words, the longest first, and for the rest into letters, digits and gaps."""
        tokens: list[str] = []
        for piece in _PIECES.findall(_TIMES.sub("x", self._shipped.shorthands.sub(" ", folded))):
            if piece in self._known or not piece.isalnum():
                tokens.append(piece)
            else:
                tokens += self._cut(_ATOMS.findall(piece))
        return tokens

    def _cut(self, atoms: list[str]) -> Iterator[str]:
        index = 0
        while index < len(atoms):
            stop = min(index + _MOST_ATOMS, len(atoms))
            while stop > index + 1 and "".join(atoms[index:stop]) not in self._known:
                stop -= 1
            yield "".join(atoms[index:stop])
            index = stop

    def _shape(self, tokens: list[str]) -> str:
        """Return one letter a token: a word, a single letter, a number, a gap, or what nobody knows."""
        told = [token for token in tokens if token.isalnum()]
        beside = zip(["", *told], told, [*told[1:], ""], strict=False)
        kinds = [self._kind(before, token, behind) for before, token, behind in beside]
        kinds.reverse()
        return "".join(kinds.pop() if token.isalnum() else " " for token in tokens)

    def _kind(self, before: str, token: str, behind: str) -> str:
        shipped = self._shipped
        if token.isdigit():
            return "n"
        if token in shipped.months and (before.isdigit() or behind.isdigit()):
            return _UNKNOWN
        if token in self._known:
            return "w"
        if token in shipped.labels and behind.isdigit():
            return "w" if len(token) > 1 else "b"
        if token in shipped.units and before.isdigit():
            return "w" if len(token) > 1 else "u"
        if token == TIMES and before.isdigit() and behind.isdigit():
            return "u"
        if token in shipped.letters:
            return "l"
        return "w" if not shipped.company.get(token, _NOBODY).isdisjoint((before, behind)) else _UNKNOWN

    def _chains(self, tokens: list[str]) -> Iterator[Chain]:
        index = 0
        while index < len(tokens):
            start = index
            while tokens[index].isdigit() and index + 2 < len(tokens) and _joins(*tokens[index + 1 : index + 3]):
                index += 2
            if tokens[index].isdigit():
                chain = self._chain(tokens, start, index)
                yield from chain.apart() if chain.measured else (chain,)
            index += 1

    def _chain(self, tokens: list[str], start: int, last: int) -> Chain:
        before = tokens[max(start - 2, 0) : start]
        if before and not before[-1].isalnum() and _TIGHT.fullmatch(before[-1]):
            before.pop()
        behind = tokens[last + 1 : last + 3]
        measured = bool(behind) and behind[0].startswith("%")
        if behind and behind[0].isspace():
            behind.pop(0)
        return Chain(
            digits=tuple(tokens[start : last + 1 : 2]),
            between=tuple(map(_sign, tokens[start + 1 : last : 2])),
            labelled=bool(before) and before[-1] in self._shipped.labels,
            measured=measured or (bool(behind) and behind[0] in self._shipped.units),
        )


def fault_of(word: str) -> str:
    """Return why a site's word is none and what to do, nothing where it is one."""
    said = f"vocabulary: {word!r}"
    if not word.isascii():
        return f"{said} has other letters than a to z: a text with such letters never stays, so leave the word out"
    if _WORD.fullmatch(word.lower()):
        return ""
    if word.isdigit():
        return f"{said} is a number: which of them stay is told by what they measure, so leave it out"
    if len(word) < 2:
        return f"{said} is too short: a word has two characters or more"
    parts = [part for part in re.findall(r"[A-Za-z0-9]+", word) if not fault_of(part)]
    apart = f": {', '.join(map(repr, parts))}" if parts else ""
    return f"{said} is no single word; list each by itself, in letters and digits{apart}"


def _joins(between: str, behind: str) -> bool:
    return behind.isdigit() and (between == TIMES or not between.isalnum())


def _sign(between: str) -> str:
    sign = between.replace(" ", "")
    return ". " if sign == "." != between else sign


@cache
def shipped() -> Shipped:
    """Return ``tables/vocabulary``: every ``words`` of every group, and how a text is read.

    Raises
    ------
    TableError
        When a group holds what is no word, or tells how to read a word that it does not have.
    """
    folder = files("anonymizer").joinpath("tables", "vocabulary")
    data = {
        entry.name: tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }
    reading = data[_READING]
    groups = [group["words"] for name, groups in data.items() if name != _READING for group in groups.values()]
    units, labels = (_split(reading[name]["words"]) for name in ("units", "labels"))
    words = frozenset().union(*map(_split, groups))
    company = {word: _split(beside) for word, beside in reading["company"].items()}
    if wrong := sorted(word for word in words | company.keys() if not _WORD.fullmatch(word)):
        raise TableError(f"vocabulary: no single words: {', '.join(wrong)}")
    if both := sorted(words & company.keys()):
        raise TableError(f"vocabulary: may stand anywhere and only in company: {', '.join(both)}")
    shorthands = "|".join(map(re.escape, sorted(reading["shorthands"]["words"].split())))
    return Shipped(
        words=words,
        letters=_split(reading["letters"]["words"]),
        units=units,
        labels=labels,
        months=_split(reading["months"]["words"]),
        company=company,
        shorthands=re.compile(rf"(?<![a-z0-9])(?:{shorthands})(?![a-z0-9])"),
        digest=hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest(),
    )


def digest() -> str:
    """Return the SHA-256 of the shipped vocabulary, for the profile's digest."""
    return shipped().digest


def _split(words: Any) -> frozenset[str]:
    return frozenset(words.split())
