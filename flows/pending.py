"""References whose target did not come with the study: does the hospital have it, or nobody here?

What the hospital has may be sent one day, and then the reference closes by itself; what it does not have points
outside, now as before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from anonymizer.gate import Evidence, Reference
from flows.ledger import records

__all__ = ["references_of", "sought"]

_FRAME = "frame-of-reference"


def sought(
    references: Iterable[Reference], evidence: Iterable[Evidence], loaded: Collection[str] = ()
) -> Mapping[str, str]:
    """Return what has to be looked for at the hospital: the hospital's UID of each target that did not come.

    An archive cannot be asked for a frame of reference.

    Parameters
    ----------
    references : iterable of Reference
        What the gate saw in the outputs of a study.
    evidence : iterable of Evidence
        Of the same outputs.
    loaded : collection of str
        Targets that came earlier with the same study.
    """
    targets = {one.target for one in references if one.state != "resolved" and one.level != _FRAME} - set(loaded)
    return {new: old for item in evidence for old, new in item.pairs if new in targets}


def references_of(
    references: Collection[Reference], there: Collection[str], loaded: Collection[str] = ()
) -> tuple[records.Reference, ...]:
    """Return the records of a study's references.

    A frame of reference is the one of the images that are named beside it, and waits when they do.

    Parameters
    ----------
    references : collection of Reference
        What the gate saw.
    there : collection of str
        Targets that the hospital has.
    loaded : collection of str
        Targets that came earlier with the same study: the cloud has them, whatever the hospital did to them since.
    """
    waiting = {one.instance for one in references if one.target in there}

    def state(one: Reference) -> Literal["resolved", "pending", "external"]:
        if one.state == "resolved" or one.target in loaded:
            return "resolved"
        is_there = one.instance in waiting if one.level == _FRAME else one.target in there
        return "pending" if is_there else "external"

    return tuple(
        records.Reference(instance=one.instance, level=one.level, target=one.target, state=state(one))
        for one in references
    )
