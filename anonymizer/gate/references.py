"""References between instances, series, studies and frames of reference: every one must still close.

An edge is (instance, level, target UID). Where it is written does not count, and neither does the level for
resolving it: ReferencedSOPInstanceUID may well carry the UID of a study (Referenced Study Sequence).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from anonymizer.gate.findings import Finding, Position, Reference, is_private, path_text
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


def edges_of(uids: Mapping[Position, tuple[str, ...]]) -> Edges:
    """Collect the references of one instance from its UI elements.

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
                public.setdefault((level, uid), position)
    return Edges(public, frozenset(private) - {target for _, target in public}, frozenset(gone - public.keys()))


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


class Node(NamedTuple):
    """The UIDs that an instance has for itself; empty where it has none."""

    instance: str
    series: str
    study: str
    frame: str


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


def _close_one(item: Evidence, image: Mapping[str, str], source: Graph, output: Graph, closure: Closure) -> None:
    findings, references, checks = closure
    present = {(output.level(edge), edge[1]): where for edge, where in item.output_edges.public.items()}
    # An edge to the own instance, study, series or frame of reference is held by the top level already.
    own = {item.output.instance, item.output.series, item.output.study} - {""}
    expected: dict[Edge, bool] = {}
    for edge, position in item.source_edges.public.items():
        level = source.level(edge)
        if level == ANY:
            continue
        resolved = source.resolves((level, edge[1]), item.source.instance)
        target = (level, image.get(edge[1], ""))
        expected[target] = resolved
        if target in present or target[1] in own or target == (FRAME, item.output.frame):
            continue
        if resolved:
            rule = f"a reference to a {level} that was sent too is missing in the output"
            findings.append(Finding("reference-lost", item.instance, path_text(position), rule))
        else:
            checks["references_removed"] += 1
    if item.source.frame and item.output.frame != image.get(item.source.frame):
        rule = "the output does not stand in the frame of reference of its source"
        findings.append(Finding("reference-lost", item.instance, path_text((0x00200052,)), rule))
    elif item.output.frame and output.shares_frame(item.output):
        references.add(Reference(item.instance, FRAME, item.output.frame, "resolved"))
    for edge, position in present.items():
        level, uid = edge
        if level == ANY:
            continue
        resolved = output.resolves(edge, item.output.instance)
        state = "resolved" if resolved else "dangling"
        if edge not in expected:
            rule = f"the reference to a {level} is not the image of one in the source"
            findings.append(Finding("reference-broken", item.instance, path_text(position), rule))
        elif resolved != expected[edge]:
            rule = f"the reference to a {level} is {state} in the output and was not in the source"
            findings.append(Finding("reference-broken", item.instance, path_text(position), rule))
        references.add(Reference(item.instance, level, uid, state))
    checks["references_removed"] += len(item.source_edges.gone)
    checks["references_private"] += sum(
        1 for uid in item.source_edges.private if uid in source.levels or uid in source.frames
    )
