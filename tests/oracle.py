"""What must come out for an attribute: Table E.1-1 read a second time, apart from the engine's own rules.

Nothing here imports ``anonymizer.engine``. The tables are read as they ship, by a reader of our own; what is written
here once more is the meaning of the action codes (PS3.15 Table E.1-1a) and of the options (E.3.3 to E.3.11).
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final, NamedTuple

from pydicom.datadict import keyword_for_tag

from tests.oracle_table import Row, kept, rows_by_tag, safe_private
from tests.oracle_types import types_of


class Fate(Enum):
    """What becomes of an element."""

    REMOVED = "removed"
    EMPTY = "empty"
    DUMMY = "a dummy"
    UID = "the UID's pseudonym"
    PSEUDONYM = "the attribute's own pseudonym"
    MOVED = "the moved date"
    CAPPED = "the age, capped"
    KEPT = "kept"
    ITEMS = "its items, each on its own merits"
    OTHER = "none of all that"


class Step(NamedTuple):
    """A sequence on the way to an item; a private one with its creator."""

    tag: int
    creator: str = ""


class Place(NamedTuple):
    """An item: the sequences that lead there from the top level, in an object of a SOP class."""

    sop_class: str
    path: tuple[Step, ...] = ()


class Attribute(NamedTuple):
    """An attribute as the file gives it.

    Attributes
    ----------
    vr : str
        By which it is to be read; UN where neither file nor dictionary tells.
    harmless : bool
        Whether its text is made of words of the vocabulary.
    """

    tag: int
    vr: str
    creator: str = ""
    harmless: bool = False


# What an action code comes to, by the strictest Type that the IOD gives the attribute at that path: 1, 2, 3, not
# defined there, and where nobody knows the IOD. 1C counts as 1 and 2C as 2. X stays X but where its absence would
# make the object invalid; D is X where the IOD has no such attribute (Note 13); the sequences coded X/Z/U* stay in
# every IOD, because references have to hold.
_R, _E, _D, _U, _W = Fate.REMOVED, Fate.EMPTY, Fate.DUMMY, Fate.UID, Fate.ITEMS
RESOLUTION: Final = {
    # code        1   2   3  none  unknown
    "X": dict(zip("123-?", (_D, _E, _R, _R, _R), strict=True)),
    "Z": dict(zip("123-?", (_D, _E, _E, _E, _E), strict=True)),
    "D": dict(zip("123-?", (_D, _D, _D, _R, _D), strict=True)),
    "U": dict(zip("123-?", (_U, _U, _U, _U, _U), strict=True)),
    "Z/D": dict(zip("123-?", (_D, _E, _E, _E, _D), strict=True)),
    "X/Z": dict(zip("123-?", (_D, _E, _R, _R, _E), strict=True)),
    "X/D": dict(zip("123-?", (_D, _D, _R, _R, _D), strict=True)),
    "X/Z/D": dict(zip("123-?", (_D, _E, _R, _R, _D), strict=True)),
    "X/Z/U*": dict(zip("123-?", (_W, _W, _W, _W, _W), strict=True)),
}
_NO_ITEM_CAN_BE_MADE: Final = {"X": Fate.REMOVED, "Z": Fate.EMPTY, "X/Z": Fate.EMPTY}

OPTIONS: Final = (
    "clean_descriptors",
    "clean_graphics",
    "clean_structured_content",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "retain_patient_characteristics",
    "retain_safe_private",
    "retain_uids",
)
MODIFIED_DATES: Final = "retain_longitudinal_modified_dates"

DATES: Final = frozenset({"DA", "DT", "TM"})
DESCRIPTIONS: Final = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
TEXTS: Final = DATES | DESCRIPTIONS | {"PN", "AE", "UR", "AS"}
NUMBERS: Final = frozenset({"CS", "AT", "DS", "IS", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
# In a sequence that is replaced these say how the object hangs together: codes, counts and references.
STRUCTURE: Final = frozenset({"CS", "AT", "US", "SS", "UL", "SL", "UV", "SV", "UI", "SQ"})
# DateTime, Date and Time of a content item, and in a cell of a table: of what, a concept tells, and no scene plants one
# of an event.
_OF_A_CONCEPT: Final = frozenset({0x0040A120, 0x0040A121, 0x0040A122, 0x00720061, 0x00720063, 0x0072006B})
_CELLS: Final = 0x0040A808
_OF_CODES: Final = frozenset({0x00080106, 0x00080107})  # Context Group Version and Local Version
_OWN_PSEUDONYMS: Final = frozenset({0x00100010, 0x00100020, 0x00080050, 0x00200010})


class _Inside(NamedTuple):
    gone: bool = False
    replaced: bool = False
    cleaned: bool = False


class Oracle:
    """Tell what a choice of options makes of any attribute at any place."""

    def __init__(self, *options: str) -> None:
        self._options = frozenset(options)
        self._insides: dict[Place, _Inside] = {}

    def fate(self, attribute: Attribute, place: Place) -> Fate:
        """Return what must become of an attribute that stands at a place."""
        inside = self._inside(place)
        is_private = attribute.tag >> 16 & 1
        if inside.gone or (inside.replaced and is_private):
            return Fate.REMOVED
        if inside.replaced and attribute.vr not in STRUCTURE and self._is_unlisted(attribute):
            return Fate.DUMMY
        return self._in(inside)._own(attribute, place, cleaned=inside.cleaned)

    def _in(self, inside: _Inside) -> Oracle:
        """Return the oracle of the options that hold in an item (decision 2).

        A date that moves says nothing of when, and its distance from the others stays true; references have to hold.
        What else an option retains is taken away by the sequence's D, and the row does what it does under Basic.
        """
        return Oracle(*self._options & {MODIFIED_DATES, "retain_uids"}) if inside.replaced else self

    @staticmethod
    def _is_unlisted(attribute: Attribute) -> bool:
        """Tell whether a text or number would stay that no row is about."""
        if attribute.tag in rows_by_tag():
            return False
        return attribute.tag in kept()["text"] or attribute.vr in NUMBERS

    def _inside(self, place: Place) -> _Inside:
        """Tell what holds in an item for the sequences that lead to it."""
        if place not in self._insides:
            self._insides[place] = self._entered(place) if place.path else _Inside()
        return self._insides[place]

    def _entered(self, place: Place) -> _Inside:
        *path, step = place.path
        around = Place(place.sop_class, tuple(path))
        inside = self._inside(around)
        fate = self._in(inside)._own(Attribute(step.tag, "SQ", step.creator), around)
        if inside.gone or fate in {Fate.REMOVED, Fate.EMPTY} or (step.tag >> 16 & 1 and inside.replaced):
            return _Inside(gone=True)
        replaced = fate is Fate.DUMMY or (inside.replaced and step.tag not in kept()["structure"])
        replaced = replaced or step.tag == _CELLS  # of a table: what stands there, only its column tells
        return _Inside(replaced=replaced, cleaned=(inside.cleaned or self._cleans(step.tag)) and not replaced)

    def _cleans(self, tag: int) -> bool:
        row = rows_by_tag().get(tag)
        return row is not None and "C" in self._codes(row)

    def _codes(self, row: Row) -> set[str]:
        return {code for option, code in row.options.items() if option in self._options}

    def _own(self, attribute: Attribute, place: Place, *, cleaned: bool = False) -> Fate:
        tag, vr, creator, _ = attribute
        group = tag >> 16
        if group & 1:
            return self._private(tag, creator, attribute.harmless)
        if group <= 0x0006 or 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
            return Fate.REMOVED  # commands, file meta, a DICOMDIR's; curves and overlays as whole groups
        if tag in _OWN_PSEUDONYMS:
            return Fate.PSEUDONYM
        row = rows_by_tag().get(tag)
        fate = self._unlisted(tag, vr) if row is None else self._listed(row, attribute, place)
        cleaned = cleaned or (tag in kept()["described"] and "clean_descriptors" in self._options)
        if cleaned and fate is Fate.DUMMY and attribute.harmless and vr in DESCRIPTIONS:
            return Fate.KEPT
        return fate

    def _listed(self, row: Row, attribute: Attribute, place: Place) -> Fate:
        tag, vr, _, harmless = attribute
        # Any code item may have the version of a context group, and has to where it names one (PS3.3 Table 8.8-1).
        attribute_type = type_at(place, tag) or ("1" if tag in _OF_CODES else "")
        basic = resolved(row.basic, attribute_type, vr)
        if tag in _OF_A_CONCEPT:
            return basic  # a content item without a concept, or outside of any: nobody knows whose date it is
        codes = self._codes(row)
        if MODIFIED_DATES in self._options and MODIFIED_DATES in row.options:  # before K: the stricter of the two
            if tag in kept()["fixed_dates"] or vr not in DATES:
                return basic
            return Fate.KEPT if vr == "TM" else Fate.MOVED
        if "K" in codes:
            if vr in {"UN", "UR"}:
                return basic  # nobody can say what these bytes are; and a link leads back to where it came from
            return Fate.ITEMS if vr == "SQ" else Fate.CAPPED if vr == "AS" else Fate.KEPT
        if "C" in codes:
            if vr == "SQ":
                return Fate.ITEMS
            if vr in DESCRIPTIONS and harmless:
                return Fate.KEPT
        return basic

    def _private(self, tag: int, creator: str, harmless: bool) -> Fate:
        """By Table E.3.10-1 under its option; every other private attribute goes."""
        if "retain_safe_private" not in self._options:
            return Fate.REMOVED
        group, low = tag >> 16, tag & 0xFF
        if tag & 0xFF00 == 0:
            return Fate.KEPT if any(key[:2] == (creator, group) for key in safe_private()) else Fate.REMOVED
        vr = safe_private().get((creator, group, low), "")
        if vr == "SQ":
            return Fate.ITEMS
        if vr == "UI":
            return Fate.UID
        if vr in DESCRIPTIONS:
            return Fate.KEPT if harmless else Fate.REMOVED
        return Fate.KEPT if vr and vr not in TEXTS else Fate.REMOVED

    def _unlisted(self, tag: int, vr: str) -> Fate:
        """By decision 3: no row lists it, so its VR decides."""
        if tag in kept()["patient"] and "retain_patient_characteristics" not in self._options:
            return Fate.REMOVED
        if tag in kept()["text"] or (vr in NUMBERS and keyword_for_tag(tag)):
            return Fate.KEPT
        if not keyword_for_tag(tag):
            return Fate.REMOVED
        return {"SQ": Fate.ITEMS, "UI": Fate.UID}.get(vr, Fate.DUMMY if vr in TEXTS else Fate.REMOVED)


def resolved(code: str, attribute_type: str, vr: str) -> Fate:
    """Return what an action code comes to for an attribute of a Type (see :data:`RESOLUTION`)."""
    fate = RESOLUTION[code][attribute_type or "-"]
    if fate is Fate.DUMMY and vr == "UI":
        return Fate.UID  # a UID that others may point at: its dummy is its pseudonym
    if fate is Fate.DUMMY and vr == "SQ":
        return _NO_ITEM_CAN_BE_MADE.get(code, Fate.DUMMY)
    return fate


@cache
def type_at(place: Place, tag: int) -> str:
    """Return the Type of an attribute at a place."""
    return types_of(place.sop_class).type_of((*(step.tag for step in place.path), tag))
