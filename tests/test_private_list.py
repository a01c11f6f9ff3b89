"""The private attributes that the standard lists as safe, and the blocks that they stand in."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from anonymizer import TableError
from anonymizer.engine.private import (
    blocks_of,
    creator_of,
    digest,
    is_listed_creator,
    is_private_group,
    listed_vr,
    rows_of,
    safe_private_rows,
)
from anonymizer.engine.tables import rows_digest

PUBLISHED = Path(__file__).parents[2] / "shared/data/ps315/table_E_3_10-1_safe_private_2026d.json"
SHIPPED = files("anonymizer").joinpath("tables", "safe_private.json").read_text(encoding="utf-8")


def test_the_list_is_the_published_one() -> None:
    if not PUBLISHED.is_file():
        pytest.skip("the published table is not beside this project")
    assert PUBLISHED.read_text(encoding="utf-8") == SHIPPED


def test_the_list_says_where_it_comes_from() -> None:
    told = json.loads(SHIPPED)
    assert (told["edition"], told["acknowledgement"]) == ("2026d", "DICOM PS3.15 2026d, © NEMA")
    assert len(safe_private_rows()) == 479
    assert digest() == rows_digest(told["rows"])


@pytest.mark.parametrize(
    "text",
    [
        SHIPPED.replace('"FD"', '"LO"', 1),
        SHIPPED.replace("GEMS_ACQU_01", "GEMS_ACQU_02", 1),
        "{}",
        "[]",
        "rows",
        "null",
    ],
)
def test_a_list_that_is_not_the_published_one_is_refused(text: str) -> None:
    with pytest.raises(TableError, match=r"safe_private\.json"):
        rows_of(text)


def test_every_row_names_an_odd_group_and_two_digits_of_an_element_once() -> None:
    rows = safe_private_rows()
    assert all(
        is_private_group(group) and low <= 0xFF and creator == creator.strip() for creator, group, low, _ in rows
    )
    assert max(Counter((creator, group, low) for creator, group, low, _ in rows).values()) == 1


@pytest.mark.parametrize(
    ("creator", "group", "element", "vr"),
    [
        ("Philips PET Private Group", 0x7053, 0x1000, "DS"),  # SUV scale factor
        ("Philips PET Private Group", 0x7053, 0x1109, "DS"),  # in another block
        ("ELSCINT1", 0x01E1, 0x1026, "CS"),
        ("GEMS_ACQU_01", 0x0019, 0x109E, "LO"),
        ("SIEMENS MR HEADER", 0x0019, 0x100C, "IS"),  # B value
        ("HOLOGIC, Inc.", 0x7E01, 0x1010, "SQ"),
        ("Philips Imaging DD 001", 0x2001, 0x107D, "OW"),  # OW/OB in the table
        ("  GEMS_SERS_01\0", 0x0025, 0x1007, "SL"),
    ],
)
def test_an_attribute_of_the_list_is_known_with_its_vr(creator: str, group: int, element: int, vr: str) -> None:
    assert listed_vr(creator, group, element) == vr
    assert is_listed_creator(creator, group)


@pytest.mark.parametrize(
    ("creator", "group", "element"),
    [
        ("GEMS_ACQU_01", 0x0019, 0x109D),  # Pulse Sequence Date
        ("GEMS_ACQU_01", 0x0021, 0x109E),
        ("gems_acqu_01", 0x0019, 0x109E),
        ("GEMS_ACQU_01 ANON", 0x0019, 0x109E),
        ("", 0x0019, 0x109E),
    ],
)
def test_another_creator_group_or_element_is_not_listed(creator: str, group: int, element: int) -> None:
    assert listed_vr(creator, group, element) is None


def test_a_row_without_a_vr_is_not_listed() -> None:
    empty = [row for row in safe_private_rows() if not row[3]]
    assert len(empty) == 5
    assert [listed_vr(creator, group, low) for creator, group, low, _ in empty] == [None] * 5


def test_every_answer_is_one_vr() -> None:
    answers = {listed_vr(creator, group, low) for creator, group, low, vr in safe_private_rows() if vr}
    assert not answers & {None, "", "OW/OB", "UN"}
    assert all(vr and len(vr) == 2 and vr.isupper() for vr in answers)


def test_a_creator_that_is_not_in_the_list_has_no_group_there() -> None:
    assert not is_listed_creator("GEMS_ACQU_01", 0x0021)
    assert not is_listed_creator("Clinic's own", 0x0019)


def test_an_element_belongs_to_the_creator_of_its_block_and_group() -> None:
    blocks = blocks_of([(0x00190010, "GEMS_ACQU_01"), (0x00190011, "SIEMENS MR HEADER"), (0x00290010, "OTHER")])
    assert creator_of(blocks, 0x0019109E) == "GEMS_ACQU_01"
    assert creator_of(blocks, 0x0019110C) == "SIEMENS MR HEADER"
    assert creator_of(blocks, 0x0029100C) == "OTHER"
    assert creator_of(blocks, 0x0019120C) == ""
    assert creator_of(blocks, 0x0021109E) == ""


def test_a_creator_can_own_two_blocks() -> None:
    blocks = blocks_of([(0x00190010, "GEMS_ACQU_01"), (0x001900FF, "GEMS_ACQU_01 ")])
    assert {creator_of(blocks, tag) for tag in (0x00191001, 0x0019FF01)} == {"GEMS_ACQU_01"}


def test_a_block_claimed_twice_belongs_to_nobody() -> None:
    blocks = blocks_of([(0x00190010, "GEMS_ACQU_01"), (0x00190010, "OTHER"), (0x00190011, "THIRD")])
    assert creator_of(blocks, 0x0019109E) == ""
    assert creator_of(blocks, 0x0019119E) == "THIRD"
    assert blocks_of([(0x00190010, "SAME"), (0x00190010, "SAME")]) == {}


@pytest.mark.parametrize("group", [0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF, 0x0018, 0x0000])
def test_groups_that_are_never_private_have_no_blocks(group: int) -> None:
    assert not is_private_group(group)
    assert blocks_of([(group << 16 | 0x10, "GEMS_ACQU_01")]) == {}


@pytest.mark.parametrize("element", [0x0000, 0x0001, 0x000F, 0x0100, 0x1010, 0xFFFF])
def test_only_the_elements_10_to_ff_claim_a_block(element: int) -> None:
    assert blocks_of([(0x00190000 | element, "GEMS_ACQU_01")]) == {}


@pytest.mark.parametrize("tag", [0x00190010, 0x00190110, 0x00190F9E])
def test_a_creator_and_an_element_below_the_blocks_belong_to_nobody(tag: int) -> None:
    assert creator_of(blocks_of([(0x00190010, "GEMS_ACQU_01")]), tag) == ""


def test_a_creator_without_a_value_owns_nothing() -> None:
    assert blocks_of([(0x00190010, "  \0")]) == {}


def test_blocks_are_the_same_in_whichever_order_they_were_read() -> None:
    creators = [(0x00290011, "B"), (0x00190010, "A"), (0x00290010, "C")]
    assert blocks_of(creators) == blocks_of(reversed(creators)) == {0x1910: "A", 0x2910: "C", 0x2911: "B"}
