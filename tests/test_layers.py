"""Who may know whom: the library no network and no flow, the flows no DICOM, the gate no engine."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTSIDE_WORLD = {
    "prefect",
    "httpx",
    "pyorthanc",
    "urllib3",
    "duckdb",
    "requests",
    "aiohttp",
    "socket",
    "sqlite3",
    "typer",
    "rich",
}
MADE_AT_RUN_TIME = "a name that is made at run time"


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has moved; so must these tests"
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever the statement stands."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*above, *([node.module] if node.module else [])))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "__import__",
            "import_module",
            "importlib.import_module",
        }:
            name = node.args[0]
            yield str(name.value) if isinstance(name, ast.Constant) else MADE_AT_RUN_TIME


def breaches(folder: str, forbidden: set[str]) -> list[str]:
    """Return who imports what it must not."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imported(path)
        if any(name == one or name.startswith(f"{one}.") for one in forbidden | {MADE_AT_RUN_TIME})
    ]


def test_the_library_knows_no_network_no_database_and_no_prefect() -> None:
    assert breaches("anonymizer", OUTSIDE_WORLD) == []


def test_the_library_knows_neither_the_flows_nor_the_deployments_nor_the_tests() -> None:
    assert breaches("anonymizer", {"flows", "deployments", "tests"}) == []


def test_the_flows_never_parse_dicom() -> None:
    assert breaches("flows", {"pydicom", "gdcm", "SimpleITK", "dicomweb_client"}) == []


def test_the_flows_use_the_library_by_its_front_door() -> None:
    assert breaches("flows", {"anonymizer.engine", "deployments", "tests"}) == []


def test_the_gate_and_the_engine_do_not_know_each_other() -> None:
    assert breaches("anonymizer/gate", {"anonymizer.engine", "anonymizer.folder", "anonymizer.Anonymizer"}) == []
    assert breaches("anonymizer/engine", {"anonymizer.gate", "anonymizer.folder", "anonymizer.proof"}) == []


def test_the_gate_has_no_key() -> None:
    assert breaches("anonymizer/gate", {"hmac", "cryptography", "anonymizer.Key", "anonymizer.Pseudonyms"}) == []


@pytest.mark.parametrize(
    "source",
    [
        "import prefect.flows",
        "from prefect import flow",
        "def f():\n    from prefect.events import emit_event",
        "try:\n    import prefect\nexcept ImportError:\n    pass",
        "from importlib import import_module\nimport_module('prefect')",
        "name = 'prefect'\n__import__(name)",
        "from ..prefect import flow",
    ],
)
def test_an_import_is_found_wherever_it_hides(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house" / "room").mkdir(parents=True)
    (tmp_path / "house" / "room" / "module.py").write_text(source)
    monkeypatch.setattr("tests.test_layers.ROOT", tmp_path)
    assert breaches("house", {"prefect", "house.prefect"})


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("anonymizer", "flows")
        for path in modules(folder)
    }
    assert {path for path, length in lengths.items() if length > 400} == set()
