"""The conformance statement of PS3.15 E.1.3: what goes, what replaces it and how, what stays, what is held.

Made from the rules and tables themselves, so that it cannot say anything else than what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydicom.datadict import keyword_for_tag

from anonymizer import scope, wording
from anonymizer.changes import Change, changes
from anonymizer.engine import content, markers, tables
from anonymizer.engine.profile import (
    BASIC_CODE,
    CLEAN_DESCRIPTORS,
    OPTION_CODES,
    RETAIN_UIDS,
    Profile,
    load_profile,
    profile_names,
)
from anonymizer.engine.rules import DATES, DESCRIPTIONS, Rules
from anonymizer.engine.vocabulary import shipped
from anonymizer.lines import Line, counts, inserted, lines, text_of

_STRUCTURED = "clean_structured_content"
_CONTENT = frozenset({0x0040A730, *content.VALUES})
_ICC_PROFILE, _ICONS = 0x00282000, 0x00880200


def statement(profile: Profile, file: str = "") -> str:
    """Return the conformance statement of a profile, in Markdown.

    Parameters
    ----------
    file : str
        The name of a site's own file, without its folder: for people, who read there how the page was made.
    """
    rules = Rules(profile)
    table = lines(profile)
    changed = changes(rules)
    sections = [
        f"# Conformance statement: profile `{profile.name}`",
        _origin(profile, file),
        *_claims(rules),
        *_changes(profile, changed),
        *_attributes(table, changed),
        "## Pseudonyms",
        wording.PSEUDONYMS,
        "## Dates and times",
        _dates(profile, table),
        *_own(changed, lambda one: one.now.vr in DATES),
        "## Descriptions",
        _descriptions(profile),
        *_own(changed, lambda one: one.now.vr in DESCRIPTIONS),
        "## Content items",
        _content(profile),
        *_own(changed, lambda one: one.tag in _CONTENT),
        "## Private attributes",
        wording.PRIVATE if rules.keeps_private else "None stays.",
        "## Referential integrity",
        *_references(profile, table, changed),
        *_inserted(rules),
        "## Pictures",
        wording.PICTURES,
        *_own(changed, lambda one: one.tag in {_ICC_PROFILE, _ICONS}),
        *_classes(),
        *_syntaxes(),
        "## Restrictions",
        wording.RESTRICTIONS,
        "## Every attribute",
        wording.EVERY_ATTRIBUTE,
        _table(
            ("tag", "attribute", "VR", "action", "code", "from"),
            ((one.tag, one.name, one.vr, one.action, one.code, one.why) for one in table),
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _origin(profile: Profile, file: str) -> str:
    description = profile.description.strip().rstrip(".")
    if profile.name in profile_names() and profile == load_profile(profile.name):
        return f"Made by `entwash profile statement {profile.name}`; a test holds this page to it. {description}."
    made = f"by `entwash profile statement {file}` from that file, a profile" if file else "from a profile"
    about = f" {description}." if description else ""
    return (
        f"Made {made} of the site's own.{about}\n\nIt holds for the profile whose digest is `{profile.digest}`, as "
        "reports and lineage tables name it. When the file changes, or Entwash's own tables do, the digest does too: "
        "make the statement anew."
    )


def _claims(rules: Rules) -> Iterable[str]:
    meanings = tables.method_codes()
    options = [f"{meanings[OPTION_CODES[option]]} (`{option}`)" for option in rules.profile.options]
    yield "## What an output claims"
    yield f"De-identification Method Code Sequence (0012,0064), of CID 7050 ({BASIC_CODE} is the Basic profile):"
    none = "none: the site's own changes let more stand than the profile does"
    yield _listed([f"{code} {meanings[code]}" for code in rules.claims] or [none])
    yield "Options of PS3.15 Annex E that hold:"
    yield _listed(options or ["none"])
    if rules.moves_devices:
        yield (
            "Retain Device Identity is done but not claimed: with Modified Dates, eleven attributes say both K and C, "
            "and the stricter is done. The gate believes nothing but claims, so it holds an output in which a name or "
            "number of a device stands."
        )


def _changes(profile: Profile, changed: list[Change]) -> Iterable[str]:
    """Yield what a site has changed: each attribute, each word."""
    if not (changed or profile.words):
        return
    yield "## The site's own changes"
    if changed:
        yield _table(
            ("attribute", "the site says", "what happens", "without it", "lets more stand than the profile"),
            (
                (
                    one.name,
                    one.word,
                    one.now.action,
                    one.before.action,
                    "yes, so no code is claimed" if one.weakens else "no",
                )
                for one in changed
            ),
        )
        yield wording.CHANGES
    if profile.words:
        yield f"Words of the site's own ({len(profile.words)}), that may stand in cleaned texts and meanings of codes:"
        yield ", ".join(f"`{word}`" for word in profile.words)


def _own(changed: list[Change], concerns: Callable[[Change], bool]) -> Iterable[str]:
    """Yield which of a site's changes the sentences before are not true of."""
    if meant := [one for one in changed if one.tells and concerns(one)]:
        yield wording.OWN_CHANGES + "\n\n" + _listed(f"{one.name}: {one.now.action}" for one in meant)


def _attributes(table: list[Line], changed: list[Change]) -> Iterable[str]:
    yield "## Attributes"
    rows = len(tables.confidentiality_rows())
    own = ", but for what the site's own changes say above" if changed else ""
    yield wording.ATTRIBUTES.format(edition=tables.EDITION, rows=rows, newer=len(tables.newer()), own=own)
    yield wording.WHERE
    counted = [(action, str(count)) for action, count in counts(table).most_common()]
    yield _table(("action", "rows"), [*counted, ("all", str(rows))])


def _dates(profile: Profile, table: list[Line]) -> str:
    if profile.moves_dates:
        return wording.MODIFIED_DATES
    if profile.keeps_dates:
        return wording.FULL_DATES
    devices = [one.name for one in table if one.vr in DATES and one.action.startswith("keep")]
    return wording.DATES_OF_DEVICES.format(names=", ".join(devices)) if devices else wording.NO_DATES


def _references(profile: Profile, table: list[Line], changed: list[Change]) -> Iterable[str]:
    yield wording.REFERENCES
    kept = ", ".join(one.name for one in changed if one.keeps_uid)
    if RETAIN_UIDS in profile.options:
        replaced = [f"{one.tag} {one.name}" for one in table if one.vr == "UI" and "new UID" in one.action]
        listed = [name for name in replaced if name.startswith("(")]
        yield wording.RETAINED_UIDS.format(names=", ".join(listed))
    elif kept:
        yield wording.KEPT_UIDS.format(kept=kept)
    else:
        yield wording.NEW_UIDS
    if lost := ", ".join(one.name for one in changed if one.loses):
        yield wording.LOST_REFERENCES.format(lost=lost)


def _descriptions(profile: Profile) -> str:
    if CLEAN_DESCRIPTORS in profile.options:
        return wording.CLEANED.format(words=len(shipped().words), own=len(profile.words))
    return "None is cleaned: descriptions go as the Basic profile says. " + wording.MEANINGS


def _content(profile: Profile) -> str:
    text = wording.CLEANED_CONTENT if _STRUCTURED in profile.options else wording.REPLACED_CONTENT
    text += "\n\n" + wording.PERSONS + "\n\n" + _concepts("people")
    if profile.moves_dates or (profile.keeps_dates and _STRUCTURED in profile.options):
        text += "\n\n" + wording.EVENTS + "\n\n" + _concepts("events")
    return text


def _concepts(kind: str) -> str:
    return _listed(f"({code}, {scheme}) {meaning}".rstrip() for scheme, code, meaning in scope.known_concepts(kind))


def _inserted(rules: Rules) -> Iterable[str]:
    meanings = tables.method_codes()
    values = inserted(rules)
    if codes := [f"({code}, DCM, “{meanings[code]}”)" for code in rules.claims]:
        values[markers.METHOD_CODES] = ", ".join(codes)
    yield "## Attributes that are inserted"
    yield _table(
        ("attribute", "value"), ((f"{text_of(tag)} {keyword_for_tag(tag)}", value) for tag, value in values.items())
    )
    yield wording.INSERTED


def _classes() -> Iterable[str]:
    treated = scope.treated_classes()
    yield "## SOP classes"
    yield f"Treated are these {len(treated)}:"
    yield _listed(f"{scope.name_of(uid)} ({uid})" for uid in treated)
    yield "Held, whatever they say, are:"
    held = scope.held_classes().items()
    yield _listed(f"`{code}`, {message}: {', '.join(map(scope.name_of, uids))}" for (code, message), uids in held)
    yield "Any other is held as `sop-class-not-treated`: there are no rules for it."


def _syntaxes() -> Iterable[str]:
    plain, framed = scope.transfer_syntaxes()
    yield "## Transfer syntaxes"
    yield "Data sets, and pictures in one piece:"
    yield _listed(f"{scope.name_of(uid)} ({uid})" for uid in plain)
    yield "Pictures in frames (encapsulated):"
    yield _listed(f"{scope.name_of(uid)} ({uid})" for uid in framed)
    yield wording.SYNTAXES


def _listed(entries: Iterable[str]) -> str:
    return "\n".join(f"- {entry}" for entry in entries)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    ruler = "|---" * (len(head) - 1) + ("|--:|" if head[-1] == "rows" else "|---|")
    return "\n".join([f"| {' | '.join(head)} |", ruler, *(f"| {' | '.join(row)} |" for row in rows)])
