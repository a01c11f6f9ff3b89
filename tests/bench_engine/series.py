"""Series to measure on, made from shapes: how many elements of which kind, and which of them differ by instance.

The shapes stand in ``shapes/``, one element a line. They follow files that scanners wrote; every value that could
be about somebody is made up. The same four numbers always make the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.samples import element, header, item, sequence

_SHAPES: Final = Path(__file__).with_name("shapes")
_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_UNDEFINED: Final = "undefined"
_PIXEL_BITS_ABOVE: Final = bytes(value & 0x0F for value in range(256))  # 12 of 16 bits are stored

Line = tuple[int, str]  # by how much it is indented, and the rest


@dataclass(frozen=True)
class Series:
    """A series that can be made.

    Attributes
    ----------
    name : str
        Of the shape and of the folder.
    title : str
        For the head of a table.
    instances : int
        How many there are.
    slices : int
        After how many instances the positions come again, as they do in functional MR.
    """

    name: str
    title: str
    instances: int
    slices: int

    def file(self, instance: int) -> bytes:
        """Return an instance, the first being number 1."""
        data_set = b"".join(_elements(_lines(self.name), self.fields(instance, 1), self))
        (sop_class,) = (line.split()[2] for _, line in _lines(self.name) if line.startswith("00080016"))
        uid = next(line.split()[2] for _, line in _lines(self.name) if line.startswith("00080018"))
        meta = (
            element(0x00020001, "OB", b"\0\1")
            + element(0x00020002, "UI", sop_class)
            + element(0x00020003, "UI", uid.format(**self.fields(instance, 1)))
            + element(0x00020010, "UI", "1.2.840.10008.1.2.1")
            + element(0x00020012, "UI", "1.2.826.0.1.3680043.10.990.9")
        )
        return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + data_set

    def write(self, folder: Path) -> Path:
        """Write all of it into a folder of its own below `folder`, unless it is there."""
        into = folder / f"{self.name}-{self._digest()}"
        if not into.is_dir():
            unfinished = into.with_suffix(".unfinished")
            unfinished.mkdir(parents=True, exist_ok=True)
            for instance in range(1, self.instances + 1):
                (unfinished / f"{instance:04}.dcm").write_bytes(self.file(instance))
            unfinished.rename(into)
        return into

    def _digest(self) -> str:
        parts = (Path(__file__).read_bytes(), (_SHAPES / f"{self.name}.txt").read_bytes(), repr(self).encode())
        return hashlib.sha256(b"".join(parts)).hexdigest()[:8]

    def fields(self, instance: int, frame: int) -> dict[str, float | str]:
        """Return what the braces of a shape stand for."""
        place = frame if self.slices == 1 else (instance - 1) % self.slices + 1
        minutes, seconds = divmod(2715.4 + 0.37 * instance + 0.0625 * frame, 60)
        window = 900 + (instance * 37 + frame * 11) % 900
        return {
            "instance": instance,
            "frame": frame,
            "slice": place,
            "z": -112.6875 + 2.5 * place,
            "time": f"{9 + int(minutes) // 60:02}{int(minutes) % 60:02}{seconds:09.6f}",
            "window": window,
            "half": window // 2,
        }


CT: Final = Series("ct", "CT 512 x 512", 150, 150)
SMALL_MR: Final = Series("small_mr", "small MR", 300, 15)
ENHANCED_MR: Final = Series("enhanced_mr", "enhanced MR", 55, 1)
MADE: Final = (CT, SMALL_MR, ENHANCED_MR)


def _lines(name: str) -> list[Line]:
    lines = (_SHAPES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [(len(line) - len(line.lstrip()), line.strip()) for line in lines if not line.startswith("#")]


def _elements(lines: list[Line], fields: dict[str, float | str], series: Series) -> Iterator[bytes]:
    """Return the elements of a data set, from the lines that are its own and those below them."""
    encoded: list[tuple[int, bytes]] = []
    for (_, line), below in _with_below(lines):
        tag, vr, value = int(line[:8], 16), line[9:11], line[12:]
        if vr == "SQ":
            undefined = value == _UNDEFINED
            items = b"".join(_items(below, fields, series, undefined=undefined))
            encoded.append((tag, sequence(tag, items, undefined=undefined)))
        elif value == "length":
            encoded.append((tag, b""))
        else:
            encoded.append((tag, element(tag, vr, _value(vr, value.format(**fields)))))
    for tag, raw in encoded:
        if raw:
            yield raw
        else:
            length = sum(len(other) for other_tag, other in encoded if other_tag >> 16 == tag >> 16)
            yield header(tag, "UL", 4) + struct.pack("<L", length)


def _items(lines: list[Line], fields: dict[str, float | str], series: Series, *, undefined: bool) -> Iterator[bytes]:
    for (_, line), below in _with_below(lines):
        _, count, name = (*line.split(), "1", "")[:3]
        for number in range(1, int(count) + 1):
            again = series.fields(int(fields["instance"]), number) if name == "frame" else fields
            here = {**again, name: number}
            yield item(*_elements(below, here, series), undefined=undefined)


def _with_below(lines: list[Line]) -> Iterator[tuple[Line, list[Line]]]:
    """Return each line that is not indented further than the first, with those that follow and are."""
    starts = [number for number, line in enumerate(lines) if line[0] == lines[0][0]]
    for start, stop in pairwise([*starts, len(lines)]):
        yield lines[start], lines[start + 1 : stop]


def _value(vr: str, value: str) -> bytes:
    kind, _, rest = value.partition(" ")
    if kind == "bytes":
        size, _, seed = rest.partition(" ")
        return _filler(int(size), seed)
    if kind == "pixels":
        size, _, seed = rest.partition(" ")
        pixels = bytearray(_filler(int(size), seed))
        pixels[1::2] = pixels[1::2].translate(_PIXEL_BITS_ABOVE)
        return bytes(pixels)
    if vr == "AT":
        return b"".join(struct.pack("<HH", int(one[:4], 16), int(one[4:], 16)) for one in value.split("\\"))
    if vr not in _NUMBERS:
        return value.encode("ascii")
    numbers = [float(one) if vr in {"FL", "FD"} else int(one) for one in value.split("\\") if one]
    return struct.pack(f"<{len(numbers)}{_NUMBERS[vr]}", *numbers)


def _filler(size: int, seed: str) -> bytes:
    return hashlib.shake_128(f"entwash bench {seed}".encode()).digest(size)
