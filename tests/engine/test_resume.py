"""Where a partition goes on, as a table."""

from __future__ import annotations

import pytest

from stream.engine.resume import Resume, resume
from stream.engine.state import Position


@pytest.mark.parametrize(
    ("included", "log_start", "log_end", "next_offset", "outcome", "because"),
    [
        (-1, 0, 0, 0, "goes on", "nothing was ever written"),
        (-1, 0, 9, 0, "goes on", "a new partition begins at the beginning"),
        (4, 0, 9, 5, "goes on", "the next one"),
        (8, 0, 9, 9, "goes on", "everything has been read"),
        (4, 5, 9, 5, "goes on", "what was deleted had been applied"),
        (4, 6, 9, 5, "stops", "offset 5 was deleted before it was applied"),
        (-1, 1, 9, 0, "stops", "offset 0 was deleted before it was applied"),
        (4, 9, 9, 5, "stops", "all was deleted, 5 to 8 before they were applied"),
        (9, 0, 9, 9, "new epoch", "state includes offset 9, which the log does not have"),
        (500, 0, 0, 0, "new epoch", "the log is empty, state is not"),
        (500, 100, 200, 200, "new epoch", "lost its tail; what is older than its start does not matter"),
    ],
)
def test_where_a_partition_goes_on(
    included: int, log_start: int, log_end: int, next_offset: int, outcome: str, because: str
) -> None:
    decision = resume(Position(0, included), log_start, log_end)

    assert decision.next_offset == next_offset, because
    assert (decision.stop is not None, decision.new_epoch) == (outcome == "stops", outcome == "new epoch"), because


def test_an_agent_that_can_ask_for_what_it_missed_begins_a_new_epoch_where_the_log_begins() -> None:
    assert resume(Position(0, 4), 6, 9, heals=True) == Resume(6, new_epoch=True)
    assert resume(Position(0, 4), 5, 9, heals=True) == Resume(5)
