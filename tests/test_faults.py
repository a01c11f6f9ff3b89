"""Every fault is caught, by its name, and the page in docs says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.every_value import unseen
from tests.faults.outputs import NAMES, Fault, Outputs, kinds_of, proven
from tests.faults.page import all_faults, page_of, row

PAGE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"
FAULTS = all_faults()


def test_clean_outputs_have_none() -> None:
    assert proven(Outputs()) == []


def test_outputs_that_are_only_written_again_have_none() -> None:
    outputs = Outputs()
    for name in NAMES:
        outputs[name].walk(lambda _, element: element.value)
    assert proven(outputs) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of what it is made to write
def test_a_fault_is_caught_by_its_name(fault: Fault) -> None:
    kinds = kinds_of(fault)
    assert fault.kind in kinds
    assert row(fault, kinds) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_is_what_the_program_prints() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| fault")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [fault.what for fault in FAULTS]
    assert len({fault.what for fault in FAULTS}) == len(FAULTS) >= 40
    assert PAGE.read_text(encoding="utf-8") == page_of(rows)
    sys.stdout.write("\n".join(rows))  # `pytest -rP` shows the table


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_value_but_a_uid_can_be_another_one() -> None:
    # Of a UID only the other files of a study tell that it is not the one.
    assert {value for value in unseen() if value[1] != "UI"} == set()
