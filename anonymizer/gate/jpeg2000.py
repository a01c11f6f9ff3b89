"""JPEG 2000 and its high throughput as the gate reads them (ITU-T T.800 Annex A, T.814; PS3.5 A.4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from anonymizer.gate.segments import Codestream, CodestreamError, Part, is_padding

START = b"\xff\x4f"

_SOT, _SOD, _EOC, _TLM, _COM = 0x90, 0x93, 0xD9, 0x55, 0x64
_PLM, _PLT = 0x57, 0x58
_SIZ, _COD, _QCD = 0x51, 0x52, 0x5C
_USED = frozenset(
    {
        *range(0x50, 0x54),  # CAP, SIZ, COD, COC
        *(0x56, 0x59),  # PRF, CPF
        *(0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x63),  # QCD, QCC, RGN, POC, PPM, PPT, CRG
        *range(0x70, 0x7A),  # T.801, Part 2: DCO, VMS, DFS, ADS, MCT, MCC, NLT, MCO, CBD, ATK
    }
)


def read_jpeg2000(frame: bytes) -> Codestream:
    """Take a JPEG 2000 codestream apart; boxes around it are no part of it.

    The length of a tile-part is not used, since it changes with what is taken out of the tile-part's header, and
    TLM repeats the lengths.

    Raises
    ------
    CodestreamError
        If it is none, or holds what T.800 does not know.
    """
    if not frame.startswith(START):
        raise CodestreamError
    reader = _Reader(frame)
    at = reader.header(len(START), _SOT)
    while frame[at : at + 2] == bytes([0xFF, _SOT]):
        at = reader.tile_part(at)
    if frame[at : at + 2] == bytes([0xFF, _EOC]):
        at += 2
    elif not reader.lengths:
        raise CodestreamError
    if not is_padding(frame[at:]):
        reader.left.append("bytes behind the end of the codestream")
    entries = list(reader.entries())
    is_indexed = not entries or [length for _, length in entries] == reader.lengths
    names = tuple([name for name, _ in entries])
    return Codestream(frame, tuple(reader.parts), names, tuple(reader.left), is_indexed)


class _Reader:
    def __init__(self, frame: bytes) -> None:
        self.parts: list[Part] = []
        self.left: list[str] = []
        self.lengths: list[int] = []
        self._frame = frame
        self._told: list[bytes] = []

    def header(self, at: int, end_marker: int) -> int:
        """Read a main header or a tile-part's up to the marker that ends it; return where that stands."""
        frame = self._frame
        while True:
            if at + 4 > len(frame) and frame[at : at + 2] != bytes([0xFF, end_marker]):
                raise CodestreamError
            if frame[at] != 0xFF:
                raise CodestreamError
            code = frame[at + 1]
            if code == end_marker:
                return at
            end = at + 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
            if not at + 4 <= end <= len(frame):
                raise CodestreamError
            if code == _COM:
                self.left.append("a COM segment")
            elif code in (_PLM, _PLT):
                # They repeat what the headers of packets say, and no decoder needs them (T.800 A.7.2, A.7.3).
                self.left.append("lengths of packets")
            elif code == _TLM:
                self._told.append(frame[at + 4 : end])
            elif code in _USED and _is_whole(code, frame[at + 4 : end]):
                self.parts.append(Part(code, at + 4, end))
            else:
                raise CodestreamError
            at = end

    def tile_part(self, at: int) -> int:
        """Read a tile-part: SOT, Lsot, Isot, Psot, TPsot, TNsot, header, SOD, data (T.800 A.4.2)."""
        frame = self._frame
        if frame[at + 2 : at + 4] != b"\0\x0a" or at + 12 > len(frame):
            raise CodestreamError
        length = int.from_bytes(frame[at + 6 : at + 10], "big")
        self.parts += [Part(_SOT, at + 4, at + 6), Part(_SOT, at + 10, at + 12)]
        data = self.header(at + 12, _SOD) + 2
        # The last tile-part may leave its length open; in its data no FF stands before a byte above 8F.
        end = at + length if length else frame.find(bytes([0xFF, _EOC]), data)
        if not data <= end <= len(frame):
            raise CodestreamError
        self.parts.append(Part(_SOD, data, end))
        self.lengths.append(end - at)
        return end

    def entries(self) -> Iterator[tuple[bytes, int]]:
        """Yield what all TLM segments say: which tile-part, and its length (T.800 A.7.1)."""
        for content in self._told:
            if len(content) < 2:
                raise CodestreamError
            of_tile, of_length = content[1] >> 4 & 3, 4 if content[1] & 0x40 else 2
            step = of_tile + of_length
            if (len(content) - 2) % step:
                raise CodestreamError
            for at in range(2, len(content), step):
                entry = content[at : at + step]
                yield content[:2] + entry[:of_tile], int.from_bytes(entry[of_tile:], "big")


def _is_whole(code: int, content: bytes) -> bool:
    """Tell whether a segment is as long as what it says of itself, so that nothing else stands in it (T.800 A.5)."""
    size = len(content)
    if code == _SIZ:
        return size == 36 + 3 * int.from_bytes(content[34:36], "big")
    if code == _COD and size >= 10:
        # Precincts may have a size for each level of resolution.
        return size == 10 + (content[5] + 1 if content[0] & 1 else 0)
    if code == _QCD and size:
        # One value, or one a subband: in a byte without quantization, else in two.
        style, values = content[0] & 31, size - 1
        return values == 2 if style == 1 else values % 3 == 1 if style == 0 else values % 6 == 2
    return size > 0
