"""Compressed pixels: what a decoder uses of every frame is the source's, and nothing else stands in the output.

An engine may take metadata out of codestreams without decoding them: comments, EXIF, thumbnails, boxes, bytes
behind the end. Frames that changed are reduced to what a decoder uses, by the gate's own readers; frames that did
not are only looked through for what should not stand there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from anonymizer.gate import boxes, jpeg, jpeg2000, rle
from anonymizer.gate.findings import Flaw
from anonymizer.gate.fragments import Fragments, numbers_of, offset_flaws
from anonymizer.gate.reading import PIXEL_DATA
from anonymizer.gate.segments import Codestream, CodestreamError, Picture

EXTENDED_OFFSET_TABLE, EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00001, 0x7FE00002

_READERS: Mapping[str, Callable[[bytes, Picture], Codestream]] = {
    "1.2.840.10008.1.2.1.98": rle.read_plain,  # Encapsulated Uncompressed Explicit VR Little Endian
    "1.2.840.10008.1.2.5": rle.read_rle,
    "1.2.840.10008.1.2.8.1": rle.read_deflated,
}
_BY_START: Mapping[bytes, Callable[[bytes], Codestream]] = {
    jpeg.START: jpeg.read_jpeg,
    jpeg2000.START: jpeg2000.read_jpeg2000,
    boxes.JP2_START: boxes.read_jp2,
    boxes.JPEG_XL_CODESTREAM: boxes.read_jpeg_xl,
    boxes.JPEG_XL_START: boxes.read_jpeg_xl,
}
_NUMBERED = "1.2.840.10008.1.2.4."
_STILL = frozenset({*range(50, 71), *range(80, 82), *range(90, 94), *range(110, 113), *range(201, 204)})
_MOVING = range(100, 109)
"""PS3.5 A.4: the last number of JPEG, JPEG-LS, JPEG 2000, JPEG XL and HTJ2K; the one of MPEG2, MPEG-4 and HEVC."""

DIFFER, METADATA, OFFSETS = "pixels-differ", "codestream-metadata", "offsets-wrong"
"""The kinds of findings."""

_UNREAD = "a codestream cannot be read, so that nobody can tell what stands in it"


class Coded(NamedTuple):
    """The encapsulated pixels of one file.

    Parameters
    ----------
    value : bytes or memoryview
        The value of PixelData.
    transfer_syntax : str
        How its frames are compressed.
    picture : Picture
        What the data set says of their samples.
    offsets, lengths : bytes
        Extended Offset Table and its lengths.
    """

    value: bytes | memoryview
    transfer_syntax: str
    picture: Picture
    offsets: bytes
    lengths: bytes


class _Frames:
    """The frames of one file; moving pictures are one."""

    def __init__(self, coded: Coded) -> None:
        self._coded = coded
        self._fragments = Fragments(coded.value)
        extended, lengths = numbers_of(coded.offsets), numbers_of(coded.lengths)
        count = 1 if _is_moving(coded.transfer_syntax) else coded.picture.frames
        self._frames = self._fragments.frames(count, extended)
        self.flaws = list(offset_flaws(self._fragments, self._frames, extended, lengths))

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, number: int) -> bytes:
        return self._fragments.joined(self._frames[number])

    def digest(self) -> bytes:
        """Return what tells all bytes of all frames, without joining them."""
        digest = hashlib.sha256()
        for fragment in self._fragments.fragments:
            digest.update(self._coded.value[fragment.start : fragment.end])
        return digest.digest()

    def read(self, frame: bytes) -> Codestream | None:
        """Take a frame apart; None if it is not what the transfer syntax says."""
        syntax = self._coded.transfer_syntax
        try:
            if reader := _READERS.get(syntax):
                return reader(frame, self._coded.picture)
            if _number(syntax) in _STILL:
                return next((read(frame) for start, read in _BY_START.items() if frame.startswith(start)), None)
        except CodestreamError:
            pass
        return None


def compare(source: Coded, output: Coded, *, is_equal: bool) -> Iterator[Flaw]:
    """Yield what is wrong with the compressed pixels of an output, each rule once.

    Parameters
    ----------
    source, output : Coded
        Both sides; `source` is not looked at if `is_equal`.
    is_equal : bool
        Whether the two values are the same bytes.
    """
    for kind, rule in dict.fromkeys(_flaws(source, output, is_equal)):
        yield Flaw(kind, (PIXEL_DATA,), rule)


def _flaws(source: Coded, output: Coded, is_equal: bool) -> Iterator[tuple[str, str]]:
    after, before = _frames(output), None if is_equal else _frames(source)
    if after is None:
        yield METADATA, _UNREAD
    else:
        yield from ((OFFSETS, rule) for rule in after.flaws)
    if not is_equal and (after is None or before is None or len(after) != len(before)):
        yield DIFFER, "the frames are not those of the source"
    elif after is not None and _is_moving(output.transfer_syntax):
        if before is not None and before.digest() != after.digest():
            yield DIFFER, "a moving picture is not that of the source"
    elif after is not None:
        for number in range(len(after)):
            yield from _frame_flaws(before, after, number)


def _frame_flaws(before: _Frames | None, after: _Frames, number: int) -> Iterator[tuple[str, str]]:
    frame = after[number]
    new = after.read(frame)
    if new is None:
        yield METADATA, _UNREAD
    else:
        yield from ((METADATA, f"a codestream holds {what}") for what in new.left)
    if before is not None and (origin := before[number]) != frame:
        old = before.read(origin)
        if old is None or new is None or not old.is_kept_by(new):
            yield DIFFER, "a codestream is not that of the source without its metadata"


def _frames(coded: Coded) -> _Frames | None:
    try:
        return _Frames(coded)
    except CodestreamError:
        return None


def _is_moving(transfer_syntax: str) -> bool:
    return _number(transfer_syntax) in _MOVING


def _number(transfer_syntax: str) -> int:
    """Return the number behind 1.2.840.10008.1.2.4, or 0; fragmentable streams have one more behind that."""
    number = transfer_syntax.removeprefix(_NUMBERED).partition(".")[0]
    return int(number) if transfer_syntax.startswith(_NUMBERED) and number.isdecimal() else 0
