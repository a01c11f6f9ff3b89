"""What happens to one element, wherever it stands and however it is written."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from pydicom.datadict import DicomDictionary, dictionary_VR  # type: ignore[attr-defined]  # not in its __all__

from anonymizer.engine import tables
from anonymizer.engine.context import LUT_DESCRIPTORS
from tests import samples
from tests.samples import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    REFERENCED_IMAGES,
    UNLISTED_SEQUENCE,
    How,
    element,
    item,
    output,
    released,
    sequence,
)

PROFILES = ("basic", "research")
TEXT_VRS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
BINARY_VRS = ("OB", "OW", "OL", "OF", "OD", "OV", "UN")
PICTURES = {0x7FE00008, 0x7FE00009, 0x7FE00010}
# What a sample has to say itself, or what is not to be written into a data set at all.
# Character set and SOP class decide everything else; writing in the picture, or another length of it, holds the
# instance.
# At the top, Photometric Interpretation and Number of Frames decide how pixels are read.
DECIDING = {0x00280004, 0x00280008}
NOT_PLANTED = {0x00080005, 0x00080016, 0x00280301, 0x7FE00008, 0x7FE00009, 0x7FE00010}

Place = Callable[[list[bytes], How], bytes]


def at_top(elements: list[bytes], how: How) -> bytes:
    return samples.ct(*elements, how=how)


def in_sequence(elements: list[bytes], how: How) -> bytes:
    return samples.ct(sequence(UNLISTED_SEQUENCE, item(*elements, how=how), how=how), how=how)


def in_references(elements: list[bytes], how: How) -> bytes:
    inner = item(*elements, how=how, undefined=True)
    return samples.ct(sequence(REFERENCED_IMAGES, inner, how=how, undefined=True), how=how)


def deep(elements: list[bytes], how: How) -> bytes:
    inner = item(*elements, how=how)
    for _ in range(5):
        inner = item(sequence(UNLISTED_SEQUENCE, inner, how=how), how=how)
    return samples.ct(sequence(UNLISTED_SEQUENCE, inner, how=how), how=how)


def in_private_sequence(elements: list[bytes], how: How) -> bytes:
    creator = element(0x00290010, "LO", "SAMPLE VENDOR", how)
    return samples.ct(creator, sequence(0x00291004, item(*elements, how=how), how=how), how=how)


def in_undefined_private_sequence(elements: list[bytes], how: How) -> bytes:
    creator = element(0x00290010, "LO", "SAMPLE VENDOR", how)
    inner = item(*elements, how=how, undefined=True)
    return samples.ct(creator, sequence(0x00291004, inner, how=how, undefined=True), how=how)


def in_content_item(elements: list[bytes], how: How) -> bytes:
    return samples.report(*elements, how=how)


# In UN the items are in implicit VR, so what is planted is written so (PS3.5 6.2.2).
def in_unknown(elements: list[bytes], _how: How) -> bytes:
    return samples.ct(sequence(UNLISTED_SEQUENCE, item(*elements, how=IMPLICIT), vr="UN"))


def in_undefined_unknown(elements: list[bytes], _how: How) -> bytes:
    inner = item(*elements, how=IMPLICIT, undefined=True)
    return samples.ct(sequence(UNLISTED_SEQUENCE, inner, vr="UN", undefined=True))


PLACES: list[tuple[Place, How, How]] = [
    *(
        (place, how, how)
        for place in (
            at_top,
            in_sequence,
            in_references,
            deep,
            in_private_sequence,
            in_undefined_private_sequence,
            in_content_item,
        )
        for how in (EXPLICIT, IMPLICIT, BIG)
    ),
    (in_unknown, EXPLICIT, IMPLICIT),
    (in_undefined_unknown, EXPLICIT, IMPLICIT),
]
PLACE_NAMES = [
    f"{place.__name__}-{'explicit' if how == EXPLICIT else 'big' if how == BIG else 'implicit'}"
    for place, how, _ in PLACES
]
everywhere = pytest.mark.parametrize(("place", "how", "inner"), PLACES, ids=PLACE_NAMES)
in_both_profiles = pytest.mark.parametrize("profile", PROFILES)


def canary(number: int, vr: str) -> bytes:
    """Return a value that names its attribute, so that a survivor can be told."""
    return f"1.9.{number:010d}".encode() if vr == "UI" else f"zq{number:08x}".encode()


def attributes_of(vr: str) -> list[int]:
    """Return every attribute of the standard with this VR that can stand in a data set."""
    return [
        number
        for number, entry in DicomDictionary.items()
        if vr in entry[0].split(" or ") and 0x0008 <= number >> 16 < 0xFFFC and number not in NOT_PLANTED
    ]


def may_survive(place: Place, profile: str, number: int) -> bool:
    """Tell whether the rules that a reader sees let an attribute's text stay."""
    if place in {in_private_sequence, in_undefined_private_sequence, in_content_item}:
        return False
    kept = tables.kept()
    if number in kept.text or number in kept.binary:
        return place is at_top or number not in PICTURES
    row = {one.tag: one for one in tables.confidentiality_rows()}.get(f"({number >> 16:04X},{number & 0xFFFF:04X})")
    return profile == "research" and row is not None and row.options.get("retain_patient_characteristics") == "K"


@in_both_profiles
@everywhere
@pytest.mark.parametrize("vr", [*TEXT_VRS, *BINARY_VRS])
def test_of_all_attributes_of_a_vr_only_those_that_are_listed_keep_what_stands_in_them(
    vr: str, place: Place, how: How, inner: How, profile: str
) -> None:
    deciding = DECIDING if place is at_top else set()
    planted = {number: canary(number, vr) for number in attributes_of(vr) if number not in deciding}
    tables_end = [
        samples.lut_descriptor(number, 5, inner) for number, table in LUT_DESCRIPTORS.items() if table in planted
    ]
    data = place([*tables_end, *(element(number, vr, text, inner) for number, text in planted.items())], how)
    assert all(text in data for text in planted.values())
    found = released(data, profile)
    survivors = {number for number, text in planted.items() if text in found}
    assert [f"{number:08X}" for number in survivors if not may_survive(place, profile, number)] == []


@in_both_profiles
@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_what_is_listed_as_kept_is_kept(how: How, profile: str) -> None:
    planted = {number: canary(number, dictionary_VR(number)) for number in tables.kept().text}
    data = in_sequence([element(number, dictionary_VR(number), text, how) for number, text in planted.items()], how)
    found = released(data, profile)
    assert [f"{number:08X}" for number, text in planted.items() if text not in found] == []


@in_both_profiles
@everywhere
def test_no_date_stays_what_it_was(place: Place, how: How, inner: How, profile: str) -> None:
    elements = [
        element(number, vr, {"DA": "19770513", "DT": "19770513101500.25+0100"}[vr], inner)
        for vr in ("DA", "DT")
        for number in attributes_of(vr)
    ]
    assert len(elements) > 120
    assert b"19770513" not in released(place(elements, how), profile)


@in_both_profiles
@everywhere
def test_private_elements_and_their_creators_are_gone(place: Place, how: How, inner: How, profile: str) -> None:
    creator = element(0x00290010, "LO", "ZQHOSPITAL CREATOR", inner)
    value = element(0x00291001, "LO", "zqvalue", inner)
    orphan = element(0x00431027, "SH", "zqorphan", inner)
    binary = element(0x00431028, "OB", b"zqbinary", inner)
    again = [element(0x00290011, "LO", "ZQHOSPITAL CREATOR", inner), element(0x00291101, "UI", "1.2.99.7", inner)]
    data = place([creator, again[0], value, again[1], orphan, binary], how)
    found = released(data, profile)
    for left in (b"ZQHOSPITAL", b"zqvalue", b"zqorphan", b"zqbinary", b"1.2.99.7"):
        assert left in data
        assert left not in found
    odd = [one.tag for one in pydicom.dcmread(BytesIO(found)).iterall() if one.tag.group % 2]
    assert odd == []


GONE = [0x00000002, 0x00020016, 0x00041130, 0x00041141, 0x00050010, 0x00070010, 0x50000010, 0x50003000, 0x501E2500]
GONE += [0x60000022, 0x60001500, 0x60003000, 0x601E4000, 0x60FE3000, 0xFFFAFFFA, 0xFFFCFFFC, 0x0008FFF7, 0x7FE20010]
GONE += [0x50FE0005, 0x60FE0010, 0x60FE0040, 0x501E0110]  # numbers and codes, which stay elsewhere


@in_both_profiles
@everywhere
@pytest.mark.parametrize("number", GONE, ids=[f"{number:08X}" for number in GONE])
def test_what_has_no_place_in_an_output_is_gone(number: int, place: Place, how: How, inner: How, profile: str) -> None:
    vr = {0xFFFCFFFC: "OB", 0xFFFAFFFA: "OB", 0x60FE0010: "US", 0x60FE0040: "CS"}.get(number, "LO")
    data = place([element(number, vr, b"zqgone", inner)], how)
    if number == 0xFFFAFFFA or (place is at_top and number >> 16 in {0x0000, 0x0002}):
        result = samples.ENGINES[profile].anonymize(data)  # out of place, or no sequence where one has to be
        assert b"zqgone" not in getattr(result, "data", b"")
        return
    found = released(data, profile)
    assert b"zqgone" not in found
    assert [one.tag for one in pydicom.dcmread(BytesIO(found)).iterall() if one.tag == number] == []


@everywhere
def test_group_lengths_are_gone(place: Place, how: How, inner: How) -> None:
    lengths = [element(number, "UL", b"\x39\x05\0\0", inner) for number in (0x00100000, 0x00180000, 0x00400000)]
    at = output(place(lengths, how))
    assert [one.tag for one in at.iterall() if one.tag.element == 0] == []


@everywhere
def test_an_attribute_of_a_future_standard_is_gone(place: Place, how: How, inner: How) -> None:
    assert 0x0008FFF6 not in DicomDictionary
    unknown = [element(0x0008FFF6, "LO", "zqfuture", inner), element(0x7776FFF0, "US", b"\1\0", inner)]
    found = output(place(unknown, how))
    assert [one.tag for one in found.iterall() if one.tag in {0x0008FFF6, 0x7776FFF0}] == []


def test_a_sequence_that_is_newer_than_the_dictionary_is_looked_into_or_goes() -> None:
    newer = 0x00100043  # Sex Parameters for Clinical Use Category Sequence, K under research
    with pytest.raises(KeyError):
        dictionary_VR(newer)
    inside = {how: item(element(0x00104000, "LT", "zqcomment", how), how=how) for how in (EXPLICIT, IMPLICIT)}
    for data in (
        samples.ct(sequence(newer, inside[EXPLICIT])),
        samples.ct(sequence(newer, inside[IMPLICIT], how=IMPLICIT), how=IMPLICIT),
        samples.ct(sequence(newer, inside[IMPLICIT], how=IMPLICIT, undefined=True), how=IMPLICIT),
        samples.ct(sequence(newer, inside[IMPLICIT], vr="UN")),
        samples.ct(sequence(newer, inside[IMPLICIT], vr="UN", undefined=True)),
    ):
        assert b"zqcomment" in data
        assert b"zqcomment" not in released(data)


def test_a_picture_inside_an_item_is_gone() -> None:
    for number, vr in ((0x7FE00008, "OF"), (0x7FE00009, "OD"), (0x7FE00010, "OW")):
        data = samples.ct(sequence(UNLISTED_SEQUENCE, item(element(number, vr, b"zq" * 16))))
        assert b"zqzq" not in released(data)
    fragments = b"".join(
        [
            samples.header(0x7FE00010, "OB", samples.UNDEFINED),
            item(),
            item(b"zqjpeg"),
            bytes.fromhex("feffdde000000000"),
        ]
    )
    assert b"zqjpeg" not in released(samples.ct(sequence(UNLISTED_SEQUENCE, item(fragments))))


def test_a_repeated_run_gives_the_same_bytes() -> None:
    data = in_references([element(0x00081155, "UI", samples.INSTANCE)], EXPLICIT)
    assert released(data) == released(data)
    result = samples.anonymizer().anonymize(data)
    assert getattr(result, "data", None) == released(data)
