"""Agents touch their own state and what they emit: a replay must give the same whenever it is made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stream.agents

AGENTS = Path(stream.agents.__file__).parent
MODULES = sorted(path for path in AGENTS.rglob("*.py") if "schedule" not in path.parts)
FORBIDDEN = {
    "aiokafka", "asyncio", "datetime", "faust", "google", "http", "httpx", "io", "logging", "os", "pathlib",
    "random", "requests", "secrets", "socket", "sqlite3", "structlog", "subprocess", "threading", "time",
    "urllib", "uuid",
}  # fmt: skip
BUILT_IN = {"open", "print", "input", "hash", "id", "globals", "exec", "eval"}
"""`hash` of a text differs from process to process, `id` from object to object."""


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(AGENTS)))
def test_an_agent_has_no_clock_no_randomness_and_no_way_out(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = imported(tree)
    assert {name.partition(".")[0] for name in names} & FORBIDDEN == set()
    assert not any(
        name.startswith(("stream.engine.faust", "stream.sinks", "stream.web", "producers")) for name in names
    )
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called & BUILT_IN == set()


def test_all_agents_are_looked_at() -> None:
    assert {path.parent.name for path in MODULES} >= {"accounts", "contacts", "runs"}
