"""No false alarm: of what the engine makes of a drawn instance, whatever stands in it, the gate finds nothing wrong.

`make test-gate` draws ten thousand.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from anonymizer import Anonymizer, Released
from anonymizer.engine.profile import OPTION_CODES
from anonymizer.gate import Gate, examine
from tests import samples
from tests.gate_instances import instances

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
    gate.add(examine(source, result.data))
    gate.search(result.data)
    assert [(one.kind, one.path, one.rule) for one in gate.verdict().findings] == []
