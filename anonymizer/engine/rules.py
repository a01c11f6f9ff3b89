"""Rules: one answer for each attribute, from Table E.1-1, the profile, the IOD's Types and the VR.

An action is what the engine does; the code is what Table E.1-1 (or our own table for what it does not list) says.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from pydicom.datadict import dictionary_VR, tag_for_keyword

from anonymizer.engine import content, overrides, tables
from anonymizer.engine.overrides import MODIFIED_DATES
from anonymizer.engine.private import listed_vr
from anonymizer.engine.profile import (
    BASIC_CODE,
    CLEAN_DESCRIPTORS,
    OPTION_CODES,
    PATIENT_CHARACTERISTICS,
    RETAIN_UIDS,
    Profile,
)
from anonymizer.engine.types import Place
from anonymizer.engine.vocabulary import Vocabulary
from anonymizer.errors import TableError


class Action(Enum):
    """What happens to an element."""

    REMOVE = "remove"
    EMPTY = "leave with zero length"
    DUMMY = "replace by the VR's dummy; of a sequence, every value inside that could tell something"
    UID = "replace each UID"
    PATIENT_ID = "replace by the subject's PatientID"
    PATIENT_NAME = "replace by the subject's PatientName"
    ACCESSION_NUMBER = "replace by the accession number's code"
    STUDY_ID = "replace by the study's code"
    MOVE_DATE = "move each date by the subject's shift; times stay"
    CLEAN = "keep, if every word is of the vocabulary, else what the Basic profile does"
    CREATOR = "keep a private creator of Table E.3.10-1, else replace by a dummy"
    CODE = "keep in an item of a public coding scheme, else replace by a dummy"
    CLEAN_ITEMS = "of a sequence: treat each item on its own merits, and clean its texts instead of replacing them"
    WALK = "of a sequence: treat each item on its own merits"
    ICC_PROFILE = "keep what colours need, without its texts"
    CAP_AGE = "keep, capped at 090Y"
    EVENT_DATE = "of a content item about an event of the imaging: as other dates; else what the Basic profile does"
    KEEP_DEVICE_DATE = "keep, if it is a date or a time"
    KEEP = "keep, if the value is of its VR's repertoire"

    __hash__ = object.__hash__  # a member is itself and no other; Enum's own hashes its name, in Python, each time


@dataclass(frozen=True, slots=True)
class Rule:
    """An action, with the code and the source that it follows.

    Attributes
    ----------
    otherwise : Action
        What happens to a value that `action` cannot clean or keep.
    """

    action: Action
    code: str
    source: str
    otherwise: Action = Action.REMOVE


REMOVED = Rule(Action.REMOVE, "X", "Table E.1-1, private attributes")
"""What happens to every private attribute that nobody knows to be safe."""

# Attributes whose pseudonym has a formula of its own (design: pseudonyms, version 1).
_PSEUDONYMS = {
    0x00100010: Action.PATIENT_NAME,
    0x00100020: Action.PATIENT_ID,
    0x00080050: Action.ACCESSION_NUMBER,
    0x00200010: Action.STUDY_ID,
}
_A_PSEUDONYM = (
    "Table E.1-1, whose Z may be a dummy value (Table E.1-1a): a pseudonym, since empty ones would link nobody"
)
_ICC_PROFILE = 0x00282000

DATES, DESCRIPTIONS = overrides.DATES, overrides.DESCRIPTIONS
TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "UR", "AS"}) | DATES
_NUMBERS = frozenset({"CS", "AT", "DS", "IS", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})

# Inside a sequence that is replaced, these still say how the object hangs together and nothing else.
_STRUCTURAL = frozenset({"SQ", "UI", "CS", "AT", "US", "SS", "UL", "SL", "UV", "SV"})
# But these are what an item or a cell of a table says (PS3.3 C.18.1, C.18.10): a measure, or whatever stands there.
_RATIONAL = frozenset({0x0040A162, 0x0040A163})  # numerator and denominator, of which none can be zero
_IN_CELLS = frozenset(
    tag
    for vr in ("CS", "SL", "SS", "SV", "UL", "US", "UV")
    if (tag := tag_for_keyword(f"Selector{vr}Value")) is not None
)
# Versions of context groups stand beside the identifier of one, in any code item (PS3.3 Table 8.8-1, Type 1C), also
# where the Types do not know the place.
_OF_CODES = frozenset({0x00080106, 0x00080107})
# The options that hold there: a date that moved is no less a replacement than a dummy, and references have to hold.
_HOLD_IN_REPLACED = frozenset({MODIFIED_DATES, RETAIN_UIDS})

_LETTERS = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID, "U*": Action.WALK}
_CODES = {Action.WALK: "K", Action.KEEP: "K", Action.UID: "U", Action.DUMMY: "D", Action.REMOVE: "X"}
_MOST_ANSWERS = 1 << 15
_REPEATING = re.compile(r"\((50|60)xx,(?:[0-9A-F]{4}|xxxx)\)")

# What an override can say that lets more stand than the profile, and what a replaced sequence does not let stand.
_LETTING = frozenset({"clean", "keep"})
_REPLACED = frozenset({Action.KEEP, Action.CREATOR})

# How much an action lets stand; an override that lets more stand than the profile withdraws its claims. Of two that let
# as much stand, either can be of what the other takes away.
_TELLS = {
    Action.MOVE_DATE: 2,
    Action.EVENT_DATE: 2,
    Action.ICC_PROFILE: 2,
    Action.CLEAN: 2,
    Action.CREATOR: 2,
    Action.CODE: 2,
    Action.CLEAN_ITEMS: 3,
    Action.WALK: 3,
    Action.CAP_AGE: 3,
    Action.KEEP: 3,
    Action.KEEP_DEVICE_DATE: 4,
}


def _tells(action: Action, vr: str) -> int:
    """Return how much an action lets stand: of a sequence that becomes a dummy its coded strings and references."""
    return 1 if action is Action.DUMMY and vr == "SQ" else _TELLS.get(action, 0)


def resolve(code: str, attribute_type: str) -> Action:
    """Resolve an action code by the Type that an attribute has in its IOD (PS3.15 Table E.1-1a, Note 13).

    Parameters
    ----------
    code : str
        Such as "X/Z/D".
    attribute_type : str
        "1", "2" or "3", with 1C as 1 and 2C as 2, so that no output is less valid than its source; empty where the
        IOD does not define the attribute at that place; "?" where the IOD itself is not known.
    """
    letters = code.split("/")
    if letters[-1] == "U*" or attribute_type == "?":
        # References hold in every output, so the sequences that carry them stay whatever their Type is.
        letter = letters[-1]
    elif attribute_type == "1":
        letter = "U" if code == "U" else "D"
    elif attribute_type == "2":
        letter = "Z" if "Z" in letters or code == "X" else letters[-1]
    elif attribute_type == "3":
        letter = letters[0]
    else:
        letter = "X" if code == "D" else letters[0]
    return _LETTERS[letter]


class Rules:
    """The rules of one profile; an answer is a pure function of tag, VR and place.

    Items of a sequence that is replaced by a dummy have rules of their own, see :meth:`inside`.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.vocabulary = Vocabulary(profile.words)
        self.keeps_private = "retain_safe_private" in profile.options
        self._options = frozenset(profile.options)
        self._is_replaced = False
        self._kept = tables.kept()
        self._overrides = dict(profile.overrides)
        self._rows: dict[int, tables.Row] = {}
        for row in tables.confidentiality_rows():
            if re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", row.tag):
                self._rows[int(row.tag[1:5] + row.tag[6:10], 16)] = row
            elif not (_REPEATING.fullmatch(row.tag) or "odd" in row.tag):
                raise TableError(f"Table E.1-1 has a row that no rule is made for: {row.name}")
        self._answers: dict[tuple[int, str, Place], Rule] = {}
        replaced = copy(self)
        replaced._options &= _HOLD_IN_REPLACED
        replaced._is_replaced = True
        replaced._answers = {}
        self._inside: tuple[Rules, Rules] = (self, replaced)
        replaced._inside = self._inside

    def inside(self, *, replaced: bool) -> Rules:
        """Return the rules for the items of a sequence.

        Parameters
        ----------
        replaced : bool
            Whether they stand in a sequence that is replaced by a dummy. What its D takes away no option of a row
            inside brings back: such a row gets the Basic profile's action, which is not always a dummy. Attributes
            without a row that would stay elsewhere become dummies, but for those that hold the object together.
        """
        return self._inside[replaced]

    def answer(self, tag: int, vr: str, place: Place) -> Rule:
        """Return the rule for an attribute of the standard.

        Parameters
        ----------
        tag : int
            Group and element, as one number of 32 bits.
        vr : str
            The VR by which the value is to be read.
        place : Place
            Where in its IOD the attribute stands.
        """
        key = (tag, vr, place)
        rule = self._answers.get(key)
        if rule is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()  # a file can have any number of tags that nobody knows
            rule = self._answers[key] = self.rule(tag, vr, place.type_of(tag))
        return rule

    def rule(self, tag: int, vr: str, attribute_type: str) -> Rule:
        """Return the rule for an attribute that has a certain Type (see :func:`resolve`)."""
        usual = self._usual(tag, vr, attribute_type)
        word = self._overrides.get(tag)
        if word is None or (self._is_replaced and word in _LETTING and vr not in _STRUCTURAL):
            return usual
        return _overridden(word, tag, vr, usual)

    def private_rule(self, tag: int, creator: str) -> tuple[Rule, str]:
        """Return the rule for a private attribute, and the VR by which the list of safe ones reads it."""
        vr = listed_vr(creator, tag >> 16, tag & 0xFF) if self.keeps_private else None
        if vr is None:
            return REMOVED, "UN"
        source = "Table E.3.10-1, retain_safe_private"
        if vr == "UI":
            return Rule(Action.UID, "U", source), vr
        if vr in TEXT:  # no date is listed
            return Rule(Action.CLEAN if vr in DESCRIPTIONS else Action.REMOVE, "C", source, Action.REMOVE), vr
        return Rule(Action.WALK if vr == "SQ" else Action.KEEP, "K", source), vr

    def in_structure(self, tag: int) -> bool:
        """Tell whether a sequence inside a replaced one carries references or the names of concepts."""
        return tag in self._kept.structure

    @cached_property
    def weakened(self) -> tuple[int, ...]:
        """Return the attributes of which an override lets more stand than the profile without it, at any place."""
        types = ("1", "2", "3", "")
        return tuple(
            tag for tag in self._overrides if any(one._is_weaker(tag, kind) for one in self._inside for kind in types)
        )

    @property
    def claims(self) -> tuple[str, ...]:
        """Return the codes of CID 7050 that an output may claim.

        None at all where an override weakens the profile. No Retain Device Identity beside Modified Dates: eleven rows
        say both K and C, and the stricter is done.
        """
        if self.weakened:
            return ()
        options = [one for one in self.profile.options if one != "retain_device_identity" or not self.moves_devices]
        return (BASIC_CODE, *sorted(OPTION_CODES[option] for option in options))

    @property
    def moves_devices(self) -> bool:
        """Tell whether dates of devices get the stricter of two options' answers."""
        return "retain_device_identity" in self.profile.options and self.profile.moves_dates

    def _is_weaker(self, tag: int, attribute_type: str) -> bool:
        vr = vr_of(tag).split(" ")[0]
        usual, action = self._usual(tag, vr, attribute_type).action, self.rule(tag, vr, attribute_type).action
        return action is not usual and _tells(action, vr) >= max(_tells(usual, vr), 1)

    def _usual(self, tag: int, vr: str, attribute_type: str) -> Rule:
        group = tag >> 16
        if group % 2:
            return REMOVED
        if group <= 0x0006 or tag & 0xFFFF == 0:
            return Rule(Action.REMOVE, "X", "PS3.15 E.1.1: no part of a data set's content")
        if 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
            return Rule(Action.REMOVE, "X", "Table E.1-1, curves and overlays, the whole group")
        if tag in _PSEUDONYMS:
            return Rule(_PSEUDONYMS[tag], self._rows[tag].basic, _A_PSEUDONYM)
        if tag in self._rows:
            return self._listed(tag, vr, self._rows[tag], attribute_type)
        usual = self._unlisted(tag, vr)
        if self._is_replaced and tag in _RATIONAL:
            return Rule(Action.REMOVE, "X", "inside a sequence coded D")
        if self._is_replaced and usual.action in _REPLACED and (vr not in _STRUCTURAL or tag in _IN_CELLS):
            return Rule(Action.DUMMY, "D", "inside a sequence coded D")
        return usual

    def _listed(self, tag: int, read_by: str, row: tables.Row, attribute_type: str) -> Rule:
        vr = vr_of(tag).split(" ")[0]
        basic = resolve(row.basic, "1" if tag in _OF_CODES and not attribute_type else attribute_type)
        if basic is Action.DUMMY and vr == "UI":
            basic = Action.UID  # Annotation Group UID is coded D; a UID that others may point at
        elif basic is Action.DUMMY and vr == "SQ" and "D" not in row.basic:
            basic = Action.EMPTY if "Z" in row.basic else Action.REMOVE  # no item can be made for it
        if read_by != vr and tag in tables.newer():
            return Rule(basic, row.basic, "Table E.1-1")  # the file says what it wants of what the dictionary lacks
        options = {option: code for option, code in row.options.items() if option in self._options}
        if tag in content.VALUES and (kept := sorted(options)):  # of what it is the date, only its concept tells
            return Rule(Action.EVENT_DATE, "C", f"Table E.1-1, {kept[0]}", basic)
        if MODIFIED_DATES in options:  # before Retain Device Identity: the stricter of the two
            if vr in DATES and tag not in self._kept.fixed_dates:
                return Rule(Action.MOVE_DATE, "C", f"Table E.1-1, {MODIFIED_DATES}", basic)
            return Rule(basic, row.basic, "Table E.1-1")
        for option, code in sorted(options.items(), key=lambda one: one[1] != "K"):
            action = self._retained(vr, option, code)
            if action is not None:
                return Rule(action, code, f"Table E.1-1, {option}", basic)
        return Rule(basic, row.basic, "Table E.1-1")

    @staticmethod
    def _retained(vr: str, option: str, code: str) -> Action | None:
        """Return what an option's K or C does, None where nothing can be kept or cleaned."""
        if vr == "UR":
            return None  # a link leads to where it came from
        if code == "K":
            if option == "retain_device_identity" and vr in DATES:
                return Action.KEEP_DEVICE_DATE
            return Action.CAP_AGE if vr == "AS" else Action.WALK if vr == "SQ" else Action.KEEP
        if vr == "SQ":
            return Action.CLEAN_ITEMS
        return Action.CLEAN if vr in DESCRIPTIONS else None

    def _unlisted(self, tag: int, vr: str) -> Rule:
        if not _is_known(tag):
            return Rule(Action.REMOVE, "X", "not in the dictionary")
        kept = self._kept
        if tag in kept.removed:
            return Rule(Action.REMOVE, "X", "kept.toml, removed")
        if tag in kept.patient and PATIENT_CHARACTERISTICS not in self._options:
            return Rule(Action.REMOVE, "X", "kept.toml, patient")
        if tag == _ICC_PROFILE:
            return Rule(Action.ICC_PROFILE, "C", "ICC.1: colours without texts")
        if tag in kept.creators and self.keeps_private:
            return Rule(Action.CREATOR, "C", "kept.toml, private creators", Action.DUMMY)
        if tag in kept.codes:
            return Rule(Action.CODE, "C", "kept.toml, codes")
        if tag in kept.described and CLEAN_DESCRIPTORS in self._options:
            return Rule(Action.CLEAN, "C", f"kept.toml, described, {CLEAN_DESCRIPTORS}", Action.DUMMY)
        if tag in kept.text or tag in kept.binary:
            return Rule(Action.KEEP, "K", "kept.toml")
        action = self.unlisted(vr)
        return Rule(action, _CODES[action], f"unlisted {vr}")

    @staticmethod
    def unlisted(vr: str) -> Action:
        """Return what happens to an attribute that no table names: nothing stays because nobody listed it."""
        if vr == "SQ":
            return Action.WALK
        if vr == "UI":
            return Action.UID
        if vr in _NUMBERS:
            return Action.KEEP
        return Action.DUMMY if vr in TEXT else Action.REMOVE


def _overridden(word: str, tag: int, vr: str, usual: Rule) -> Rule:
    is_sequence = vr == "SQ"
    action = {
        "remove": Action.REMOVE,
        "empty": Action.EMPTY,
        "dummy": Action.UID if vr == "UI" else Action.DUMMY,
        "uid": Action.UID if vr == "UI" else usual.action,
        "clean": Action.CLEAN_ITEMS if is_sequence else Action.CLEAN if vr in DESCRIPTIONS else usual.action,
        "keep": Action.WALK if is_sequence else Action.CAP_AGE if vr == "AS" else Action.KEEP,
    }[word]
    return Rule(action, word, "the site's profile", usual.otherwise if _TELLS.get(usual.action) else usual.action)


def vr_of(tag: int) -> str:
    """Return the VR that the standard gives an attribute, UN for one that neither pydicom nor Table E.1-1 knows."""
    return dictionary_VR(tag) if _is_known(tag) else tables.newer().get(tag, "UN")


def _is_known(tag: int) -> bool:
    try:
        dictionary_VR(tag)
    except KeyError:
        return False
    return True
