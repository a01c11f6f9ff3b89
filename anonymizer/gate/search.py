"""Search the bytes of an output for everything that identifies in any source, in one pass.

Only where something is hit is the output taken apart, to name the element and to leave out what other checks
prove.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick
from pydicom.valuerep import VR

from anonymizer.gate.findings import Finding, tag_text
from anonymizer.gate.identifiers import UID
from anonymizer.gate.locate import Place, Places
from anonymizer.gate.makers import is_maker
from anonymizer.gate.markers import retained_by
from anonymizer.gate.memory import Memory
from anonymizer.gate.reading import Data
from anonymizer.gate.spellings import NARROW, NO_WORD, WIDE, Needle
from anonymizer.gate.stretches import Stretch, stretches_of
from anonymizer.gate.terms import is_term

_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset(b"0123456789")
_ALNUM = _LETTERS | _DIGITS
_SIGNS = frozenset(b".+-")
_VRS = frozenset(vr.value.lower().encode() for vr in VR if len(vr.value) == 2)
_SCAN_STARTS = (b"\xff\xda", b"\xff\x93")  # JPEG's SOS, JPEG 2000's SOD: samples follow, text does not
_RANDOM = 6
"""Texts shorter than this occur in megabytes of compressed samples by chance."""


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
    claims : mapping of str to frozenset of str
        The new claims of each output (:attr:`~anonymizer.gate.evidence.Evidence.claims`) by SOPInstanceUID.
    """

    def __init__(self, needles: Sequence[Needle], claims: Mapping[str, frozenset[str]]) -> None:
        self._needles = needles
        self._claims = claims
        self._memory = Memory()
        self._automaton = BytesAhoCorasick([needle.pattern for needle in needles])

    def search(self, output: Data) -> Iterator[Finding]:
        """Yield a finding for every element of the output that holds an identifier."""
        hits = [hit for stretch in stretches_of(output, self._memory) for hit in self._hits(stretch)]
        if not hits:
            return
        places = Places(output)
        retained = retained_by(self._claims.get(places.instance, ()))
        seen: set[Finding] = set()
        for hit in hits:
            place = places.at(hit.stretch.start + hit.start, in_body=hit.stretch.in_body)
            group = hit.needle.identifier.group
            if group in retained or _is_proven(hit, place):
                continue
            tag = tag_text(hit.needle.identifier.tag)
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


def _stands_alone(hit: Hit) -> bool:
    """Tell whether a hit is a whole word, number or UID and not part of a longer one."""
    folded, width = hit.stretch.folded, hit.needle.width
    if width == NO_WORD:
        return True
    before = [_character(folded, hit.start - 1 - far * width, width, -1) for far in (0, 1, 2)]
    after = [_character(folded, hit.end + far * width, width, 1) for far in (0, 1)]
    if hit.needle.identifier.group == UID:
        flanked = [_continues_uid(before), _continues_uid(after)]
    else:
        within = _LETTERS if hit.needle.is_long_word else _ALNUM
        flanked = [before[0] in within, after[0] in within]
        if hit.needle.is_number:
            flanked = [flanked[0] or _begins_number(before), flanked[1] or _continues_number(after)]
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


def _begins_number(flank: list[int]) -> bool:
    """Tell whether a sign or a point in front of digits is part of their number, which it is not in "MRN-12345"."""
    if flank[0] not in _SIGNS:
        return False
    is_exponent = flank[1] == ord("e") and flank[2] in _DIGITS
    return flank[1] not in _LETTERS or is_exponent


def _continues_number(flank: list[int]) -> bool:
    return flank[0] in _SIGNS and flank[1] in _DIGITS


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


def _is_proven(hit: Hit, place: Place) -> bool:
    """Tell whether another check proves that what stands here is not the identifier."""
    identifier = hit.needle.identifier
    if place.is_samples:
        return place.is_native or (hit.end - hit.start < _RANDOM and _in_scan(hit.stretch.folded, place, hit.start))
    if identifier.group == UID:
        return False
    if place.kind == "UI":
        # Every UID was paired with the source.
        return True
    if place.kind == "DA":
        # Every date was compared, but one that stands by the output's claim may be no date.
        return not any(character.isalpha() for character in identifier.text)
    if place.kind == "MAKER":
        # A patient called Philips, an institution that is called after what stands in it.
        return is_maker(_value(hit, place))
    # BodyPartExamined HEAD of a patient called Head.
    return place.kind == "CS" and is_term(_value(hit, place))


def _value(hit: Hit, place: Place) -> bytes:
    """Return the whole value that a hit stands in, of the values between backslashes (PS3.5 6.4)."""
    folded, base = hit.stretch.folded, hit.stretch.start
    start = max(folded.rfind(b"\\", place.start - base, hit.start) + 1, place.start - base)
    end = folded.find(b"\\", hit.end, place.end - base)
    return folded[start : end if end >= 0 else max(hit.end, place.end - base)]


def _in_scan(folded: bytes, place: Place, at: int) -> bool:
    """Tell whether a place in a codestream lies behind the start of its compressed samples."""
    fragment = max(folded.rfind(b"\xfe\xff\x00\xe0", place.start, at), place.start)
    return any(folded.find(mark, fragment, at) >= 0 for mark in _SCAN_STARTS)
