"""The items of a sequence (PS3.5 7.5), one of unknown VR too (PS3.5 6.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from struct import Struct
from typing import NamedTuple, cast

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator

from anonymizer.gate.memory import Element
from anonymizer.gate.reading import UNDEFINED_LENGTH, check_whole

_STARTS = {b"\xfe\xff\x00\xe0": True, b"\xff\xfe\xe0\x00": False}
"""The tag of an item, by whether the bytes are little endian (PS3.5 7.5)."""


class SequenceError(ValueError):
    """The value of a sequence is not made of items."""


class Item(NamedTuple):
    """An item of a sequence, and from where in the sequence's value its elements count their positions."""

    elements: tuple[Element, ...]
    offset: int


def items_of(element: Element, *, is_sequence: bool) -> Iterable[Item] | None:
    """Return the items of an element, or None if it is opaque.

    An element of unknown VR may hold a sequence, which then is in implicit VR (PS3.5 6.2.2); every item shows
    whether the writer kept to that.
    """
    value = element.value
    if not isinstance(element, RawDataElement):
        items = cast("Iterable[Dataset]", value) if element.VR == "SQ" else None
        return None if items is None else [Item(tuple(item.values()), 0) for item in items]
    if not value:
        return () if is_sequence else None
    content = cast("bytes", value)
    little = _STARTS.get(content[:4])
    if little is None and not is_sequence:
        return None
    if little is None or element.VR != "UN":
        little = element.is_little_endian
    return read_items(content, implicit=element.is_implicit_VR, little=little)


def read_items(content: bytes, *, implicit: bool, little: bool) -> Iterator[Item]:
    """Yield the items of a sequence of defined length (PS3.5 7.5).

    Parameters
    ----------
    content : bytes
        The value of the sequence.
    implicit : bool
        Whether items are in implicit VR. If not, each item may still be: UN holds implicit VR (PS3.5 6.2.2).
    little : bool
        Whether they are little endian.

    Raises
    ------
    SequenceError
        If the value is not made of items.
    """
    header = Struct("<HHL" if little else ">HHL")
    stream = BytesIO(content)
    at, size = 0, len(content)
    while at < size:
        if at + 8 > size:
            raise SequenceError
        group, number, length = header.unpack_from(content, at)
        at += 8
        if (group, number) == (0xFFFE, 0xE0DD):
            return
        end = size if length == UNDEFINED_LENGTH else at + length
        if (group, number) != (0xFFFE, 0xE000) or end > size:
            raise SequenceError
        is_implicit = implicit or not content[at + 4 : at + 6].isalpha()
        if length == UNDEFINED_LENGTH:
            stream.seek(at)
            yield Item(_whole(data_element_generator(stream, is_implicit, little)), 0)
            at = stream.tell()
            continue
        part = BytesIO(content[at:end])
        yield Item(_whole(data_element_generator(part, is_implicit, little)), at)
        if part.tell() != length:
            raise SequenceError
        at = end


def _whole(elements: Iterable[Element]) -> tuple[Element, ...]:
    whole = tuple(elements)
    check_whole([element.tag for element in whole], whole[-1] if whole else None)
    return whole
