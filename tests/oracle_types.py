"""Which Type an attribute has in an IOD: the oracle's own reading of ``tables/types.json`` and of its source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydicom.datadict import keyword_for_tag, tag_for_keyword

TABLES: Final = Path(__file__).parents[1] / "anonymizer/tables"
PUBLISHED: Final = Path(__file__).parents[2] / "shared/data/ps315"
"""What the Types were condensed from, where it is at hand."""

Tree: TypeAlias = dict[str, Any]


class Types:
    """The Types of one SOP class, by path: the tags of the sequences that lead to an attribute, and its own.

    Parameters
    ----------
    trees : list of Tree or None
        Those of the IOD's modules; None where the IOD is unknown.
    """

    def __init__(self, trees: list[Tree] | None) -> None:
        self._trees = trees

    def type_of(self, path: tuple[int, ...]) -> str:
        """Return 1, 2 or 3; empty where the IOD does not define the attribute there, "?" where there is no IOD."""
        if self._trees is None:
            return "?"
        *sequences, name = map(_name, path)
        trees = self._trees
        for sequence in sequences:
            trees = _below(trees, sequence)
        return min((tree[name] for tree in trees if name in tree), default="")

    def paths(self) -> list[tuple[int, ...]]:
        """Return the path of every attribute that has a Type; into content items twice, though they never end."""
        return sorted(set(self._paths(self._trees or [], ())))

    def _paths(self, trees: list[Tree], around: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(around) - len(set(around)) > 1:
            return
        for key in {key for tree in trees for key in tree}:
            path = (*around, _tag(key.removesuffix("/")))
            if key.endswith("/"):
                yield from self._paths(_below(trees, key[:-1]), path)
            else:
                yield path


@cache
def types_of(sop_class: str) -> Types:
    """Return the Types of a SOP class."""
    table = _table()
    iod = table["sop_classes"].get(sop_class)
    return Types(None if iod is None else [_spelt_out(table["modules"][module]) for module in table["iods"][iod]])


def published_types(sop_class: str) -> dict[tuple[int, ...], str]:
    """Return the Types of a SOP class as their source has them: 1C is 1, 2C is 2, and the strictest holds."""
    types: dict[tuple[int, ...], str] = {}
    iod = _published("sop_class_iod_map.json")[sop_class]
    for module in _published("iod_module_map.json")[iod]:
        for keywords, value in _published("types_for_E_1-1_by_module_highdicom.json").get(module["key"], {}).items():
            path = tuple(tag_for_keyword(keyword) or 0 for keyword in keywords.split("/"))
            types[path] = min(types.get(path, value[0]), value[0])
    return types


@cache
def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _tag(name: str) -> int:
    return int(name[1:5] + name[6:10], 16) if name.startswith("(") else tag_for_keyword(name) or 0


def _below(trees: list[Tree], sequence: str) -> list[Tree]:
    return [_spelt_out(tree[f"{sequence}/"]) for tree in trees if f"{sequence}/" in tree]


def _spelt_out(tree: Tree | str) -> Tree:
    """Return a tree where it stands, or the one of a macro by its name."""
    found: Tree = _table()["macros"][tree] if isinstance(tree, str) else tree
    return found


@cache
def _table() -> Any:
    return json.loads((TABLES / "types.json").read_text(encoding="utf-8"))


@cache
def _published(name: str) -> Any:
    return json.loads((PUBLISHED / name).read_text(encoding="utf-8"))
