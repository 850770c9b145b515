"""Partition-wide facts: every account of an org is visited, in transactions over ranges of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from stream.agents.accounts.book import Book
from stream.agents.accounts.judging import judge, tally_of
from stream.agents.barriers import Barrier, forget_older
from stream.agents.links import LinkDigest
from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.entries import Cause
from stream.contracts.envelope import Event
from stream.contracts.facts import LinksRequested, OrdersSwept, SweepSeen
from stream.contracts.identities import IDENTITIES, LinksComplete
from stream.contracts.names import identity_key
from stream.contracts.runs import RUNS, RunTally, Tally
from stream.engine.partitioning import murmur2_partition
from stream.engine.state import accounts_of
from stream.engine.turn import Turn
from stream.loyalty.account import Account
from stream.loyalty.accrual import recompute, remove_order
from stream.loyalty.balances import seen_in_sweep
from stream.loyalty.rules import Rules
from stream.loyalty.snapshots import missing_after_walk, removal_plausible

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


class _OfAccounts:
    """Visits every account of the event's org, `passes` times."""

    passes = 1

    def __init__(self, event: Event[Any], rules: Rules) -> None:
        self.event = event
        self.rules = rules
        self.prefixes: Sequence[bytes] = (accounts_of(event.org),) * self.passes

    def resume(self, gathered: bytes) -> None:
        """Nothing is gathered."""

    def gathered(self) -> bytes:
        """Never empty, so that a cursor with it is told from none."""
        return b"-"

    def book(self, turn: Turn, key: bytes) -> Book:
        """The visited customer's pages."""
        customer = key[len(self.prefixes[0]) :].decode()
        return Book(turn, self.rules, self.event.org, customer, self.event.at)


class Recompute(_OfAccounts):
    """SettingsChanged: every account anew from its own lines, without reading orders again."""

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Recompute one account."""
        book = self.book(turn, key)
        before = book.account()
        account, changed = recompute(before, book.customer, book.lines(), self.rules)
        for order, line in changed:
            book.keep_line(order, line)
        book.keep(account)
        if account.points != before.points or account.spend_minor != before.spend_minor:
            book.say_entry(
                account,
                Cause.SETTINGS_CHANGED,
                account.spend_minor - before.spend_minor,
                account.points - before.points,
            )
        book.say_profile(account)

    def finish(self, turn: Turn) -> None:
        """The settings themselves were put by the agent."""


class _Links(msgspec.Struct, array_like=True):
    digests: list[LinkDigest]

    def add(self, org: str, customer: str, account: Account) -> None:
        """Count an account's links, per contacts partition."""
        for identity, link in account.links.items():
            partition = murmur2_partition(identity_key(org, identity), len(self.digests))
            self.digests[partition] = self.digests[partition].plus(identity, customer, link.version)

    def say(self, turn: Turn, event: Event[Any], run: str, attempt: int) -> None:
        """LinksComplete, to each contacts partition its own."""
        place = turn.place
        for partition, digest in enumerate(self.digests):
            body = LinksComplete(run, attempt, place.partition, place.partitions, digest.count, digest.total)
            event_id = f"{run}:{attempt}:{place.partition}:LinksComplete"
            value = IDENTITIES.encode(body, org=event.org, at=event.at, source=turn.source, event_id=event_id)
            turn.emit_into(topics.IDENTITIES, partition, event.org.encode(), value)


class LinkWalk(_OfAccounts):
    """LinksRequested: say how many links there are, and each of them again where that was asked for."""

    def __init__(self, event: Event[Any], data: LinksRequested, rules: Rules) -> None:
        super().__init__(event, rules)
        self._data = data
        self._links: _Links | None = None

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._links = msgspec.msgpack.decode(gathered, type=_Links)

    def gathered(self) -> bytes:
        """What was counted so far."""
        return _encode(self._links)

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Count one account's links."""
        book = self.book(turn, key)
        account = book.account()
        self._counted(turn).add(book.org, book.customer, account)
        if self._data.resend:
            book.say_links(tuple(account.links.items()), ())

    def finish(self, turn: Turn) -> None:
        """Tell contacts."""
        self._counted(turn).say(turn, self.event, self._data.run, self._data.attempt)

    def _counted(self, turn: Turn) -> _Links:
        if self._links is None:
            self._links = _Links([LinkDigest()] * turn.place.partitions)
        return self._links


class _Swept(msgspec.Struct, array_like=True):
    lines: int
    removals: int
    links: _Links


class SweepWalk(_OfAccounts):
    """OrdersSwept: remove what two complete walks lacked, unless that is implausibly much; then as LinkWalk.

    Pass 0 counts, pass 1 acts.
    """

    passes = 2

    def __init__(self, event: Event[Any], data: OrdersSwept, rules: Rules) -> None:
        super().__init__(event, rules)
        self._data = data
        self._swept: _Swept | None = None

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._swept = msgspec.msgpack.decode(gathered, type=_Swept)

    def gathered(self) -> bytes:
        """What was counted so far."""
        return _encode(self._swept)

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Count (pass 0) or act (pass 1) on one account."""
        book = self.book(turn, key)
        account = book.account()
        if number == 0:
            self._count(turn, book, account)
        else:
            self._act(turn, book, account)

    def finish(self, turn: Turn) -> None:
        """Tell contacts, and people when removals were withheld."""
        swept = self._so_far(turn)
        swept.links.say(turn, self.event, self._data.run, self._data.attempt)
        if not removal_plausible(swept.removals, swept.lines):
            self._withheld(turn, swept)

    def _count(self, turn: Turn, book: Book, account: Account) -> None:
        swept = self._so_far(turn)
        swept.lines += account.line_count
        if account.presence is not None and account.presence.missing:  # else nothing can be lacked twice
            outcome = missing_after_walk(account, book.lines(), self._data)
            swept.removals += len(outcome.remove) if outcome else 0

    def _act(self, turn: Turn, book: Book, account: Account) -> None:
        swept = self._so_far(turn)
        outcome = missing_after_walk(account, book.lines(), self._data)
        if outcome is not None:
            account = outcome.account
            if removal_plausible(swept.removals, swept.lines):
                account = self._remove(book, account, outcome.remove)
            book.keep(account)
        swept.links.add(book.org, book.customer, account)

    def _remove(self, book: Book, account: Account, orders: tuple[str, ...]) -> Account:
        for order in orders:
            line = book.line(order)
            effect = None if line is None else remove_order(account, line, self._data.started_at, self.rules)
            if effect is None:
                continue
            account = effect.account
            book.keep_line(order, effect.line)
            if effect.cause is not None:
                book.say_entry(account, effect.cause, effect.delta_minor, effect.delta_points, order, effect.line)
                book.say_profile(account)
        return account

    def _withheld(self, turn: Turn, swept: _Swept) -> None:
        reason = (
            f"The walk lacks {swept.removals} of {swept.lines} orders in partition {turn.place.partition}. "
            "That many do not vanish: none was removed. Look at the point of sale's answers."
        )
        org = self.event.org
        alert = Alert(kind=AlertKind.REMOVAL_WITHHELD, org=org, reason=reason, run=self._data.run)
        value, headers = encode_alert(
            alert, alert_id=turn.output_id(topics.ALERTS, org, alert.kind.value), at=self.event.at
        )
        turn.emit(topics.ALERTS, org.encode(), value, tuple(headers))

    def _so_far(self, turn: Turn) -> _Swept:
        if self._swept is None:
            self._swept = _Swept(0, 0, _Links([LinkDigest()] * turn.place.partitions))
        return self._swept


class VerdictWalk(_OfAccounts):
    """SweepSeen from everywhere: both sides are complete, so verdicts may change."""

    def __init__(self, event: Event[Any], data: SweepSeen, rules: Rules, barrier: VerdictBarrier) -> None:
        super().__init__(event, rules)
        self._data = data
        self._barrier = barrier
        self._tally = Tally()

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._tally = msgspec.msgpack.decode(gathered, type=Tally)

    def gathered(self) -> bytes:
        """What was counted so far."""
        return _encode(self._tally)

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Judge one account; the walk-in pseudo-customer is nobody's."""
        book = self.book(turn, key)
        known = book.account()
        if known.walk_in:
            return
        account = seen_in_sweep(known, self._data.sweep_started_at)
        judged = judge(book, account, self._data.run, self._data.sweep_started_at)
        self._tally = self._tally.plus(tally_of(judged))

    def finish(self, turn: Turn) -> None:
        """Tell runs what was counted here, even when it is nothing."""
        place, data = turn.place, self._data
        body = RunTally(data.run, data.attempt, place.partition, place.partitions, self._tally)
        value = RUNS.encode(body, org=self.event.org, at=self.event.at, source=turn.source)
        turn.emit(topics.RUNS, self.event.org.encode(), value)
        turn.state.put(barrier_key(self.event.org, data.run), replace(self._barrier, decided=True))
        forget_older(turn, barriers_of(self.event.org), VerdictBarrier, self._barrier.since)
