"""A record's own fault, or ours? Dead letters are counted; too many of them stop the partition.

One broken record must not stop a shop's points. A bad deploy or bad settings break every record: turning
them all into dead letters would be a silent loss.
"""

from __future__ import annotations

from stream.contracts import dead_letters
from stream.contracts.topics import DEAD_LETTERS
from stream.engine.ports import Input
from stream.engine.state import FAULTS, Faults
from stream.engine.turn import Turn

WINDOW_OFFSETS = 1000
ALLOWED = 20


def too_many(faults: Faults, offset: int) -> bool:
    """Would one more fault, at `offset`, be more than `ALLOWED` within `WINDOW_OFFSETS`?"""
    return len(_recent(faults, offset)) >= ALLOWED


def give_up(turn: Turn, record: Input, error: Exception, at: int, org: str) -> None:
    """Write the record to `dead-letters` with the reason, and count it in state."""
    headers = dead_letters.headers(
        org=org,
        at=at,
        stage=turn.place.agent,
        reason=str(error) or type(error).__name__,
        exception=type(error).__name__,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
    turn.emit(DEAD_LETTERS, record.key or b"", record.value or b"", (*record.headers, *headers))
    faults = turn.state.get(FAULTS, Faults) or Faults()
    offsets = (*_recent(faults, record.offset), record.offset)
    turn.state.put(FAULTS, Faults(offsets, faults.stopped_at))


def _recent(faults: Faults, offset: int) -> tuple[int, ...]:
    return tuple(o for o in faults.offsets if o > offset - WINDOW_OFFSETS)
