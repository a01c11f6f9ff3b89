"""The conformance statement of PS3.15 E.1.3: what goes, what replaces it and how, what stays, what is held.

Made from the rules and tables themselves, so that it cannot say anything else than what happens.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.datadict import keyword_for_tag

from anonymizer import scope, wording
from anonymizer.engine import markers, tables
from anonymizer.engine.profile import (
    BASIC_CODE,
    OPTION_CODES,
    RETAIN_UIDS,
    Profile,
    load_profile,
    profile_names,
)
from anonymizer.engine.rules import Rules
from anonymizer.engine.vocabulary import shipped
from anonymizer.lines import Line, counts, inserted, line_of, lines, text_of

_STRUCTURED = "clean_structured_content"


def statement(profile: Profile, file: str = "") -> str:
    """Return the conformance statement of a profile, in Markdown.

    Parameters
    ----------
    file : str
        The name of a site's own file, without its folder: for people, who read there how the page was made.
    """
    rules = Rules(profile)
    table = lines(profile)
    sections = [
        f"# Conformance statement: profile `{profile.name}`",
        _origin(profile, file),
        *_claims(rules),
        *_changes(rules),
        *_attributes(table),
        "## Pseudonyms",
        wording.PSEUDONYMS,
        "## Dates and times",
        wording.DATES[1 if profile.moves_dates else 2 if profile.keeps_dates else 0],
        "## Descriptions",
        _descriptions(profile),
        "## Content items",
        _content(profile),
        "## Private attributes",
        wording.PRIVATE if rules.keeps_private else "None stays.",
        "## Referential integrity",
        wording.REFERENCES + (wording.RETAINED_UIDS if RETAIN_UIDS in profile.options else wording.NEW_UIDS),
        *_inserted(rules),
        "## Pictures",
        wording.PICTURES,
        *_classes(),
        *_syntaxes(),
        "## Restrictions",
        wording.RESTRICTIONS,
        "## Every attribute",
        "One line an attribute: what happens to it, the code that it follows, and where that code stands. The first "
        "action holds wherever no other is named; the others are named with the Type that asks for them, if any IOD "
        "gives the attribute that Type anywhere.",
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


def _changes(rules: Rules) -> Iterable[str]:
    """Yield what a site has changed: each attribute, each word."""
    profile = rules.profile
    if not (profile.overrides or profile.words):
        return
    yield "## The site's own changes"
    if profile.overrides:
        without = Rules(Profile.of(profile.name, options=profile.options, words=profile.words))
        weakened = rules.weakened
        yield _table(
            ("attribute", "the site says", "what happens", "without it", "lets more stand than the profile"),
            (
                (
                    f"{text_of(tag)} {line_of(tag, rules).name}",
                    word,
                    line_of(tag, rules).action,
                    line_of(tag, without).action,
                    "yes, so no code is claimed" if tag in weakened else "no",
                )
                for tag, word in profile.overrides
            ),
        )
        yield wording.CHANGES
    if profile.words:
        yield f"Words of the site's own ({len(profile.words)}), that may stand in cleaned texts and meanings of codes:"
        yield ", ".join(f"`{word}`" for word in profile.words)


def _attributes(table: list[Line]) -> Iterable[str]:
    yield "## Attributes"
    rows = len(tables.confidentiality_rows())
    yield wording.ATTRIBUTES.format(edition=tables.EDITION, rows=rows, newer=len(tables.newer()))
    counted = [(action, str(count)) for action, count in counts(table).most_common()]
    yield _table(("action", "rows"), [*counted, ("all", str(rows))])


def _descriptions(profile: Profile) -> str:
    if "clean_descriptors" in profile.options:
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
