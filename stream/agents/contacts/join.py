"""Both sides of a run have arrived: join them and answer what changed."""

from __future__ import annotations

from msgspec.structs import replace

from stream.agents.after_loss import is_after_loss
from stream.agents.barriers import forget_older
from stream.agents.contacts import movements
from stream.agents.contacts.answers import after_sweep, facts, seen
from stream.agents.contacts.state import IdentityState, JoinBarrier, barrier_key, barriers_of
from stream.agents.contacts.walk import IdentityWalk
from stream.contracts import topics
from stream.contracts.facts import FACTS, SweepSeen
from stream.contracts.names import account_key
from stream.engine.turn import Turn

NEVER = (0, -1)
"""Of a sweep whose beginning is not in the log any more: nothing was linked before it, so nobody is judged absent."""


def _not_asked_before(known: IdentityState, began: tuple[int, int]) -> IdentityState:
    """Without look-ups whose link has not come since before the sweep: it comes at once or not at all."""
    return replace(known, asked={}) if known.asked and known.asked_at < began else known


class Join(IdentityWalk):
    """Once per run."""

    def __init__(self, org: str, run: str, barrier: JoinBarrier) -> None:
        super().__init__(org, barrier.at)
        self._run, self._barrier = run, barrier

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Answer for one identity."""
        stored = turn.state.get(key, IdentityState)
        if stored is None:
            return
        identity = key.decode().partition(":")[2]
        started, attempt = self._barrier.sweep_started_at, self._barrier.swept
        began = self._barrier.began.get(attempt, NEVER)
        known = _not_asked_before(stored, began)
        if not known.links and not known.asked and not seen(known, self._run, attempt):
            turn.state.delete(key)  # nobody's, and no longer the provider's
            movements.forget(turn, self.org, identity)
            return
        again = is_after_loss(self._run)
        state, answer = after_sweep(known, self._run, attempt, began, again=again)
        if state != stored:
            turn.state.put(key, state)
        if answer is None:
            return
        movements.tell_with(turn, self.org, identity, answer, None if again else known.told, self.at)
        observed_at = state.row.observed_at if state.row else started
        for customer, fact in facts(identity, answer, turn.version, observed_at=observed_at, sweep_started_at=started):
            value = FACTS.encode(fact, org=self.org, customer=customer, at=self.at, source=turn.source)
            turn.emit(topics.FACTS, account_key(self.org, customer), value)

    def finish(self, turn: Turn) -> None:
        """Tell every accounts partition that this one has joined."""
        place, attempt = turn.place, self._barrier.swept
        body = SweepSeen(self._run, attempt, place.partition, place.partitions, self._barrier.sweep_started_at)
        self.tell_everywhere(turn, body, f"{self._run}:{attempt}:{place.partition}:SweepSeen")
        turn.state.put(barrier_key(self.org, self._run), replace(self._barrier, decided=True))
        forget_older(turn, barriers_of(self.org), JoinBarrier, self._barrier.since)
