"""Attributes of Table E.1-1 that are newer than the dictionary: the table's action, by the VR of the standard."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset, FileDataset

from anonymizer import Profile
from anonymizer.engine import tables
from anonymizer.engine.rules import vr_of
from anonymizer.gate import Gate, examine
from tests import samples
from tests.cases import read
from tests.oracle import OPTIONS
from tests.oracle_table import rows_by_tag
from tests.oracle_table import vr_of as published_vr_of
from tests.samples import EXPLICIT, IMPLICIT, UNLISTED_SEQUENCE, How, element, item, sequence

NEWER = sorted(number for number in rows_by_tag() if not dictionary_has_tag(number))
FULL, MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
WITHOUT_DATES = tuple(option for option in OPTIONS if option not in {FULL, MODIFIED})
PROFILES = {
    "basic": (),
    "everything, full dates": (*WITHOUT_DATES, FULL),
    "everything, modified dates": (*WITHOUT_DATES, MODIFIED),
}
# A value of each VR that would stay as it is, were the attribute one that stays.
VALUES = {
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), b"CHEST "),
    **dict.fromkeys(("AE", "CS", "UN", "OB", "OW", "OD", "OF", "OL", "OV", "FD", "SV", "UV"), b"ZQNEWER "),
    **dict.fromkeys(("US", "SS"), b"ZQ"),
    **dict.fromkeys(("UL", "SL", "FL"), b"ZQNU"),
    "AS": b"045Y",
    "AT": b"\x10\0\x20\0",
    "DA": b"19770513",
    "DS": b"77419.02",
    "DT": b"19770513101500",
    "IS": b"7741902 ",
    "PN": b"Zq^Newer",
    "TM": b"101530",
    "UI": b"1.2.3.774190",
    "UR": b"http://zqnewer",
}
in_every_profile = pytest.mark.parametrize("profile", PROFILES)


def planted(number: int, vr: str, how: How) -> bytes:
    """Return an attribute with a value, or with an item that says something, where it is a sequence."""
    if vr != "SQ":
        return element(number, vr, VALUES[vr], how)
    inside = item(samples.us(0x00280010, 4, how), how=how)
    return sequence(number, inside, how=how, undefined=not how.explicit)


def answered(profile: str, vrs: dict[int, str], how: How = EXPLICIT, *, nests: bool = False) -> Dataset:
    """Return where attributes stand in the output of an image that has them with these VRs."""
    elements = [planted(number, vr, how) for number, vr in sorted(vrs.items())]
    if nests:
        elements = [sequence(UNLISTED_SEQUENCE, item(*elements, how=how), how=how)]
    name = "+".join(PROFILES[profile]) or "basic"
    engine = samples.anonymizer(Profile.of(name, options=PROFILES[profile]))
    result = engine.anonymize(samples.ct(*elements, how=how))
    found: FileDataset = read(getattr(result, "data", b""))
    if not nests:
        return found
    (inside,) = found[UNLISTED_SEQUENCE].value
    return inside  # type: ignore[no-any-return]  # pydicom's values have any type


def retained(profile: str) -> set[int]:
    """Return the newer attributes that an option of the profile retains, links left out."""
    rows = rows_by_tag()
    kept = {number for number in NEWER if rows[number].options.keys() & set(PROFILES[profile])}
    return {number for number in kept if published_vr_of(number) != "UR"}


def test_the_vr_of_every_row_that_the_dictionary_lacks_is_known() -> None:
    assert len(NEWER) > 20
    assert {number: vr_of(number) for number in NEWER} == {number: published_vr_of(number) for number in NEWER}
    assert set(tables.newer()) == set(NEWER)


@in_every_profile
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("vr", [*VALUES, "SQ"])
def test_a_value_of_another_vr_than_the_standards_goes_whatever_retains_the_attribute(
    vr: str, nests: bool, profile: str
) -> None:
    found = answered(profile, {number: vr for number in NEWER if published_vr_of(number) != vr}, nests=nests)
    assert [f"{number:08X}" for number in NEWER if number in found] == []


@in_every_profile
@pytest.mark.parametrize("nests", [False, True])
def test_what_an_option_retains_stays_and_everything_else_goes(nests: bool, profile: str) -> None:
    found = answered(profile, {number: published_vr_of(number) for number in NEWER}, nests=nests)
    assert {number for number in NEWER if number in found} == retained(profile)
    for number in retained(profile):
        vr = published_vr_of(number)
        if vr == "SQ":
            assert [one.Rows for one in found[number].value] == [4]
        elif (vr, profile) == ("DT", "everything, modified dates"):
            assert found[number].value == samples.moved("19770513") + "101500"
        else:
            assert str(found[number].value) == VALUES[vr].decode().strip()


@in_every_profile
def test_where_the_file_has_no_vrs_sequences_alone_can_stay(profile: str) -> None:
    found = answered(profile, {number: published_vr_of(number) for number in NEWER}, IMPLICIT)
    sequences = {number for number in retained(profile) if published_vr_of(number) == "SQ"}
    assert {number for number in NEWER if number in found} == sequences


@in_every_profile
def test_what_stays_of_them_passes_the_gate(profile: str) -> None:
    source = samples.ct(*(planted(number, published_vr_of(number), EXPLICIT) for number in NEWER))
    engine = samples.anonymizer(Profile.of("newer", options=PROFILES[profile]))
    output = getattr(engine.anonymize(source), "data", b"")
    gate = Gate()
    gate.add(examine(source, output))
    gate.search(output)
    assert gate.verdict().findings == ()
