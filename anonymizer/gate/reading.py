"""Read a DICOM file with pydicom into elements that are still raw.

The engine reads in another way on purpose: a fault of one reader is seen by the other. Elements stay raw
(:class:`pydicom.dataelem.RawDataElement`), because most of them are never looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from mmap import mmap
from os import SEEK_CUR, SEEK_SET
from typing import BinaryIO, cast

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from anonymizer.gate.memory import Element, Memory, Run

Data = bytes | bytearray | memoryview | mmap
"""A whole file: in memory, or mapped into it."""

NATIVE = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
"""Transfer syntaxes whose pixel data are samples and not codestreams (PS3.5 A.1, A.2, A.3, A.5)."""

PIXEL_DATA = 0x7FE00010
TRANSFER_SYNTAX = 0x00020010
SPECIFIC_CHARACTER_SET = 0x00080005
UNDEFINED_LENGTH = 0xFFFFFFFF

_PREAMBLE = 128
_FILE_META = b"\2\0"
"""The group of file meta information, which is in little endian always (PS3.10 7.1)."""
_COPIED = 1 << 24
"""Files up to this size are copied into bytes, which are read faster than a window on something else."""
_LARGE = 1 << 16
"""Pixels above this size are not read but pointed at."""
_LARGEST_INFLATED = 1 << 30
"""A few octets can be deflated of any number; what would fill the memory is not read."""
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})


class TruncatedError(ValueError):
    """The file ends inside a value, or does not end where its elements do."""


class TooLargeError(ValueError):
    """A deflated data set is larger than anybody's."""


class DuplicateElementError(ValueError):
    """A data set holds the same tag twice, so that readers may disagree about its value."""


@dataclass(slots=True)
class Header:
    """Preamble and file meta information, and where the data set begins (PS3.10 7.1)."""

    preamble: bytes
    runs: tuple[Run, ...]
    transfer_syntax: str
    end: int

    @property
    def elements(self) -> Iterator[Element]:
        """Yield the elements of the file meta information in the order of the file."""
        return chain.from_iterable(run.elements for run in self.runs)


@dataclass(slots=True)
class Reading:
    """The raw elements of a file.

    Parameters
    ----------
    header : Header
        The file meta information; empty if the file has none.
    runs : tuple of Run
        Top level elements in the order of the file. Large pixels are a memoryview on the file.
    tags : list of int
        Their tags.
    is_inflated : bool
        Whether element positions count in what came out of a deflated data set, not in the file.
    """

    header: Header
    runs: tuple[Run, ...]
    tags: list[int]
    is_inflated: bool = False

    @property
    def elements(self) -> Iterator[Element]:
        """Yield the top level elements in the order of the file."""
        return chain.from_iterable(run.elements for run in self.runs)


class Window:
    """A file over bytes that are not copied: as much of it as pydicom's reader asks for."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer where the file ends."""
        part = bytes(self._view[self._at : self._at + size])
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a place, which may lie behind the end as in other files."""
        self._at = offset + (self._at if whence == SEEK_CUR else 0)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at


def at_hand(data: Data) -> bytes | memoryview:
    """Return a file as bytes, or without a copy as a view on them if it is large."""
    if isinstance(data, bytes):
        return data
    view = memoryview(data).cast("B")
    return view if view.nbytes > _COPIED else bytes(view)


def read_header(data: bytes | memoryview, memory: Memory | None = None) -> Header:
    """Read preamble and file meta information.

    Parameters
    ----------
    data : bytes or memoryview
        The whole file.
    memory : Memory, optional
        What was read before.

    Raises
    ------
    InvalidDicomError
        If there is no preamble with its prefix (PS3.10 7.1).
    """
    if data[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        raise InvalidDicomError
    runs, end = _read(data, _PREAMBLE + 4, implicit=False, little=True, is_meta=True, memory=memory)
    check_whole([tag for run in runs for tag in run.tags], runs[-1].elements[-1] if runs else None)
    return Header(bytes(data[:_PREAMBLE]), runs, _transfer_syntax(runs), end)


def read(data: Data, *, force: bool = False, memory: Memory | None = None) -> Reading:
    """Read a DICOM file.

    Parameters
    ----------
    data : bytes or what can be seen as bytes
        The whole file.
    force : bool
        Read a data set without preamble and file meta information too.
    memory : Memory, optional
        What was read before; without one, positions of elements are right too.

    Raises
    ------
    InvalidDicomError
        If this is not DICOM.
    TruncatedError, DuplicateElementError
        If readers could disagree about what the file holds.
    """
    data = at_hand(data)
    if force and data[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        return _read_slowly(data)
    header = read_header(data, memory)
    body, start = data, header.end
    is_deflated = header.transfer_syntax == DeflatedExplicitVRLittleEndian
    if is_deflated:
        body, start = inflate(data[start:])[0], 0
    implicit = header.transfer_syntax == ImplicitVRLittleEndian
    if not header.transfer_syntax or implicit == bytes(body[start + 4 : start + 6]).isalpha():
        # Not the encoding that the file meta names: pydicom knows how to guess.
        return _read_slowly(data)
    little = header.transfer_syntax != ExplicitVRBigEndian
    runs, end = _read(body, start, implicit=implicit, little=little, memory=memory)
    if end != len(body):
        raise TruncatedError
    return _whole(header, runs, is_inflated=is_deflated)


def _read(
    body: bytes | memoryview, at: int, *, implicit: bool, little: bool, memory: Memory | None, is_meta: bool = False
) -> tuple[tuple[Run, ...], int]:
    """Return the elements of a data set or of file meta information, and where they end.

    One reader of pydicom reads all that is new, wherever it is set down, because to start one takes longer than to read
    an element. Behind a character set it is another one: pydicom's would keep that for what follows, and an element is
    remembered by its octets alone.
    """
    stream = _stream(body)
    stream.seek(at)
    stop = _after_file_meta if is_meta else None
    elements = data_element_generator(stream, implicit, little, stop, _LARGE)
    if memory is None or not isinstance(body, bytes):
        return tuple([Run.of(_with_value(element, body, stream)) for element in elements]), stream.tell()
    page = memory.page(implicit=implicit, little=little, is_meta=is_meta)
    runs: list[Run] = []
    row: list[Run] = []  # usual ones up to here
    start = at
    while at < len(body) and not (is_meta and body[at : at + 2] != _FILE_META):
        size, run = page.at(body, at)
        if run is None:
            stream.seek(at)
            element = next(elements, None)
            if element is None:
                break
            run, size = Run.of(_with_value(element, body, stream)), stream.tell() - at
            if run.tags[0] == SPECIFIC_CHARACTER_SET:
                elements = data_element_generator(stream, implicit, little, stop, _LARGE)
            page.keep(body, at, size, run)
        if run.is_usual:
            row.append(run)
        else:
            page.join(body, start, at, row)
            row, start = [], at + size
        runs.append(run)
        at += size
    page.join(body, start, at, row)
    return tuple(runs), at


def check_whole(tags: Sequence[int], last: Element | None) -> None:
    """Check the elements of a data set or item.

    Parameters
    ----------
    tags : sequence of int
        The tags of all.
    last : Element or None
        The last of them. Only its value can be shorter than its length: there the file ended.

    Raises
    ------
    DuplicateElementError, TruncatedError
        If readers could disagree about what they are.
    """
    if len(set(tags)) != len(tags):
        raise DuplicateElementError
    if isinstance(last, RawDataElement) and last.length not in (len(last.value or b""), UNDEFINED_LENGTH):
        raise TruncatedError


def inflate(data: bytes | memoryview) -> tuple[bytes, bytes]:
    """Inflate a deflated data set (PS3.5 A.5).

    Returns
    -------
    tuple of bytes
        The data set, and what stands behind the deflated stream: padding, or a checksum of some writers.

    Raises
    ------
    TruncatedError
        If the stream has no end.
    TooLargeError
        If it would be more than a gigabyte.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = stream.decompress(data, _LARGEST_INFLATED)
    if stream.unconsumed_tail:
        raise TooLargeError
    inflated += stream.flush()
    if not stream.eof:
        raise TruncatedError
    return inflated, stream.unused_data


def text_values(element: Element) -> tuple[str, ...]:
    """Return the values of an element of single-byte text, without surrounding spaces and NULs."""
    value = element.value
    if isinstance(value, bytes):
        text = value.decode("latin-1")
    elif value is None:
        return ()
    else:
        text = value if isinstance(value, str) else "\\".join(map(str, value))
    if "\\" not in text:
        return (text.strip(" \0"),)
    return tuple([part.strip(" \0") for part in text.split("\\")])


def first_of(element: Element) -> str:
    """Return the first value of an element of single-byte text, or the empty text."""
    values = text_values(element)
    return values[0] if values else ""


def first_value(elements: Mapping[int, Element], tag: int) -> str:
    """Return the first value of an element of single-byte text among those by tag, or the empty text."""
    return first_of(elements[tag]) if tag in elements else ""


def is_little(element: Element) -> bool:
    """Tell whether an element is in little endian."""
    return element.is_little_endian if isinstance(element, RawDataElement) else True


def _stream(data: bytes | memoryview) -> BinaryIO:
    return BytesIO(data) if isinstance(data, bytes) else cast("BinaryIO", Window(data))


def _with_value(element: Element, body: bytes | memoryview, stream: BinaryIO) -> Element:
    """Return an element with the value that pydicom passed over because it is large."""
    if element.value is not None or not isinstance(element, RawDataElement) or element.length <= _LARGE:
        return element
    start = element.value_tell
    # An undefined length ends in front of a delimiter of eight bytes (PS3.5 A.4).
    end = stream.tell() - 8 if element.length == UNDEFINED_LENGTH else start + element.length
    if end > len(body):
        raise TruncatedError
    value = memoryview(body)[start:end]
    return element._replace(value=cast("bytes", value) if int(element.tag) in _PIXELS else bytes(value))


def _whole(header: Header, runs: tuple[Run, ...], *, is_inflated: bool = False) -> Reading:
    tags = list(chain.from_iterable([run.tags for run in runs]))
    check_whole(tags, runs[-1].elements[-1] if runs else None)
    return Reading(header, runs, tags, is_inflated)


def _transfer_syntax(runs: Iterable[Run]) -> str:
    for run in runs:
        if TRANSFER_SYNTAX in run.tags:
            return first_of(run.elements[run.tags.index(TRANSFER_SYNTAX)])
    return ""


def _after_file_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag >> 16 != 2


def _read_slowly(data: bytes | memoryview) -> Reading:
    dataset = dcmread(BytesIO(data), force=True)
    meta = dataset.file_meta
    runs = tuple(map(Run.of, meta.values()))
    header = Header(dataset.preamble or b"", runs, str(meta.get("TransferSyntaxUID", "")), 0)
    return _whole(header, tuple(map(Run.of, dataset.values())))
