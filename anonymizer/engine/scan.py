"""Taking a data set apart without looking into it: where its elements stand, in one quick pass.

For explicit VR little endian alone, in which nearly everything is sent. It is as strict as
:mod:`anonymizer.engine.parse`, and what it cannot take apart it leaves to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import NamedTuple, TypeAlias

from anonymizer.engine.parse import MOST_ELEMENTS, UNDEFINED, VRS, Buffer, by_dictionary
from anonymizer.engine.rules import Rules
from anonymizer.engine.runs import LONG, SEQUENCE_END, Runs, Shapes

_LONGEST_KEY = 2048
_MOST_HEADS = 1 << 16
_DEEPEST = 20
MOST_TAGS = 1 << 10
"""Where there are more in one data set, what they are is not remembered."""
_PICTURE = 0x7FE00000

HEAD = Struct("<HH2sH")
_LENGTH = Struct("<L")
_ITEM, _ITEM_END = (bytes.fromhex(tag) for tag in ("feff00e0", "feff0de0"))
_UNDEFINED_ITEM = _ITEM + b"\xff" * 4
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

    items: list[Item]
    start: int
    stop: int


Raw: TypeAlias = "bytes | Far | Sequence"


class Scanned(NamedTuple):
    """A data set in explicit VR little endian, taken apart: tags in order, and each one's bytes."""

    tags: list[int]
    raws: list[Raw]
    stop: int

    def find(self, tags: tuple[int, ...]) -> list[Raw | None]:
        """Return elements by their tags; None for what is not there."""
        where = (places if len(self.tags) <= MOST_TAGS else places.__wrapped__)(tuple(self.tags), tags)
        return [None if at is None else self.raws[at] for at in where]

    def values(self, tags: tuple[int, ...]) -> list[bytes]:
        """Return the values of elements; empty for what is not there.

        Raises
        ------
        UnusualError
            When one is longer or of another VR than it should be.
        """
        return [b"" if raw is None else value_of(raw) for raw in self.find(tags)]

    def creators(self, rules: Rules) -> tuple[tuple[int, bytes], ...]:
        """Return the Private Creators, where private attributes may stay."""
        if not rules.keeps_private:
            return ()
        where = (creators_in if len(self.tags) <= MOST_TAGS else creators_in.__wrapped__)(tuple(self.tags))
        return tuple([(self.tags[at], value_of(self.raws[at])) for at in where])


class Item(NamedTuple):
    """An item of a sequence.

    Attributes
    ----------
    raw : bytes or None
        The item with the delimiter that may end it; None where that is too long to be a key.
    scanned : Scanned or None
        Its elements; None where nobody has looked at them yet.
    """

    raw: bytes | None
    scanned: Scanned | None


@lru_cache(maxsize=1 << 9)
def places(tags: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int | None, ...]:
    """Return where the wanted ones of some ascending tags stand."""
    return tuple(tags.index(tag) if tag in tags else None for tag in wanted)


@lru_cache(maxsize=1 << 9)
def creators_in(tags: tuple[int, ...]) -> tuple[int, ...]:
    """Return where Private Creators stand."""
    return tuple(at for at, tag in enumerate(tags) if tag & 0x1FF00 == 0x10000)


def value_of(raw: Raw) -> bytes:
    """Return the value of an element that stands in its bytes.

    Raises
    ------
    UnusualError
        When it is longer or of another VR than those that are asked for should be.
    """
    if not isinstance(raw, bytes) or raw[4:6] in LONG:
        raise UnusualError
    return raw[8:]


class Scanner:
    """Take data sets apart.

    What the first eight bytes of an element say (tag, VR and length) is remembered, since they recur all the time, and
    so is in what order they recur.
    """

    def __init__(self) -> None:
        self._heads: dict[bytes, tuple[int, int]] = {}
        self._runs = Runs()
        self._shapes = Shapes()

    def whole(self, item: bytes, depth: int) -> Scanned:
        """Take an item apart that is there as a whole, with the delimiter that may end it."""
        delimited = item[-8:-4] == _ITEM_END
        scanned = self.data_set(item, 0, len(item), depth, delimited=delimited)
        if scanned.stop != len(item):
            raise UnusualError
        return scanned

    # One loop in one function, because a call for each element would cost as much again.
    def data_set(  # noqa: PLR0912, PLR0915
        self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool = False
    ) -> Scanned:
        """Return the elements up to `stop`, of an item up to its delimiter, of a top level up to the picture.

        Raises
        ------
        UnusualError
            When the slow way has to be taken.
        """
        heads, runs = self._heads, self._runs
        tags: list[int] = []
        raws: list[Raw] = []
        last = -1
        new: list[tuple[int, bytes]] = []  # elements in a row that no run has
        while at < stop:
            head = data[at : at + 8]
            run = runs.get(head)
            if run is not None:
                end = at + run.size
                if end > stop or not run.fits(data, at):
                    runs.cut(run, data, at, stop)
                    continue
                if run.first <= last:
                    raise UnusualError
                if new:
                    runs.learn(new)
                    new = []
                tags += run.tags
                if len(tags) > MOST_ELEMENTS:
                    raise UnusualError
                raws += run.raws(data, at)
                last, at = run.last, end
                continue
            try:
                tag, size = heads[head]
            except KeyError:
                tag, size = self._learn(head)
            if tag <= last:
                raise UnusualError
            if tag >= _PICTURE and not depth:
                break
            if tag == _END:
                if not delimited:
                    raise UnusualError
                if new:
                    runs.learn(new)
                return Scanned(tags, raws, at + 8)
            raw: Raw
            raw, end = (data[at : at + size], at + size) if size else self._long(data, head, at, stop, depth)
            if end > stop:
                raise UnusualError
            if isinstance(raw, bytes) and tag < _PICTURE:
                new.append((tag, raw))
            else:
                runs.learn(new)
                new = []
            if len(tags) >= MOST_ELEMENTS:
                raise UnusualError
            tags.append(tag)
            raws.append(raw)
            last, at = tag, end
        if delimited or (depth and at != stop):
            raise UnusualError
        runs.learn(new)
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
        elif vr in LONG and length:
            raise UnusualError  # two octets that are reserved; they are not passed on
        elif vr == b"UN" and not group & 1 and by_dictionary(tag) == "SQ":
            raise UnusualError  # what is in it is in implicit VR
        is_short = vr not in LONG and tag < _PICTURE and length + 8 <= _LONGEST_KEY
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[head] = entry = (tag, length + 8 if is_short else 0)
        return entry

    def _long(self, data: Buffer, head: bytes, at: int, stop: int, depth: int) -> tuple[Raw, int]:
        """Return an element that is long or may be, and where it ends."""
        start, length = extent(data, head, at, stop)
        if length != UNDEFINED and start + length > stop:
            raise UnusualError
        nearest = min(stop, at + _LONGEST_KEY)
        if length == UNDEFINED and (size := self._shapes.size(head, data, at, nearest)):
            return data[at : at + size], at + size
        if end := self._element(data, head, start, length, nearest, depth):
            raw = data[at:end]
            if length == UNDEFINED:
                self._shapes.learn(raw)
            return raw, end
        if length == UNDEFINED:
            items, end = self.items(data, start, stop, depth, delimited=True)
            return Sequence(items, at, end), end
        end = start + length
        if head[4:6] != b"SQ" or head[0] & 1:
            return Far(at, end), end
        return Sequence(self.items(data, start, end, depth, delimited=False)[0], at, end), end

    def sequence(self, raw: bytes, depth: int) -> list[Item]:
        """Return the items of a sequence that is there as a whole."""
        start, length = extent(raw, raw, 0, len(raw))
        return self.items(raw, start, len(raw), depth, delimited=length == UNDEFINED)[0]

    def items(self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool) -> tuple[list[Item], int]:
        """Return the items of a sequence and where it ends."""
        if depth >= _DEEPEST:
            raise UnusualError
        items: list[Item] = []
        while at + 8 <= stop:
            kind = data[at : at + 4]
            (length,) = _LENGTH.unpack_from(data, at + 4)
            at += 8
            if kind == SEQUENCE_END and delimited:
                return items, at
            if kind != _ITEM:
                raise UnusualError
            scanned = None
            if length == UNDEFINED:
                scanned = self.data_set(data, at, stop, depth + 1, delimited=True)
                end = scanned.stop
            else:
                end = at + length
                if end > stop:
                    raise UnusualError
                if length > _LONGEST_KEY:
                    scanned = self.data_set(data, at, end, depth + 1)
            items.append(Item(data[at:end] if end - at <= _LONGEST_KEY else None, scanned))
            at = end
        if delimited or at != stop:
            raise UnusualError
        return items, at

    def _element(self, data: Buffer, head: bytes, start: int, length: int, stop: int, depth: int) -> int:
        """Return where an element ends that is not known to be short, 0 if that is not before `stop`.

        Looked into is what :func:`anonymizer.engine.parse.parse` looks into: sequences of the standard, and private
        ones of undefined length.
        """
        is_sequence = head[4:6] == b"SQ"
        if length == UNDEFINED:
            if not is_sequence:
                raise UnusualError
            return self._items(data, start, stop, depth, delimited=True)
        end = start + length
        if end > stop:
            return 0
        if is_sequence and not head[0] & 1 and self._items(data, start, end, depth, delimited=False) != end:
            raise UnusualError
        return end

    def _items(self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool) -> int:
        """Return where a sequence ends, 0 if that is not before `stop`."""
        if depth >= _DEEPEST:
            raise UnusualError
        while at + 8 <= stop:
            kind = data[at : at + 8]
            at += 8
            if kind == _UNDEFINED_ITEM:
                at = self._item(data, at, stop, depth + 1, delimited=True)
                if not at:
                    return 0
            elif kind[:4] == _ITEM:
                end = at + _LENGTH.unpack_from(kind, 4)[0]
                if end > stop:
                    return 0
                if self._item(data, at, end, depth + 1, delimited=False) != end:
                    raise UnusualError
                at = end
            elif delimited and kind[:4] == SEQUENCE_END:
                return at
            else:
                raise UnusualError
        return 0 if delimited else at

    def _item(self, data: Buffer, at: int, stop: int, depth: int, *, delimited: bool) -> int:
        """Return where an item ends, 0 if that is not before `stop`."""
        known = self._heads
        last = -1
        while at + 8 <= stop:
            head = data[at : at + 8]
            try:
                tag, size = known[head]
            except KeyError:
                tag, size = self._learn(head)
            if tag <= last:
                raise UnusualError
            last = tag
            if size:
                at += size
            elif tag == _END:
                if not delimited:
                    raise UnusualError
                return at + 8
            else:
                start, length = extent(data, head, at, len(data))
                at = self._element(data, head, start, length, stop, depth)
                if not at:
                    return 0
        return 0 if delimited else at


def extent(data: Buffer, head: bytes, at: int, stop: int) -> tuple[int, int]:
    """Return where the value of an element begins and how long it says it is."""
    if head[4:6] not in LONG:
        return at + 8, HEAD.unpack_from(head)[3]
    if at + 12 > stop:
        raise UnusualError
    return at + 12, _LENGTH.unpack_from(data, at + 8)[0]
