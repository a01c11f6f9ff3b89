"""What the gate hands out: findings, references, and the one place where a fault becomes a finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

Position = tuple[int, ...]
"""Where an element stands: tag, item number (from 1), tag, item number, …, tag."""

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Name one thing that the gate could not prove.

    Parameters
    ----------
    kind : str
        The kind of fault, such as ``reference-lost``.
    instance : str
        The SOPInstanceUID of the output; empty if the output has none that can be read.
    path : str
        Where it stands, such as ``(3006,0010)[1].(0020,0052)``; empty for the instance as a whole.
    rule : str
        The rule that was broken, as a sentence; never a value.
    """

    kind: str
    instance: str
    path: str
    rule: str


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """Name one reference that an output instance holds.

    Parameters
    ----------
    instance, target : str
        UIDs of the output.
    level : str
        ``instance``, ``series``, ``study`` or ``frame-of-reference``.
    state : str
        ``resolved`` if the target is among what was added to the gate, else ``dangling``.
    """

    instance: str
    level: str
    target: str
    state: str


class Flaw(NamedTuple):
    """A finding of one instance, before the instance has a name."""

    kind: str
    position: Position
    rule: str

    def named(self, instance: str) -> Finding:
        """Return the finding of the output instance `instance`."""
        return Finding(self.kind, instance, path_text(self.position), self.rule)


def tag_text(tag: int) -> str:
    """Write a tag as the standard does."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def path_text(position: Position) -> str:
    """Write a position as a path of tags and item numbers; items count from 1 as in PS3.3."""
    return "".join(f"[{step}]." if index % 2 else tag_text(step) for index, step in enumerate(position))


def is_private(position: Position) -> bool:
    """Tell whether a position lies in a private attribute or inside of one (PS3.5 7.8)."""
    return any(tag >> 16 & 1 for tag in position[::2])


def first(places: dict[K, Position], what: K, position: Position) -> None:
    """Note where something stands, if it stands nowhere before that in the order of tags."""
    before = places.get(what)
    if before is None or position < before:
        places[what] = position


def firsts(one: dict[K, Position], other: dict[K, Position]) -> dict[K, Position]:
    """Return where each thing stands first, in one of two parts of a file or in the other."""
    places = one.copy()
    for what, position in other.items():
        first(places, what, position)
    return places


def attempt(call: Callable[[], T]) -> tuple[T | None, str]:
    """Return what `call` returns, or the class name of what it raised.

    This is the only place of the gate that catches everything: data that breaks the reader must hold the
    instance. An exception's text may quote a value, so only its class survives.
    """
    try:
        return call(), ""
    except Exception as fault:  # noqa: BLE001 - whatever nasty data raises is a finding, never a crash
        return None, type(fault).__name__
