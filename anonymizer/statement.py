"""What a profile does, in words: attribute by attribute, and as the conformance statement of PS3.15 E.1.3.

Made from the rules themselves, so that it cannot say anything else than what happens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from anonymizer.engine import tables
from anonymizer.engine.private import safe_private_rows
from anonymizer.engine.profile import BASIC_CODE, OPTION_CODES, Profile
from anonymizer.engine.rules import Action, Rule, Rules, vr_of
from anonymizer.engine.types import occurring
from anonymizer.engine.vocabulary import shipped

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
    Action.MOVE_DATE: "move",
    Action.CLEAN: "clean",
    Action.EVENT_DATE: "as other dates, of an event",
    Action.CREATOR: "keep listed creators, else dummy",
    Action.CODE: "keep public codes",
    Action.CLEAN_ITEMS: "clean items",
    Action.WALK: "treat items",
    Action.ICC_PROFILE: "keep without texts",
    Action.CAP_AGE: "keep, 090Y at the most",
    Action.KEEP_DEVICE_DATE: "keep",
    Action.KEEP: "keep",
}


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
    """Return a line for each row of Table E.1-1, each attribute that stays without one, and each override."""
    rules = Rules(profile)
    tags = {tag for row in tables.confidentiality_rows() if (tag := _tag_of(row)) is not None}
    kept = tables.kept()
    tags |= kept.text | kept.codes | kept.creators | kept.binary | kept.removed | kept.patient | {0x00282000}
    tags |= dict(profile.overrides).keys()
    return [*(_line(tag, rules) for tag in sorted(tags)), *_many(rules)]


def _tag_of(row: tables.Row) -> int | None:
    match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", row.tag)
    return int(match[1] + match[2], 16) if match else None


def _line(tag: int, rules: Rules) -> Line:
    vr = vr_of(tag).split(" ")[0]
    # A file can have any attribute anywhere, so one without a Type can always be.
    kinds = [kind for kind in _WHERE if not kind or kind in occurring().get(tag, ())]
    usual = rules.rule(tag, vr, kinds[0])
    words = _words(usual)
    by_words: dict[str, list[str]] = {}
    for kind in kinds[1:]:
        if (other := _words(rules.rule(tag, vr, kind))) != words:
            by_words.setdefault(other, []).append(_WHERE[kind])
    action = "; ".join([words, *(f"{other} where {' or '.join(where)}" for other, where in by_words.items())])
    name = keyword_for_tag(tag) or next(row.name for row in tables.confidentiality_rows() if _tag_of(row) == tag)
    return Line(_text(tag), name, vr, action, usual.code, usual.source)


def _words(rule: Rule) -> str:
    words = _WORDS[rule.action]
    return f"{words}, else {_WORDS[rule.otherwise]}" if rule.action in {Action.CLEAN, Action.EVENT_DATE} else words


def _text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _many(rules: Rules) -> Iterator[Line]:
    """Yield what holds for many attributes at once."""
    yield Line("(50xx,xxxx)", "curves", "", "remove", "X", "Table E.1-1")
    yield Line("(60xx,xxxx)", "overlays", "", "remove", "X", "Table E.1-1, the whole group")
    safe = f"keep what Table E.3.10-1 lists ({len(safe_private_rows())} rows), remove others"
    private = safe if rules.keeps_private else "remove"
    yield Line("(odd,xxxx)", "private attributes", "", private, "C" if rules.keeps_private else "X", "Table E.1-1")
    for vr in ("SQ", "UI", "CS", "LO", "DA", "OB"):
        rule = Rules.unlisted(vr)
        yield Line("any other", f"unlisted {_KINDS[vr]}", vr, _WORDS[rule], "", "decision 3")
    yield Line("unknown", "not in the dictionary", "", "remove", "X", "decision 3")


_KINDS = {
    "SQ": "sequences",
    "UI": "UIDs",
    "CS": "numbers, coded strings and tags",
    "LO": "texts, names, addresses",
    "DA": "dates and times",
    "OB": "binary values",
}


def statement(profile: Profile) -> str:
    """Return the conformance statement of a profile, in Markdown (PS3.15 E.1.3)."""
    rules = Rules(profile)
    meanings = tables.method_codes()
    claims = [f"- {code} {meanings[code]}" for code in rules.claims]
    if not claims:
        claims = ["- none: the site's own changes let more stand than the profile does"]
    options = [f"- {meanings[OPTION_CODES[option]]} (`{option}`)" for option in profile.options] or ["- none"]
    changes = [
        f"- {_text(tag)} {keyword_for_tag(tag)}: {word}{_weakens(rules, tag)}" for tag, word in profile.overrides
    ]
    table = lines(profile)
    counts = Counter(line.action for line in table if line.why.startswith("Table E.1-1"))
    sections = [
        f"# Conformance statement: profile `{profile.name}`",
        f"Made by `entwash profile statement {profile.name}`; a test holds this page to it. {profile.description}.",
        "## What an output claims",
        f"De-identification Method Code Sequence (0012,0064), of CID 7050 ({BASIC_CODE} is the Basic profile):",
        "\n".join(claims),
        "Options of PS3.15 Annex E that hold:",
        "\n".join(options),
        *(
            [
                "Retain Device Identity is done but not claimed: with Modified Dates, eleven attributes say both K and "
                "C, and the stricter is done."
            ]
            if rules.moves_devices
            else []
        ),
        *(["## The site's own changes", "\n".join(changes)] if changes else []),
        "## Attributes",
        _ATTRIBUTES.format(edition=tables.EDITION, rows=len(tables.confidentiality_rows()), newer=len(tables.newer())),
        "\n".join(["| action | rows |", "|---|--:|", *(f"| {action} | {n} |" for action, n in counts.most_common())]),
        "## Dates",
        _DATES[1 if profile.moves_dates else 2 if profile.keeps_dates else 0],
        "## Descriptions",
        _CLEANED.format(words=len(shipped().words), own=len(profile.words))
        if "clean_descriptors" in profile.options
        else "None is cleaned: descriptions go as the Basic profile says.",
        "## Private attributes",
        _PRIVATE if rules.keeps_private else "None stays.",
        _REST.format(treated=len(tables.sop_classes().treated), held=len(tables.sop_classes().held)),
        "## Every attribute",
        "One line an attribute: what happens to it, the code that it follows, and where that code stands. The first "
        "action holds wherever no other is named; the others are named with the Type that asks for them, if any IOD "
        "gives the attribute that Type anywhere.",
        "\n".join(
            [
                "| tag | attribute | VR | action | code | from |",
                "|---|---|---|---|---|---|",
                *(f"| {one.tag} | {one.name} | {one.vr} | {one.action} | {one.code} | {one.why} |" for one in table),
            ]
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _weakens(rules: Rules, tag: int) -> str:
    return " (lets more stand than the profile, so that no code is claimed)" if tag in rules.weakened else ""


_ATTRIBUTES = """\
Table E.1-1 of PS3.15 {edition}, all {rows} rows, at every depth of every sequence. A code such as X/Z/D is
resolved by the strictest Type that the object's IOD gives the attribute at that place (1C as 1, 2C as 2);
where the IOD is unknown, by its last letter. X/Z/U* keeps the sequence with new UIDs, since references have
to hold. A D where the IOD defines no such attribute removes it (Note 13). A dummy is one constant for each
VR: `DEIDENTIFIED`, for a name `DEIDENTIFIED^DUMMY`, 19000101, 000000, 0; where the source says just that, a
second one. A sequence coded D keeps its items, coded strings and references; a row of the table inside it gets
the Basic profile's action, whatever option retains it elsewhere, but for dates that move and UIDs that are
retained; every other text, name, number, date and code becomes a dummy. A link (VR UR) never stays: where an
option retains it, it gets the Basic profile's action. Nothing is encrypted. What the table does not name is
treated by its VR, closed by default. Of an attribute that is newer than the dictionary ({newer} rows), an option
retains only a value that the file gives the VR of PS3.6."""

_DATES = (
    "None stays: removed, empty or the dummy 19000101, as an attribute's code and Type ask. Longitudinal Temporal "
    "Information Modified (0028,0303) is REMOVED.",
    """All dates of a patient move back by one number of whole weeks, one to ten years, drawn from the patient's ID
under the site's key: days of the week, order and intervals stay, also from study to study. Times stay. A date
that is none becomes the dummy. Dates of devices, trials and vocabularies do not move, since a known one would
show by how much: they get the Basic profile's action. Longitudinal Temporal Information Modified (0028,0303)
is MODIFIED, or REMOVED where the source said so already.""",
    "They stay as they are where they are valid dates; the date of birth does not, nor does any date in a sequence "
    "coded D, for it could be one. Longitudinal Temporal Information Modified (0028,0303) is UNMODIFIED, or what the "
    "source says that is stricter.",
)

_CLEANED = """\
A description stays as it is when each of its words, numbers and letters is of the vocabulary: {words} words
of anatomy, acquisition, reconstruction and radiotherapy that ship with Entwash, and {own} of the site's own.
No name, date or number of more than three digits can be in it. Any other description goes as the Basic
profile says."""

_PRIVATE = """\
Those stay that Table E.3.10-1 lists, found by private creator, group and the low byte of the element, with
their creators. Numbers, coded strings and binary values stay, UIDs are replaced, dates are treated as others
are, texts stay when they are of the vocabulary, and sequences are looked into. All others go. A pointer
(VR AT) at an attribute that went stays, and tells no more than which one it was; the Private Creator that stands
beside it stays where the table lists it, and is the dummy elsewhere."""

_REST = """## Referential integrity

A UID becomes `2.25.` and a number that depends on the UID, the site's key and the project alone: the same in
every instance, study, run and year, wherever it stands. UIDs that the standard registers stay. So every
reference that resolved in the source resolves in the output, and one that dangled still does.

## Attributes that are inserted

Patient Identity Removed (0012,0062), De-identification Method (0012,0063), De-identification Method Code
Sequence (0012,0064), Longitudinal Temporal Information Modified (0028,0303); Patient's Name and Patient ID
with the pseudonym. Preamble and File Meta Information are new.

## Pixels

Not decoded and not changed. Comments and application data in JPEG and JPEG 2000 streams, and whatever stands
behind a picture, are taken out. An object whose pixels may show writing is held, whatever Burned In
Annotation says; so is one with bits set that its Bits Stored do not explain.

## Restrictions

{treated} SOP classes are treated; {held} are held by name and all others because there are no rules for them.
All transfer syntaxes whose pixels stand in the file are taken, video excepted; a deflated data set is written
plain. A file that is no valid DICOM is held. An output has still to pass the gate."""
