"""SweepSeen: both sides are complete, so verdicts may change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from stream.agents.accounts.judging import count, judge
from stream.agents.accounts.statuses import unknown_statuses
from stream.agents.accounts.walks.of_accounts import OfAccounts
from stream.agents.barriers import Barrier, forget_older
from stream.contracts import topics
from stream.contracts.envelope import Event
from stream.contracts.facts import SweepSeen
from stream.contracts.runs import RUNS, RunTally, Tally
from stream.engine.turn import Turn
from stream.loyalty.balances import seen_in_sweep
from stream.loyalty.cases import is_open
from stream.loyalty.rules import Rules

_encode = msgspec.msgpack.Encoder().encode


class VerdictBarrier(Barrier, frozen=True, array_like=True, kw_only=True):
    """Which contacts partitions have joined a run's sweep, at which attempt. `decided`: verdicts are taken."""

    attempt: int = 0
    partitions: tuple[int, ...] = ()

    def arrived(self, seen: SweepSeen) -> VerdictBarrier:
        """With one more marker; a higher attempt replaces a lower one."""
        if self.decided or seen.attempt < self.attempt:
            return self
        before = self.partitions if seen.attempt == self.attempt else ()
        return replace(self, attempt=seen.attempt, partitions=tuple(sorted({*before, seen.partition})))

    def complete(self, partitions: int) -> bool:
        """All have joined and nothing has been decided yet."""
        return not self.decided and len(self.partitions) == partitions


def barriers_of(org: str) -> bytes:
    """Prefix of the barriers of an org."""
    return f"b|{org}|".encode()


def barrier_key(org: str, run: str) -> bytes:
    """Key of a run's barrier."""
    return barriers_of(org) + f"{run}|verdicts".encode()


class VerdictWalk(OfAccounts):
    """SweepSeen from everywhere: both sides are complete, so verdicts may change."""

    def __init__(self, event: Event[Any], data: SweepSeen, rules: Rules, barrier: VerdictBarrier) -> None:
        super().__init__(event, rules)
        self._data = data
        self._barrier = barrier
        self._counts: Counter[str] = Counter()

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._counts = Counter(asdict(msgspec.msgpack.decode(gathered, type=Tally)))

    def gathered(self) -> bytes:
        """What was counted so far."""
        return _encode(Tally(**self._counts))

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Judge one account; the walk-in pseudo-customer is nobody's, but for a case that it had as somebody."""
        book = self.book(turn, key)
        known = book.account()
        if known.walk_in:
            if known.review is not None and is_open(known.review.case):
                judge(book, known, self._data.run, self._data.sweep_started_at)
            return
        account = seen_in_sweep(known, self._data.sweep_started_at)
        count(judge(book, account, self._data.run, self._data.sweep_started_at), self._counts)

    def finish(self, turn: Turn) -> None:
        """Tell runs what was counted here, even when it is nothing."""
        place, data = turn.place, self._data
        unknown = unknown_statuses(turn, self.event.org, self.rules)
        body = RunTally(data.run, data.attempt, place.partition, place.partitions, Tally(**self._counts), unknown)
        value = RUNS.encode(body, org=self.event.org, at=self.event.at, source=turn.source)
        turn.emit(topics.RUNS, self.event.org.encode(), value)
        turn.state.put(barrier_key(self.event.org, data.run), replace(self._barrier, decided=True))
        forget_older(turn, barriers_of(self.event.org), VerdictBarrier, self._barrier.since)
