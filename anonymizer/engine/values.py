"""Values: what an action makes of one element's bytes. Pure functions of bytes, rule and context."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from struct import iter_unpack

from pydicom.datadict import dictionary_VM

from anonymizer.engine import dates, icc, tables
from anonymizer.engine.concepts import meaning, public_version
from anonymizer.engine.context import LUT_DESCRIPTORS, Context
from anonymizer.engine.outcome import HoldError
from anonymizer.engine.parse import by_dictionary
from anonymizer.engine.private import is_listed_creator, is_private_group
from anonymizer.engine.rules import DESCRIPTIONS, Action, Rule, vr_of
from anonymizer.engine.text import decode

# One dummy a VR (Table E.1-1a, "D"): not empty, of the VR's repertoire, and plainly no value of anybody's.
DUMMY_DATE = b"19000101"
_DUMMIES = {
    "AE": b"DEIDENTIFIED",
    "AS": b"000D",
    "CS": b"DEIDENTIFIED",
    "DA": DUMMY_DATE,
    "DS": b"0",
    "DT": DUMMY_DATE + b"000000",
    "IS": b"0",
    "LO": b"DEIDENTIFIED",
    "LT": b"DEIDENTIFIED",
    "PN": b"DEIDENTIFIED^DUMMY",  # a name without a component is the retired form (PS3.5 6.2.1)
    "SH": b"DEIDENTIFIED",
    "ST": b"DEIDENTIFIED",
    "TM": b"000000",
    "UC": b"DEIDENTIFIED",
    "UR": b"urn:deidentified",
    "UT": b"DEIDENTIFIED",
}
# Possessive throughout (Python 3.11): a pattern that could go back would take for ever over a crafted list of numbers.
_NUMBER = rb"(?![^\\]{33}) *+(?:[+-]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?+\d++)?+)?+ *+"
_INTEGER = rb" *+(?:[+-]?+\d{1,12}+)?+ *+"
_REPERTOIRES = {
    "CS": re.compile(rb"[A-Z0-9 _]{0,16}(?:\\[A-Z0-9 _]{0,16})*+\0?"),
    "DS": re.compile(rb"%b(?:\\%b)*+\0?" % (_NUMBER, _NUMBER)),
    "IS": re.compile(rb"%b(?:\\%b)*+\0?" % (_INTEGER, _INTEGER)),
    "AS": re.compile(rb"(?:\d{3}[DWMY] *+(?:\\\d{3}[DWMY] *+)*+)?"),
}
_UID = rb"(?=[0-9.]{1,64}(?![0-9.]))(?:0|[1-9]\d*+)(?:\.(?:0|[1-9]\d*+))*+"
_UIDS = re.compile(rb"%b(?:\\%b)*+[\0 ]*" % (_UID, _UID))
_OCTETS = {"AT": 4, "FL": 4, "FD": 8, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}

# VRs whose value is a string; one may stand for another, read as the dictionary has it.
TEXTS = frozenset({*_DUMMIES, "UI"})

# Where a source says what the dummy says, another is said: nobody is to take a value for a kept one, nor to find out.
_SECOND_DUMMIES = {
    "DA": b"19000108",
    "DT": b"19000108000000",
    "TM": b"000001",
    "UR": b"urn:de-identified",
    "PN": b"DEIDENTIFIED^ANONYMOUS",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), b"DE_IDENTIFIED"),
}

_IN_CHARACTER_SET = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})

_MOST_TERMS = 32  # in one attribute, of which some are none
_TABLES = frozenset(LUT_DESCRIPTORS.values())
_SHAPES = tables.kept().shapes
_CODE_MEANING = 0x00080104
_CODING_SCHEME_VERSION = 0x00080103


# What these cannot answer gets the rule's other action.
_MAY_FAIL = frozenset({Action.KEEP, Action.CLEAN, Action.EVENT_DATE})


def treat(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    """Answer one element of the standard that is no sequence.

    Parameters
    ----------
    tag, vr : int, str
        The VR is the one by which the value is to be read.
    value : bytes
        As it stands in the source, in the source's byte order.
    context : Context
        Where it stands.

    Returns
    -------
    bytes or None
        The value to write, unpadded; None to leave the element out.

    Raises
    ------
    HoldError
        When no answer would be safe.
    """
    return apply(rule_of(tag, vr, context), tag, vr, value, context)


def rule_of(tag: int, vr: str, context: Context) -> Rule:
    """Return the rule for an element of the standard that is no sequence."""
    rule = context.rules.answer(tag, vr, context.place)
    if context.cleaned and rule.action is Action.DUMMY and vr in DESCRIPTIONS:
        return Rule(Action.CLEAN, "C", rule.source, Action.DUMMY)
    return rule


def apply(rule: Rule, tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    """Return what a rule makes of a value; what it can neither keep nor clean gets the rule's other action."""
    answer = _TREATMENTS[rule.action](tag, vr, value, context)
    if answer is None and rule.action in _MAY_FAIL:
        return _TREATMENTS[rule.otherwise](tag, vr, value, context)
    return answer


def dummy(vr: str, value: bytes) -> bytes | None:
    """Return the dummy that stands for `value`: nothing for nothing, zeros for numbers."""
    if not value.strip(b"\0 "):
        return b""
    if vr in {"DS", "IS"}:
        return b"\\".join([_DUMMIES[vr]] * (value.count(b"\\") + 1))
    if vr in _DUMMIES:
        same = value.rstrip(b"\0 ") == _DUMMIES[vr] and vr in _SECOND_DUMMIES
        return _SECOND_DUMMIES[vr] if same else _DUMMIES[vr]
    if vr == "UN":
        return None
    return bytes(len(value)) if vr in _OCTETS else bytes(min(len(value) + len(value) % 2, 2))


def _keep(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    if vr in {"UN", "UR"}:
        return None  # an attribute too new for the dictionary could be anything, and a link leads home
    if vr == "UI":
        # Each by itself: none is to become another than elsewhere because its neighbour is empty or no UID.
        uids = [uid.strip(b"\0 ") for uid in value.split(b"\\")]
        return b"\\".join([uid if is_uid(uid) else _one_uid(uid, context) for uid in uids])
    if vr in _MOVES:
        return _keep_date(tag, vr, value, context)
    repertoire = _REPERTOIRES.get(vr)
    if repertoire and not repertoire.fullmatch(value):
        return _keep_terms(value) if vr == "CS" else None
    if vr in _IN_CHARACTER_SET:
        decode(value, context.encodings, tag, vr)  # holds what cannot be read: then nobody can say that it is clean
    if tag in _SHAPES and context.sop_class not in _SHAPES[tag]:
        return None
    if tag in _TABLES:
        most, exactly = context.luts.get(tag, (0, 0))
        if len(value) > most and len(value) != exactly:
            raise HoldError("pixel-data-longer", "has more than its descriptor says", tag=tag, vr=vr)
    size = _OCTETS.get(vr, 1)
    if len(value) % size or (vr == "AT" and not _are_tags(value, context)):
        return None
    if repertoire or size > 1:
        count = len(value) // size if size > 1 else value.count(b"\\") + 1
        if count > most_values(tag):
            return None  # more numbers than the attribute can have are no numbers of that attribute
    return value


def _keep_terms(value: bytes) -> bytes | None:
    """Return coded strings with a dummy for each that is none, such as one that a maker spelt with a point."""
    terms = [term.strip(b"\0 ") for term in value.split(b"\\")]
    are_kept = [bool(_REPERTOIRES["CS"].fullmatch(term)) for term in terms]
    if len(terms) > _MOST_TERMS or not any(term for term, is_kept in zip(terms, are_kept, strict=True) if is_kept):
        return None
    return b"\\".join(term if is_kept else _DUMMIES["CS"] for term, is_kept in zip(terms, are_kept, strict=True))


def _are_tags(value: bytes, context: Context) -> bool:
    """Tell whether values are tags that somebody has given a meaning: four octets of a text are none."""
    order = "<" if context.little_endian else ">"
    return all(_is_tag(group, number) for group, number in iter_unpack(f"{order}HH", value))


@lru_cache(maxsize=1 << 13)
def _is_tag(group: int, number: int) -> bool:
    if group & 1:
        return number >= 0x1000 and is_private_group(group) and not _is_text(group, number)
    return vr_of(group << 16 | number) != "UN"


def _is_text(group: int, number: int) -> bool:
    return all(0x20 <= octet < 0x7F for octet in (group & 0xFF, group >> 8, number & 0xFF, number >> 8))


def is_uid(value: bytes) -> bool:
    """Tell whether a value is made of valid UIDs (PS3.5 9.1)."""
    return bool(_UIDS.fullmatch(value))


@lru_cache(maxsize=1 << 13)
def most_values(tag: int) -> int:
    """Return how many values an attribute may have at the most (PS3.6; PS3.5 6.4)."""
    if tag & 0x10000:
        return sys.maxsize
    if by_dictionary(tag) == "UN":
        return sys.maxsize  # too new for the dictionary
    last = dictionary_VM(tag).split(" or ")[-1].rsplit("-", maxsplit=1)[-1]
    return int(last) if last.isdecimal() else sys.maxsize


def _keep_date(_tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    texts = [text.strip("\0 ") for text in value.decode("latin-1").split("\\")]
    if not any(texts):
        return b""
    if not context.keeps_dates:
        return None
    return _dates(vr, texts, 0)


def _keep_device_date(_tag: int, vr: str, value: bytes, _context: Context) -> bytes | None:
    return _dates(vr, [text.strip("\0 ") for text in value.decode("latin-1").split("\\")], 0)


def _clean(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    """Keep a text of known words (PS3.15 E.3.5); of other alphabets none is known."""
    text = value.rstrip(b"\0 ")
    if not text:
        return b""
    return text if text.isascii() and context.rules.vocabulary.allows(text.decode("ascii")) else None


def _remove(_tag: int, _vr: str, _value: bytes, _context: Context) -> bytes | None:
    return None


def _empty(_tag: int, _vr: str, _value: bytes, _context: Context) -> bytes | None:
    return b""


def _dummy(_tag: int, vr: str, value: bytes, _context: Context) -> bytes | None:
    return dummy(vr, value)


def _uid(_tag: int, _vr: str, value: bytes, context: Context) -> bytes | None:
    return b"\\".join([_one_uid(uid, context) for uid in value.split(b"\\")])


def _one_uid(uid: bytes, context: Context) -> bytes:
    return context.pseudonyms.uid(uid.decode("latin-1")).encode("ascii")


def _move_date(_tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    if not value.strip(b"\0 \\"):
        return b""
    if not context.moves_dates:
        return dummy(vr, value)
    texts = [text.strip("\0 ") for text in value.decode("latin-1").split("\\")]
    return _dates(vr, texts, context.days)


def _event_date(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    if not context.of_event:
        return None
    return (_move_date if context.rules.profile.moves_dates else _keep_date)(tag, vr, value, context)


def _dates(vr: str, texts: list[str], days: int) -> bytes:
    return b"\\".join([(_date if len(text) <= _LONGEST_DATE else _worked_out)(vr, text, days) for text in texts])


def _worked_out(vr: str, text: str, days: int) -> bytes:
    if not text:
        return b""  # its place in a list of values stays
    moved = _MOVES[vr](text, days)
    # A value that is no date could be anything.
    return dummy(vr, text.encode("latin-1")) or b"" if moved is None else moved.encode("ascii")


_LONGEST_DATE = 26  # of a DT (PS3.5 6.2)
_date = lru_cache(maxsize=1 << 12)(_worked_out)

_MOVES: dict[str, Callable[[str, int], str | None]] = {
    "DA": dates.move_date,
    "DT": dates.move_date_time,
    "TM": lambda text, _days: text.replace(":", "") if dates.is_time(text) else None,  # colons are ACR-NEMA 300's
}


def _cap_age(_tag: int, _vr: str, value: bytes, _context: Context) -> bytes | None:
    text = value.decode("latin-1").strip("\0 ")
    capped = dates.cap_age(text)
    return capped.encode("ascii") if capped else b""


def _creator(_tag: int, vr: str, value: bytes, _context: Context) -> bytes | None:
    creators = value.decode("latin-1").split("\\")
    return value if all(map(is_listed_creator, creators)) else dummy(vr, value)


def _code(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    if context.code is None:
        return dummy(vr, value)
    designator, code = context.code
    text = value.strip(b"\0 ").decode("ascii", "replace")
    if tag == _CODE_MEANING:
        return meaning(designator, code, text, context.rules.vocabulary).encode("ascii")
    if tag == _CODING_SCHEME_VERSION:
        return value if public_version(text) else dummy(vr, value)
    # Of two code values in one item only one was looked at.
    return value if text in context.code else dummy(vr, value)


def _icc_profile(_tag: int, _vr: str, value: bytes, context: Context) -> bytes | None:
    return None if context.replaced else icc.clean(value)


def _patient_id(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    return context.pseudonyms.patient_id(context.subject).encode("utf-8")


def _patient_name(_tag: int, _vr: str, _value: bytes, context: Context) -> bytes | None:
    return context.pseudonyms.patient_name(context.subject).encode("ascii")


def _accession_number(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    return context.pseudonyms.accession_number(decode(value, context.encodings, tag, vr)).encode("ascii")


def _study_id(_tag: int, _vr: str, _value: bytes, context: Context) -> bytes | None:
    return context.pseudonyms.study_id(context.study_instance_uid).encode("ascii")


_TREATMENTS: dict[Action, Callable[[int, str, bytes, Context], bytes | None]] = {
    Action.KEEP: _keep,
    Action.REMOVE: _remove,
    Action.EMPTY: _empty,
    Action.DUMMY: _dummy,
    Action.UID: _uid,
    Action.MOVE_DATE: _move_date,
    Action.EVENT_DATE: _event_date,
    Action.CAP_AGE: _cap_age,
    Action.WALK: _remove,  # walked by the data set's walk; a value that is no sequence is not kept for it
    Action.CREATOR: _creator,
    Action.CODE: _code,
    Action.KEEP_DEVICE_DATE: _keep_device_date,
    Action.ICC_PROFILE: _icc_profile,
    Action.CLEAN: _clean,
    Action.CLEAN_ITEMS: _remove,
    Action.PATIENT_ID: _patient_id,
    Action.PATIENT_NAME: _patient_name,
    Action.ACCESSION_NUMBER: _accession_number,
    Action.STUDY_ID: _study_id,
}
