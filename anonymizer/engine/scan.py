"""Taking a data set apart without looking into it: where its elements stand, in one quick pass.

For explicit VR little endian alone, in which nearly everything is sent. It is as strict as
:mod:`anonymizer.engine.parse`, and what it cannot take apart it leaves to that.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, TypeAlias

from anonymizer.engine.parse import HAS_LONG_LENGTH, UNDEFINED, VRS, Buffer
from anonymizer.engine.rules import Rules

_LONGEST_KEY = 2048
_MOST_HEADS = 1 << 16
_DEEPEST = 20
_PICTURE = 0x7FE00000

HEAD = Struct("<HH2sH")
_LENGTH = Struct("<L")
_ITEM, _ITEM_END, _SEQUENCE_END = (bytes.fromhex(tag) for tag in ("feff00e0", "feff0de0", "feffdde0"))
_LONG = frozenset(vr.encode() for vr in HAS_LONG_LENGTH)
_END = 0xFFFEE00D


class UnusualError(Exception):
    """Raised where the slow way has to be taken; never leaves the engine."""


@dataclass(frozen=True, slots=True, eq=False)
class Far:
    """A value that is too long to be a key: where its element stands."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A sequence too long to be a key: its items, and where it stands."""

    items: list[bytes | Scanned]
    start: int
    stop: int


Raw: TypeAlias = "bytes | Far | Sequence"


class Scanned(NamedTuple):
    """A data set in explicit VR little endian, taken apart: tags in order, and each one's bytes."""

    tags: list[int]
    raws: list[Raw]
    stop: int

    def value(self, tag: int) -> bytes:
        """Return the value of an element; empty when it is not there.

        Raises
        ------
        UnusualError
            When it is longer or of another VR than it should be.
        """
        at = bisect_left(self.tags, tag)
        return value_of(self.raws[at]) if at < len(self.tags) and self.tags[at] == tag else b""

    def creators(self, rules: Rules) -> tuple[tuple[int, bytes], ...]:
        """Return the Private Creators, where private attributes may stay."""
        if not rules.keeps_private:
            return ()
        return tuple([(tag, self.value(tag)) for tag in self.tags if tag & 0x1FF00 == 0x10000])


def value_of(raw: Raw) -> bytes:
    """Return the value of an element that stands in its bytes.

    Raises
    ------
    UnusualError
        When it is longer or of another VR than those that are asked for should be.
    """
    if not isinstance(raw, bytes) or raw[4:6] in _LONG:
        raise UnusualError
    return raw[8:]


class Scanner:
    """Take data sets apart.

    What the first eight bytes of an element say (tag, VR and length) is remembered, since they recur all the time.
    """

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, int]] = {}

    def whole(self, item: bytes, depth: int) -> Scanned:
        """Take an item apart that is there as a whole, with the delimiter that may end it."""
        delimited = item[-8:-4] == _ITEM_END
        scanned = self.data_set(item, 0, len(item), depth, delimited=delimited)
        if scanned.stop != len(item):
            raise UnusualError
        return scanned

    def data_set(self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool = False) -> Scanned:
        """Return the elements up to `stop`, of an item up to its delimiter, of a top level up to the picture.

        Raises
        ------
        UnusualError
            When the slow way has to be taken.
        """
        heads = self._heads
        tags: list[int] = []
        raws: list[Raw] = []
        last = -1
        while at < stop:
            head = data[at : at + 8]
            try:
                tag, size = heads[head]
            except KeyError:
                tag, size = self._learn(head)
            if tag <= last:
                raise UnusualError
            last = tag
            if size:
                end = at + size
                raws.append(data[at:end])
            elif tag == _END and delimited:
                return Scanned(tags, raws, at + 8)
            elif tag >= _PICTURE and not depth:
                break
            else:
                raw, end = self._long(data, head, at, stop, depth)
                raws.append(raw)
            if end > stop:
                raise UnusualError
            tags.append(tag)
            at = end
        if delimited or (depth and at != stop):
            raise UnusualError
        return Scanned(tags, raws, at)

    def _learn(self, head: bytes) -> tuple[int, int]:
        """Return the tag and the whole length of an element by its first octets; 0 for what needs a closer look."""
        if len(head) < 8:
            raise UnusualError
        group, number, vr, length = HEAD.unpack(head)
        tag = group << 16 | number
        if head[:4] == _ITEM_END:
            if head[4:] != b"\0\0\0\0":
                raise UnusualError
        elif vr not in VRS or group == 0xFFFE:
            raise UnusualError
        is_short = vr not in _LONG and tag < _PICTURE and length + 8 <= _LONGEST_KEY
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[head] = entry = (tag, length + 8 if is_short else 0)
        return entry

    def _long(self, data: Buffer, head: bytes, at: int, stop: int, depth: int) -> tuple[Raw, int]:
        """Return an element that is long or may be, and where it ends."""
        if head[:4] == _ITEM_END:
            raise UnusualError
        start, length = extent(data, head, at, stop)
        is_sequence = head[4:6] == b"SQ"
        if length == UNDEFINED:
            if not is_sequence:
                raise UnusualError
            end = self._skim_items(data, start, min(stop, at + _LONGEST_KEY), depth)
            if not end:
                items, end = self.items(data, start, stop, depth, delimited=True)
                return Sequence(items, at, end), end
        else:
            end = start + length
            if end > stop:
                raise UnusualError
        if end - at <= _LONGEST_KEY:
            return data[at:end], end
        if is_sequence:
            return Sequence(self.items(data, start, end, depth, delimited=False)[0], at, end), end
        return Far(at, end), end

    def items(
        self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool
    ) -> tuple[list[bytes | Scanned], int]:
        """Return the items of a sequence, whole where they are short, and where it ends."""
        if depth >= _DEEPEST:
            raise UnusualError
        items: list[bytes | Scanned] = []
        while at + 8 <= stop:
            kind = data[at : at + 4]
            (length,) = _LENGTH.unpack_from(data, at + 4)
            at += 8
            if kind == _SEQUENCE_END and delimited:
                return items, at
            if kind != _ITEM:
                raise UnusualError
            if length == UNDEFINED:
                end = self._skim_item(data, at, min(stop, at + _LONGEST_KEY), depth)
                if not end:
                    items.append(scanned := self.data_set(data, at, stop, depth + 1, delimited=True))
                    at = scanned.stop
                    continue
            else:
                end = at + length
                if end > stop:
                    raise UnusualError
                if length > _LONGEST_KEY:
                    items.append(self.data_set(data, at, end, depth + 1))
                    at = end
                    continue
            items.append(data[at:end])
            at = end
        if delimited or at != stop:
            raise UnusualError
        return items, at

    def _skim_items(self, data: Buffer, at: int, stop: int, depth: int) -> int:
        """Return where a sequence of undefined length ends, 0 if that is not before `stop`."""
        if depth >= _DEEPEST:
            raise UnusualError
        while at + 8 <= stop:
            kind = data[at : at + 4]
            if kind == _SEQUENCE_END:
                return at + 8
            if kind != _ITEM:
                raise UnusualError
            (length,) = _LENGTH.unpack_from(data, at + 4)
            at += 8
            at = self._skim_item(data, at, stop, depth) if length == UNDEFINED else at + length
            if not at:
                return 0
        return 0

    def _skim_item(self, data: Buffer, at: int, stop: int, depth: int) -> int:
        """Return where an item of undefined length ends, 0 if that is not before `stop`."""
        heads = self._heads
        while at + 8 <= stop:
            head = data[at : at + 8]
            try:
                tag, size = heads[head]
            except KeyError:
                tag, size = self._learn(head)
            if size:
                at += size
            elif tag == _END:
                return at + 8
            else:
                start, length = extent(data, head, at, len(data))
                if length == UNDEFINED:
                    if head[4:6] != b"SQ":
                        raise UnusualError
                    at = self._skim_items(data, start, stop, depth + 1)
                    if not at:
                        return 0
                else:
                    at = start + length
        return 0


def extent(data: Buffer, head: bytes, at: int, stop: int) -> tuple[int, int]:
    """Return where the value of an element begins and how long it says it is."""
    if head[4:6] not in _LONG:
        return at + 8, HEAD.unpack_from(head)[3]
    if at + 12 > stop:
        raise UnusualError
    return at + 12, _LENGTH.unpack_from(data, at + 8)[0]
