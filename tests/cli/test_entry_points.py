"""What the command line asks for is what bootstrap has."""

from __future__ import annotations

import inspect

import pytest

from stream.cli.entry_points import EntryPoints, bootstrap

ASKED = [name for name, member in inspect.getmembers(EntryPoints, inspect.isfunction) if not name.startswith("_")]


def test_all_parts_are_looked_at() -> None:
    assert {"demo", "watch_run", "create_key"} < set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_bootstrap_has_every_entry_point_with_the_same_parameters(name: str) -> None:
    asked = inspect.signature(getattr(EntryPoints, name)).parameters
    has = inspect.signature(getattr(bootstrap(), name)).parameters
    assert [parameter for parameter in asked if parameter != "self"] == list(has)[: len(asked) - 1]
