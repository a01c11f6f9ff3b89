"""What the page of a held study is made of: advice for every code, names of places, values, and texts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from anonymizer.gate import Evidence
from anonymizer.gate.identifiers import BIRTH_DATE, DATE, PATIENT, Identifier
from anonymizer.gate.verdict import COUNTED
from anonymizer.mentions import mentions
from anonymizer.reveal import name_of, sop_instance_uid_of, values_at
from flows.held.page import advice
from flows.ledger.records import DifferenceKind
from flows.outcome import POINTS_AT_HELD
from flows.selection import WAITS_FOR_IMAGES
from flows.withdrawal import WITHDRAWN
from tests import samples
from tests.samples import element, item, sequence

ROOT = Path(__file__).parents[1]
ADVICE = tomllib.loads((ROOT / "flows/tables/advice.toml").read_text("utf-8"))
NO_KINDS = {"birth-date", "de-identified", "frame-of-reference"}


def kinds() -> set[str]:
    """Return every word with a hyphen that the gate says, but for those that are no kinds, and its one kind without."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "anonymizer/gate").glob("*.py"))
    return {*re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source), "unreadable"} - NO_KINDS


def test_every_kind_of_finding_has_its_advice_and_no_other() -> None:
    assert set(ADVICE["findings"]) == kinds()


def test_every_kind_that_verify_adds_has_its_advice_and_no_other() -> None:
    source = (ROOT / "anonymizer/proof.py").read_text("utf-8")
    assert set(ADVICE["folder"]) == set(re.findall(r'"((?:source|output)-[a-z]+)"', source))
    assert all(advice(kind) for kind in ADVICE["folder"])


def test_every_code_of_the_flow_and_of_the_engine_has_its_advice() -> None:
    assert all(
        advice(code)
        for code in ("conflict", POINTS_AT_HELD, WAITS_FOR_IMAGES, WITHDRAWN, "burned-in-risk", "instance-twice")
    )
    assert advice("of a later version") == ""


def test_every_difference_that_a_reconciliation_finds_has_its_advice_and_no_other() -> None:
    sql = (ROOT / "flows/tables/reconcile.sql").read_text("utf-8").split("CREATE TEMP VIEW mending")[1].split(";")[0]
    reasons = {f"not-in-cloud/{reason}" for reason in re.findall(r"THEN '([a-z-]+)'", sql)}
    assert set(ADVICE["differences"]) == {*get_args(DifferenceKind), *reasons}


def test_every_count_of_the_verdict_has_its_words() -> None:
    assert set(ADVICE["checks"]) == set(COUNTED)


# places and values


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("(0008,0070)", "Manufacturer"),
        ("(0008,0016) UI", "SOP Class UID"),
        ("(3006,0010)[1].(0020,0052)", "Referenced Frame of Reference Sequence > Frame of Reference UID"),
        ("(0009,1001)", "a private attribute"),
        ("(0008,9999)", "an attribute that the dictionary does not know"),
        ("", ""),
    ],
)
def test_a_place_has_the_names_of_its_attributes(path: str, name: str) -> None:
    assert name_of(path) == name


SOURCE = samples.ct(
    element(0x00080070, "LO", "ACME"),
    element(0x00090010, "LO", "X"),
    element(0x00091001, "OB", b"Quill\x1b[2J"),
    sequence(0x0040A730, item(element(0x0040A160, "UT", "first")), item(element(0x0040A160, "UT", "y" * 130))),
)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("(0008,0070)", ["ACME"]),
        ("(0040,A730)[1].(0040,A160)", ["first"]),
        ("(0040,A730)[3].(0040,A160)", ["(nothing stands there)"]),
        ("(0040,A730)", ["(2 items)"]),
        ("(0040,A160) UT", ["first", f"{'y' * 120}… (130 characters)"]),
        ("(0009,1001)", ["(10 octets) Quill\\x1b[2J\\x00"]),
        ("(0002,0010)", ["1.2.840.10008.1.2.1"]),
        ("", []),
    ],
)
def test_what_stands_at_a_place_is_shown_in_characters_that_a_terminal_only_prints(
    path: str, values: list[str]
) -> None:
    assert values_at(SOURCE, path) == values


@pytest.mark.parametrize("data", [b"", b"Quillfeather", SOURCE[:200], SOURCE[:-3]])
def test_of_what_cannot_be_read_nothing_is_raised(data: bytes) -> None:
    assert len(values_at(data, "(0010,0010)")) == 1
    assert isinstance(sop_instance_uid_of(data), str)


def test_nothing_is_warned_of_with_a_value() -> None:
    """Warnings are errors here, and pydicom's quote what is wrong."""
    odd = samples.ct(element(0x00080005, "CS", "QUILLFEATHER"), element(0x00100020, "LO", "x" * 100))
    assert values_at(odd, "(0010,0010)")


# texts


def source(*identifiers: Identifier) -> list[Evidence]:
    return [Evidence("2.25.1", identifiers=frozenset(identifiers))]


NAME, NUMBER, DAY = 0x00100010, 0x00100020, 0x00080020


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("asked for Quillfeather's scan", True),
        ("QUILLFEATHER", True),
        ("quillfeatherish", False),
        ("patient 4711-0815 called", True),
        ("of 2017-03-14", True),
        ("of 14.03.2017", True),
        ("Li is wrong", True),
        ("the liver and Lights", False),
        ("müller-lüdenscheidt", True),
        ("the profile removes it now", False),
    ],
)
def test_a_text_names_somebody_or_nobody(text: str, named: bool) -> None:
    known = source(
        Identifier(PATIENT, NAME, "Quillfeather"),
        Identifier(PATIENT, NAME, "Li"),
        Identifier(PATIENT, NAME, "Müller-Lüdenscheidt"),
        Identifier(PATIENT, NUMBER, "4711-0815"),
        Identifier(DATE, DAY, "20170314"),
        Identifier(BIRTH_DATE, 0x00100030, "19500101"),
        Identifier(PATIENT, 0x00200010, "1"),
    )
    assert mentions(text, known) is named


def test_every_kind_of_finding_stands_in_what_the_officer_reads() -> None:
    assurance = (ROOT / "docs/assurance.md").read_text("utf-8")
    assert sorted(kind for kind in kinds() if f"`{kind}`" not in assurance) == []
