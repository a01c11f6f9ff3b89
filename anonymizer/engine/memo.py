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
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from anonymizer.engine import encode, values
from anonymizer.engine.content import CONCEPT_NAME, NO_CONCEPT, Concept, concept_of
from anonymizer.engine.context import CONTEXT_SIZE, NO_SIGNS, SIGNS, Context, Signs, octets_in
from anonymizer.engine.parse import EXPLICIT_LITTLE, HAS_LONG_LENGTH, VRS, Buffer, Element, parse
from anonymizer.engine.private import creator_of
from anonymizer.engine.rules import REMOVED, Action
from anonymizer.engine.runs import LONG
from anonymizer.engine.scan import HEAD, MOST_TAGS, Far, Item, Raw, Scanned, Scanner, Sequence, UnusualError
from anonymizer.engine.walk import Items, Walk, items_of, plain, plan_of

_MOST_OCTETS = 1 << 26
_PLAN = 150
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

    def top(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return what was made for a key, or make it."""
        found = self._tops.get(key)
        if found is None:
            self.take(CONTEXT_SIZE + octets_in(key))
            found = self._tops[key] = make()
        return found

    def take(self, octets: int) -> None:
        """Count what is being remembered, and forget everything when it is too much."""
        self._used += octets + _ENTRY
        if self._used > self._most:
            # Who works in a forgotten context goes on with it; it is gone when he is done.
            self._tops.clear()
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
        answers: list[bytes | None] = list(map(context.answers.get, raws))  # type: ignore[arg-type]
        at = -1
        for _ in range(answers.count(None)):
            at = answers.index(None, at + 1)
            answers[at] = self._answer(data, scanned.tags[at], raws[at], context, own)
        return answers  # type: ignore[return-value]  # mypy cannot see that none is left

    def _answer(self, data: Buffer, tag: int, raw: Raw, context: Context, own: dict[int, bytes]) -> bytes:
        """Work out the answer to one element, and remember it where that saves something."""
        if tag in own:
            if isinstance(raw, Sequence):
                self._check(raw.items, context.depth)
            return b""
        if isinstance(raw, Far):
            return _slowly(data, raw.start, raw.stop, context)
        if isinstance(raw, Sequence):
            if not tag & 0x10000:
                return self._sequence(data, tag, raw.items, context)
            if not _goes(tag, context):
                return _slowly(data, raw.start, raw.stop, context)
            self._check(raw.items, context.depth)
            return b""
        vr = raw[4:6]
        if tag & 0x10000:
            if vr == b"SQ" and _goes(tag, context):
                return b""
            answer = _slowly(raw, 0, len(raw), context)
        elif vr == b"UN":
            answer = _slowly(raw, 0, len(raw), context)
        elif vr != b"SQ":
            answer = self._plain(tag, raw, context)
        else:
            answer = self._sequence(raw, tag, self._scanner.sequence(raw, context.depth), context)
        context.answers[raw] = answer
        self._take(len(raw) + len(answer))
        return answer

    def _plain(self, tag: int, raw: bytes, context: Context) -> bytes:
        """Answer an element of the standard that is no sequence, as `walk.plain` does."""
        head = raw[:8]
        try:
            plan = context.plans[head]
        except KeyError:
            plan = context.plans[head] = plan_of(tag, VRS[raw[4:6]], context)
            self._take(_PLAN)
        if plan is None:
            return b""
        if raw[4:6] in LONG:
            head = raw[:12]
        value = raw[len(head) :]
        answer = values.apply(plan.rule, tag, plan.read_by, value, context)
        if answer is None:
            return b""
        if len(answer) == len(value) and not len(value) & 1 and VRS[raw[4:6]] == plan.written_in:
            return head + answer
        return encode.element(tag, plan.written_in, answer, EXPLICIT_LITTLE)

    def _sequence(self, data: Buffer, tag: int, items: list[Item], context: Context) -> bytes:
        below = context.below.get(tag)
        if below is None:
            below = context.below[tag] = Below.of(tag, context)
        if below.kind is None:
            self._check(items, context.depth)
            return below.instead
        known = below.answers
        encoded = []
        for raw, scanned in items:
            answer = None if raw is None else known.get(raw)
            if answer is None:
                answer = self._item(data, raw, scanned, tag, below, context)
                if raw is not None:
                    known[raw] = answer
                    self._take(len(raw) + len(answer))
            encoded.append(answer)
        return encode.sequence(tag, encoded, EXPLICIT_LITTLE)

    def _item(
        self, data: Buffer, raw: bytes | None, scanned: Scanned | None, tag: int, below: Below, context: Context
    ) -> bytes:
        if scanned is None:
            raw = raw or b""  # one of the two is always there
            data, scanned = raw, self._scanner.whole(raw, context.depth + 1)
        inside = below.usual
        if inside is None or has_signs(scanned.tags):
            concept = self._concept(data, scanned, context.depth + 1)
            signs = Signs.of(scanned.values(SIGNS), scanned.creators(context.rules), concept)
            inside = below.enter(tag, signs, context)
        return b"".join(self._answers(data, scanned, inside, {}))

    @staticmethod
    def _concept(data: Buffer, scanned: Scanned, depth: int) -> Concept:
        (raw,) = scanned.find((CONCEPT_NAME,))
        if raw is None:
            return NO_CONCEPT
        if isinstance(raw, bytes):
            return concept_of(raw, parse(raw, 0, len(raw), EXPLICIT_LITTLE, depth)[0])
        return concept_of(data, parse(data, raw.start, raw.stop, EXPLICIT_LITTLE, depth)[0])

    def _check(self, items: list[Item], depth: int) -> None:
        """Read what goes as strictly as the slow way does: a file that is broken there is held too."""
        for raw, scanned in items:
            inside = scanned or self._scanner.whole(raw or b"", depth + 1)  # one of the two is always there
            for one in inside.raws:
                if isinstance(one, Sequence):  # a shorter one was looked into when it was found
                    self._check(one.items, depth + 1)


@dataclass(slots=True)
class Below:
    """What is remembered of one sequence's items.

    Attributes
    ----------
    kind : Items or None
        How they are treated; None where they do not stay.
    instead : bytes
        What is written where they do not stay.
    usual : Context or None
        Of items that have nothing which decides how others in them are answered.
    answers : dict of bytes to bytes
        What an item became, by its bytes.
    """

    kind: Items | None
    instead: bytes
    usual: Context | None
    answers: dict[bytes, bytes]

    @classmethod
    def of(cls, tag: int, context: Context) -> Below:
        """Make it for a sequence in a context."""
        action = context.rules.answer(tag, "SQ", context.place).action
        if action is Action.EMPTY:
            return cls(None, encode.sequence(tag, [], EXPLICIT_LITTLE), None, {})
        below = cls(items_of(tag, action, context), b"", None, {})
        if below.kind is not None:
            below.usual = below.enter(tag, NO_SIGNS, context)
        return below

    def enter(self, tag: int, signs: Signs, context: Context) -> Context:
        """Return the context of an item with such signs."""
        replaced, cleaned = self.kind or (False, False)
        return context.enter(tag, signs, replaced=replaced, cleaned=cleaned)


def has_signs(tags: list[int]) -> bool:
    """Tell whether some of an item's attributes decide how the others are answered."""
    return (_has_signs if len(tags) <= MOST_TAGS else _has_signs.__wrapped__)(tuple(tags))


@lru_cache(maxsize=1 << 10)
def _has_signs(tags: tuple[int, ...]) -> bool:
    return any(tag in SIGNS or tag == CONCEPT_NAME or tag & 0x1FF00 == 0x10000 for tag in tags)


def _goes(tag: int, context: Context) -> bool:
    """Tell whether a private sequence goes as a whole."""
    return context.replaced or context.rules.private_rule(tag, creator_of(context.blocks, tag))[0] is REMOVED


def _slowly(data: Buffer, start: int, stop: int, context: Context) -> bytes:
    """Answer one element as the slow way does."""
    head = data[start : start + 8]
    group, number, letters, _ = HEAD.unpack(head)
    tag, vr = group << 16 | number, VRS[letters]
    if vr in {"SQ", "UN"}:
        elements = parse(data, start, stop, EXPLICIT_LITTLE, context.depth)
        if len(elements) != 1:
            raise UnusualError
        return Walk(data, EXPLICIT_LITTLE).element(elements[0], context)
    start += 12 if vr in HAS_LONG_LENGTH else 8
    if group & 1:
        return Walk(data, EXPLICIT_LITTLE).element(Element(tag, vr, start, stop), context)
    return plain(tag, vr, data[start:stop], context, EXPLICIT_LITTLE)
