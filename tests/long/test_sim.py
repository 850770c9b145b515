"""Many stories of many shops, in virtual time (`make sim`; `SEEDS=1000 make sim`, `SEED=17 make sim`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.long.saying import say
from tests.simulation.story import Summary, simulate

pytestmark = [pytest.mark.sim, pytest.mark.timeout(300)]

DEFAULT_SEEDS = 200


def seeds() -> list[int]:
    """One seed where `SEED` names it, else so many as `SEEDS` says."""
    one = os.environ.get("SEED")
    return [int(one)] if one else list(range(int(os.environ.get("SEEDS", DEFAULT_SEEDS))))


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> Iterator[list[Summary]]:
    """What happened in the stories that ended well, told in one line at the end."""
    stories: list[Summary] = []
    yield stories
    total = sum(stories, Summary())
    say(request.config, f"simulated and right: {total}")


@pytest.mark.parametrize("seed", seeds())
def test_whatever_happens_quiet_runs_end_with_the_truth(seed: int, told: list[Summary]) -> None:
    try:
        told.append(simulate(seed))
    except BaseException as error:
        error.add_note(f"Once more: SEED={seed} make sim")
        raise
