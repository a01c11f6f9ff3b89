"""What would change between two profiles, shown on real files: by attribute, never by value."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from anonymizer.engine.anonymize import Anonymizer
from anonymizer.engine.keys import Key
from anonymizer.engine.meta import open_file
from anonymizer.engine.outcome import Held
from anonymizer.engine.parse import Element, parse
from anonymizer.engine.profile import Profile

FATES = ("gone", "empty", "replaced", "kept")
"""What can become of an attribute, from what tells least to what tells most."""

_Position = tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """An attribute that two profiles treat differently.

    Attributes
    ----------
    path : str
        Keywords, from the outermost sequence inwards, or tags where there are none; empty for a whole instance.
    first, second : str
        What becomes of it under either profile, one of :data:`FATES`; of a whole instance, released or why it is held.
    instances : int
        How many show it.
    """

    path: str
    first: str
    second: str
    instances: int

    def __str__(self) -> str:
        """Return all of it in one line."""
        return f"{self.path or 'instance'}: {self.first} -> {self.second} ({self.instances})"


def differences(first: Profile, second: Profile, files: Iterable[bytes]) -> list[Difference]:
    """Anonymize files under two profiles, and tell what becomes of their attributes differently.

    Parameters
    ----------
    files : iterable of bytes
        DICOM files. Nothing is written; the key is drawn for the occasion and forgotten.

    Returns
    -------
    list of Difference
        By path.
    """
    key = Key(secrets.token_bytes(32))
    engines = [Anonymizer(key, "difference", profile) for profile in (first, second)]
    counts: Counter[tuple[str, str, str]] = Counter()
    for data in files:
        one, other = (engine.anonymize(data) for engine in engines)
        if isinstance(one, Held) or isinstance(other, Held):
            outcomes = [f"held, {each.reason.code}" if isinstance(each, Held) else "released" for each in (one, other)]
            counts.update({("", *outcomes)} if outcomes[0] != outcomes[1] else ())  # type: ignore[arg-type]  # two of them
            continue
        source = dict(_values(data))
        before, after = (_fates(source, dict(_values(each.data))) for each in (one, other))
        counts.update((path, before[path], after[path]) for path in before if before[path] != after[path])
    return sorted(Difference(*what, instances) for what, instances in counts.items())


def _fates(source: dict[_Position, bytes], output: dict[_Position, bytes]) -> dict[str, str]:
    """Return what became of each attribute of a source; of one in many items, what tells most."""
    fates: dict[str, int] = {}
    for position, value in source.items():
        after = output.get(position)
        if after is None:
            fate = 0
        elif not after.strip(b"\0 ") and value.strip(b"\0 "):
            fate = 1
        else:
            fate = 3 if after.rstrip(b"\0 ") == value.rstrip(b"\0 ") else 2
        path = _path(position)
        fates[path] = max(fate, fates.get(path, 0))
    return {path: FATES[fate] for path, fate in fates.items()}


def _path(position: _Position) -> str:
    tags = position[::2]  # between them stand the numbers of items
    return " > ".join(keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in tags)


def _values(data: bytes) -> Iterator[tuple[_Position, bytes]]:
    file = open_file(data)
    elements = parse(file.data, file.start, len(file.data), file.syntax)
    yield from _within(file.data[:], elements, ())


def _within(data: bytes, elements: list[Element], position: _Position) -> Iterator[tuple[_Position, bytes]]:
    for element in elements:
        here = (*position, element.tag)
        if element.items is None:
            yield here, data[element.start : element.stop]
            continue
        yield here, b"items" if element.items else b""
        for number, item in enumerate(element.items):
            yield from _within(data, item, (*here, number))
