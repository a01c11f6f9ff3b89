"""Compressed frames: what stands in them beside the picture is taken out without changing a pixel.

One room a format. Each gets one frame and returns its parts, or None when there is nothing to take out; it holds
what it cannot read to its end.
"""

from __future__ import annotations

from collections.abc import Callable

from anonymizer.engine.codestreams import boxes, jpeg, jpeg2000, jpegxl, native, rle
from anonymizer.engine.codestreams.picture import Picture
from anonymizer.engine.codestreams.splice import not_treated
from anonymizer.engine.outcome import Part

__all__ = ["Picture", "begins", "clean"]

_JPEG_STARTS = (jpeg.START,)
_JPEG_2000_STARTS = (jpeg2000.START, boxes.JP2_SIGNATURE)
_JPEG_XL_STARTS = (jpegxl.START, boxes.JPEG_XL_SIGNATURE)


def _of_jpeg(*numbers: int) -> list[str]:
    return [f"1.2.840.10008.1.2.4.{number}" for number in numbers]


# By transfer syntax: what cleans a frame, and by what one can be told from a fragment that goes on with it. Video is
# not here: nobody takes the words out of that.
_SELF_CONTAINED: dict[str, tuple[Callable[[memoryview], list[Part] | None], tuple[bytes, ...]]] = {
    **dict.fromkeys(_of_jpeg(*range(50, 67), 70), (jpeg.clean, _JPEG_STARTS)),
    **dict.fromkeys(_of_jpeg(80, 81), (jpeg.clean_ls, _JPEG_STARTS)),
    **dict.fromkeys(_of_jpeg(90, 91, 92, 93, 201, 202, 203), (jpeg2000.clean, _JPEG_2000_STARTS)),
    **dict.fromkeys(_of_jpeg(110, 111, 112), (jpegxl.clean, _JPEG_XL_STARTS)),
}
# Of these every fragment is a frame (PS3.5 A.4.2), and only the picture's shape tells where it ends.
_SHAPED: dict[str, Callable[[memoryview, Picture | None], list[Part] | None]] = {
    "1.2.840.10008.1.2.1.98": native.clean,
    "1.2.840.10008.1.2.5": rle.clean,
    "1.2.840.10008.1.2.8.1": native.clean_deflated,
}


def clean(codestream: memoryview, transfer_syntax: str, picture: Picture | None = None) -> list[Part] | None:
    """Return one frame without what is no picture.

    Parameters
    ----------
    codestream : memoryview
        All fragments of the frame, joined, with the padding of the last.
    transfer_syntax : str
        One of encapsulated pixel data.
    picture : Picture, optional
        The frame's shape.

    Returns
    -------
    list of bytes-like, or None
        The frame's parts, mostly views of `codestream`, without padding; None when nothing has to go.

    Raises
    ------
    HoldError
        When it cannot be read to its end, or nobody can tell what stands in it.
    """
    if transfer_syntax in _SELF_CONTAINED:
        return _SELF_CONTAINED[transfer_syntax][0](codestream)
    if transfer_syntax in _SHAPED:
        return _SHAPED[transfer_syntax](codestream, picture)
    raise not_treated("is compressed in a way that is not treated")


def begins(fragment: memoryview, transfer_syntax: str) -> bool:
    """Tell whether a fragment is the first of a frame, as far as its first bytes say so."""
    if transfer_syntax not in _SELF_CONTAINED:
        return True
    return any(fragment[: len(start)] == start for start in _SELF_CONTAINED[transfer_syntax][1])
