"""The gate stands apart: it shares no code with the engine that it judges."""

from __future__ import annotations

import ast
from pathlib import Path

from anonymizer import gate


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_gate_imports_nothing_of_the_house_but_itself() -> None:
    modules = list(Path(gate.__file__).parent.glob("*.py"))
    assert len(modules) > 10
    names = {name for path in modules for name in _imports(path)}
    house = {name for name in names if name.split(".")[0] in ("anonymizer", "flows", "deployments")}
    assert {name for name in house if not name.startswith("anonymizer.gate")} == set()


def test_what_the_gate_hands_out_is_what_it_names() -> None:
    assert gate.__all__ == [
        *("Against", "Earlier", "Evidence", "Examiner", "Finding", "Gate", "Link", "Reference", "Verdict"),
        *("examine", "links_of"),
    ]
    assert all(hasattr(gate, name) for name in gate.__all__)
