"""What the README says is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from anonymizer import profile_names
from flows.cli import app
from flows.ledger import lineage
from tests.hospital import Place

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_come_first() -> None:
    first = [line for line in README.splitlines() if line][1:3]
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    path, _, section = target.partition("#")
    assert (ROOT / path).exists()
    if section:
        assert f"## {section.replace('-', ' ')}\n" in (ROOT / path).read_text(encoding="utf-8").lower()


def test_every_command_that_it_shows_exists() -> None:
    shown = set(re.findall(r"entwash ([a-z]+)", README))
    assert shown == {"anonymize", "backfill", "held", "keygen", "keyid", "profile", "reconcile", "run", "verify"}
    for command in shown:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_every_profile_is_named() -> None:
    assert all(f"`{name}`" in README for name in profile_names())


def test_every_question_to_the_lineage_tables_can_be_asked(place: Place) -> None:
    place.desk().ledger.close()
    questions = re.findall(r"```sql\n(.*?)```", README, flags=re.DOTALL)
    assert len(questions) == 6
    with lineage.connect(place.folder / "lineage") as tables:
        for question in questions:
            lineage.rows(tables, question)


def test_its_figures_of_speed_are_those_of_the_page() -> None:
    rows = [
        line
        for line in README.splitlines()
        if re.match(r"\| (Entwash|dcmanon|dicognito|dicom-anonymizer|idiscore) ", line)
    ]
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    measured: dict[str, list[str]] = {}
    for line in page.splitlines():
        name, *cells = line.split(" | ")
        measured.setdefault(name, cells[:3])
    assert len(rows) == 5
    for row in rows:
        name, *cells = row.removesuffix(" |").split(" | ")
        assert [cell.removesuffix(" |") for cell in measured[name]] == cells
