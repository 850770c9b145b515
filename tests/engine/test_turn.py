"""What is measured before it is sent."""

from __future__ import annotations

import pytest

from stream.contracts import topics
from stream.engine.memory.log import MemoryStore
from stream.engine.state import State
from stream.engine.turn import Place, Turn
from stream.errors import BadRecord


def a_turn() -> Turn:
    return Turn(State(MemoryStore()), Place("accounts", "facts", 0, 1, 0))


def test_a_large_record_may_have_a_header_without_a_value() -> None:
    """Others put their headers beside ours, and a dead letter has those of its record: it must not end the worker."""
    turn = a_turn()
    turn.emit(topics.DEAD_LETTERS, b"k", b"x" * 70_000, (("traceparent", None),))  # type: ignore[arg-type]  # Kafka has them
    assert len(turn.take_outputs()) == 1


def test_a_record_larger_than_its_topic_allows_is_a_bad_one() -> None:
    with pytest.raises(BadRecord, match="is over"):
        a_turn().emit(topics.FACTS, b"k", b"x" * (1 << 20))
