"""What a JPEG or JPEG-LS codestream defines for scans to come: tables, conditioning, restart intervals, presets.

A definition that no scan uses, because another takes its place before or none follows, is no part of the picture and
can be repeated for ever (ISO 10918-1 B.2.4).
"""

from __future__ import annotations

from collections.abc import Iterator

from anonymizer.engine.codestreams.splice import Edit, unreadable

# More than the scans of any picture could use; each costs hundreds of bytes.
_MOST = 1 << 12

_HUFFMAN, _CONDITIONING, _QUANTIZATION, _RESTART, _PRESETS = 0xC4, 0xCC, 0xDB, 0xDD, 0xF8
_DEFINING = frozenset({_HUFFMAN, _CONDITIONING, _QUANTIZATION, _RESTART, _PRESETS})
_SCAN = 0xDA
# Arithmetic coding too; neither hierarchical JPEG nor what ISO 10918-3 adds.
FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB, 0xF7})
_PROGRESSIVE, _LOSSLESS, _ARITHMETIC = {0xC2, 0xCA}, {0xC3, 0xCB, 0xF7}, {0xC9, 0xCA, 0xCB}

_Key = tuple[int, int]
"""Marker and destination."""


class _Definition:
    """One definition: the segment that it is in, by its number, and its place."""

    __slots__ = ("is_used", "segment", "start", "stop")

    def __init__(self, segment: int, start: int, stop: int, *, is_used: bool = False) -> None:
        self.segment = segment
        self.start = start
        self.stop = stop
        self.is_used = is_used


class Definitions:
    """The definitions of one codestream, in order, and which of them its scans use."""

    def __init__(self) -> None:
        self._mode = 0
        self._tables: dict[int, int] = {}  # of quantization, by component
        self._segments: list[tuple[int, int]] = []
        self._all: list[_Definition] = []
        self._current: dict[_Key, int] = {}
        self._quantized: dict[int, bytes] = {}  # by what table a component was quantized in its scans so far

    def copy(self) -> Definitions:
        """Return the same, to go on with."""
        twin = Definitions()
        twin._mode = self._mode
        twin._tables = dict(self._tables)
        twin._segments = list(self._segments)
        twin._all = [_Definition(one.segment, one.start, one.stop, is_used=one.is_used) for one in self._all]
        twin._current = dict(self._current)
        twin._quantized = dict(self._quantized)
        return twin

    def take(self, codestream: memoryview, marker: int, end: int) -> None:
        """Note a segment that is sound: a frame, a scan, or what is defined for scans."""
        code, body = codestream[marker + 1], bytes(codestream[marker + 4 : end])
        if code in FRAMES:
            self._frame(code, body)
        elif code == _SCAN:
            self._scan(codestream, body)
        elif code in _DEFINING:
            self._define(code, body, marker, end)

    def _frame(self, code: int, body: bytes) -> None:
        """Note the frame: how it is coded, and its components (ISO 10918-1 B.2.2)."""
        self._mode = code
        self._tables = {body[at]: body[at + 2] for at in range(6, len(body), 3)}

    def _define(self, code: int, body: bytes, marker: int, end: int) -> None:
        for destination, start, stop in _parts(code, body):
            self._current[code, destination] = len(self._all)
            self._all.append(_Definition(len(self._segments), marker + 4 + start, marker + 4 + stop))
        self._segments.append((marker, end))
        if len(self._all) > _MOST:
            raise unreadable("has more tables than its scans could use")

    def _scan(self, codestream: memoryview, body: bytes) -> None:
        """Note a scan, and with it what it uses (ISO 10918-1 B.2.3)."""
        self._use((_RESTART, 0))
        self._use((_PRESETS, 0))
        first, bits = body[-3], body[-1]
        coding = _CONDITIONING if self._mode in _ARITHMETIC else _HUFFMAN
        for at in range(1, len(body) - 3, 2):
            component, tables = body[at], body[at + 1]
            if component not in self._tables:
                raise unreadable("has a scan of something that its picture has not")
            is_progressive = self._mode in _PROGRESSIVE
            if not is_progressive or (first == 0 and bits >> 4 == 0):
                self._use((coding, tables >> 4))
            if self._mode not in _LOSSLESS:
                if not is_progressive or first:
                    self._use((coding, 0x10 | tables & 15))
                self._quantize(codestream, component)

    def edits(self) -> Iterator[Edit]:
        """Yield the edits that take out what no scan uses."""
        segments: list[list[_Definition]] = [[] for _ in self._segments]
        for one in self._all:
            segments[one.segment].append(one)
        for (marker, end), inside in zip(self._segments, segments, strict=True):
            unused = [one for one in inside if not one.is_used]
            if len(unused) == len(inside):
                yield marker, end, b""
            elif unused:
                length = end - marker - 2 - sum(one.stop - one.start for one in unused)
                yield marker + 2, marker + 4, length.to_bytes(2, "big")
                yield from ((one.start, one.stop, b"") for one in unused)

    def _use(self, key: _Key) -> None:
        if key in self._current:
            self._all[self._current[key]].is_used = True

    def _quantize(self, codestream: memoryview, component: int) -> None:
        """Note the table of a component, which is that of its first scan; whether later ones count, decoders differ."""
        key = _QUANTIZATION, self._tables[component]
        if key not in self._current:
            return
        definition = self._all[self._current[key]]
        table = bytes(codestream[definition.start : definition.stop])
        if component not in self._quantized:
            definition.is_used = True
        if self._quantized.setdefault(component, table) != table:
            raise unreadable("has another table for what has begun")


def _parts(code: int, body: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield what a segment defines: for which destination, and from where to where in the body."""
    at = 0
    while at < len(body):
        if code == _HUFFMAN:
            size = 17 + sum(body[at + 1 : at + 17])
        elif code == _QUANTIZATION:
            size = 129 if body[at] >> 4 else 65
        elif code == _CONDITIONING:
            size = 2
        else:
            yield 0, 0, len(body)
            return
        yield body[at] & 15 if code == _QUANTIZATION else body[at], at, at + size
        at += size
