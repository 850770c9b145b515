"""After a log lost records: ask for the run that finds out what is missing.

In such a run everything is said that is otherwise said once: what one agent told another may be among what was lost
before it was read. Runs say the settings in force again, contacts every answer.
"""

from __future__ import annotations

from stream.contracts import topics
from stream.contracts.runs import RUNS, RunKind, RunRequested
from stream.engine.turn import Turn

SAME_LOSS_MS = 300_000
"""Partitions that notice a loss within this time mean the same one: they are opened together, and a machine whose power
fails twice is not up again sooner."""
_SLOT = "after-loss-"


def request_run(turn: Turn, org: str, kind: RunKind, at: int) -> None:
    """Ask for a run of the org: the same one, whichever partitions notice the loss."""
    body = RunRequested(f"{org}:{kind.value}:{_SLOT}{at // SAME_LOSS_MS}", kind, turn.source)
    value = RUNS.encode(body, org=org, at=at, source=turn.source)
    turn.emit(topics.RUNS, org.encode(), value)


def is_after_loss(run: str) -> bool:
    """Whether the run was asked for because of a loss, by an agent or by a person with such an idempotency key."""
    return run.rpartition(":")[2].startswith(_SLOT)
