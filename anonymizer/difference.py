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
_NO_DICOM = "not-dicom"

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was read, and what becomes of it differently.

    Attributes
    ----------
    differences : list of Difference
        By path; whole instances first.
    read, compared, not_dicom : int
        How many files were read, were released under both profiles, and are no DICOM.
    unread : int
        How many could not be read.
    held : dict of str to int
        How many both profiles hold, by what is said of them: the reason code, or both where they differ.
    """

    differences: list[Difference]
    read: int
    compared: int
    not_dicom: int
    unread: int
    held: dict[str, int]

    def __str__(self) -> str:
        """Return in one line what was read."""
        one_holds = sum(one.instances for one in self.differences if not one.path)
        held = ", ".join(f"{count} {reason}" for reason, count in sorted(self.held.items()))
        parts = [f"{self.read} files read", f"{self.compared} compared", f"{one_holds} held by one profile alone"]
        parts.append(f"{sum(self.held.values())} held by both" + (f" ({held})" if held else ""))
        parts.append(f"{self.not_dicom} no DICOM")
        parts += [f"{self.unread} that could not be read"] if self.unread else []
        return f"{', '.join(parts)}; {len(self.differences)} differences"


def compared(first: Profile, second: Profile, files: Iterable[bytes | None]) -> Comparison:
    """Anonymize files under two profiles, and tell what becomes of them differently.

    Parameters
    ----------
    files : iterable of bytes
        DICOM files, None for what could not be read. Nothing is written; the key is drawn for the occasion and
        forgotten.
    """
    key = Key(secrets.token_bytes(32))
    engines = [Anonymizer(key, "difference", profile) for profile in (first, second)]
    counts: Counter[tuple[str, str, str]] = Counter()
    held: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for data in files:
        if data is None:
            total["unread"] += 1
            continue
        total["read"] += 1
        one, other = (engine.anonymize(data) for engine in engines)
        codes = [each.reason.code if isinstance(each, Held) else "" for each in (one, other)]
        if all(codes):
            is_dicom = codes != [_NO_DICOM, _NO_DICOM]
            held.update({" or ".join(dict.fromkeys(codes))} if is_dicom else ())
            total["not_dicom"] += not is_dicom
        elif isinstance(one, Held) or isinstance(other, Held):
            before, after = (f"held, {code}" if code else "released" for code in codes)
            counts["", before, after] += 1
        else:
            total["compared"] += 1
            source = dict(_values(data))
            fates = [_fates(source, dict(_values(each.data))) for each in (one, other)]
            counts.update((path, fate, fates[1][path]) for path, fate in fates[0].items() if fate != fates[1][path])
    found = sorted(Difference(*what, instances) for what, instances in counts.items())
    return Comparison(
        found, total["read"], total["compared"], total["not_dicom"], total["unread"], dict(sorted(held.items()))
    )


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
