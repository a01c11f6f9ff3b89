"""Rules: one answer for each attribute, from Table E.1-1, the profile's options and the VR.

An action is what the engine does; the code is what Table E.1-1 (or our own table for what it does not list) says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from pydicom.datadict import dictionary_VR

from anonymizer.engine import tables
from anonymizer.engine.profile import Profile
from anonymizer.errors import TableError


class Action(Enum):
    """What happens to an element."""

    KEEP = "keep, if the value is of its VR's repertoire"
    REMOVE = "remove"
    EMPTY = "leave with zero length"
    DUMMY = "replace by the VR's dummy; of a sequence, every value inside that could tell something"
    UID = "replace each UID"
    MOVE_DATE = "move each date by the subject's shift; times stay"
    CAP_AGE = "keep, capped at 090Y"
    WALK = "of a sequence: treat each item on its own merits"
    CODE = "keep in an item of a public coding scheme, else replace by a dummy"
    PATIENT_ID = "replace by the subject's PatientID"
    PATIENT_NAME = "replace by the subject's PatientName"
    ACCESSION_NUMBER = "replace by the accession number's code"
    STUDY_ID = "replace by the study's code"


@dataclass(frozen=True, slots=True)
class Rule:
    """An action, with the code and the source that it follows."""

    action: Action
    code: str
    source: str


# Attributes whose pseudonym has a formula of its own (design: pseudonyms, version 1).
_PSEUDONYMS = {
    0x00100010: Action.PATIENT_NAME,
    0x00100020: Action.PATIENT_ID,
    0x00080050: Action.ACCESSION_NUMBER,
    0x00200010: Action.STUDY_ID,
}
_PATIENT_AGE = 0x00101010

_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "DA", "DT", "TM", "AS"})
_BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_NUMBERS = frozenset({"CS", "AT", "DS", "IS", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})

_ACTIONS = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID}
_REPEATING = re.compile(r"\((50|60)xx,(?:[0-9A-F]{4}|xxxx)\)")


class Rules:
    """The rules of one profile; an answer is a pure function of tag and VR."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._kept = tables.kept()
        self._rows: dict[int, Rule] = {}
        for row in tables.confidentiality_rows():
            if re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", row.tag):
                tag = int(row.tag[1:5] + row.tag[6:10], 16)
                self._rows[tag] = self._resolve(tag, row)
            elif not (_REPEATING.fullmatch(row.tag) or "odd" in row.tag):
                raise TableError(f"Table E.1-1 has a row that no rule is made for: {row.name}")
        self._answers: dict[tuple[int, str], Rule] = {}

    def answer(self, tag: int, vr: str) -> Rule:
        """Return the rule for an attribute.

        Parameters
        ----------
        tag : int
            Group and element, as one number of 32 bits.
        vr : str
            The VR by which the value is to be read.
        """
        key = (tag, vr)
        rule = self._answers.get(key)
        if rule is None:
            rule = self._answers[key] = self._answer(tag, vr)
        return rule

    def in_structure(self, tag: int) -> bool:
        """Tell whether a sequence inside a replaced one carries references or the names of concepts."""
        return tag in self._kept.structure

    def is_public_coding_scheme(self, designator: str) -> bool:
        """Tell whether a Coding Scheme Designator stands for a public terminology (PS3.16 section 8)."""
        return designator in self._kept.coding_schemes

    def _answer(self, tag: int, vr: str) -> Rule:
        group = tag >> 16
        if group % 2:
            return Rule(Action.REMOVE, "X", "Table E.1-1, private attributes")
        if group <= 0x0006 or tag & 0xFFFF == 0:
            return Rule(Action.REMOVE, "X", "PS3.15 E.1.1: no part of a data set's content")
        if 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
            return Rule(Action.REMOVE, "X", "Table E.1-1, curves and overlays, the whole group")
        if tag in _PSEUDONYMS:
            return Rule(_PSEUDONYMS[tag], "D", "pseudonyms, version 1")
        if tag in self._rows:
            return self._rows[tag]
        return self._unlisted(tag, vr)

    def _unlisted(self, tag: int, vr: str) -> Rule:
        if not _is_known(tag):
            return Rule(Action.REMOVE, "X", "not in the dictionary")
        kept = self._kept
        if tag in kept.codes:
            return Rule(Action.CODE, "C", "kept.toml, codes")
        if tag in kept.text or tag in kept.binary:
            return Rule(Action.KEEP, "K", "kept.toml")
        if vr == "SQ":
            return Rule(Action.WALK, "K", "unlisted sequence")
        if vr == "UI":
            return Rule(Action.UID, "U", "unlisted UID")
        if vr in _NUMBERS:
            return Rule(Action.KEEP, "K", f"unlisted {vr}")
        if vr in _TEXT:
            return Rule(Action.DUMMY, "D", f"unlisted {vr}")
        return Rule(Action.REMOVE, "X", f"unlisted {vr}")

    def _resolve(self, tag: int, row: tables.Row) -> Rule:
        code, source = row.basic, "Table E.1-1"
        for option in self.profile.options:
            if option not in row.options or tag in self._kept.fixed_dates:
                continue
            if row.options[option] == "K":
                action = Action.CAP_AGE if tag == _PATIENT_AGE else _keep(tag)
                return Rule(action, "K", f"{source}, {option}")
            if option == "retain_longitudinal_modified_dates" and _vr(tag) in {"DA", "DT", "TM"}:
                return Rule(Action.MOVE_DATE, "C", f"{source}, {option}")
            # A "C" without a cleaner: the Basic profile's action says less than any cleaned value.
        return Rule(self._valid_everywhere(tag, code), code, source)

    @staticmethod
    def _valid_everywhere(tag: int, code: str) -> Action:
        """Resolve a compound code by its last letter.

        "X/D" means X unless the IOD needs D; without the IOD's Types at hand, the last letter is valid for
        every IOD and keeps nothing more.
        """
        last = code.rsplit("/", maxsplit=1)[-1]
        if last == "U*":
            return Action.WALK
        action = _ACTIONS[last]
        if action is Action.DUMMY and _vr(tag) == "UI":
            return Action.UID  # Annotation Group UID is coded D; a UID that others may point at
        return action


def _keep(tag: int) -> Action:
    return Action.WALK if _vr(tag) == "SQ" else Action.KEEP


def _vr(tag: int) -> str:
    return dictionary_VR(tag) if _is_known(tag) else "UN"


def _is_known(tag: int) -> bool:
    try:
        dictionary_VR(tag)
    except KeyError:
        return False
    return True
