"""What the scans of a JPEG codestream find set when they are decoded (ITU-T T.81 B.2.3, B.2.4; T.87 C.2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from anonymizer.gate.segments import CodestreamError, Part

DHT, DAC, DQT, DRI, LSE = 0xC4, 0xCC, 0xDB, 0xDD, 0xF8
_SETS = frozenset({DHT, DAC, DQT, DRI, LSE})
_DC, _AC = 0x00, 0x10

# Frames by how their scans are coded: arithmetically, a band or a bit at a time, from neighbours without a transform.
_ARITHMETIC = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_IN_STEPS = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_PREDICTED = frozenset({0xC3, 0xC7, 0xCB, 0xCF, 0xF7})


class Settings:
    """Tables and numbers as they stand while a codestream is read, each in its place until another takes it."""

    def __init__(self) -> None:
        self.is_idle = False
        """Whether one gave way to another before a scan came for it."""
        self._coding = 0
        self._quantizers: dict[int, int] = {}
        self._begun: set[int] = set()
        self._set: dict[tuple[int, int], Part] = {}
        self._waiting: set[tuple[int, int]] = set()

    def begin(self, kind: int, content: bytes) -> None:
        """Take the header of the frame: SOF."""
        self._coding = kind
        self._quantizers = {content[at]: content[at + 2] for at in range(6, len(content), 3)}

    def takes(self, kind: int, content: bytes) -> bool:
        """Tell whether a segment sets something; of LSE only the thresholds of T.87 C.2.4.1.1 do."""
        return kind in _SETS and (kind != LSE or content[:1] == b"\1")

    def take(self, segment: Part, content: bytes) -> None:
        """Take a segment that sets something."""
        for place, start, size in _entries(segment.kind, content):
            key = segment.kind, place
            self.is_idle |= key in self._waiting
            self._waiting.add(key)
            self._set[key] = Part(segment.kind, segment.start + start, segment.start + start + size)

    def used_by(self, scan: bytes) -> list[Part]:
        """Return what a scan uses, given the content of its header."""
        keys = {(DRI, 0), (LSE, 1), *self._of_components(scan)}
        self._waiting -= keys
        return [self._set[key] for key in sorted(keys & self._set.keys())]

    def end(self) -> None:
        """Count what no scan came for any more."""
        self.is_idle |= bool(self._waiting)

    def _of_components(self, scan: bytes) -> Iterator[tuple[int, int]]:
        coder = DAC if self._coding in _ARITHMETIC else DHT
        start_of_band, earlier_bits = scan[-3], scan[-1] >> 4
        has_dc, has_ac = True, self._coding not in _PREDICTED
        if self._coding in _IN_STEPS:
            has_ac = start_of_band > 0
            has_dc = not has_ac and not earlier_bits
        for at in range(1, len(scan) - 3, 2):
            component, chosen = scan[at], scan[at + 1]
            if component not in self._quantizers:
                raise CodestreamError
            if has_dc:
                yield coder, _DC | chosen >> 4
            if has_ac:
                yield coder, _AC | chosen & 0x0F
            if self._coding not in _PREDICTED and component not in self._begun:
                self._begun.add(component)
                yield DQT, self._quantizers[component]


def _entries(kind: int, content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the entries of a segment: for which place, where each begins and how long it is."""
    if kind in (DRI, LSE):
        yield content[0] if kind == LSE else 0, 0, len(content)
        return
    at = 0
    while at < len(content):
        place = content[at] & 0x0F if kind == DQT else content[at]
        size = 2
        if kind == DQT:
            size = 129 if content[at] >> 4 else 65
        elif kind == DHT:
            size = 17 + sum(content[at + 1 : at + 17])
        if at + size > len(content):
            raise CodestreamError
        yield place, at, size
        at += size
