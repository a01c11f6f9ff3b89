"""docs/validity.md, written by `python -m tests.validity --markdown`: what was compared, the counts, what remains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.validity import validator
from tests.validity.comparison import KNOWN, Tally
from tests.validity.validator import Finding

INTRODUCTION = """\
# Validity

An output is never less valid than its input. `dciodvfy`, the validator of David Clunie's dicom3tools, is asked about
each instance before and after it is anonymized; an error that the output has more often than its input is new.
Errors are compared by kind, attribute and module, without the values that a message quotes. This page is what

    python -m tests.validity --markdown > docs/validity.md

prints; without `--markdown` each new error is named with the instance where it was first seen, and with FOLDERs it
reads other files. `make test` does the same for some of it, and has a second reader, DCMTK's `dcmdump`, look for
planted values in outputs.

A profile is one of the shipped ones, or the Basic profile with one option of Table E.1-1. Held instances have no
output and are not compared; nor are sources at which dciodvfy itself ends early.
"""
_FILES = """\
## The shared corpus

Every file of the data sets in the shared corpus, whatever it is: some are no DICOM files.
"""
_COMPLETE = """\
## Complete instances

The corpus uses few of the attributes that an IOD allows. So of each SOP class that is treated an instance is made
that has every attribute that dciodvfy knows there, up to five sequences deep, also what excludes each other: the
inputs have many errors, and an attribute that is removed against its Type shows as a new one.
"""
_REMAINING = """\
## What remains in outputs

Errors that the outputs have from their inputs, under `research`: an engine that mended them would change data that it
has no business with.
"""
_MOST = 25


def page(files: dict[str, Tally], complete: dict[str, Tally]) -> str:
    """Return the whole page."""
    blocks = [INTRODUCTION, f"Measured with dicom3tools {validator.version()}.\n"]
    for text, tallies in ((_FILES, files), (_COMPLETE, complete)):
        blocks += [text, "\n".join(_counts(tallies)) + "\n", "\n".join(_new(tallies)) + "\n"]
    if inherited := files["research"].inherited if "research" in files else Counter():
        blocks += [_REMAINING, "\n".join(_inherited(inherited)) + "\n"]
    return "\n".join(blocks)


def _counts(tallies: dict[str, Tally]) -> Iterator[str]:
    yield "| profile | instances | released | compared | errors in inputs | in outputs | gone | new |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for name, tally in tallies.items():
        numbers = (
            tally.sources,
            tally.released,
            tally.released - tally.unread,
            tally.before,
            tally.after,
            tally.gone,
            tally.new.total(),
        )
        yield f"| `{name}` | {' | '.join(str(number) for number in numbers)} |"


def _new(tallies: dict[str, Tally]) -> Iterator[str]:
    """Say what is new, once for all profiles that have it."""
    profiles: dict[Finding, list[str]] = {}
    classes: dict[Finding, set[str]] = {}
    for name, tally in tallies.items():
        for sop_class, finding in tally.new:
            classes.setdefault(finding, set()).add(sop_class)
            if name not in profiles.setdefault(finding, []):
                profiles[finding].append(name)
    if not profiles:
        yield "Nothing is new."
        return
    yield "| new error | why | SOP classes | profiles |"
    yield "|---|---|---|---|"
    for finding, names in sorted(profiles.items()):
        where = sorted(classes[finding])
        several = f"{where[0]} and {len(where) - 1} more" if len(where) > 1 else where[0]
        under = "all" if len(names) == len(tallies) else ", ".join(f"`{name}`" for name in names)
        why = KNOWN.get(finding.names, "to be mended")
        yield f"| {finding} | {why} | {several} | {under} |"


def _inherited(inherited: Counter[Finding]) -> Iterator[str]:
    yield "| error | times |"
    yield "|---|--:|"
    most = sorted(inherited.items(), key=lambda one: (-one[1], one[0]))
    for finding, count in most[:_MOST]:
        yield f"| {finding} | {count} |"
    if rest := most[_MOST:]:
        yield f"| {len(rest)} other kinds | {sum(count for _, count in rest)} |"
