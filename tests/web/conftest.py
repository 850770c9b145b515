"""One world for each test of a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.world import World, world_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_of(tmp_path)
