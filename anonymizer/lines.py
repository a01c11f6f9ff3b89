"""What a profile does, attribute by attribute, in a line for each.

Made from the rules themselves, so that it cannot say anything else than what happens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from anonymizer.engine import markers, tables
from anonymizer.engine.parse import EXPLICIT_LITTLE
from anonymizer.engine.private import safe_private_rows
from anonymizer.engine.profile import Profile
from anonymizer.engine.rules import DATES, Action, Rule, Rules, vr_of
from anonymizer.engine.types import occurring

# A Type, and how a line says where it holds. What holds for the first that can be stands without a word: a site looks
# for what usually happens, and an attribute that an IOD has to have is rarer than one that it may have.
_WHERE = {"3": "Type 3", "": "the IOD has none", "2": "Type 2", "1": "Type 1"}
_WORDS = {
    Action.REMOVE: "remove",
    Action.EMPTY: "empty",
    Action.DUMMY: "dummy",
    Action.UID: "new UID",
    Action.PATIENT_ID: "pseudonym",
    Action.PATIENT_NAME: "pseudonym",
    Action.ACCESSION_NUMBER: "pseudonym",
    Action.STUDY_ID: "pseudonym",
    Action.MOVE_DATE: "move, else dummy",
    Action.CLEAN: "clean",
    Action.EVENT_DATE: "as other dates, of an event",
    Action.CREATOR: "keep listed creators, else dummy",
    Action.CODE: "keep public codes",
    Action.CLEAN_ITEMS: "clean items",
    Action.WALK: "treat items",
    Action.ICC_PROFILE: "keep without texts",
    Action.CAP_AGE: "keep, 090Y at the most",
    Action.KEEP_DEVICE_DATE: "keep, else dummy",
    Action.KEEP: "keep",
}
_KEPT_DATE = "keep, else dummy"

# What no rule answers, since the engine writes it anew: File Meta Information, and where frames begin.
_MADE_NEW = {
    0x00020003: ("made new: the output's SOP Instance UID", "U", "PS3.15 E.1.1: File Meta Information is new"),
    0x7FE00001: ("made new from the frames", "", "PS3.3 C.7.6.3.1.8"),
    0x7FE00002: ("made new from the frames", "", "PS3.3 C.7.6.3.1.8"),
}
_METHOD = markers.markers((), "REMOVED", (), EXPLICIT_LITTLE)[markers.METHOD][8:].decode("ascii").strip()
_CURVES, _OVERLAYS, _PRIVATE = "(50xx,xxxx)", "(60xx,xxxx)", "(odd,xxxx)"


@dataclass(frozen=True, slots=True)
class Line:
    """What happens to one attribute.

    Attributes
    ----------
    tag, name, vr : str
        Such as ``(0008,0020)``, ``StudyDate``, ``DA``.
    action : str
        In a few words; by Type where that decides.
    code, why : str
        The code that it follows, and where that stands.
    """

    tag: str
    name: str
    vr: str
    action: str
    code: str
    why: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        return f"{self.tag} {self.name} {self.vr} | {self.action} | {self.code} | {self.why}"


def lines(profile: Profile) -> list[Line]:
    """Return a line for each row of Table E.1-1, each attribute that stays or comes without one, and each override."""
    rules = Rules(profile)
    tags = {tag for row in tables.confidentiality_rows() if (tag := _tag_of(row)) is not None}
    kept = tables.kept()
    tags |= (
        kept.text
        | kept.described
        | kept.codes
        | kept.creators
        | kept.binary
        | kept.removed
        | kept.patient
        | {0x00282000}
    )
    tags |= dict(profile.overrides).keys()
    found = {tag: line_of(tag, rules) for tag in tags} | dict(_inserted(rules))
    return [*(found[tag] for tag in sorted(found)), *_many(rules)]


def line_of(tag: int, rules: Rules) -> Line:
    """Return the line of one attribute."""
    vr = vr_of(tag).split(" ")[0]
    name = keyword_for_tag(tag) or next((row.name for row in tables.confidentiality_rows() if _tag_of(row) == tag), "-")
    if tag in _MADE_NEW:
        return Line(text_of(tag), name, vr, *_MADE_NEW[tag])
    # A file can have any attribute anywhere, so one without a Type can always be.
    kinds = [kind for kind in _WHERE if not kind or kind in occurring().get(tag, ())]
    usual = rules.rule(tag, vr, kinds[0])
    words = _words(usual, tag, vr)
    by_words: dict[str, list[str]] = {}
    for kind in kinds[1:]:
        if (other := _words(rules.rule(tag, vr, kind), tag, vr)) != words:
            by_words.setdefault(other, []).append(_WHERE[kind])
    action = "; ".join([words, *(f"{other} where {' or '.join(where)}" for other, where in by_words.items())])
    return Line(text_of(tag), name, vr, action, usual.code, usual.source)


def inserted(rules: Rules) -> dict[int, str]:
    """Return what an output says of its own de-identification: tag to value, in words where it is not one alone."""
    modified = markers.longitudinal(rules.profile, "")
    stricter = {"UNMODIFIED": ", or MODIFIED or REMOVED", "MODIFIED": ", or REMOVED"}
    said = f"{stricter[modified]} if the source says so" if modified in stricter else ""
    return {
        markers.PATIENT_IDENTITY_REMOVED: "YES",
        markers.METHOD: _METHOD,
        markers.METHOD_CODES: "the codes that are claimed" if rules.claims else "nothing: no code is claimed",
        markers.LONGITUDINAL: modified + said,
    }


def _inserted(rules: Rules) -> Iterator[tuple[int, Line]]:
    for tag, value in inserted(rules).items():
        yield (
            tag,
            Line(text_of(tag), keyword_for_tag(tag), vr_of(tag), f"insert {value}", "", "PS3.15 E.1, PS3.3 C.12.1"),
        )


def counts(table: list[Line]) -> Counter[str]:
    """Return for how many rows of Table E.1-1 each action is done: for all of them, given all lines."""
    by_tag = {line.tag: line.action for line in table}
    ranges = {"(50": by_tag[_CURVES], "(60": by_tag[_OVERLAYS], "(gg": by_tag[_PRIVATE]}
    return Counter(by_tag.get(row.tag) or ranges[row.tag[:3]] for row in tables.confidentiality_rows())


def text_of(tag: int) -> str:
    """Return a tag as the standard writes it."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _tag_of(row: tables.Row) -> int | None:
    match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", row.tag)
    return int(match[1] + match[2], 16) if match else None


def _words(rule: Rule, tag: int, vr: str) -> str:
    if vr in DATES and (rule.action is Action.KEEP or (rule.action is Action.MOVE_DATE and vr == "TM")):
        return _KEPT_DATE
    if rule.action is Action.KEEP and (classes := tables.kept().shapes.get(tag)):
        return f"keep in objects made of it ({len(classes)}), else remove"
    words = _WORDS[rule.action]
    return f"{words}, else {_WORDS[rule.otherwise]}" if rule.action in {Action.CLEAN, Action.EVENT_DATE} else words


def _many(rules: Rules) -> Iterator[Line]:
    """Yield what holds for many attributes at once."""
    yield Line(_CURVES, "curves: CurveData and all else of these groups", "", "remove", "X", "Table E.1-1")
    yield Line(
        _OVERLAYS,
        "overlays: OverlayData, OverlayComments and all else of these groups",
        "",
        "remove",
        "X",
        "Table E.1-1, the whole group",
    )
    safe = f"keep what Table E.3.10-1 lists ({len(safe_private_rows())} rows), remove others"
    private = safe if rules.keeps_private else "remove"
    yield Line(_PRIVATE, "private attributes", "", private, "C" if rules.keeps_private else "X", "Table E.1-1")
    for vr, kind in _KINDS.items():
        yield Line("any other", f"unlisted {kind}", vr, _WORDS[Rules.unlisted(vr)], "", "decision 3")
    yield Line("unknown", "not in the dictionary", "", "remove", "X", "decision 3")


_KINDS = {
    "SQ": "sequences",
    "UI": "UIDs",
    "CS": "numbers, coded strings and tags",
    "LO": "texts, names, addresses",
    "DA": "dates and times",
    "OB": "binary values",
}
