"""Every case has a test, in the module of its heading, and none of them is skipped."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.cases import HEADINGS, LINKED, TESTS

HERE = Path(__file__).parent
MODULES = {heading: import_module(f"tests.cases.test_{heading}") for heading in HEADINGS}
ELSEWHERE = {name: import_module(f"tests.{name}") for name in LINKED}


def test_there_are_110_cases_under_seven_headings() -> None:
    assert [number for numbers in HEADINGS.values() for number in numbers] == list(range(1, 111))
    assert {path.stem for path in HERE.glob("test_*.py")} == {f"test_{one}" for one in (*HEADINGS, "every_case")}


@pytest.mark.parametrize("number", range(1, 111))
def test_a_case_has_a_test_under_its_heading(number: int) -> None:
    (heading,) = (name for name, numbers in HEADINGS.items() if number in numbers)
    modules = {test.__module__ for test in TESTS[number]}
    assert MODULES[heading].__name__ in modules
    assert modules <= {MODULES[heading].__name__, *(module.__name__ for module in ELSEWHERE.values())}


def test_what_is_about_other_systems_is_tested_on_those_systems_too() -> None:
    def linked(number: int) -> set[str]:
        return {
            name for name, module in ELSEWHERE.items() if module.__name__ in {one.__module__ for one in TESTS[number]}
        }

    assert linked(104) == {"test_crash", "test_ledger", "test_one_run", "test_orthanc", "test_worker"}
    assert linked(105) == {"test_one_run", "test_orthanc", "test_worker"}  # logs; what Prefect keeps
    assert linked(107) == {"test_one_run"}  # what Orthanc notes beside an object
    assert set(LINKED) == {name for number in TESTS for name in linked(number)}


def test_every_test_says_which_case_it_is_about_and_is_named_as_a_sentence() -> None:
    for module in MODULES.values():
        about = {test.__name__ for tests in TESTS.values() for test in tests if test.__module__ == module.__name__}
        named = {name for name, one in vars(module).items() if name.startswith("test_") and callable(one)}
        assert named == about
        assert all(len(name.split("_")) > 4 for name in named)


def test_none_is_skipped() -> None:
    marks = [mark.name for tests in TESTS.values() for test in tests for mark in getattr(test, "pytestmark", [])]
    assert set(marks) <= {"parametrize", "usefixtures"}
    # Two gibibytes are not there on every disk; nothing else is a reason.
    modules = (*MODULES.values(), *ELSEWHERE.values())
    written = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    assert re.findall(r"skip\w*\(|xfail|importorskip", written) == ["skip("]
