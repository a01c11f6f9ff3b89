"""The remembered way through a data set: what was answered once is not worked out again.

Nearly every element of a series is the same bytes in every instance, and an answer is a pure function of those bytes
and of the context. So each context remembers its answers, and an element whose bytes are known costs a look into a
dictionary. Elements that are new go the slow way (:mod:`anonymizer.engine.walk`) one by one. Whatever is unusual
(another transfer syntax, tags out of order, lengths that do not fit) goes the slow way whole: there is one set of
rules.

What is remembered are bytes of the source: in memory only, bounded, and gone with the process.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from anonymizer.engine import encode
from anonymizer.engine.context import Context, Signs
from anonymizer.engine.parse import EXPLICIT_LITTLE, HAS_LONG_LENGTH, UNDEFINED, VRS, Buffer, Element, parse
from anonymizer.engine.private import creator_of
from anonymizer.engine.rules import REMOVED, Action
from anonymizer.engine.scan import HEAD, Raw, Scanned, Scanner, Sequence, UnusualError, extent
from anonymizer.engine.walk import Items, Walk, items_of

_MOST_OCTETS = 1 << 26
_ENTRY = 250  # what Python needs for a key and its answer, besides their own octets

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Memory(Generic[_Key, _Value]):
    """The contexts of top levels, with all that is remembered in them and below.

    Parameters
    ----------
    most : int
        About how many octets may be remembered; beyond that all is forgotten.
    """

    def __init__(self, most: int = _MOST_OCTETS) -> None:
        self._most = most
        self._used = 0
        self._tops: dict[_Key, _Value] = {}
        self.scanner = Scanner()
        self.checked: set[bytes] = set()
        """Bytes of items and elements that can be read, and go."""

    def top(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return what was made for a key, or make it."""
        found = self._tops.get(key)
        if found is None:
            found = self._tops[key] = make()
        return found

    def take(self, octets: int) -> None:
        """Count what is being remembered, and forget everything when it is too much."""
        self._used += octets + _ENTRY
        if self._used > self._most:
            # Who works in a forgotten context goes on with it; it is gone when he is done.
            self._tops.clear()
            self.checked = set()
            self._used = 0

    @property
    def used(self) -> int:
        """Return about how many octets are remembered."""
        return self._used


class Remembering:
    """The remembered way through one instance.

    Parameters
    ----------
    data : bytes-like
        What holds the data set, in explicit VR little endian.
    memory : Memory
        The anonymizer's.
    """

    def __init__(self, data: Buffer, memory: Memory[_Key, _Value]) -> None:
        self._data = data
        self._scanner = memory.scanner
        self._checked = memory.checked
        self._take = memory.take

    def scan(self, start: int) -> Scanned:
        """Take a data set apart, up to the picture.

        Raises
        ------
        UnusualError
            When the slow way has to be taken.
        """
        return self._scanner.data_set(self._data, start, len(self._data), 0)

    def answers(self, scanned: Scanned, context: Context, own: dict[int, bytes]) -> bytes:
        """Return the encoded answers of the top level, with what the engine says itself in its place."""
        answers = self._answers(self._data, scanned, context, own)
        for tag in sorted(own, reverse=True):
            answers.insert(bisect_left(scanned.tags, tag), own[tag])
        return b"".join(answers)

    def _answers(self, data: Buffer, scanned: Scanned, context: Context, own: dict[int, bytes]) -> list[bytes]:
        raws = scanned.raws
        known = list(map(context.answers.get, raws))  # type: ignore[arg-type]  # what is no key is not found
        if None not in known:
            return known  # type: ignore[return-value]  # mypy cannot see what was just looked at
        return [
            self._answer(data, tag, raw, context, own) if answer is None else answer
            for tag, raw, answer in zip(scanned.tags, raws, known, strict=True)
        ]

    def _answer(self, data: Buffer, tag: int, raw: Raw, context: Context, own: dict[int, bytes]) -> bytes:
        """Work out the answer to one element, and remember it."""
        if isinstance(raw, bytes):
            if tag in own:
                answer = b""
            elif raw[4:6] == b"SQ" and not tag & 0x10000:
                start, length = extent(raw, raw, 0, len(raw))
                items, _ = self._scanner.items(raw, start, len(raw), context.depth, delimited=length == UNDEFINED)
                answer = self._sequence(raw, tag, Sequence(items, 0, len(raw)), context)
            else:
                answer = _slowly(raw, 0, len(raw), context)
            context.answers[raw] = answer
            self._take(len(raw) + len(answer))
            return answer
        if tag in own:
            return b""
        if isinstance(raw, Sequence):
            if not tag & 0x10000:
                return self._sequence(data, tag, raw, context)
            if context.replaced or context.rules.private_rule(tag, creator_of(context.blocks, tag))[0] is REMOVED:
                self._check(data, raw)
                return b""
        return _slowly(data, raw.start, raw.stop, context)

    def _check(self, data: Buffer, sequence: Sequence) -> None:
        """Read what goes as strictly as the slow way does: a file that is broken there is held too."""
        for item in sequence.items:
            if isinstance(item, bytes):
                self._check_raw(item)
                continue
            for raw in item.raws:
                if isinstance(raw, bytes):
                    self._check_raw(raw)
                elif isinstance(raw, Sequence):
                    self._check(data, raw)

    def _check_raw(self, raw: bytes) -> None:
        if raw not in self._checked:
            parse(raw, 0, len(raw), EXPLICIT_LITTLE, 1)
            self._checked.add(raw)
            self._take(len(raw))

    def _sequence(self, data: Buffer, tag: int, sequence: Sequence, context: Context) -> bytes:
        action = context.rules.answer(tag, "SQ", context.place).action
        kind = items_of(tag, action, context)
        if kind is None or action is Action.EMPTY:
            self._check(data, sequence)
            return encode.sequence(tag, [], EXPLICIT_LITTLE) if action is Action.EMPTY else b""
        known = context.items.setdefault(tag, {})
        encoded = []
        for item in sequence.items:
            if isinstance(item, bytes):
                answer = known.get(item)
                if answer is None:
                    answer = known[item] = self._item(
                        item, self._scanner.whole(item, context.depth + 1), tag, kind, context
                    )
                    self._take(len(item) + len(answer))
            else:
                answer = self._item(data, item, tag, kind, context)
            encoded.append(answer)
        return encode.sequence(tag, encoded, EXPLICIT_LITTLE)

    def _item(self, data: Buffer, item: Scanned, tag: int, kind: Items, context: Context) -> bytes:
        signs = Signs.of(item.value, item.creators(context.rules))
        inside = context.enter(tag, signs, replaced=kind.replaced, cleaned=kind.cleaned)
        return b"".join(self._answers(data, item, inside, {}))


def _slowly(data: Buffer, start: int, stop: int, context: Context) -> bytes:
    """Answer one element as the slow way does."""
    vr = VRS[data[start + 4 : start + 6]]
    if vr in {"SQ", "UN"}:
        elements = parse(data, start, stop, EXPLICIT_LITTLE, context.depth)
        if len(elements) != 1:
            raise UnusualError
        element = elements[0]
    else:
        tag, value = HEAD.unpack_from(data, start), start + (12 if vr in HAS_LONG_LENGTH else 8)
        element = Element(tag[0] << 16 | tag[1], vr, value, stop)
    return Walk(data, EXPLICIT_LITTLE).element(element, context)
