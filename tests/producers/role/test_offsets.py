from __future__ import annotations

import pytest

from producers.role.offsets import Offsets


@pytest.mark.parametrize(
    ("begun", "finished", "position"),
    [
        ([], [], None),
        ([5], [], 5),
        ([5], [5], 6),
        ([5, 6, 9], [6, 9], 5),
        ([5, 6, 9], [5, 9], 6),
        ([5, 6, 9], [9, 6, 5], 10),
        ([5], [5, 5, 4], 6),
    ],
)
def test_everything_before_the_position_is_done(begun: list[int], finished: list[int], position: int | None) -> None:
    offsets = Offsets()
    assert all(offsets.begin(offset) for offset in begun)
    for offset in finished:
        offsets.finish(offset)
    assert offsets.position == position


def test_a_command_that_is_read_again_is_not_begun_again() -> None:
    offsets = Offsets()
    assert offsets.begin(5)
    assert offsets.begin(6)
    offsets.finish(6)
    assert not offsets.begin(5)
    assert not offsets.begin(6)
    assert offsets.begin(7)
    assert offsets.position == 5
