"""Find the element that a byte of a file belongs to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydicom.dataelem import RawDataElement

from anonymizer.gate.findings import Position, path_text
from anonymizer.gate.identifiers import UNTOLD_UIDS
from anonymizer.gate.items import items_of
from anonymizer.gate.memory import Element
from anonymizer.gate.pixels import PIXELS
from anonymizer.gate.reading import NATIVE, PIXEL_DATA, Data, first_value, read, text_values
from anonymizer.gate.uids import REGISTERED
from anonymizer.gate.uses import DATE, SEQUENCE, UID, UNKNOWN, creator_of, use_of, vr_of

SOP_INSTANCE_UID = 0x00080018

MAKERS = frozenset({0x00080070, 0x00081090})
"""Manufacturer and ManufacturerModelName."""


class Place(NamedTuple):
    """An element without items, and where its value begins and ends.

    `kind` is UI, DA or CS where the gate compares the element's UIDs or dates, or takes it for codes, MAKER where
    it names the maker of the device, else empty.
    """

    start: int
    end: int
    path: str
    kind: str
    is_samples: bool
    is_native: bool


NOWHERE = Place(0, 0, "", "", False, False)
"""The preamble, or a header of an element."""


class Places:
    """All elements of an output by where they stand.

    Parameters
    ----------
    output : bytes or what can be seen as bytes
        The whole file.
    """

    def __init__(self, output: Data) -> None:
        reading = read(output)
        top = {int(element.tag): element for element in reading.elements}
        self._native = reading.header.transfer_syntax in NATIVE
        self.instance = first_value(top, SOP_INSTANCE_UID)
        meta = list(self._leaves(reading.header.elements, (), 0))
        body = list(self._leaves(reading.elements, (), 0))
        # A deflated data set counts its bytes for itself.
        self._file = sorted(meta)
        self._body = sorted(body if reading.is_inflated else meta + body)

    def at(self, offset: int, *, in_body: bool) -> Place:
        """Return the element whose value holds a byte.

        Parameters
        ----------
        offset : int
            Where the byte stands in the file, or in the bytes of the data set if `in_body`.
        """
        places = self._body if in_body else self._file
        index = bisect_right(places, offset, key=lambda place: place.start) - 1
        return places[index] if index >= 0 and offset < places[index].end else NOWHERE

    def _leaves(self, elements: Iterable[Element], prefix: Position, base: int) -> Iterator[Place]:
        creators: dict[int, str] = {}
        for element in elements:
            tag = int(element.tag)
            creator = creator_of(element, tag, creators) if tag & 0x10000 else ""
            use = use_of(tag, element.VR, creator)
            items = None
            if use & (SEQUENCE | UNKNOWN):
                items = items_of(element, is_sequence=bool(use & SEQUENCE))
            if items is not None:
                # pydicom counts from the start of a sequence of defined length, else goes on counting.
                inner = base + element.value_tell if isinstance(element, RawDataElement) else base
                for number, item in enumerate(items, start=1):
                    yield from self._leaves(item.elements, (*prefix, tag, number), inner + item.offset)
            elif isinstance(element, RawDataElement) and element.value:
                start = base + element.value_tell
                is_samples = tag in PIXELS and not prefix
                yield Place(
                    start,
                    start + len(element.value),
                    path_text((*prefix, tag)),
                    _kind(element, tag, use, creator),
                    is_samples,
                    is_samples and (self._native or tag != PIXEL_DATA),
                )


def _kind(element: Element, tag: int, use: int, creator: str) -> str:
    if use & UID:
        # Which program wrote the file is not compared with the source.
        return "" if tag in UNTOLD_UIDS and not REGISTERED.issuperset(text_values(element)) else "UI"
    if use & DATE:
        return "DA"
    if tag in MAKERS:
        return "MAKER"
    return "CS" if "CS" in (element.VR, vr_of(tag, creator)) else ""
