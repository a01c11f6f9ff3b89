"""One UID, one pseudonym: the map from source UIDs to output UIDs is a function and one to one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined] # documented, not in its __all__

from anonymizer.gate.findings import Finding, Flaw, Position, first, firsts, is_private, path_text
from anonymizer.gate.reading import text_values

if TYPE_CHECKING:
    from anonymizer.gate.evidence import Evidence
    from anonymizer.gate.notes import Part

META_CLASS: Position = (0x00020002,)
META_INSTANCE: Position = (0x00020003,)
META_SYNTAX: Position = (0x00020010,)
META_IMPLEMENTATION: Position = (0x00020012,)
SOP_CLASS: Position = (0x00080016,)
SOP_INSTANCE: Position = (0x00080018,)
OF_THE_DATA_SET = {META_CLASS: SOP_CLASS, META_INSTANCE: SOP_INSTANCE}
"""UIDs of the file meta information that repeat one of the data set (PS3.10 7.1)."""

ALWAYS_REPLACED = frozenset({0x0040A124, 0x04000100})
"""UID, the value of a UIDREF content item, and DigitalSignatureUID: Retain UIDs Option leaves them out (PS3.15 E.1)."""

REGISTERED: frozenset[str] = frozenset(UID_dictionary) | {
    # Transfer syntaxes that pydicom 3.0 does not know: Deflated Image Frame Compression and JPEG XL.
    "1.2.840.10008.1.2.8.1",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
}
"""The UIDs of PS3.6 Annex A; whoever is in it is no secret and is kept."""

_VALID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*", re.ASCII)

Pairs = dict[tuple[str, str], Position]
"""Source UID and output UID, with where they stand first."""


class Uids(NamedTuple):
    """The UIDs of one instance compared: flaws, pairs, those replaced though others are retained, and how many."""

    flaws: list[Flaw]
    pairs: Pairs
    replaced: Pairs
    total: int

    def joined(self, other: Uids) -> Uids:
        """Return what two parts of an instance show together."""
        return Uids(
            [*self.flaws, *other.flaws],
            firsts(self.pairs, other.pairs),
            firsts(self.replaced, other.replaced),
            self.total + other.total,
        )


def is_valid(uid: str) -> bool:
    """Tell whether a UID has at most 64 characters of digits and dots without leading zeros (PS3.5 9.1)."""
    return len(uid) <= 64 and _VALID.fullmatch(uid) is not None


def compare(source: Part, output: Part, *, are_retained: bool) -> Uids:
    """Pair the UIDs of one instance by position and value number.

    Parameters
    ----------
    source, output : Part
        The same part of the two files. What is repeated of the data set (`OF_THE_DATA_SET`) is in one with its copy.
    are_retained : bool
        Whether the output claims Retain UIDs Option.
    """
    uids = Uids([], {}, {}, 0)
    total = 0
    for position, values in output.uids.items():
        before = source.uids.get(position) or _in_words(source, position)
        for number, new in enumerate(values):
            if not new:
                continue
            total += 1
            old = before[number] if number < len(before) else ""
            if new not in REGISTERED and not is_valid(new):
                uids.flaws.append(Flaw("uid-invalid", position, "the UID is not a valid one"))
            elif _contradicts(output, position):
                rule = "the file meta information names another UID than the data set"
                uids.flaws.append(Flaw("uid-split", position, rule))
            elif not _needs_no_pair(source, output, position):
                is_apart = are_retained and position[-1] in ALWAYS_REPLACED
                pairs = uids.replaced if is_apart else uids.pairs
                _pair(old, new, position, uids.flaws, pairs, may_stand=are_retained and not is_apart)
    return uids._replace(total=total)


def _in_words(source: Part, position: Position) -> tuple[str, ...]:
    """Return the values of a private UID whose VR the source does not tell."""
    if not is_private(position):
        return ()
    if len(position) == 1:
        element = source.top.get(position[0])
    else:
        inside = source.inside.get(position[0])
        element = inside.nested.get(position) if inside else None
    return text_values(element) if element is not None and element.VR in (None, "UN") else ()


def _contradicts(output: Part, position: Position) -> bool:
    """Tell whether a UID of the file meta should repeat one of the data set, and does not."""
    repeated = output.uids.get(OF_THE_DATA_SET.get(position, ()))
    return bool(repeated) and output.uids[position] != repeated


def _needs_no_pair(source: Part, output: Part, position: Position) -> bool:
    """Tell whether a UID of the file meta says how the file was written, or only repeats the data set."""
    own = OF_THE_DATA_SET.get(position)
    if own is None:
        return position in (META_SYNTAX, META_IMPLEMENTATION)
    return bool(output.uids.get(own)) and source.uids.get(position) != source.uids.get(own)


def _pair(old: str, new: str, position: Position, flaws: list[Flaw], pairs: Pairs, *, may_stand: bool) -> None:
    if old in REGISTERED:
        if new != old:
            flaws.append(Flaw("registered-uid-changed", position, "a registered UID has to be kept"))
    elif new == old and not may_stand:
        flaws.append(Flaw("uid-kept", position, "a UID of the source stands"))
    elif not old:
        if new not in REGISTERED:
            flaws.append(Flaw("uid-not-mapped", position, "the source has no UID here"))
    elif new in REGISTERED:
        flaws.append(Flaw("uid-not-mapped", position, "a UID became a registered one"))
    else:
        first(pairs, (old, new), position)


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
    """Yield where one UID has two pseudonyms, or two UIDs have one.

    Where UIDs are retained, those that are replaced all the same have a map of their own, which shares no
    pseudonym with the other.
    """
    origins: defaultdict[str, set[str]] = defaultdict(set)
    apart: dict[str, str] = {}
    for item in evidence:
        for old, new in (*item.pairs, *item.replaced):
            origins[new].add(old)
        for old, new in item.replaced:
            apart[old] = min(new, apart.get(old, new))
    for item in evidence:
        for pairs, expected in ((item.pairs, image), (item.replaced, apart)):
            for (old, new), position in pairs.items():
                if expected[old] != new:
                    rule = "one UID of the source has two in the output"
                    yield Finding("uid-split", item.instance, path_text(position), rule)
                if len(origins[new]) > 1:
                    rule = "two UIDs of the source have one in the output"
                    yield Finding("uids-merged", item.instance, path_text(position), rule)
