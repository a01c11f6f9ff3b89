"""What a reconciliation says to a person: in Prefect, and in the terminal."""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files

from flows.ledger.records import Difference
from flows.reconciliation.compare import Reconciled
from flows.tally import counted

__all__ = ["MOST", "advice", "rows", "sentence"]

MOST = 50
"""Of differences: a page that nobody reads says nothing. The table `differences` has them all."""


def sentence(result: Reconciled) -> str:
    """Say in a few sentences what was compared, what was found and what became of it."""
    one = result.record
    compared = (
        f"Compared: {one.hospital_studies} studies ({one.hospital_instances} instances) at the hospital, "
        f"{one.ledger_studies} studies ({one.ledger_instances} instances loaded) in the ledger, "
        f"{one.cloud_studies} of these ({one.cloud_instances} instances) in the cloud, {one.digests} digests."
    )
    if one.others:
        compared += f" {one.others} studies in the cloud are not this ledger's to judge."
    if one.unjudged:
        compared += f" {one.unjudged} studies were being moved meanwhile."
    if result.gone:
        compared += (
            f" Of {counted(result.gone)} the hospital deleted something since; what was loaded stays in the cloud."
        )
    if not result.differences:
        return f"{compared} Nothing {'else ' if result.gone else ''}differs."
    found = Counter(each.kind for each in result.differences)
    healed = sum(map(result.is_healed, result.differences))
    listed = ", ".join(f"{count} {kind}" for kind, count in found.most_common())
    return f"{compared} Found: {listed}. Healed: {healed}. Left for a person or for the next run: {len(result.left)}."


def rows(result: Reconciled, names: dict[str, str] | None = None) -> list[dict[str, str | int]]:
    """Return the differences as rows, those that are left first; no more than a person reads.

    Parameters
    ----------
    names : dict of str to str, optional
        How studies are called of which no UID may be shown, by the ledger's token of each; others by their pseudonyms.
    """
    ordered = sorted(result.differences, key=result.is_healed)
    return [
        {
            "what": one.kind,
            "study": (names or {}).get(one.work, one.study_instance_uid),
            "instance": "" if one.work in (names or {}) else one.sop_instance_uid,
            "instances": one.instances,
            "became": _became(result, one),
            "what to do": advice(one),
        }
        for one in ordered[:MOST]
    ]


def advice(difference: Difference) -> str:
    """Return what a person can do about a difference."""
    words = _words()
    return words.get(f"{difference.kind}/{difference.reason}") or words[difference.kind]


def _became(result: Reconciled, difference: Difference) -> str:
    if result.is_healed(difference):
        return "healed"
    return difference.reason or "recorded"


@cache
def _words() -> dict[str, str]:
    text = (files("flows") / "tables" / "advice.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["differences"])
