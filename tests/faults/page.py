"""docs/faults.md: each fault, the kind of finding that it has to give, and what the gate found."""

from __future__ import annotations

from tests.faults import content, identity
from tests.faults.outputs import Fault, kinds_of

_INTRODUCTION = """\
# Faults that the gate has to see

Clean outputs of the engine, each broken in one way: a CT with structure set, plan, dose, segmentation, report, key
objects, presentation state and PET, its follow-up study, MR in implicit VR and deflated, a CT of a name in kanji, a
compressed picture. `entwash verify` then has to find the fault, and by its name. This page is what

    python -m tests.faults > docs/faults.md

prints; a test holds it to the program. Unbroken, the same outputs give no finding.
"""


def all_faults() -> list[Fault]:
    """Return every fault."""
    return [*identity.faults(), *content.faults()]


def row(fault: Fault, kinds: set[str]) -> str:
    """Return a row of the table, given the kinds of the gate's findings."""
    besides = ", ".join(f"`{kind}`" for kind in sorted(kinds - {fault.kind}))
    return f"| {fault.what} | `{fault.kind}` | {'caught' if fault.kind in kinds else '**not caught**'} | {besides} |"


def page() -> str:
    """Break everything and return the page."""
    return page_of([row(fault, kinds_of(fault)) for fault in all_faults()])


def page_of(rows: list[str]) -> str:
    """Return the page with these rows."""
    caught = sum("**not caught**" not in one for one in rows)
    table = "\n".join(["| fault | has to give | | gives besides |", "|---|---|---|---|", *rows])
    return f"{_INTRODUCTION}\n{caught} of {len(rows)} are caught.\n\n{table}\n"
