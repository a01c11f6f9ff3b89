"""No false alarm: of what the engine makes of a drawn instance, whatever stands in it, the gate finds nothing wrong.

`make test-gate` draws ten thousand.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from pydicom import data as pydicom_data

from anonymizer import Anonymizer, Released
from anonymizer.engine.profile import OPTION_CODES
from anonymizer.gate import Examiner, Finding, Gate
from deployments.demo import studies
from tests import samples
from tests.gate_instances import instances

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data" / "dicom"
FAR = date(2100, 1, 1)  # drawn and real dates that lie in the future are no false alarm, and another test's matter
EXAMPLES = int(os.environ.get("GATE_EXAMPLES", "200"))
ENGINES: dict[str, Anonymizer] = {**samples.ENGINES, **{option: samples.engine(option) for option in OPTION_CODES}}
OFTEN = ["basic", "research", "research", *sorted(ENGINES)]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an instance of a hundred draws takes minutes to shrink
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(instances(), st.sampled_from(OFTEN))
def test_a_drawn_instance_gives_no_finding(source: bytes, profile: str) -> None:
    result = ENGINES[profile].anonymize(source)
    event(type(result).__name__)
    if not isinstance(result, Released):
        return
    gate = Gate()
    gate.add(Examiner(today=FAR).examine(source, result.data))
    gate.search(result.data)
    assert [(one.kind, one.path, one.rule) for one in gate.verdict().findings] == []


def new_findings(files: Iterable[bytes], profile: str) -> list[tuple[str, str, str]]:
    """Return what the gate finds in outputs of real files, but for names in texts, and patients mixed up there."""
    examiner = Examiner(today=FAR)
    flaws: list[Finding] = []
    for source in files:
        result = ENGINES[profile].anonymize(source)
        if isinstance(result, Released):
            flaws += examiner.examine(source, result.data).flaws
    return [(one.kind, one.path, one.rule) for one in flaws]


@pytest.mark.parametrize("profile", sorted(ENGINES))
def test_what_the_demo_becomes_gives_no_finding(profile: str) -> None:
    files = [bytes(one.data) for one in (*studies.north(), *studies.south())]
    assert new_findings(files[::4], profile) == []


@pytest.mark.parametrize("profile", ["basic", "research", "retain_safe_private"])
def test_what_the_files_that_pydicom_ships_become_gives_no_finding(profile: str) -> None:
    folder = Path(pydicom_data.__file__).parent / "test_files"
    assert new_findings((path.read_bytes() for path in sorted(folder.rglob("*.dcm"))), profile) == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not beside the project")
@pytest.mark.parametrize("profile", ["basic", "research"])
def test_what_real_studies_become_gives_no_finding(profile: str) -> None:
    files = [path for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    assert new_findings((path.read_bytes() for path in files[::2]), profile) == []
