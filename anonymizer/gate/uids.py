"""One UID, one pseudonym: the map from source UIDs to output UIDs is a function and one to one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined] # documented, not in its __all__

from anonymizer.gate.findings import Finding, Flaw, Position, path_text

if TYPE_CHECKING:
    from anonymizer.gate.evidence import Evidence
    from anonymizer.gate.pairing import Side

META_CLASS: Position = (0x00020002,)
META_INSTANCE: Position = (0x00020003,)
META_SYNTAX: Position = (0x00020010,)
META_IMPLEMENTATION: Position = (0x00020012,)
SOP_CLASS: Position = (0x00080016,)
SOP_INSTANCE: Position = (0x00080018,)
OF_THE_DATA_SET = {META_CLASS: SOP_CLASS, META_INSTANCE: SOP_INSTANCE}
"""UIDs of the file meta information that repeat one of the data set (PS3.10 7.1)."""

REGISTERED: frozenset[str] = frozenset(UID_dictionary)
"""The UIDs of PS3.6 Annex A; whoever is in it is no secret and is kept."""

_VALID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*", re.ASCII)

Pairs = dict[tuple[str, str], Position]
"""Source UID and output UID, with where they stand first."""


class Uids(NamedTuple):
    """The UIDs of one instance compared."""

    flaws: list[Flaw]
    pairs: Pairs
    total: int


def is_valid(uid: str) -> bool:
    """Tell whether a UID has at most 64 characters of digits and dots without leading zeros (PS3.5 9.1)."""
    return len(uid) <= 64 and _VALID.fullmatch(uid) is not None


def compare(source: Side, output: Side) -> Uids:
    """Pair the UIDs of one instance by position and value number."""
    uids = Uids([], {}, 0)
    total = 0
    for position, values in output.uids.items():
        before = source.uids.get(position, ())
        for number, new in enumerate(values):
            if not new:
                continue
            total += 1
            old = before[number] if number < len(before) else ""
            if new not in REGISTERED and not is_valid(new):
                uids.flaws.append(Flaw("uid-invalid", position, "the UID is not a valid one"))
            elif not _needs_no_pair(source, output, position, uids.flaws):
                _pair(old, new, position, uids)
    return uids._replace(total=total)


def _needs_no_pair(source: Side, output: Side, position: Position, flaws: list[Flaw]) -> bool:
    """Tell whether a UID of the file meta says how the file was written, or only repeats the data set."""
    own = OF_THE_DATA_SET.get(position)
    if own is None:
        return position in (META_SYNTAX, META_IMPLEMENTATION)
    after = output.uids.get(own, ())
    if after and output.uids[position] != after:
        rule = "the file meta information names another UID than the data set"
        flaws.append(Flaw("uid-split", position, rule))
        return True
    return bool(after) and source.uids.get(position) != source.uids.get(own)


def _pair(old: str, new: str, position: Position, uids: Uids) -> None:
    flaws, pairs, _ = uids
    if old in REGISTERED:
        if new != old:
            flaws.append(Flaw("registered-uid-changed", position, "a registered UID has to be kept"))
    elif new == old:
        flaws.append(Flaw("uid-kept", position, "a UID of the source stands"))
    elif not old:
        if new not in REGISTERED:
            flaws.append(Flaw("uid-not-mapped", position, "the source has no UID here"))
    elif new in REGISTERED:
        flaws.append(Flaw("uid-not-mapped", position, "a UID became a registered one"))
    else:
        pairs.setdefault((old, new), position)


def image_of(evidence: Sequence[Evidence]) -> dict[str, str]:
    """Return the output UID of each source UID.

    Where the map is no function, what an instance says of itself counts for more than what others say of it,
    and then what most instances say.
    """
    votes: Counter[tuple[str, str]] = Counter()
    for item in evidence:
        votes.update(item.pairs.keys())
    own = {pair for item in evidence for pair in zip(item.source, item.output, strict=True) if all(pair)}
    order = sorted(votes.keys() | own, key=lambda pair: (pair not in own, -votes[pair], pair))
    image: dict[str, str] = {}
    for old, new in order:
        image.setdefault(old, new)
    return image


def judge(evidence: Sequence[Evidence], image: dict[str, str]) -> Iterator[Finding]:
    """Yield where one UID has two pseudonyms, or two UIDs have one."""
    origins: defaultdict[str, set[str]] = defaultdict(set)
    for item in evidence:
        for old, new in item.pairs:
            origins[new].add(old)
    for item in evidence:
        for (old, new), position in item.pairs.items():
            if image[old] != new:
                rule = "one UID of the source has two in the output"
                yield Finding("uid-split", item.instance, path_text(position), rule)
            if len(origins[new]) > 1:
                rule = "two UIDs of the source have one in the output"
                yield Finding("uids-merged", item.instance, path_text(position), rule)
