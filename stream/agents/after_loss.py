"""After a log lost records: ask for the run that finds out what is missing."""

from __future__ import annotations

from stream.contracts import topics
from stream.contracts.runs import RUNS, RunKind, RunRequested
from stream.engine.turn import Turn

HOUR_MS = 3_600_000


def request_run(turn: Turn, org: str, kind: RunKind, at: int) -> None:
    """Ask for a run of the org. Partitions that notice within the hour ask for the same one."""
    body = RunRequested(f"{org}:{kind.value}:after-loss-{at // HOUR_MS}", kind, turn.source)
    value = RUNS.encode(body, org=org, at=at, source=turn.source)
    turn.emit(topics.RUNS, org.encode(), value)
