"""The standard's tables: whole, as published, and every row an answer."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files

import pytest
from pydicom import uid
from pydicom.datadict import dictionary_VR

from anonymizer import ProfileError, TableError, load_profile, profile_names
from anonymizer.engine import tables
from anonymizer.engine.rules import Action, Rules, resolve
from anonymizer.engine.types import UNDEFINED, UNKNOWN, Place, place_of

TABLE = "table_E_1-1.json"
ROWS = tables.confidentiality_rows()
PROFILES = ("basic", "research")
RULES = {name: Rules(load_profile(name)) for name in PROFILES}


def text(name: str = TABLE) -> str:
    return files("anonymizer").joinpath("tables", name).read_text(encoding="utf-8")


def tag_of(row: tables.Row) -> int | None:
    """Return the tag of a row that is about one attribute."""
    match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", row.tag)
    return int(match[1] + match[2], 16) if match else None


def vr_of(tag: int) -> str:
    """Return the VR, UN for the attributes of 2026d that are newer than the dictionary at hand."""
    try:
        return dictionary_VR(tag).split(" ")[0]
    except KeyError:
        return "UN"


def test_the_table_has_the_657_rows_of_edition_2026d() -> None:
    assert len(ROWS) == 657
    assert len({row.tag for row in ROWS}) == 657
    assert tables.EDITION == json.loads(text())["edition"] == "2026d"


@pytest.mark.parametrize("name", [TABLE, "cid_7050.json"])
def test_a_shipped_table_carries_the_line_of_its_publisher(name: str) -> None:
    assert "NEMA" in json.loads(text(name))["acknowledgement"]


@pytest.mark.parametrize(
    ("letter", "other"),
    [
        ('"(0010,0010)"', '"(0010,0011)"'),
        ('"basic": "Z"', '"basic": "K"'),
        ('"basic": "X/D"', '"basic": "X"'),
        ('"Accession Number"', '"Accession number"'),
        ('"retain_uids": "K"', '"retain_uids": "C"'),
    ],
)
def test_a_table_with_one_letter_changed_is_refused(letter: str, other: str) -> None:
    assert letter in text()
    with pytest.raises(TableError, match="not the published one"):
        tables.published_rows(TABLE, text().replace(letter, other, 1))


def test_a_table_that_brings_its_own_digest_is_refused_too() -> None:
    table = json.loads(text())
    table["rows"][0]["basic"] = "K"
    table["rows_sha256"] = tables.rows_digest(table["rows"])
    with pytest.raises(TableError):
        tables.published_rows(TABLE, json.dumps(table))


@pytest.mark.parametrize("broken", ["", "{}", "[]", "null", '{"rows": []}', "<table>", '{"rows": 7}'])
def test_what_is_no_table_is_refused(broken: str) -> None:
    with pytest.raises(TableError, match="install Entwash again"):
        tables.published_rows(TABLE, broken)


def test_a_row_less_and_two_rows_turned_are_refused() -> None:
    rows = json.loads(text())["rows"]
    for changed in (rows[1:], rows[::-1], [*rows, rows[0]]):
        with pytest.raises(TableError):
            tables.published_rows(TABLE, json.dumps({"rows": changed}))


def test_spaces_and_the_order_of_fields_are_not_content() -> None:
    table = {"rows": [dict(reversed(row.items())) for row in json.loads(text())["rows"]]}
    assert len(tables.published_rows(TABLE, json.dumps(table, indent=7))) == 657


def test_the_codes_are_those_that_the_standard_knows() -> None:
    codes = {"X": 417, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2}
    assert Counter(row.basic for row in ROWS) == codes
    assert {code for row in ROWS for code in row.options.values()} == {"K", "C"}


def test_the_methods_of_cid_7050_are_all_there() -> None:
    methods = tables.method_codes()
    assert {str(code) for code in range(113100, 113113)} <= set(methods)
    assert methods["113107"] == "Retain Longitudinal Temporal Information Modified Dates Option"


# What a code comes to, by the Type of the attribute in its IOD: undefined, 3, 2, 1, unknown IOD.
RESOLVED = {
    "X": "XXZDX",
    "Z": "ZZZDZ",
    "D": "XDDDD",
    "U": "UUUUU",
    "X/Z": "XXZDZ",
    "X/D": "XXDDD",
    "X/Z/D": "XXZDD",
    "Z/D": "ZZZDD",
    "X/Z/U*": "WWWWW",
}
LETTERS = {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY, "U": Action.UID, "W": Action.WALK}


@pytest.mark.parametrize("code", RESOLVED)
def test_a_code_is_resolved_by_the_type_that_the_iod_gives(code: str) -> None:
    found = [resolve(code, kind) for kind in ("", "3", "2", "1", "?")]
    assert found == [LETTERS[letter] for letter in RESOLVED[code]]


def test_every_code_of_the_table_is_one_of_these() -> None:
    assert {row.basic for row in ROWS} == set(RESOLVED)


def test_every_row_is_a_rule_of_its_own_but_four_that_are_about_many_attributes() -> None:
    many = {row.tag for row in ROWS if tag_of(row) is None}
    assert many == {"(gggg,eeee) where gggg is odd", "(50xx,xxxx)", "(60xx,3000)", "(60xx,4000)"}
    assert len(RULES["basic"]._rows) == 657 - 4


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "place", [UNDEFINED, UNKNOWN, place_of(uid.CTImageStorage)], ids=["undefined", "unknown", "CT"]
)
def test_the_rows_about_many_attributes_remove_each_of_them(profile: str, place: Place) -> None:
    tags = [0x00090010, 0x00291001, 0x50000010, 0x501E3000, 0x60003000, 0x601E4000, 0x60021500, 0x60000022]
    assert {RULES[profile].answer(tag, "LO", place).action for tag in tags} == {Action.REMOVE}


@pytest.mark.parametrize("kind", ["", "1", "2", "3", "?"])
@pytest.mark.parametrize("profile", PROFILES)
def test_no_answer_to_a_row_keeps_text_but_for_patient_characteristics(profile: str, kind: str) -> None:
    kept = {
        row.tag
        for row in ROWS
        if (tag := tag_of(row)) and RULES[profile].rule(tag, vr_of(tag), kind).action in {Action.KEEP, Action.CAP_AGE}
    }
    allowed = {row.tag for row in ROWS if row.options.get("retain_patient_characteristics") == "K"}
    assert kept <= (allowed if profile == "research" else set())


def test_a_profile_has_a_digest_of_what_decides() -> None:
    basic, research = (load_profile(name) for name in PROFILES)
    assert basic.digest != research.digest
    assert load_profile("basic").digest == basic.digest
    assert re.fullmatch("[0-9a-f]{64}", basic.digest)


def test_the_profiles_are_the_two_that_are_shipped_and_no_other_loads() -> None:
    assert profile_names() == sorted(PROFILES)
    for name in ("", "Basic", "../profiles/basic", "none"):
        with pytest.raises(ProfileError, match="basic, research"):
            load_profile(name)


def test_a_profile_claims_the_codes_of_its_options() -> None:
    assert RULES["basic"].claims == ("113100",)
    assert set(RULES["research"].claims) == {"113100", "113105", "113107", "113108", "113111"}
    assert set(RULES["research"].claims) <= set(tables.method_codes())
