"""References between instances, series, studies and frames of reference: every one must still close.

An edge is (instance, level, target UID). Where it is written does not count, and neither does the level for
resolving it: ReferencedSOPInstanceUID may well carry the UID of a study (Referenced Study Sequence).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from anonymizer.gate.findings import Finding, Flaw, Position, Reference, first, firsts, is_private
from anonymizer.gate.leftovers import is_inside
from anonymizer.gate.uids import REGISTERED

if TYPE_CHECKING:
    from anonymizer.gate.evidence import Evidence

INSTANCE = "instance"
SERIES = "series"
STUDY = "study"
FRAME = "frame-of-reference"
ANY = ""
"""The level of a UID that may name anything; it is an edge only if it names something that is known."""

ANYWHERE: Mapping[int, str] = {
    0x00041511: INSTANCE,  # ReferencedSOPInstanceUIDInFile
    0x00080058: INSTANCE,  # FailedSOPInstanceUIDList
    0x00081155: INSTANCE,  # ReferencedSOPInstanceUID
    0x00081167: INSTANCE,  # MultiFrameSourceSOPInstanceUID
    0x00200242: INSTANCE,  # SOPInstanceUIDOfConcatenationSource
    0x00280304: INSTANCE,  # ReferencedColorPaletteInstanceUID
    0x0018991E: FRAME,  # TargetFrameOfReferenceUID
    0x00640003: FRAME,  # SourceFrameOfReferenceUID
    0x30060024: FRAME,  # ReferencedFrameOfReferenceUID
    0x300600C2: FRAME,  # RelatedFrameOfReferenceUID
    0x0040A124: ANY,  # UID, the value of a UIDREF content item
}
NESTED: Mapping[int, str] = {
    # At the top level these say what the instance is; inside a sequence they point at another one.
    0x00080018: INSTANCE,  # SOPInstanceUID
    0x0020000D: STUDY,  # StudyInstanceUID
    0x0020000E: SERIES,  # SeriesInstanceUID
    0x00200052: FRAME,  # FrameOfReferenceUID
}

_FRAME_OF_REFERENCE: Position = (0x00200052,)

Edge = tuple[str, str]
"""Level and target UID."""


class Edges(NamedTuple):
    """The references of one instance.

    Parameters
    ----------
    public : dict of Edge to Position
        With where they stand first.
    private : frozenset of str
        Targets of private attributes that no public one has.
    gone : frozenset of Edge
        What stands only inside of attributes that go as a whole, such as what was before a correction.
    """

    public: dict[Edge, Position]
    private: frozenset[str]
    gone: frozenset[Edge] = frozenset()

    def joined(self, other: Edges) -> Edges:
        """Return the references of two parts of an instance together."""
        if not any(other):
            return self
        public = firsts(self.public, other.public)
        private = (self.private | other.private) - {target for _, target in public}
        return Edges(public, private, (self.gone | other.gone) - public.keys())


NO_EDGES = Edges({}, frozenset())


def edges_of(uids: Mapping[Position, tuple[str, ...]]) -> Edges:
    """Collect the references of one instance, or of a part of it, from its UI elements.

    Registered UIDs (well-known frames of reference, palettes) point outside of every archive and are not
    edges.
    """
    public: dict[Edge, Position] = {}
    private: set[str] = set()
    gone: set[Edge] = set()
    for position, values in uids.items():
        if is_private(position):
            private.update(values)
            continue
        level = ANYWHERE.get(position[-1])
        if level is None and len(position) > 1:
            level = NESTED.get(position[-1])
        if level is None:
            continue
        for uid in values:
            if not uid or uid in REGISTERED:
                continue
            if is_inside(position):
                gone.add((level, uid))
            else:
                first(public, (level, uid), position)
    return Edges(public, frozenset(private) - {target for _, target in public}, frozenset(gone - public.keys()))


class Node(NamedTuple):
    """The UIDs that an instance has for itself; empty where it has none."""

    instance: str
    series: str
    study: str
    frame: str


NO_NODE = Node("", "", "", "")


class Graph:
    """What can be pointed at in one side of everything that was added."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.levels: dict[str, str] = {}
        self.frames: defaultdict[str, set[str]] = defaultdict(set)
        for node in nodes:
            self.levels.update({node.study: STUDY, node.series: SERIES, node.instance: INSTANCE})
            if node.frame:
                self.frames[node.frame].add(node.instance)
        self.levels.pop("", None)

    def level(self, edge: Edge) -> str:
        """Return the level of an edge; the empty text if it may name anything and names nothing known."""
        level, target = edge
        if level != ANY:
            return level
        return self.levels.get(target) or (FRAME if target in self.frames else ANY)

    def resolves(self, edge: Edge, instance: str) -> bool:
        """Tell whether the target of an edge of `instance` was added too."""
        level, target = edge
        if level == FRAME:
            return bool(self.frames.get(target, set()) - {instance})
        return target in self.levels

    def shares_frame(self, node: Node) -> bool:
        """Tell whether another instance stands in the node's own frame of reference."""
        return len(self.frames.get(node.frame, ())) > 1


class Closure(NamedTuple):
    """The outcome of comparing the two graphs."""

    findings: list[Finding]
    references: set[Reference]
    checks: Counter[str]


def close(evidence: Sequence[Evidence], image: Mapping[str, str]) -> Closure:
    """Compare the references of all outputs with those of their sources.

    Parameters
    ----------
    evidence : sequence of Evidence
        All instances that were added.
    image : mapping of str to str
        The output UID of each source UID.
    """
    source = Graph(item.source for item in evidence)
    output = Graph(item.output for item in evidence)
    closure = Closure([], set(), Counter())
    for item in evidence:
        _close_one(item, image, source, output, closure)
    for reference in closure.references:
        closure.checks[f"references_{reference.state}"] += 1
    return closure


class _Wanted(NamedTuple):
    """A reference of a source: what it has to be in the output, whether it resolves, and where the source has it."""

    edge: Edge
    resolves: bool
    position: Position


def _close_one(item: Evidence, image: Mapping[str, str], source: Graph, output: Graph, closure: Closure) -> None:
    """Note what is wrong with the references of one instance, which ones it has, and how many it lacks."""
    wanted = list(_wanted(item, image, source))
    missing = list(_missing(item, wanted, output))
    flaws = [*_lost(item, image, missing), *_broken(item, wanted, output)]
    closure.findings.extend(flaw.named(item.instance) for flaw in flaws)
    closure.references.update(_references(item, image, output))
    removed = sum(not one.resolves for one in missing) + len(item.source_edges.gone)
    private = sum(uid in source.levels or uid in source.frames for uid in item.source_edges.private)
    closure.checks.update(references_removed=removed, references_private=private)


def _wanted(item: Evidence, image: Mapping[str, str], source: Graph) -> Iterator[_Wanted]:
    """Yield the references of the source; an edge to anything is one if it names something known."""
    for edge, position in item.source_edges.public.items():
        level, target = source.level(edge), edge[1]
        if level != ANY:
            resolves = source.resolves((level, target), item.source.instance)
            yield _Wanted((level, image.get(target, "")), resolves, position)


def _present(item: Evidence, output: Graph) -> dict[Edge, Position]:
    """Return the references of the output, with where they stand."""
    edges = {(output.level(edge), edge[1]): position for edge, position in item.output_edges.public.items()}
    return {edge: position for edge, position in edges.items() if edge[0] != ANY}


def _missing(item: Evidence, wanted: Iterable[_Wanted], output: Graph) -> Iterator[_Wanted]:
    """Yield the references that an output lacks.

    One to the own instance, study, series or frame of reference is held by the top level already.
    """
    own = {item.output.instance, item.output.series, item.output.study} - {""}
    held = {*_present(item, output), (FRAME, item.output.frame)}
    return (one for one in wanted if one.edge not in held and one.edge[1] not in own)


def _lost(item: Evidence, image: Mapping[str, str], missing: Iterable[_Wanted]) -> Iterator[Flaw]:
    """Yield the references that resolved and are gone, and an own frame of reference that is not the source's."""
    for one in missing:
        if one.resolves:
            rule = f"a reference to {_named(one.edge[0])} that was sent too is missing in the output"
            yield Flaw("reference-lost", one.position, rule)
    if not _stands_in_its_frame(item, image):
        rule = "the output does not stand in the frame of reference of its source"
        yield Flaw("reference-lost", _FRAME_OF_REFERENCE, rule)


def _broken(item: Evidence, wanted: Iterable[_Wanted], output: Graph) -> Iterator[Flaw]:
    """Yield the references that the source does not have, and those that resolve otherwise than in the source."""
    expected = {one.edge: one.resolves for one in wanted}
    for edge, position in _present(item, output).items():
        resolves = output.resolves(edge, item.output.instance)
        if edge not in expected:
            rule = f"the reference to {_named(edge[0])} is not the image of one in the source"
            yield Flaw("reference-broken", position, rule)
        elif resolves != expected[edge]:
            rule = f"the reference to {_named(edge[0])} is {_state(resolves)} in the output and was not in the source"
            yield Flaw("reference-broken", position, rule)


def _references(item: Evidence, image: Mapping[str, str], output: Graph) -> Iterator[Reference]:
    """Yield what an output points at, its own frame of reference too if another instance stands in that."""
    if item.output.frame and _stands_in_its_frame(item, image) and output.shares_frame(item.output):
        yield Reference(item.instance, FRAME, item.output.frame, _state(resolves=True))
    for edge in _present(item, output):
        yield Reference(item.instance, *edge, _state(output.resolves(edge, item.output.instance)))


def _stands_in_its_frame(item: Evidence, image: Mapping[str, str]) -> bool:
    return not item.source.frame or item.output.frame == image.get(item.source.frame)


def _named(level: str) -> str:
    return f"an {level}" if level == INSTANCE else f"a {level}"


def _state(resolves: bool) -> str:
    return "resolved" if resolves else "dangling"
