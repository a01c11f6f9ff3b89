"""A reader finds the room of any rule: the maps of engine, gate and flows name every module and table there is."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import flows
from anonymizer import engine, gate

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "anonymizer" / "tables"
HOUSES = {"engine": engine, "gate": gate, "flows": flows}
LINE = re.compile(
    r"    (?P<asked>\S[^(#]{50,51}) ?(?P<rooms>[a-z_0-9]+(?:\.\w+)*(?:, [a-z_0-9]+(?:\.\w+)*)*)"
    r"(?: {2,}(?P<table>\S.*))?"
)

in_every_house = pytest.mark.parametrize("house", HOUSES)


def lines(house: str) -> list[re.Match[str]]:
    """Return the lines of a map: what is asked, the rooms that answer, and the table that they ask."""
    text = HOUSES[house].__doc__ or ""
    return [found for line in text.splitlines() if (found := LINE.fullmatch(line))]


def rooms(house: str) -> list[str]:
    return [room for line in lines(house) for room in line["rooms"].split(", ")]


def modules(house: str) -> set[str]:
    """Return the modules of a house, those of a package in it by both names."""
    folder = Path(str(HOUSES[house].__file__)).parent
    found = {path.relative_to(folder).with_suffix("").as_posix().replace("/", ".") for path in folder.rglob("*.py")}
    return {name.removesuffix(".__init__") for name in found} - {"__init__"}


def found(house: str, room: str) -> tuple[str, object]:
    """Return the module that a room of the map stands for, and the thing itself."""
    module = next((one for one in sorted(modules(house), reverse=True) if f"{room}.".startswith(f"{one}.")), "")
    assert module, f"there is no room {room}"
    at: object = import_module(f"{HOUSES[house].__name__}.{module}")
    for name in filter(None, room.removeprefix(module).split(".")):
        at = getattr(at, name)
    return module, at


@in_every_house
def test_every_module_stands_on_the_map(house: str) -> None:
    assert len(modules(house)) > 20
    assert modules(house) - {found(house, room)[0] for room in rooms(house)} == set()


@in_every_house
def test_every_room_on_the_map_is_there(house: str) -> None:
    for room in rooms(house):
        name, thing = found(house, room)
        assert isinstance(thing, ModuleType) == (room == name)


@in_every_house
def test_every_line_of_the_map_is_one_that_these_tests_read(house: str) -> None:
    text = HOUSES[house].__doc__ or ""
    indented = [line for line in text.splitlines() if line.startswith("    ") and "(" not in line]  # which is code
    assert len(indented) == len(lines(house)) > 15
    asked = [line["asked"].strip() for line in lines(house)]
    assert len(set(asked)) == len(asked)


def test_every_table_stands_on_the_map_of_the_engine_and_every_table_there_is_one() -> None:
    named = {line["table"].split(" ")[0] for line in lines("engine") if line["table"]}
    assert {path.name for path in TABLES.iterdir()} - named == set()
    others = {"../profiles", "tables.REGISTERED_UIDS"}
    assert {name for name in named - others if not (TABLES / name).exists()} == set()
    assert (TABLES / "../profiles").is_dir()
    assert found("engine", "tables.REGISTERED_UIDS")


def test_every_section_that_the_map_names_is_in_its_table() -> None:
    sections = [line["table"].split(" ") for line in lines("engine") if " " in (line["table"] or "")]
    assert len(sections) > 2
    for table, section in sections:
        assert f"\n{section}\n" in (TABLES / table).read_text(encoding="utf-8")


def test_every_table_of_the_flows_stands_on_their_map() -> None:
    folder = ROOT / "flows"
    tables = {path.relative_to(folder).as_posix() for path in (folder / "tables").iterdir()}
    assert {line["table"] for line in lines("flows") if line["table"]} == tables


def test_the_readme_leads_to_every_map() -> None:
    house = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## The house\n")[1].split("\n## ")[0]
    for one in HOUSES.values():
        assert f"]({Path(str(one.__file__)).relative_to(ROOT).as_posix()})" in house
