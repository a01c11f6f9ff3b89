"""Search the bytes of an output for everything that identifies in any source, in one pass.

The bytes outside of native pixel samples are searched: preamble, file meta information, data set, private
values, codestreams; a deflated data set is searched inflated. Only where something is hit is the output taken
apart, to name the element and to leave out what other checks prove.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import VR

from anonymizer.gate.findings import Finding, tag_text
from anonymizer.gate.identifiers import BIRTH_DATE, DATE, UID
from anonymizer.gate.locate import Place, Places
from anonymizer.gate.makers import is_maker
from anonymizer.gate.reading import NATIVE, Header, inflate, read_header
from anonymizer.gate.spellings import NARROW, NO_WORD, WIDE, Needle

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
_DIGITS = frozenset(b"0123456789")
_SIGNS = frozenset(b".+-")
_VRS = frozenset(vr.value.lower().encode() for vr in VR if len(vr.value) == 2)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_LAST_TAGS = (b"", b"\xfc\xff\xfc\xff", b"\xfa\xff\xfa\xff")  # padding and signatures follow the pixels
_SCAN_STARTS = (b"\xff\xda", b"\xff\x93")  # JPEG's SOS, JPEG 2000's SOD: samples follow, text does not
_RANDOM = 6
"""Texts shorter than this occur in megabytes of compressed samples by chance."""


class Stretch(NamedTuple):
    """Bytes to search, folded to lower case, and where they begin; `in_body` if inside the data set's bytes."""

    folded: bytes
    start: int
    in_body: bool


class Hit(NamedTuple):
    """A needle, the stretch it stands in, and from where to where."""

    needle: Needle
    stretch: Stretch
    start: int
    end: int


class Searcher:
    """An automaton over all needles of a study.

    Parameters
    ----------
    needles : sequence of Needle
        What to search for.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._needles = needles
        self._automaton = BytesAhoCorasick([needle.pattern for needle in needles])

    def search(self, output: bytes) -> Iterator[Finding]:
        """Yield a finding for every element of the output that holds an identifier."""
        header = read_header(output)
        hits = [hit for stretch in _stretches(output, header) for hit in self._hits(stretch)]
        if not hits:
            return
        places = Places(output)
        seen: set[Finding] = set()
        for hit in hits:
            place = places.at(hit.stretch.start + hit.start, in_body=hit.stretch.in_body)
            if _is_proven(hit, place, places):
                continue
            tag = tag_text(hit.needle.identifier.tag)
            group = hit.needle.identifier.group
            finding = Finding(
                "identifier-left",
                places.instance,
                place.path,
                f"an identifier ({group}) of the source's {tag} stands in the output",
            )
            if finding not in seen:
                seen.add(finding)
                yield finding

    def _hits(self, stretch: Stretch) -> Iterator[Hit]:
        if not self._needles:
            return
        for index, start, end in self._automaton.find_matches_as_indexes(stretch.folded, overlapping=True):
            hit = Hit(self._needles[index], stretch, start, end)
            if _stands_alone(hit):
                yield hit


def _stretches(output: bytes, header: Header) -> Iterator[Stretch]:
    if header.transfer_syntax == DeflatedExplicitVRLittleEndian:
        yield Stretch(output[: header.end].lower(), 0, False)
        inflated, rest = inflate(output[header.end :])
        yield from _around_samples(inflated, 0, native=True)
        yield Stretch(rest.lower(), len(output) - len(rest), False)
        return
    yield from _around_samples(output, header.end, native=header.transfer_syntax in NATIVE)


def _around_samples(data: bytes, start: int, *, native: bool) -> Iterator[Stretch]:
    """Leave native pixel samples out if they are the last but padding, as they nearly always are."""
    at = _samples_at(data, start) if native else -1
    if at < 0:
        yield Stretch(data.lower(), 0, True)
        return
    end = at + int.from_bytes(data[at - 4 : at], "little")
    yield Stretch(data[:at].lower(), 0, True)
    if end < len(data):
        yield Stretch(data[end:].lower(), end, True)


def _samples_at(data: bytes, start: int) -> int:
    """Return where native pixel samples begin that nearly reach to the end of `data`; -1 if none do."""
    at = data.find(_PIXEL_DATA, start)
    while at >= 0:
        # Explicit VR has four bytes more than implicit VR in front of the length.
        begin = at + (12 if data[at + 4 : at + 8] in (b"OW\0\0", b"OB\0\0") else 8)
        end = begin + int.from_bytes(data[begin - 4 : begin], "little")
        if end <= len(data) and data[end : end + 4] in _LAST_TAGS:
            return begin
        at = data.find(_PIXEL_DATA, at + 1)
    return -1


def _stands_alone(hit: Hit) -> bool:
    """Tell whether a hit is a whole word, number or UID and not part of a longer one."""
    folded, width = hit.stretch.folded, hit.needle.width
    if width == NO_WORD:
        return True
    before = [_character(folded, hit.start - 1 - far * width, width, -1) for far in (0, 1)]
    after = [_character(folded, hit.end + far * width, width, 1) for far in (0, 1)]
    if hit.needle.identifier.group == UID:
        flanked = [_continues_uid(before), _continues_uid(after)]
    else:
        flanks = _ALNUM | _SIGNS if hit.needle.is_number else _ALNUM
        flanked = [before[0] in flanks, after[0] in flanks]
    # A flank may be no text but the header of this or the next element: the group 0032 begins with "2".
    if flanked[0] and not _is_header_end(folded, hit.start):
        return False
    return not flanked[1] or _is_header_start(folded, hit.end)


def _character(folded: bytes, at: int, width: int, towards: int) -> int:
    """Return the ASCII character next to a place, or -1 if there is none.

    Between two characters of UTF-16 there is a zero byte, whichever comes first in each of them.
    """
    character = at if width == NARROW else at + towards
    if not 0 <= character < len(folded) or (width == WIDE and folded[at] != 0):
        return -1
    return folded[character]


def _continues_uid(flank: list[int]) -> bool:
    return flank[0] in _DIGITS or (flank[0] == ord(".") and flank[1] in _DIGITS)


def _is_header_end(folded: bytes, at: int) -> bool:
    """Tell whether an element of explicit VR and a length of two bytes begins its value here."""
    return folded[at - 4 : at - 2] in _VRS and _is_tag(folded[at - 8 : at - 4])


def _is_header_start(folded: bytes, at: int) -> bool:
    """Tell whether a value ends here because another element begins, in explicit or implicit VR."""
    return _is_tag(folded[at : at + 4]) and (folded[at + 4 : at + 6] in _VRS or folded[at + 6 : at + 8] == b"\0\0")


def _is_tag(folded: bytes) -> bool:
    """Tell whether four bytes may be a tag of a group below 0100, little or big endian.

    The groups above that have low bytes that are no letters or digits, so that they flank nothing.
    """
    return len(folded) == 4 and 0 in (folded[0], folded[1]) and folded[2:] != b"\0\0"


def _is_proven(hit: Hit, place: Place, places: Places) -> bool:
    """Tell whether another check proves that what stands here is not the identifier."""
    group = hit.needle.identifier.group
    if group in places.retained:
        return True
    if place.is_samples:
        return place.is_native or (hit.end - hit.start < _RANDOM and _in_scan(hit.stretch.folded, place, hit.start))
    if group == UID:
        return False
    if place.kind in ("UI", "DA", "DT"):
        # Every UID was paired and every date compared with the source.
        return True
    if group in (DATE, BIRTH_DATE):
        return False
    if place.kind == "MAKER":
        # A patient called Philips, an institution that is called after what stands in it.
        return is_maker(hit.stretch.folded[hit.start : hit.end])
    # Modality MR of a patient called Mr; a series number 1000 of a patient with the ID 1000.
    return (place.kind == "CS" and hit.needle.is_letters) or (place.kind == "DS" and hit.needle.is_number)


def _in_scan(folded: bytes, place: Place, at: int) -> bool:
    """Tell whether a place in a codestream lies behind the start of its compressed samples."""
    fragment = max(folded.rfind(b"\xfe\xff\x00\xe0", place.start, at), place.start)
    return any(folded.find(mark, fragment, at) >= 0 for mark in _SCAN_STARTS)
