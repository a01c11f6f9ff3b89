"""Elements that stood in a row before are taken apart at once, and never where they do not stand so."""

from __future__ import annotations

import struct

import pytest

from anonymizer.engine import runs
from anonymizer.engine.scan import Scanned, Scanner, Sequence, UnusualError
from tests.samples import element, item, sequence

FIRST, SECOND, THIRD = 0x00080020, 0x00080030, 0x00080060
LIST = 0x00081140
DELIMITER = bytes.fromhex("feffdde000000000")


def scan(scanner: Scanner, *elements: bytes, depth: int = 0) -> Scanned:
    data = b"".join(elements)
    return scanner.data_set(data, 0, len(data), depth)


def elements(date: str = "20170314", time: str = "101500", modality: str = "CT") -> list[bytes]:
    return [element(FIRST, "DA", date), element(SECOND, "TM", time), element(THIRD, "CS", modality)]


def run_at(scanner: Scanner, first: bytes) -> int:
    """Tell how many elements the run has that begins with an element."""
    run = scanner._runs.get(first[:8])
    return len(run.tags) if run else 0


def test_elements_that_stood_in_a_row_are_a_run() -> None:
    scanner = Scanner()
    one, two = elements(), elements("20200202", "235959", "MR")
    scan(scanner, *one)
    assert run_at(scanner, one[0]) == 3
    scanned = scan(scanner, *two)
    assert (scanned.tags, scanned.raws, scanned.stop) == ([FIRST, SECOND, THIRD], two, len(b"".join(two)))
    assert run_at(scanner, one[0]) == 3


def test_a_run_is_cut_at_the_element_that_is_another() -> None:
    scanner = Scanner()
    four = [*elements(), element(0x00080070, "LO", "MAKER")]
    longer = [*elements(modality="OTHERS"), four[3]]
    scan(scanner, *four)
    assert scan(scanner, *longer).raws == longer
    assert run_at(scanner, four[0]) == 2
    assert scan(scanner, *four).raws == four
    sooner = [*elements(date=""), four[3]]
    assert scan(scanner, *sooner).raws == sooner
    assert scan(scanner, *four).raws == four


def test_a_run_is_cut_inside_a_sequence_too() -> None:
    scanner = Scanner()
    inside = element(0x00081155, "UI", "1.2.3")
    for undefined in (False, True):
        short, long = (
            [*elements(), sequence(LIST, item(inside, last, undefined=undefined), undefined=undefined)]
            for last in (element(0x00081160, "IS", "1"), element(0x00081160, "IS", "1000"))
        )
        for data in (short, long, short, long):
            assert scan(scanner, *data).raws == data


def test_a_run_behind_a_higher_tag_is_unusual() -> None:
    scanner = Scanner()
    scan(scanner, *elements())
    with pytest.raises(UnusualError):
        scan(scanner, element(0x00081030, "LO", "HEAD"), *elements())


def test_an_element_that_stands_twice_is_unusual_though_each_is_in_a_run() -> None:
    scanner = Scanner()
    scan(scanner, *elements())
    with pytest.raises(UnusualError):
        scan(scanner, *elements(), *elements())


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_run_ends_no_later_than_the_data(cut: int) -> None:
    scanner = Scanner()
    scan(scanner, *elements())
    data = b"".join(elements())[:-cut]
    boundaries = {len(b"".join(elements()[:count])) for count in range(4)}
    if len(data) in boundaries:
        assert scanner.data_set(data, 0, len(data), 1).stop == len(data)
    else:
        with pytest.raises(UnusualError):
            scanner.data_set(data, 0, len(data), 1)


def test_a_run_ends_no_later_than_its_item() -> None:
    scanner = Scanner()
    scan(scanner, *elements())
    data = item(*elements()[:2]) + item(*elements())
    raw = element(LIST, "SQ", data)
    first, second = scanner.sequence(raw, 0)
    assert [first.raw, second.raw] == [b"".join(elements()[:2]), b"".join(elements())]
    assert scanner.whole(b"".join(elements()[:2]), 1).raws == elements()[:2]


def test_no_run_is_long_so_that_a_cut_is_cheap() -> None:
    scanner = Scanner()
    even, odd = ([element(0x00091000 + at, "LO", "A" * (2 + 2 * (at % 2) * by)) for at in range(4000)] for by in (0, 1))
    for data in (even, odd, even):
        assert scan(scanner, *data).raws == data
    assert max(len(run.tags) for run in scanner._runs._known.values()) <= 64


def test_no_picture_is_in_a_run() -> None:
    scanner = Scanner()
    picture = element(0x7FE00010, "OW", bytes(8))
    inside = item(*elements(), picture)
    scan(scanner, element(0x00880200, "SQ", inside))
    scanner.whole(inside[8:], 1)
    scanned = scan(scanner, *elements(), picture)
    assert scanned.tags == [FIRST, SECOND, THIRD]
    assert scanned.stop == len(b"".join(elements()))


def undefined(*values: bytes) -> bytes:
    return sequence(LIST, item(*values, undefined=True), undefined=True)


def test_a_sequence_of_undefined_length_ends_where_its_items_end() -> None:
    scanner = Scanner()
    private = element(0x00091001, "OB", DELIMITER)
    behind = element(0x00081250, "SQ", b"")
    inner = sequence(LIST, item(element(0x00081155, "UI", "1.2"), undefined=True), undefined=True)
    shapes = [
        undefined(private),
        undefined(private, element(0x00091002, "OB", DELIMITER * 2)),
        undefined(element(0x00091001, "OB", bytes(8))),
        undefined(inner, private),
        undefined(inner),
    ]
    for _ in range(3):
        for raw in shapes:
            assert scan(scanner, raw, behind).raws == [raw, behind]


def test_of_a_sequence_that_lacks_its_delimiter_no_known_one_stands_for_it() -> None:
    scanner = Scanner()
    whole = undefined(element(0x00081155, "UI", "1.2.3"))
    scan(scanner, whole)
    scan(scanner, whole)
    with pytest.raises(UnusualError):
        scan(scanner, whole[:-8])
    with pytest.raises(UnusualError):
        scan(scanner, whole[:-8], element(0x00081250, "OB", DELIMITER))


@pytest.mark.parametrize("defined", [False, True])
def test_what_stands_in_a_sequence_is_read_as_strictly_as_what_stands_around_it(defined: bool) -> None:
    good = elements()
    broken = {
        "twice": [good[0], good[0]],
        "out of order": [good[1], good[0]],
        "no VR": [good[0], good[1][:4] + b"??" + good[1][6:]],
        "too long": [good[0], good[1][:6] + struct.pack("<H", 4000) + good[1][8:]],
        "a sequence in UN": [element(LIST, "UN", item(good[0]))],
    }
    for what in broken.values():
        with pytest.raises(UnusualError):
            scan(Scanner(), sequence(LIST, item(*what, undefined=not defined), undefined=not defined))


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_MOST_HEADS", 100)
    scanner = Scanner()
    for size in range(0, 400, 2):
        last = element(0x00081040, "LO", "A" * size)
        scan(scanner, element(FIRST, "DA", "A" * size), *elements()[1:], last)
        scan(scanner, undefined(last, element(0x00091001, "OB", bytes(size))))
        known = list(scanner._runs._known.values())
        shapes = [run for several in scanner._shapes._known.values() for run in several]
        assert 0 < sum(len(run.tags) for run in known) <= 100
        assert 0 < sum(len(run.pieces[0].heads) for run in shapes) <= 100


def test_a_long_sequence_is_taken_apart_by_its_items() -> None:
    scanner = Scanner()
    frames = [item(*elements(date=f"2017{number:04d}"), undefined=number % 2 == 0) for number in range(100)]
    scanned = scan(scanner, sequence(LIST, *frames, undefined=True))
    (found,) = scanned.raws
    assert isinstance(found, Sequence)
    assert len(found.items) == 100
    assert [one.scanned is None for one in found.items[:2]] == [False, True]
