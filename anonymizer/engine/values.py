"""Values: what an action makes of one element's bytes. Pure functions of bytes, rule and context."""

from __future__ import annotations

import re
from collections.abc import Callable

from anonymizer.engine import dates
from anonymizer.engine.context import Context
from anonymizer.engine.pseudonyms import Subject
from anonymizer.engine.rules import Action
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
    "PN": b"DEIDENTIFIED",
    "SH": b"DEIDENTIFIED",
    "ST": b"DEIDENTIFIED",
    "TM": b"000000",
    "UC": b"DEIDENTIFIED",
    "UR": b"urn:deidentified",
    "UT": b"DEIDENTIFIED",
}
# Possessive throughout (Python 3.11): a pattern that could go back would take for ever over a crafted list of numbers.
_NUMBER = rb" *+(?:[+-]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?+\d++)?+)?+ *+"
_REPERTOIRES = {
    "CS": re.compile(rb"[A-Z0-9 _]{0,16}(?:\\[A-Z0-9 _]{0,16})*+\0?"),
    "DS": re.compile(rb"%b(?:\\%b)*+\0?" % (_NUMBER, _NUMBER)),
    "IS": re.compile(rb"%b(?:\\%b)*+\0?" % (_NUMBER, _NUMBER)),
    "AS": re.compile(rb"(?:\d{3}[DWMY] *+(?:\\\d{3}[DWMY] *+)*+)?"),
}
_OCTETS = {"AT": 4, "FL": 4, "FD": 8, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}

# VRs whose value is a string; one may stand for another, read as the dictionary has it.
TEXTS = frozenset({*_DUMMIES, "UI"})

# Inside a sequence that is replaced, these still say how the object hangs together and nothing else.
_STRUCTURAL = frozenset({"CS", "AT", "US", "SS", "UL", "SL", "UV", "SV"})


def treat(tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    """Answer one element that is no sequence.

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
    action = context.rules.answer(tag, vr).action
    if context.replaced and action is Action.KEEP and vr not in _STRUCTURAL:
        action = Action.DUMMY
    return _TREATMENTS[action](tag, vr, value, context)


def dummy(vr: str, value: bytes) -> bytes | None:
    """Return the dummy that stands for `value`: nothing for nothing, zeros for numbers."""
    if not value.strip(b"\0 "):
        return b""
    if vr in {"DS", "IS"}:
        return b"\\".join([_DUMMIES[vr]] * (value.count(b"\\") + 1))
    if vr in _DUMMIES:
        return _DUMMIES[vr]
    if vr == "UN":
        return None
    return bytes(len(value)) if vr in _OCTETS else bytes(min(len(value) + len(value) % 2, 2))


def _keep(_tag: int, vr: str, value: bytes, _context: Context) -> bytes | None:
    if vr == "UN":
        return None  # an attribute too new for the dictionary: nobody can say what these bytes are
    repertoire = _REPERTOIRES.get(vr)
    if repertoire and not repertoire.fullmatch(value):
        return None
    if len(value) % _OCTETS.get(vr, 1):
        return None
    return value


def _remove(_tag: int, _vr: str, _value: bytes, _context: Context) -> bytes | None:
    return None


def _empty(_tag: int, _vr: str, _value: bytes, _context: Context) -> bytes | None:
    return b""


def _dummy(_tag: int, vr: str, value: bytes, _context: Context) -> bytes | None:
    return dummy(vr, value)


def _uid(_tag: int, _vr: str, value: bytes, context: Context) -> bytes | None:
    uids = value.decode("latin-1").split("\\")
    return "\\".join(context.pseudonyms.uid(uid) for uid in uids).encode("ascii")


def _move_date(_tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    texts = [text.strip("\0 ") for text in value.decode("latin-1").split("\\")]
    if not any(texts):
        return b""
    if not context.moves_dates:
        return dummy(vr, value)
    days = context.pseudonyms.date_shift(context.subject)
    moved = [_MOVES[vr](text, days) if text else "" for text in texts]
    # A value that is no date could be anything; its place in a list of values stays.
    return b"\\".join(_DUMMIES[vr] if text is None else text.encode("ascii") for text in moved)


_MOVES: dict[str, Callable[[str, int], str | None]] = {
    "DA": dates.move_date,
    "DT": dates.move_date_time,
    "TM": lambda text, _days: text if dates.is_time(text) else None,
}


def _cap_age(_tag: int, _vr: str, value: bytes, _context: Context) -> bytes | None:
    text = value.decode("latin-1").strip("\0 ")
    capped = dates.cap_age(text)
    return capped.encode("ascii") if capped else b""


def _code(_tag: int, vr: str, value: bytes, context: Context) -> bytes | None:
    return value if context.public_code else dummy(vr, value)


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
    Action.CAP_AGE: _cap_age,
    Action.WALK: _remove,  # walked by the data set's walk; a value that is no sequence is not kept for it
    Action.CODE: _code,
    Action.PATIENT_ID: _patient_id,
    Action.PATIENT_NAME: _patient_name,
    Action.ACCESSION_NUMBER: _accession_number,
    Action.STUDY_ID: _study_id,
}


def subject_of(
    patient_id: bytes, issuer: bytes, study_instance_uid: str, encodings: tuple[str, ...], default_issuer: str
) -> Subject:
    """Tell whom a data set or item is about, from its own PatientID and IssuerOfPatientID."""
    return Subject.of(
        decode(patient_id, encodings, 0x00100020, "LO"),
        decode(issuer, encodings, 0x00100021, "LO"),
        study_instance_uid,
        default_issuer=default_issuer,
    )
