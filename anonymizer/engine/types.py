"""The Type of an attribute where it stands, by SOP class and path of sequences (PS3.3; PS3.5 7.4).

Table E.1-1 leaves the choice in a code such as X/Z/D to the IOD: what it requires decides. The Types of PS3.3 stand
in ``anonymizer/tables/types.json``, condensed from highdicom (MIT) by ``tests/condense_types.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from pydicom.datadict import tag_for_keyword

from anonymizer.errors import TableError

_NAME = "types.json"
_DIGEST = "f512bec80600eb5afb7673146a8fb5db0dce1f95cf6ead688c7b08df57432bfc"

Tree: TypeAlias = dict[str, Any]
"""What a data set or an item holds: ``Keyword`` to its Type; ``Keyword/`` to a tree or to the name of a macro.

``(gggg,eeee)`` stands for an attribute whose keyword the dictionary does not know.
"""


class Place:
    """Where attributes stand: the data set of an IOD, or the items of a sequence somewhere in it.

    Compared and hashed by identity; a place that recurs is the same object, so that content items of any depth share
    one. Made by :func:`place_of` and :meth:`child` alone.
    """

    __slots__ = ("_beyond", "_children", "_inside", "_otherwise", "_types")

    def __init__(self, trees: Iterable[Tree], *, otherwise: str = "", beyond: Place | None = None) -> None:
        self._types: dict[int, str] = {}
        self._inside: dict[int, list[Tree]] = {}
        self._children: dict[int, Place] = {}
        self._otherwise = otherwise
        self._beyond = beyond or self
        for tree in trees:
            for key, value in tree.items():
                if key.endswith("/"):
                    self._inside.setdefault(_tag(key[:-1]), []).append(_resolved(value))
                else:
                    tag = _tag(key)
                    self._types[tag] = min(value, self._types.get(tag, value))  # "1" is stricter than "2", "2" than "3"

    def type_of(self, tag: int) -> str:
        """Return the strictest Type that a module of the IOD gives an attribute here.

        Returns
        -------
        str
            ``1``, ``2`` or ``3``; a conditional Type as the Type itself, 1C as ``1``. Empty where the IOD does not
            define the attribute here, and for any that Table E.1-1 does not name or codes U. ``?`` where the IOD is
            unknown.
        """
        return self._types.get(tag, self._otherwise)

    def types(self) -> Iterable[tuple[int, str]]:
        """Return the attributes of Table E.1-1 that the IOD defines here, each with its Type."""
        return self._types.items()

    def children(self) -> Iterable[Place]:
        """Return the places inside the sequences that the IOD defines here."""
        return map(self.child, self._inside)

    def child(self, tag: int) -> Place:
        """Return the place inside a sequence, :data:`UNDEFINED` where nothing of Table E.1-1 is defined inside it."""
        place = self._children.get(tag)
        if place is None:
            trees = self._inside.get(tag)
            if trees is None:
                return self._beyond
            place = self._children[tag] = _place(trees)
        return place


UNDEFINED = Place(())
"""Where the IOD defines nothing."""

UNKNOWN = Place((), otherwise="?")
"""Of a SOP class whose IOD is unknown, at any depth."""


def place_of(sop_class_uid: str) -> Place:
    """Return the place of a SOP class's data sets, :data:`UNKNOWN` where its IOD is not known."""
    iod = _table()["sop_classes"].get(sop_class_uid.strip(" \0"))
    return UNKNOWN if iod is None else _place_of_iod(iod)


@cache
def occurring() -> dict[int, frozenset[str]]:
    """Return by its tag the Types that any IOD gives an attribute of Table E.1-1 anywhere (:meth:`Place.type_of`)."""
    types: defaultdict[int, set[str]] = defaultdict(set)
    todo, seen = [_place_of_iod(iod) for iod in _table()["iods"]], set()
    while todo:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            todo += place.children()
            for tag, attribute_type in place.types():
                types[tag].add(attribute_type)
    return {tag: frozenset(found) for tag, found in types.items()}


def digest() -> str:
    """Return the SHA-256 of the table, once it is the one that this module was made for."""
    _table()
    return _DIGEST


def table_of(text: str) -> dict[str, dict[str, Any]]:
    """Return the table that a text holds.

    Raises
    ------
    TableError
        When the text differs from the shipped one by so much as a letter.
    """
    if hashlib.sha256(text.encode()).hexdigest() != _DIGEST:
        raise TableError(f"table {_NAME} is not the one that was shipped; install Entwash again")
    table: dict[str, dict[str, Any]] = json.loads(text)
    return table


@cache
def _table() -> dict[str, dict[str, Any]]:
    return table_of(files("anonymizer").joinpath("tables", _NAME).read_text(encoding="utf-8"))


@cache
def _place_of_iod(iod: str) -> Place:
    modules = _table()["modules"]
    return _place([_resolved(modules[module]) for module in _table()["iods"][iod]])


# The table is read once and stays, so that a tree's id is its name; what is made of the same trees is the same place.
_places: dict[frozenset[int], Place] = {}


def _place(trees: list[Tree]) -> Place:
    key = frozenset(map(id, trees))
    place = _places.get(key)
    if place is None:
        place = _places.setdefault(key, Place(trees, beyond=UNDEFINED))
    return place


def _resolved(tree: Tree | str) -> Tree:
    if isinstance(tree, str):
        macro: Tree = _table()["macros"][tree]
        return macro
    return tree


def _tag(name: str) -> int:
    if name.startswith("("):
        return int(name[1:5] + name[6:10], 16)
    tag = tag_for_keyword(name)
    if tag is None:
        raise TableError(f"table {_NAME} names {name}, which the dictionary does not know; install Entwash again")
    return tag
