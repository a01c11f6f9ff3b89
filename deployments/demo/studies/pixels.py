"""Pictures from plain integers: a head of ellipses that changes from slice to slice."""

from __future__ import annotations

import math
import struct

AIR, BONE, BRAIN, LESION = -1000, 900, 40, 75


def head(size: int, position: float, *, offset: int = 0, scale: float = 1.0) -> bytes:
    """Draw one slice of a head.

    Parameters
    ----------
    size : int
        Rows and columns, pixels.
    position : float
        From 0 (lowest slice) to 1 (highest); moves the outline and the lesion.
    offset : int
        Added to every value before scaling, so that air can be zero.
    scale : float
        Contrast.

    Returns
    -------
    bytes
        `size * size` signed 16-bit little endian values, Hounsfield units if offset is 0 and scale 1.
    """
    radius = (0.30 + 0.16 * math.sin(math.pi * (0.1 + 0.8 * position))) * size
    lesion_row, lesion_column = 0.42 * size, (0.35 + 0.3 * position) * size
    tissue = [BRAIN + (column * 7 + int(position * 97)) % 13 - 6 for column in range(size)]
    values: list[int] = []
    for row in range(size):
        line = [AIR] * size
        _fill(line, [BONE] * size, radius, row - size / 2, size / 2)
        _fill(line, tissue[row % 5 :] + tissue[: row % 5], radius * 0.88, row - size / 2, size / 2)
        _fill(line, [LESION] * size, size * 0.06, row - lesion_row, lesion_column)
        values += line
    if offset or scale != 1.0:
        values = [int((value + offset) * scale) for value in values]
    return struct.pack(f"<{size * size}h", *values)


def _fill(line: list[int], values: list[int], radius: float, above: float, centre: float) -> None:
    """Replace the part of one line that lies in a disc `above` lines away from its centre."""
    if abs(above) >= radius:
        return
    half = math.sqrt(radius * radius - above * above)
    first, last = max(0, round(centre - half)), min(len(line), round(centre + half))
    line[first:last] = values[first:last]
