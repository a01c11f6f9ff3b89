"""Neighbouring elements that have stood so before: taken apart at once, by where their headers have to be.

From instance to instance of a series most elements have the same headers, so the same lengths. A run is some of
them in a row, short sequences included. Whether a run stands somewhere is one comparison of all its headers, made in
C; the values in between may be any. A run that does not fit any more is cut at the element that broke it, so what is
left are the runs between the elements whose lengths differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from anonymizer.engine.parse import HAS_LONG_LENGTH, UNDEFINED, Buffer

LONG = frozenset(vr.encode() for vr in HAS_LONG_LENGTH)
SEQUENCE_END = bytes.fromhex("feffdde0")
_MOST_HEADS = 1 << 16  # about 200 octets each
_LONGEST = 64
_OFTEN = 4


class Piece(NamedTuple):
    """One element of a run.

    Attributes
    ----------
    tag : int
        The element's.
    size : int
        Octets, header included.
    heads : tuple of (int, bytes)
        Where headers stand in it, its own and those of all in it, and what they are.
    """

    tag: int
    size: int
    heads: tuple[tuple[int, bytes], ...]

    @classmethod
    def of(cls, tag: int, raw: bytes) -> Piece:
        """Make a piece of an element that was read before, and so can be."""
        heads: list[tuple[int, bytes]] = []
        for at, head in _heads(raw, 0, len(raw)):
            if heads and heads[-1][0] + len(heads[-1][1]) == at:  # two without anything in between are one
                heads[-1] = heads[-1][0], heads[-1][1] + head
            else:
                heads.append((at, head))
        return cls(tag, len(raw), tuple(heads))

    def fits(self, data: Buffer, at: int) -> bool:
        """Tell whether such an element stands here."""
        return all(data[at + offset : at + offset + len(head)] == head for offset, head in self.heads)


class Run:
    """Elements in a row."""

    __slots__ = ("_form", "_heads", "first", "last", "pieces", "raws", "size", "tags")

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.pieces = pieces
        self.tags = [piece.tag for piece in pieces]
        self.first, self.last = self.tags[0], self.tags[-1]
        self.size = sum(piece.size for piece in pieces)
        self.raws = Struct("".join(f"{piece.size}s" for piece in pieces)).unpack_from
        """Given data and a place, return the bytes of each element."""
        heads: list[bytes] = []
        form, at, done = "", 0, 0
        for piece in pieces:
            for offset, head in piece.heads:
                form += f"{at + offset - done}x{len(head)}s"
                heads.append(head)
                done = at + offset + len(head)
            at += piece.size
        self._form = Struct(f"{form}{at - done}x").unpack_from
        self._heads = tuple(heads)

    def fits(self, data: Buffer, at: int) -> bool:
        """Tell whether all headers stand here where they have to; there are at least `size` octets."""
        return self._form(data, at) == self._heads


class Runs:
    """The runs that are known, by the first eight octets of the first element."""

    def __init__(self) -> None:
        self._known: dict[bytes, Run] = {}
        self._learned: Counter[bytes] = Counter()
        self._heads = 0
        self.get = self._known.get

    def learn(self, elements: list[tuple[int, bytes]]) -> None:
        """Note elements that stood in a row, given the tag and all octets of each."""
        if len(elements) < 2 and (not elements or elements[0][1][4:6] != b"SQ"):
            return  # a sequence alone has several headers
        start = elements[0][1][:8]
        # What is noted and cut again and again saves nothing.
        if start not in self._known and self._learned[start] < _OFTEN:
            self._learned[start] += 1
            self._note([Piece.of(*element) for element in elements])

    def cut(self, run: Run, data: Buffer, at: int, stop: int) -> None:
        """Cut a run that does not stand here at the element that is another."""
        self._known.pop(_start(run.pieces), None)  # another thread may have been first
        for number, piece in enumerate(run.pieces):
            if at + piece.size > stop or not piece.fits(data, at):
                self._note(run.pieces[:number])
                self._note(run.pieces[number + 1 :])
                return
            at += piece.size

    def _note(self, pieces: Sequence[Piece]) -> None:
        # No run is long: each cut makes two of what is left.
        for at in range(0, len(pieces), _LONGEST):
            self._keep(tuple(pieces[at : at + _LONGEST]))

    def _keep(self, pieces: tuple[Piece, ...]) -> None:
        heads = sum(len(piece.heads) for piece in pieces)
        if heads < 2:
            return
        self._heads += heads
        if self._heads > _MOST_HEADS:
            self._known.clear()
            self._learned.clear()
            self._heads = heads
        self._known.setdefault(_start(pieces), Run(pieces))


class Shapes:
    """Sequences of undefined length as they have stood: where one ends is told by trying, not by walking through it.

    Looked up by the first octets and by how far off the first delimiter of a sequence is, which may be that of one
    inside.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], list[Run]] = {}
        self._heads = 0

    def size(self, head: bytes, data: Buffer, at: int, stop: int) -> int:
        """Return the octets of the sequence that stands here, 0 if none like it is known."""
        for run in self._known.get((head, data.find(SEQUENCE_END, at, stop) - at), ()):
            if at + run.size <= stop and run.fits(data, at):
                return run.size
        return 0

    def learn(self, raw: bytes) -> None:
        """Note a sequence, given all its octets."""
        known = self._known.setdefault((raw[:8], raw.find(SEQUENCE_END)), [])
        if len(known) >= _OFTEN:
            return
        piece = Piece.of(0, raw)
        self._heads += len(piece.heads)
        if self._heads > _MOST_HEADS:
            self._known.clear()
            self._heads = len(piece.heads)
            known = self._known.setdefault((raw[:8], raw.find(SEQUENCE_END)), [])
        known.append(Run((piece,)))


def _start(pieces: Sequence[Piece]) -> bytes:
    return pieces[0].heads[0][1][:8]


def _heads(data: bytes, at: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Yield where headers stand, of elements, items and delimiters, and what they are."""
    while at < stop:
        vr = data[at + 4 : at + 6]
        if data[at : at + 2] == b"\xfe\xff":
            head, size = data[at : at + 8], 0  # what is in an item comes next
        elif vr in LONG:
            head, size = data[at : at + 12], int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            head, size = data[at : at + 8], int.from_bytes(data[at + 6 : at + 8], "little")
        yield at, head
        at += len(head)
        is_open = vr == b"SQ" and (size == UNDEFINED or not head[0] & 1)
        at += 0 if is_open else size
