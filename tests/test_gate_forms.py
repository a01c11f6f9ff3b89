"""What recurs over a series is compared once, and that hides nothing: no fault in any place, under any claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import count, pairwise, permutations
from typing import cast

import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset

from anonymizer.gate import Examiner, examine
from anonymizer.gate.memory import Memory
from anonymizer.gate.reading import read
from tests import samples
from tests.gate_samples import as_bytes, claim
from tests.samples import BIG, EXPLICIT, IMPLICIT, How, element, item, sequence, us
from tests.test_gate_memory import common, told

OFTEN = 12
"""After so many instances all that recurs is known."""
CLASS, OTHER_CLASS = b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.5.1.4.1.1.4"
SIZE = 256
"""Rows and columns of pictures that are not copied."""

Change = Callable[[FileDataset], object]


def source(number: int, *others: bytes, how: How = EXPLICIT) -> bytes:
    """Return an instance of a series."""
    own = [
        element(0x00080018, "UI", f"{samples.INSTANCE}.{number}", how),
        element(0x00181151, "IS", str(1000 + number), how),
        element(0x00281050, "DS", "40", how),
        element(0x00281051, "DS", "80", how),
    ]
    return samples.ct(*own, *others, how=how)


def output(data: bytes, change: Change = lambda _: None) -> bytes:
    """Return its output after a change."""
    dataset = samples.output(data)
    change(dataset)
    return as_bytes(dataset)


def alike(examiner: Examiner, before: bytes, after: bytes) -> set[str]:
    """Assert that an examiner says what a new one says, however often it is asked; return the kinds of flaws."""
    alone = examine(before, after)
    for _ in range(3):
        assert told(examiner.examine(before, after)) == told(alone)
    return {flaw.kind for flaw in alone.flaws}


def learned(*others: bytes, change: Change = lambda _: None, how: How = EXPLICIT) -> Examiner:
    """Return an examiner that knows a series."""
    examiner = Examiner()
    for number in range(OFTEN):
        data = source(number, *others, how=how)
        examiner.examine(data, output(data, change))
    assert any(one.told for one in common(examiner))
    assert max(len(one.source.settled.top) for one in common(examiner)) > 10
    return examiner


def _drop(keyword: str) -> Change:
    return lambda dataset: delattr(dataset, keyword)


def _say(keyword: str, value: object) -> Change:
    return lambda dataset: setattr(dataset, keyword, value)


def _add_private(dataset: FileDataset) -> None:
    dataset.private_block(0x0029, "SAMPLE VENDOR", create=True).add_new(0x01, "LO", "text")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("pixels-differ", _drop("Rows")),
        ("pixels-differ", _say("Rows", 5)),
        ("pixels-differ", _drop("PixelData")),
        ("pixels-differ", _say("PixelData", bytes(32))),
        ("value-lost", _drop("WindowCenter")),
        ("value-changed", _say("WindowCenter", "41")),
        ("value-changed", _say("XRayTubeCurrent", "7")),
        ("value-changed", _say("Modality", "MR")),
        ("value-added", _say("PatientComments", "text")),
        ("date-not-moved", _say("StudyDate", samples.STUDY_DATE)),
        ("uid-kept", _say("StudyInstanceUID", samples.STUDY)),
        ("marker-missing", _say("PatientIdentityRemoved", "NO")),
        ("marker-missing", _drop("PatientIdentityRemoved")),
        ("marker-missing", lambda dataset: claim(dataset, "113107")),
        ("marker-wrong", _say("DeidentificationMethod", "somebody")),
        ("value-added", _add_private),
    ],
)
def test_a_fault_of_one_instance_of_a_series_is_told(kind: str, change: Change) -> None:
    examiner = learned()
    data = source(99)
    assert alike(examiner, data, output(data)) == set()
    assert kind in alike(examiner, data, output(data, change))
    assert alike(examiner, data, output(data)) == set()


def test_what_stands_in_another_blank_is_compared_with_the_row_that_it_came_from() -> None:
    examiner = learned()
    for number in range(OFTEN):
        data = source(99)
        assert "value-changed" in alike(examiner, data, output(data, _say("Modality", f"M{number}")))
        data = source(99, element(0x00080060, "CS", f"M{number}"))
        assert "value-changed" in alike(examiner, data, output(source(99)))


@pytest.mark.parametrize("is_meta", [True, False])
def test_the_file_meta_information_is_always_held_against_the_data_set(*, is_meta: bool) -> None:
    examiner = learned()
    for number in range(OFTEN):
        data = source(number)
        meta, rest = output(data)[:300], output(data)[300:]
        one, other = CLASS.ljust(26, b"\0"), OTHER_CLASS.ljust(26, b"\0")
        broken = meta.replace(one, other, 1) + rest if is_meta else meta + rest.replace(one, other, 1)
        assert "uid-split" in alike(examiner, data, broken)


def test_what_was_found_under_some_claims_is_not_what_is_found_under_others() -> None:
    private = [element(0x00290010, "LO", "SAMPLE VENDOR"), element(0x00291001, "LO", "text")]
    basic = ("113100", "113107", "113105", "113109")
    safe = (*basic, "113111")
    # In ever another order, so that they never recur.
    orders = permutations(safe)

    def keep_private(dataset: FileDataset) -> None:
        _add_private(dataset)
        claim(dataset, *next(orders))

    examiner = learned(*private, change=keep_private)
    data = source(99, *private)
    for codes in (safe, basic, (*safe, "113110"), basic, safe):
        orders = permutations(codes)
        assert ("private-left" in alike(examiner, data, output(data, keep_private))) == (codes is basic)


def test_what_an_output_claims_of_its_dates_decides_what_they_may_be() -> None:
    examiner = Examiner()
    data = source(1)
    keyword = "LongitudinalTemporalInformationModified"
    for value in (*(f"NEVER {number}" for number in range(OFTEN)), "MODIFIED", "REMOVED", "UNMODIFIED"):
        found = alike(examiner, data, output(data, _say(keyword, value)))
        assert ("date-not-moved" in found) == (value != "MODIFIED")


@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_characteristic_and_the_claim_that_lets_it_stand_are_judged_together(*, is_claimed: bool) -> None:
    size = element(0x00101020, "DS", "1.78")
    without = ("113100", "113107", "113105", "113109")
    orders = permutations((*without, "113108") if is_claimed else without)

    def keep_size(dataset: FileDataset) -> None:
        dataset.PatientSize = "1.78"
        claim(dataset, *next(orders))

    examiner = learned(size, change=keep_size)
    data = source(99, size)
    for codes in (without, (*without, "113108"), without):
        orders = permutations(codes)
        assert ("marker-missing" in alike(examiner, data, output(data, keep_size))) == (codes is without)


def test_a_characteristic_that_differs_from_instance_to_instance_is_asked_for_in_each() -> None:
    examiner = Examiner()
    for value in (*(f"1.{number}" for number in range(70, 70 + OFTEN)), "0", "1.5"):

        def keep_size(dataset: FileDataset, value: str = value) -> None:
            dataset.PatientSize = value
            claim(dataset, "113100", "113107")

        data = source(1, element(0x00101020, "DS", value))
        assert ("marker-missing" in alike(examiner, data, output(data, keep_size))) == (value != "0")


def test_a_creator_is_in_force_behind_it() -> None:
    examiner = Examiner()
    for creator in ("NOBODY", "MMCPrivate", "NOBODY"):
        data = source(1, element(0x00290010, "LO", creator), element(0x00291034, "UN", b"1.2.3.5\0"))
        alike(examiner, data, data)
        kept = {flaw.path for flaw in examiner.examine(data, data).flaws if flaw.kind == "uid-kept"}
        assert ("(0029,1034)" in kept) == (creator == "MMCPrivate")


def test_a_row_says_what_it_says_in_its_own_encoding_character_set_and_behind_its_creator() -> None:
    numbers = count()

    def files() -> Iterator[bytes]:
        for how in (EXPLICIT, IMPLICIT, BIG):
            for character_set in ("ISO_IR 100", "ISO_IR 144"):
                for creator in ("MMCPrivate", "SIEMENS CSA REPORT", "NOBODY"):
                    number = next(numbers)
                    yield source(
                        number,
                        element(0x00080005, "CS", character_set, how),
                        element(0x00100010, "PN", "Bärenfeld^Ägidius".encode("latin-1"), how),
                        element(0x00290010, "LO", creator, how),
                        # So that what says how to read the row behind it is no part of that.
                        element(0x00291001, "UN", f"{number}", how),
                        element(0x00291017, "UN", b"1.2.3.4\0", how),
                        element(0x00291034, "UN", b"1.2.3.5\0", how),
                        how=how,
                    )

    examiner = Examiner()
    for _ in range(OFTEN):
        for data in files():
            assert told(examiner.examine(data, data)) == told(examine(data, data))
        for before, after in pairwise(files()):
            assert told(examiner.examine(before, after)) == told(examine(before, after))
    assert len(common(examiner)) >= OFTEN


def test_a_row_of_a_source_is_another_one_in_an_output() -> None:
    private = [element(0x00290010, "LO", "SAMPLE VENDOR"), element(0x00291001, "LO", "text")]
    data = source(1, element(0x00080005, "CS", "ISO_IR 192"), *private)
    examiner = Examiner()
    for _ in range(OFTEN):
        assert "private-left" in alike(examiner, data, data)


def test_what_is_nested_is_read_alike_behind_every_character_set() -> None:
    people = sequence(0x00081115, item(element(0x00081048, "PN", "Bärenfeld".encode("latin-1"))), undefined=True)
    names = []
    for first, second in (("ISO_IR 100", "ISO_IR 192"), ("ISO_IR 192", "ISO_IR 100")):
        memory = Memory()
        for character_set in (first, second):
            reading = read(source(1, element(0x00080005, "CS", character_set), people), memory=memory)
            (found,) = (one for one in reading.elements if one.tag == 0x00081115)
            (person,) = cast("Sequence[Dataset]", found.value)
            names.append(str(person.PhysiciansOfRecord))
    assert len(set(names)) == 1


@pytest.mark.parametrize("at", [0, 1, SIZE * SIZE, 2 * SIZE * SIZE - 1])
@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT])
def test_a_picture_is_the_one_at_its_own_place_in_the_file(at: int, how: How) -> None:
    def image(number: int) -> bytes:
        pixels = bytes((number + place // 7) % 251 for place in range(2 * SIZE * SIZE))
        shape = [us(0x00280010, SIZE, how), us(0x00280011, SIZE, how), element(0x7FE00010, "OW", pixels, how)]
        return source(number, element(0x00081030, "LO", "wide" * (number % 5), how), *shape, how=how)

    examiner = Examiner()
    for number in range(OFTEN):
        data = image(number)
        assert alike(examiner, data, samples.released(data)) == set()
        after = bytearray(samples.released(data))
        after[len(after) - 2 * SIZE * SIZE + at] ^= 1
        assert alike(examiner, data, bytes(after)) == {"pixels-differ"}


def test_the_output_of_another_instance_is_told() -> None:
    examiner = learned()
    data = source(99)
    other = pydicom.dcmread(BytesIO(output(source(98))))
    assert "value-changed" in alike(examiner, data, as_bytes(other))


@pytest.mark.parametrize("is_source", [True, False])
def test_a_file_that_names_two_transfer_syntaxes_is_read_by_none_however_often(*, is_source: bool) -> None:
    examiner = learned()
    before = source(OFTEN)
    after = output(before)
    if is_source:
        before = _with_two_transfer_syntaxes(before)
    else:
        after = _with_two_transfer_syntaxes(after)
    for _ in range(OFTEN):
        assert alike(examiner, before, after) == {"unreadable"}


def _with_two_transfer_syntaxes(data: bytes) -> bytes:
    """Put another TransferSyntaxUID before the one in the file meta information, and count it."""
    another = element(0x00020010, "UI", "1.2.840.10008.1.2.4.50")
    at = data.index(b"\x02\x00\x10\x00UI")
    length = int.from_bytes(data[140:144], "little") + len(another)
    return data[:140] + length.to_bytes(4, "little") + data[144:at] + another + data[at:]
