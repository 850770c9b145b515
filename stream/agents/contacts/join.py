"""Both sides of a run have arrived: join them and answer what changed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from stream.agents.barriers import forget_older
from stream.agents.contacts.answers import after_sweep, facts, seen
from stream.agents.contacts.state import IdentityState, JoinBarrier, barrier_key, barriers_of, identities_of
from stream.contracts import topics
from stream.contracts.facts import FACTS, SweepSeen
from stream.contracts.names import account_key
from stream.engine.turn import Turn

NEVER = (0, -1)
"""Of a sweep whose beginning is not in the log any more: nothing was linked before it, so nobody is judged absent."""


class Join:
    """Walk every identity of the org, once per run. See `stream.engine.unit.Wide`."""

    def __init__(self, org: str, run: str, at: int, barrier: JoinBarrier) -> None:
        self.prefixes: Sequence[bytes] = (identities_of(org),)
        self._org, self._run, self._at, self._barrier = org, run, at, barrier

    def resume(self, gathered: bytes) -> None:
        """Nothing is gathered: each identity is answered for itself."""

    def gathered(self) -> bytes:
        """See `resume`."""
        return b"-"

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Answer for one identity."""
        known = turn.state.get(key, IdentityState)
        if known is None:
            return
        started, attempt = self._barrier.sweep_started_at, self._barrier.swept
        if not known.links and not known.asked and not seen(known, self._run, attempt):
            turn.state.delete(key)  # nobody's, and no longer the provider's
            return
        began = self._barrier.began.get(attempt, NEVER)
        state, answer = after_sweep(known, self._run, attempt, began)
        if state != known:
            turn.state.put(key, state)
        if answer is None:
            return
        identity = key.decode().partition(":")[2]
        observed_at = state.row.observed_at if state.row else started
        for customer, fact in facts(identity, answer, turn.version, observed_at=observed_at, sweep_started_at=started):
            value = FACTS.encode(fact, org=self._org, customer=customer, at=self._at, source=turn.source)
            turn.emit(topics.FACTS, account_key(self._org, customer), value)

    def finish(self, turn: Turn) -> None:
        """Tell every accounts partition that this one has joined."""
        place, attempt = turn.place, self._barrier.swept
        body = SweepSeen(self._run, attempt, place.partition, place.partitions, self._barrier.sweep_started_at)
        event_id = f"{self._run}:{attempt}:{place.partition}:SweepSeen"
        value = FACTS.encode(body, org=self._org, at=self._at, source=turn.source, event_id=event_id)
        turn.emit_everywhere(topics.FACTS, self._org.encode(), value)
        turn.state.put(barrier_key(self._org, self._run), replace(self._barrier, decided=True))
        forget_older(turn, barriers_of(self._org), JoinBarrier, self._barrier.since)
