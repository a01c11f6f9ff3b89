"""Two elements say the same, or the second says nothing."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydicom.datadict import dictionary_VM
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.multival import MultiValue

from anonymizer.gate import colours, meanings
from anonymizer.gate.findings import Position
from anonymizer.gate.memory import Element
from anonymizer.gate.uses import vr_of

DUMMIES = frozenset(
    {
        *(b"DEIDENTIFIED", b"DE_IDENTIFIED", b"DEIDENTIFIED^DUMMY", b"DEIDENTIFIED^ANONYMOUS"),
        *(b"urn:deidentified", b"urn:de-identified", b"000000", b"000001", b"000D"),
    }
)
"""Texts that stand where a value must stand and none may be told; a date's is in :mod:`anonymizer.gate.dates`."""

PSEUDONYMS: Mapping[int, re.Pattern[bytes]] = {
    0x00080050: re.compile(rb"[0-9A-Z]{16}"),  # AccessionNumber
    0x00100010: re.compile(rb"DEIDENTIFIED\^[0-9A-Z]{16}"),  # PatientName
    0x00100020: re.compile(rb"[^\\]{0,47}[0-9A-Z]{16}"),  # PatientID: a site may choose what stands before the code
    0x00200010: re.compile(rb"[0-9A-Z]{16}"),  # StudyID
}
"""What names a person or a visit, and what its code looks like."""
_OF_A_PERSON = frozenset({0x00100010, 0x00100020})
"""Those that an output has also where its source has none."""

_CODES = (0x00080100, 0x00080119)
_CODE_MEANING = 0x00080104
_ICC_PROFILE = 0x00282000
_PATIENT = 0x0010

_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
_DECIMALS = frozenset({"DS", "IS"})
_WORDS: Mapping[str, str] = {
    # By VR, the array type of its numbers (PS3.5 6.2).
    **dict.fromkeys(("AT", "OW", "SS", "US"), "H"),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), "I"),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), "Q"),
}
_OLD = re.compile(rb"\d{3}Y")
_OLDEST = b"090Y"
_OWN_UID = re.compile(rb"2\.25\.[1-9]\d*(?:\\2\.25\.[1-9]\d*)*")
_NUMBER = re.compile(rb"(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)?")
_PADDING = b" \0"


def is_empty(element: Element) -> bool:
    """Tell whether an element has no value, or nothing but padding."""
    value = element.value
    if isinstance(value, bytes):
        return not value.strip(_PADDING) if _kind(element) in _TEXTS | _DECIMALS else not value
    return value is None or value == "" or (isinstance(value, (list, MultiValue)) and not value)


def is_measure(element: Element) -> bool:
    """Tell whether an element has a value that its attribute can have: numbers, and not more than there may be.

    What is none cannot be kept by anybody.
    """
    kind, value = _kind(element), element.value
    if not is_of_dictionary(element):
        return False
    if not isinstance(value, bytes) or (kind not in _DECIMALS and kind not in _WORDS):
        return True
    if kind in _DECIMALS:
        values = _split(value)
        return any(values) and all(map(_NUMBER.fullmatch, values)) and len(values) <= _most(int(element.tag))
    count, rest = divmod(len(value), array(_WORDS[kind]).itemsize)
    return not rest and count <= _most(int(element.tag))


@lru_cache(maxsize=1 << 10)
def _most(tag: int) -> int:
    last = dictionary_VM(tag).rpartition("-")[2]
    return int(last) if last.isdecimal() else sys.maxsize


def is_of_dictionary(element: Element) -> bool:
    """Tell whether an element's VR is one that the dictionary gives its tag, or says that it is not known."""
    known = vr_of(int(element.tag), "")
    return element.VR in (None, "UN") or not known or str(element.VR) in known.split(" or ")


def is_same(before: Element, after: Element) -> bool:
    """Tell whether two elements say the same, in whatever way it is written.

    Texts may be padded, numbers may be written with other digits and in the other order of octets, times with colons.
    """
    if not (isinstance(before, RawDataElement) and isinstance(after, RawDataElement)):
        return _converted(before) == _converted(after)
    one, other = before.value or b"", after.value or b""
    kind = _kind(after)
    if one == other:
        return before.is_little_endian == after.is_little_endian or kind not in _WORDS
    if kind in _TEXTS:
        if kind == "TM":
            one = one.replace(b":", b"")
        return _split(one) == _split(other)
    if kind in _DECIMALS:
        return _split(one) == _split(other) or _are_same_numbers(one, other)
    if before.is_little_endian != after.is_little_endian and kind in _WORDS:
        one = _swapped(one, _WORDS[kind])
    if not kind:
        return one.rstrip(_PADDING) == other.rstrip(_PADDING)
    # Values have even length (PS3.5 7.1.1); a source that forgot may be padded.
    return one == other or (len(one) % 2 == 1 and one + b"\0" == other)


def says_nothing(
    position: Position, before: Element | None, after: Element, beside: Mapping[Position, Element]
) -> bool:
    """Tell whether a value that is not the source's tells nobody anything.

    Parameters
    ----------
    position : Position
        Where it stands.
    before, after : Element
        What source and output have there.
    beside : mapping of Position to Element
        What else stands in the output's sequence.
    """
    if is_empty(after):
        return True
    tag, kind = position[-1], _kind(after)
    if kind in _TEXTS:
        pattern = PSEUDONYMS.get(tag)
        if pattern is not None and pattern.fullmatch(_octets(after).strip(_PADDING)):
            # An empty StudyID gets one too: archives merge those of one day.
            return tag in _OF_A_PERSON or before is not None
        if tag == _CODE_MEANING and _is_meant(position, after, beside):
            return True
        return _is_replaced(kind, _octets(before), _octets(after))
    if tag == _ICC_PROFILE:
        return before is not None and colours.is_cut(_octets(before), _octets(after))
    if kind in _WORDS or kind in _DECIMALS:
        # Numbers become dummies inside of sequences that are replaced as a whole, and where they are a patient's.
        is_zero = set(_split(_octets(after))) == {b"0"} if kind in _DECIMALS else not _octets(after).strip(b"\0")
        return is_zero and before is not None and (len(position) > 1 or tag >> 16 == _PATIENT)
    # In implicit VR nobody can tell that a private value is a UID but by what it became.
    if not kind and before is not None:
        is_uid = _OWN_UID.fullmatch(_octets(after).rstrip(_PADDING)) is not None
        return is_uid or _is_replaced(kind, _octets(before), _octets(after))
    return not _octets(after).strip(b"\0")


def _is_replaced(kind: str, before: bytes, after: bytes) -> bool:
    olds, news = _split(before), _split(after)
    # Of several values some may have become dummies.
    olds += [b""] * (len(news) - len(olds))
    if all(new in DUMMIES or not new or new == old for old, new in zip(olds, news, strict=False)):
        return bool(DUMMIES.intersection(news)) or not any(news)
    return kind == "AS" and news == [_OLDEST] and bool(_OLD.fullmatch(olds[0])) and olds[0] > _OLDEST


def _is_meant(position: Position, after: Element, beside: Mapping[Position, Element]) -> bool:
    codes = [beside[where] for tag in _CODES if (where := (*position[:-1], tag)) in beside]
    return any(meanings.is_meaning(code, text) for one in codes for code in _texts(one) for text in _texts(after))


def _kind(element: Element) -> str:
    """Return the VR by which a value is compared; empty if nobody knows one."""
    if element.VR not in (None, "UN"):
        return str(element.VR)
    return vr_of(int(element.tag), "").split(" ")[0] if not int(element.tag) & 0x10000 else ""


def _octets(element: Element | None) -> bytes:
    if element is None or element.value is None:
        return b""
    if isinstance(element.value, bytes):
        return element.value
    return "\\".join(_texts(element)).encode("latin-1", "replace")


def _texts(element: Element) -> Sequence[str]:
    value = element.value
    if isinstance(value, bytes):
        return [part.decode("latin-1") for part in _split(value)]
    if isinstance(value, (list, tuple, MultiValue)):
        return [str(one) for one in value]
    return [] if value is None else [str(value)]


def _split(value: bytes) -> list[bytes]:
    return [part.strip(_PADDING) for part in value.split(b"\\")]


def _are_same_numbers(one: bytes, other: bytes) -> bool:
    try:
        return _numbers(one) == _numbers(other)
    except ValueError:
        return False


def _numbers(value: bytes) -> list[float]:
    return [float(part) if part else 0.0 for part in _split(value)]


def _swapped(value: bytes, word: str) -> bytes:
    words = array(word)
    if len(value) % words.itemsize:
        return value
    words.frombytes(value)
    words.byteswap()
    return words.tobytes()


def _converted(element: Element) -> object:
    whole = element if isinstance(element, DataElement) else convert_raw_data_element(element)
    return None if whole.value in ("", None) else whole.value
