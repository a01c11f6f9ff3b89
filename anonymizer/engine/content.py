"""Content items: what the concept that names one says of its value (PS3.3 C.17.3, PS3.15 E.3.4)."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from anonymizer.engine.concepts import public_code
from anonymizer.engine.parse import Buffer, Element

CONCEPT_NAME = 0x0040A043
VALUES = frozenset({0x0040A120, 0x0040A121, 0x0040A122, 0x00720061, 0x00720063, 0x0072006B})
"""DateTime, Date and Time, and those in a cell of a table: of what, only the concept tells."""
CELLS = 0x0040A808
"""Cell Values Sequence: its items have no concept, but their column, somewhere else, may be of birth dates or ages."""
_CODE_VALUE, _CODING_SCHEME, _LONG_CODE_VALUE = 0x00080100, 0x00080102, 0x00080119


class Concept(NamedTuple):
    """A concept as it stands in the source, both empty where there is none: its scheme's designator, and its code."""

    designator: bytes = b""
    code: bytes = b""

    @property
    def is_event(self) -> bool:
        """Tell whether a date of it is one of the imaging's."""
        return self._is_in("events")

    @property
    def is_of_somebody(self) -> bool:
        """Tell whether its value says who somebody is; so may that of a concept that cannot be read."""
        return self._is_in("people") or self == _UNREADABLE

    @property
    def is_of_nobody(self) -> bool:
        """Tell whether its value cannot say who somebody is: it is public, and none of a person's."""
        return public_code(*self._texts) and not self.is_of_somebody

    def _is_in(self, kind: str) -> bool:
        return self._texts in _table()[kind]

    @property
    def _texts(self) -> tuple[str, str]:
        designator, code = (text.decode("latin-1").strip("\0 ") for text in self)
        return designator, code


NO_CONCEPT = Concept()
_UNREADABLE = Concept(b"?", b"?")


def concept_of(data: Buffer, name: Element) -> Concept:
    """Return the concept of a content item, given its Concept Name Code Sequence (0040,A043) and what that points into.

    One that is no sequence of one item is the concept of nothing that anybody knows.
    """
    if name.items is None or len(name.items) != 1:
        return _UNREADABLE
    (item,) = name.items
    code = _value(data, item, _CODE_VALUE) or _value(data, item, _LONG_CODE_VALUE)
    return Concept(_value(data, item, _CODING_SCHEME), code) if code else _UNREADABLE


def _value(data: Buffer, item: Sequence[Element], tag: int) -> bytes:
    found = [one for one in item if one.tag == tag and one.items is None]
    return data[found[0].start : found[0].stop] if len(found) == 1 else b""


@cache
def digest() -> str:
    """Return the SHA-256 of ``content.toml``, for the profile's digest."""
    told = {kind: sorted(concepts) for kind, concepts in _table().items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@cache
def _table() -> dict[str, frozenset[tuple[str, str]]]:
    data = tomllib.loads(files("anonymizer").joinpath("tables", "content.toml").read_text(encoding="utf-8"))
    return {
        kind: frozenset((designator, code) for designator, codes in schemes.items() for code in codes)
        for kind, schemes in data.items()
    }
