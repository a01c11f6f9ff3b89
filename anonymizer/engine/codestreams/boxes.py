"""Boxes of JP2 and JPEG XL files: the codestream stays, what is said about it goes (ISO 15444-1 I, 18181-2)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import NamedTuple

from anonymizer.engine.codestreams.splice import not_treated, unreadable

JP2_SIGNATURE = bytes.fromhex("0000000c6a5020200d0a870a")
JPEG_XL_SIGNATURE = bytes.fromhex("0000000c4a584c200d0a870a")


class Box(NamedTuple):
    """A box: its kind, where it stands, where its content begins and where it ends."""

    kind: bytes
    start: int
    content: int
    end: int


def walk(stream: memoryview, at: int, stop: int) -> Iterator[Box]:
    """Yield the boxes of a file or of a box, one after the other."""
    while at < stop:
        if at + 8 > stop:
            if not any(stream[at:stop]):
                return  # padding
            raise unreadable("ends inside a box")
        length, content = int.from_bytes(stream[at : at + 4], "big"), at + 8
        if length == 1:
            length, content = int.from_bytes(stream[at + 8 : at + 16], "big"), at + 16
        end = at + length if length else stop
        if end < content or end > stop:
            raise unreadable("ends inside a box")
        yield Box(bytes(stream[at + 4 : at + 8]), at, content, end)
        at = end


def codestream_of_jp2(stream: memoryview) -> tuple[int, int]:
    """Return from where to where the codestream of a JP2 file stands.

    Raises
    ------
    HoldError
        When there is none or another, or a palette or an order of channels that the codestream alone has not.
    """
    found = []
    for box in walk(stream, 0, len(stream)):
        if box.kind == b"jp2c":
            found.append(box)
        elif box.kind == b"jp2h":
            for inner in walk(stream, box.content, box.end):
                is_plain = inner.kind != b"cdef" or _are_plain(stream[inner.content : inner.end])
                if inner.kind in {b"pclr", b"cmap"} or not is_plain:
                    raise not_treated("has colours that only its file format tells")
    if len(found) != 1:
        raise unreadable("never begins, or more than once")
    return found[0].content, found[0].end


def _are_plain(definitions: memoryview) -> bool:
    """Tell whether channels are colours in their usual order (ISO 15444-1 I.5.3.6)."""
    count = (len(definitions) - 2) // 6
    if len(definitions) != 2 + 6 * count:
        return False
    numbers = unpack_from(f">{1 + 3 * count}H", definitions)
    usual = [number for channel in range(count) for number in (channel, 0, channel + 1)]
    return list(numbers) == [count, *usual]
