"""The walk through a data set: every element answered, every item in its own context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from anonymizer.engine import encode, values
from anonymizer.engine.context import Context
from anonymizer.engine.parse import Element, Syntax, by_dictionary
from anonymizer.engine.pseudonyms import Subject
from anonymizer.engine.rules import Action
from anonymizer.engine.text import encodings_of

SPECIFIC_CHARACTER_SET = 0x00080005
_CODING_SCHEME = 0x00080102
_PATIENT_ID = 0x00100020
_ISSUER = 0x00100021
_PIXEL_DATA = 0x7FE00010
_PICTURES = frozenset({0x7FE00008, 0x7FE00009, _PIXEL_DATA})  # with Float and Double Float Pixel Data

# VRs that a file may give an attribute instead of the dictionary's without any other meaning.
_INTERCHANGEABLE = (
    frozenset({"OB", "OW"}),
    frozenset({"US", "SS"}),
    frozenset({"DS", "IS"}),
    frozenset({"UL", "SL"}),
)


class Walk:
    """Treat the data set of one instance.

    Parameters
    ----------
    data : bytes
        What the elements point into.
    syntax : Syntax
        How to write; the source's own.
    """

    def __init__(self, data: bytes, syntax: Syntax) -> None:
        self._data = data
        self._view = memoryview(data)
        self._syntax = syntax

    def data_set(
        self, elements: Iterable[Element], context: Context, own: Mapping[int, tuple[str, bytes]]
    ) -> list[bytes | memoryview]:
        """Return the encoded answers of a data set, in the order of their tags.

        Parameters
        ----------
        own : mapping of tag to (VR, value)
            What the engine says itself, in the place of whatever the source says there.
        """
        parts = {
            tag: encode.element(tag, vr, value, self._syntax)
            if vr != "SQ"
            else [encode.header(tag, vr, len(value), self._syntax), value]
            for tag, (vr, value) in own.items()
        }
        for element in elements:
            if element.tag not in own:
                parts[element.tag] = self._element(element, context)
        return [part for tag in sorted(parts) for part in parts[tag]]

    def value(self, elements: Iterable[Element], tag: int) -> bytes:
        """Return the value of one element of a data set; empty when it is not there."""
        for element in elements:
            if element.tag == tag and element.items is None:
                return self._data[element.start : element.stop]
        return b""

    def _element(self, element: Element, context: Context) -> list[bytes | memoryview]:
        tag = element.tag
        if tag in _PICTURES and context.nested:
            return []  # pictures in items are icons, and those go (Table E.1-1, Note 11)
        if element.fragments:
            return encode.fragments(tag, element.vr, self._view[element.start : element.stop], self._syntax)
        if element.items is not None:
            return self._sequence(tag, element.items, context)
        if tag == _PIXEL_DATA:
            stored = element.vr.split(" ")[0]  # implicit VR tells "OB or OW"
            return encode.element(tag, stored, self._view[element.start : element.stop], self._syntax)
        vr = reading_vr(tag, element.vr)
        if vr is None or vr == "SQ":
            return []  # what it means cannot be told, so it says nothing
        answer = values.treat(tag, vr, self._data[element.start : element.stop], context)
        return [] if answer is None else encode.element(tag, vr, answer, self._syntax)

    def _sequence(self, tag: int, items: list[list[Element]], context: Context) -> list[bytes | memoryview]:
        action = context.rules.answer(tag, "SQ").action
        if action is Action.EMPTY:
            return encode.sequence(tag, [], self._syntax)
        if action is Action.DUMMY:
            replaced = True
        elif action in {Action.WALK, Action.KEEP}:
            replaced = context.replaced and not context.rules.in_structure(tag)
        else:
            return []
        encoded = [b"".join(self.data_set(item, self._item_context(item, context, replaced), {})) for item in items]
        return encode.sequence(tag, encoded, self._syntax)

    def _item_context(self, item: list[Element], context: Context, replaced: bool) -> Context:
        encodings = context.encodings
        if character_set := self.value(item, SPECIFIC_CHARACTER_SET):
            encodings = encodings_of(character_set)
        designator = self.value(item, _CODING_SCHEME).decode("latin-1").strip("\0 ")
        return context.inside(
            encodings=encodings,
            subject=self._subject(item, context, encodings),
            nested=True,
            replaced=replaced,
            public_code=not replaced and context.rules.is_public_coding_scheme(designator),
        )

    def _subject(self, item: list[Element], context: Context, encodings: tuple[str, ...]) -> Subject:
        """Tell whom an item is about: whom the data set is about, unless it names somebody else.

        The same patient ID without an issuer is the same person, whatever the site's default issuer is.
        """
        patient_id, issuer = self.value(item, _PATIENT_ID), self.value(item, _ISSUER)
        if not patient_id.strip(b"\0 "):
            return context.subject
        study, default = context.study_instance_uid, context.default_issuer
        subject = values.subject_of(patient_id, issuer, study, encodings, default)
        is_same = not issuer.strip(b"\0 ") and subject.texts[-1] == context.subject.texts[-1]
        return context.subject if is_same else subject


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
    return known if vr in values.TEXTS and known in values.TEXTS else None
