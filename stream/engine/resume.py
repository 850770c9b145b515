"""Where a partition goes on: its state's position against what the input log still holds."""

from __future__ import annotations

from typing import NamedTuple

from stream.engine.state import Position


class Resume(NamedTuple):
    """`next_offset` to read. `stop`: why the partition must not go on. `new_epoch`: what state includes is no longer
    what the log says, so it counts anew and says everything again."""

    next_offset: int
    stop: str | None = None
    new_epoch: bool = False


def resume(position: Position, log_start: int, log_end: int, *, heals: bool = False) -> Resume:
    """Decide how to go on.

    `log_start` is the first offset the log still has, `log_end` the next one it will give. Gaps inside are
    normal (commit markers and aborted records take offsets); a log that *begins* beyond the position has
    deleted records that were never applied, and one that *ends* before it has lost its tail. `heals`: the agent can
    ask for what it missed.
    """
    following = position.offset + 1
    if following > log_end:
        return Resume(log_end, new_epoch=True)
    if log_start <= following:
        return Resume(following)
    if heals:
        return Resume(log_start, new_epoch=True)
    return Resume(following, stop=_HOLE.format(following, log_start))


_HOLE = (
    "records {} to {} (exclusive) were deleted before they were applied. Going on would lose them silently: "
    "restore the topic, or rebuild from the vendors with `loyalty backfill`."
)
