"""An instance as it came: questions to the top level of its data set, and two ways through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from typing import Any

from pydicom.uid import MediaStorageDirectoryStorage, RTDoseStorage

from anonymizer.engine import deciding, markers, meta, objects, pictures
from anonymizer.engine.context import CODE_VALUE, Context
from anonymizer.engine.memo import Memory, Remembering
from anonymizer.engine.outcome import HoldError
from anonymizer.engine.parse import EXPLICIT_LITTLE, MOST_IN_ALL, VRS, Buffer, Element, parse
from anonymizer.engine.rules import Rules
from anonymizer.engine.scan import UnusualError, value_of
from anonymizer.engine.walk import Walk, reading_vr

_PICTURE = 0x7FE00000
_SOP_CLASS = 0x00080016
_SHORTEST = 8  # octets of an element, or of an item
_ROWS = 0x00280010
_OVERLAYS = 0x60000000
# A dose may be a curve of points instead of a picture (PS3.3 C.8.8.3).
_WITHOUT_PIXELS = frozenset({str(RTDoseStorage)})


def opened(data: Buffer, rules: Rules, memory: Memory[Any, Any] | None) -> Source:
    """Open a file for the slow way, or, given a memory, for the remembered one.

    Raises
    ------
    UnusualError
        When the remembered way cannot be taken.
    HoldError
        When the bytes are no instance.
    """
    file = meta.open_file(data)
    if file.sop_class == MediaStorageDirectoryStorage:
        objects.check_sop_class(file.sop_class)  # has none of an instance's own UIDs
    return Parsed(file, rules) if memory is None else Scanned(file, rules, memory)


class Source(ABC):
    """An instance as it came.

    Attributes
    ----------
    file : File
        The file around the data set.
    walk : Walk
        The slow way, for what stands behind the data set's own elements.
    picture : list of Element
        Pixels and what belongs to them.
    behind : list of Element
        What else stands where pixels stand or behind them.
    """

    def __init__(self, file: meta.File, behind: list[Element]) -> None:
        self.file = file
        self.walk = Walk(file.data, file.syntax)
        self.picture = [element for element in behind if element.tag in pictures.GROUP]
        self.behind = [element for element in behind if element.tag not in pictures.GROUP]

    @abstractmethod
    def value(self, tag: int) -> bytes:
        """Return the bytes of a value; none for what is not there or is a sequence."""

    @abstractmethod
    def method_codes(self) -> tuple[str, ...]:
        """Return the de-identification methods that the source claims already."""

    @abstractmethod
    def creators(self) -> tuple[tuple[int, bytes], ...]:
        """Return the Private Creators, where private attributes may stay."""

    @abstractmethod
    def answers(self, context: Context, own: dict[int, bytes]) -> bytes:
        """Return the encoded answers to all elements in front of the picture."""

    @abstractmethod
    def _vr(self, tag: int) -> str:
        """Return the VR of an element; empty for what is not there."""

    @abstractmethod
    def _has_overlays(self) -> bool:
        """Tell whether an overlay group may be there."""

    def text(self, tag: int) -> str:
        """Return a value of the default repertoire without its padding."""
        return self.value(tag).decode("latin-1").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """Return a US value."""
        value = self.value(tag)
        if len(value) != 2:
            return None
        return int.from_bytes(value, "little" if self.file.syntax.little_endian else "big")

    def uid(self, tag: int) -> str:
        """Return a UID that an instance must have (Type 1 in PS3.3 C.12.1, C.7.2.1, C.7.3.1)."""
        uid = self.text(tag)
        if not uid or "\\" in uid:
            raise HoldError("uid-missing", "every instance needs exactly one", tag=tag, vr="UI")
        if reading_vr(tag, self._vr(tag)) != "UI":
            raise HoldError("uid-missing", "is there, but not as a UID", tag=tag, vr="UI")
        return uid

    def _check_deciding(self) -> None:
        """Hold what says in a wrong way how the rest is to be read: it would be believed here, and be gone there."""
        for tag in deciding.DECIDING:
            vr = self._vr(tag)
            if not vr:
                continue
            if reading_vr(tag, vr) is None:
                raise HoldError("invalid-vr", "is there, but in a VR that it cannot have", tag=tag, vr=vr)
            deciding.check(tag, vr, self.value(tag))

    def check(self) -> None:
        """Hold what is not to be treated at all."""
        sop_class = self.uid(_SOP_CLASS)
        if self.file.sop_class not in {"", sop_class}:
            raise HoldError("sop-class-mismatch", "the file meta names another SOP class", tag=_SOP_CLASS, vr="UI")
        objects.check_sop_class(sop_class)
        self._check_deciding()
        objects.check_burned_in(self.value)
        if self._has_overlays():
            objects.check_overlays(self.value, self.number)
        has_picture = any(element.tag in pictures.PICTURES for element in self.picture)
        if not has_picture and self.value(_ROWS) and sop_class not in _WITHOUT_PIXELS:
            raise HoldError(
                "pixel-data-missing", "is not there, though the picture has rows", tag=pictures.PIXEL_DATA, vr="OW"
            )


class Parsed(Source):
    """An instance read the slow way: every element parsed."""

    def __init__(self, file: meta.File, rules: Rules) -> None:
        self._elements = parse(file.data, file.start, len(file.data), file.syntax)
        super().__init__(file, [element for element in self._elements if element.tag >= _PICTURE])
        self._rules = rules
        self._by_tag = {element.tag: element for element in self._elements}

    def value(self, tag: int) -> bytes:
        element = self._by_tag.get(tag)
        if element is None or element.items is not None:
            return b""
        return self.file.data[element.start : element.stop]

    def method_codes(self) -> tuple[str, ...]:
        element = self._by_tag.get(markers.METHOD_CODES)
        items = element.items or [] if element else []
        return tuple(self.walk.value(item, CODE_VALUE).decode("latin-1").strip("\0 ") for item in items)

    def creators(self) -> tuple[tuple[int, bytes], ...]:
        return self.walk.creators(self._elements, self._rules)

    def answers(self, context: Context, own: dict[int, bytes]) -> bytes:
        return self.walk.data_set((one for one in self._elements if one.tag < _PICTURE), context, own)

    def _vr(self, tag: int) -> str:
        element = self._by_tag.get(tag)
        return "" if element is None else element.vr

    def _has_overlays(self) -> bool:
        return True


class Scanned(Source):
    """An instance taken apart for the remembered way: bytes that were answered before are not looked into."""

    def __init__(self, file: meta.File, rules: Rules, memory: Memory[Any, Any]) -> None:
        if file.syntax != EXPLICIT_LITTLE or file.inflated:
            raise UnusualError  # the slow way counts elements while it reads
        self._remembering = Remembering(file.data, memory)
        self._data_set = self._remembering.scan(file.start)
        if self._data_set.stop - file.start > _SHORTEST * MOST_IN_ALL:
            raise UnusualError
        behind = parse(file.data, self._data_set.stop, len(file.data), file.syntax)
        super().__init__(file, behind)
        self._creators = (
            (*self._data_set.creators(rules), *self.walk.creators(behind, rules)) if rules.keeps_private else ()
        )
        self._by_tag = dict(zip(self._data_set.tags, self._data_set.raws, strict=True))
        if markers.METHOD_CODES in self._by_tag or (behind and min(one.tag for one in behind) < _PICTURE):
            raise UnusualError

    def value(self, tag: int) -> bytes:
        raw = self._by_tag.get(tag)
        return b"" if raw is None else value_of(raw)

    def method_codes(self) -> tuple[str, ...]:
        return ()

    def creators(self) -> tuple[tuple[int, bytes], ...]:
        return self._creators

    def answers(self, context: Context, own: dict[int, bytes]) -> bytes:
        return self._remembering.answers(self._data_set, context, own)

    def _vr(self, tag: int) -> str:
        raw = self._by_tag.get(tag)
        if raw is None:
            return ""
        return VRS[raw[4:6]] if isinstance(raw, bytes) else VRS[self.file.data[raw.start + 4 : raw.start + 6]]

    def _has_overlays(self) -> bool:
        tags = self._data_set.tags
        at = bisect_left(tags, _OVERLAYS)
        return at < len(tags) and tags[at] >> 24 == _OVERLAYS >> 24
