"""The whole system on an in-memory log in virtual time, for a few seeds; `make sim` takes many."""

from __future__ import annotations

import pytest

from tests.simulation.story import simulate

SEEDS = (1000, 1001, 1003, 1004, 1005, 1006)
"""Short ones; 1005 is a hostile world."""


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_busy_time_quiet_runs_end_with_the_truth(seed: int) -> None:
    """Real producers and agents, live trade, every kind of run, deaths, lost disks, late and repeated records."""
    assert simulate(seed, acts=1).runs > 0


def test_the_same_seed_tells_the_same_story() -> None:
    """Otherwise a seed that fails could not be looked into."""
    assert simulate(1_000, acts=1) == simulate(1_000, acts=1)
