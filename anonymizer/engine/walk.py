"""The walk through a data set: every element answered, every item in its own context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from anonymizer.engine import encode, values
from anonymizer.engine.content import CONCEPT_NAME, NO_CONCEPT, concept_of
from anonymizer.engine.context import SIGNS, Context, Plan, Signs
from anonymizer.engine.parse import Buffer, Element, Syntax, by_dictionary, parse_items
from anonymizer.engine.private import creator_of, is_listed_creator
from anonymizer.engine.rules import Action, Rules

_PICTURES = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # Float, Double Float and Pixel Data

_PALETTES = frozenset({0x00281201, 0x00281202, 0x00281203})  # the data of Palette Color Lookup Tables
# VRs that a file may give an attribute instead of the dictionary's without any other meaning.
_INTERCHANGEABLE = (
    frozenset({"OB", "OW"}),
    frozenset({"US", "SS"}),
    frozenset({"DS", "IS"}),
    frozenset({"UL", "SL"}),
)


class Items(NamedTuple):
    """What becomes of a sequence whose items stay."""

    replaced: bool
    cleaned: bool


class Walk:
    """Treat the elements of one instance.

    Parameters
    ----------
    data : bytes-like
        What the elements point into.
    syntax : Syntax
        How to write; the source's own.
    """

    def __init__(self, data: Buffer, syntax: Syntax) -> None:
        self._data = data
        self._syntax = syntax

    def data_set(self, elements: Iterable[Element], context: Context, own: Mapping[int, bytes]) -> bytes:
        """Return the encoded answers of a data set, in the order of their tags.

        Parameters
        ----------
        own : mapping of tag to encoded element
            What the engine says itself, in the place of whatever the source says there.
        """
        parts = dict(own)
        for element in elements:
            if element.tag not in own:
                parts[element.tag] = self.element(element, context)
        return b"".join([parts[tag] for tag in sorted(parts)])

    def value(self, elements: Iterable[Element], tag: int) -> bytes:
        """Return the value of one element of a data set; empty when it is not there."""
        for element in elements:
            if element.tag == tag and element.items is None:
                return self._data[element.start : element.stop]
        return b""

    def creators(self, elements: Iterable[Element], rules: Rules) -> tuple[tuple[int, bytes], ...]:
        """Return the Private Creators of a data set, where private attributes may stay."""
        if not rules.keeps_private:
            return ()
        return tuple(
            (element.tag, self._data[element.start : element.stop])
            for element in elements
            if element.tag & 0x1FF00 == 0x10000 and element.items is None
        )

    def element(self, element: Element, context: Context) -> bytes:
        """Return the answer to one element, encoded; nothing where it is left out."""
        tag = element.tag
        if tag & 0x10000:
            return self._private(element, context)
        if element.items is not None and tag not in _PICTURES:
            action = context.rules.answer(tag, "SQ", context.place).action
            return self._sequence(tag, element.items, action, context)
        return plain(tag, element.vr, self._data[element.start : element.stop], context, self._syntax)

    def _private(self, element: Element, context: Context) -> bytes:
        """Answer a private element: by Table E.3.10-1 where the profile says so, else it goes."""
        tag = element.tag
        if not context.rules.keeps_private or context.replaced:
            return b""
        value = b"" if element.items is not None else self._data[element.start : element.stop]
        if tag & 0xFF00 == 0:  # a creator stays where anything of its could
            creator = creator_of(context.blocks, tag >> 16 << 16 | (tag & 0xFF) << 8)
            return encode.element(tag, "LO", value, self._syntax) if is_listed_creator(creator, tag >> 16) else b""
        rule, vr = context.rules.private_rule(tag, creator_of(context.blocks, tag))
        if rule.action is Action.REMOVE:
            return b""
        if vr == "SQ":
            items = element.items
            if items is None:
                items = parse_items(self._data, element, self._syntax, context.depth)
            return self._sequence(tag, items, rule.action, context)
        if element.items is not None or not _agrees(element.vr, vr):
            return b""
        answer = values.apply(rule, tag, vr, value, context)
        return b"" if answer is None else encode.element(tag, vr, answer, self._syntax)

    def _sequence(self, tag: int, items: list[list[Element]], action: Action, context: Context) -> bytes:
        if action is Action.EMPTY:
            return encode.sequence(tag, [], self._syntax)
        kind = items_of(tag, action, context)
        if kind is None:
            return b""
        encoded = [self.data_set(item, self._entered(tag, item, kind, context), {}) for item in items]
        return encode.sequence(tag, encoded, self._syntax)

    def _entered(self, tag: int, item: list[Element], kind: Items, context: Context) -> Context:
        names = [concept_of(self._data, element) for element in item if element.tag == CONCEPT_NAME]
        signs = Signs.of(
            [self.value(item, tag) for tag in SIGNS],
            self.creators(item, context.rules),
            names[0] if names else NO_CONCEPT,
        )
        return context.enter(tag, signs, replaced=kind.replaced, cleaned=kind.cleaned)


def plain(tag: int, vr: str, value: bytes, context: Context, syntax: Syntax) -> bytes:
    """Return the answer to an element of the standard that is no sequence, encoded; nothing where it is left out."""
    plan = plan_of(tag, vr, context)
    if plan is None:
        return b""
    answer = values.apply(plan.rule, tag, plan.read_by, value, context)
    return b"" if answer is None else encode.element(tag, plan.written_in, answer, syntax)


def plan_of(tag: int, vr: str, context: Context) -> Plan | None:
    """Return what is done with an element of the standard that is no sequence, whatever its value; None if it goes."""
    if tag in _PICTURES:
        return None  # the top level's are written apart; in items they are icons, and go (Table E.1-1, Note 11)
    known = reading_vr(tag, vr)
    if known is None or known == "SQ":
        return None  # what it means cannot be told, so it says nothing
    # Which of US and SS an attribute is, only Pixel Representation tells, of another instance maybe.
    is_open = vr not in {"US", "SS"} and by_dictionary(tag) == "US or SS"
    return Plan(known, "UN" if is_open else known, values.rule_of(tag, known, context))


def items_of(tag: int, action: Action, context: Context) -> Items | None:
    """Tell how the items of a sequence are treated, None where they do not stay."""
    if action is Action.DUMMY:
        return Items(replaced=True, cleaned=False)
    if action is Action.CLEAN_ITEMS and not context.replaced:
        return Items(replaced=False, cleaned=True)
    if action in {Action.WALK, Action.KEEP, Action.CLEAN_ITEMS}:
        replaced = context.replaced and not context.rules.in_structure(tag)
        return Items(replaced, context.cleaned and not replaced)
    return None


@lru_cache(maxsize=1 << 14)
def reading_vr(tag: int, vr: str) -> str | None:
    """Return the VR by which a value is read, None where file and dictionary cannot both be right.

    The dictionary decides what an attribute may hold. What calls itself UN is read by it; a text of another
    kind is read as what the dictionary says, so that a name in a number's place is no number.
    """
    known = by_dictionary(tag)
    if known == "UN" or vr in known.split(" or "):
        return vr
    if vr in {"UN", known}:
        # Of an ambiguous one the order of bytes is all that matters: two by two, and as binary where it can be.
        return "OW" if "OW" in known else known.split(" ")[0]
    if any({vr, known} <= group for group in _INTERCHANGEABLE):
        return vr
    if vr in {"US", "SS"} and tag in _PALETTES:
        return "OW"  # as which editions before 2004 let them stand; the octets are the same
    return known if vr in values.TEXTS and known in values.TEXTS else None


def _agrees(vr: str, listed: str) -> bool:
    """Tell whether a private value can be read by the VR that the list gives it."""
    return vr in {"UN", listed} or any({vr, listed} <= group for group in _INTERCHANGEABLE)
