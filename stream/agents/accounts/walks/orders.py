"""OrdersSwept: what a complete walk of the point of sale lacked."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.agents.accounts.book import Book
from stream.agents.accounts.statuses import Statuses
from stream.agents.accounts.walks.links import Links
from stream.agents.accounts.walks.of_accounts import OfAccounts
from stream.agents.links import LinkDigest
from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.envelope import Event
from stream.contracts.facts import OrdersSwept
from stream.engine.turn import Turn
from stream.loyalty.account import Account
from stream.loyalty.accrual import remove_order
from stream.loyalty.rules import Rules
from stream.loyalty.snapshots import missing_after_walk, removal_plausible

_encode = msgspec.msgpack.Encoder().encode


class _Swept(msgspec.Struct, array_like=True):
    lines: int
    removals: int
    links: Links
    statuses: list[str]


class SweepWalk(OfAccounts):
    """OrdersSwept: remove what two complete walks lacked, unless that is implausibly much; then as LinkWalk.

    Pass 0 counts, pass 1 acts.
    """

    passes = 2

    def __init__(self, event: Event[Any], data: OrdersSwept, rules: Rules) -> None:
        super().__init__(event, rules)
        self._data = data
        self._swept: _Swept | None = None
        self._statuses = Statuses(rules)

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._swept = msgspec.msgpack.decode(gathered, type=_Swept)
        self._statuses = Statuses(self.rules, self._swept.statuses)

    def gathered(self) -> bytes:
        """What was counted so far."""
        if self._swept is not None:
            self._swept.statuses = sorted(self._statuses.found)
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
        if self._data.complete:
            self._statuses.keep(turn, self.event.org)
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
        outcome = missing_after_walk(account, self._statuses.watch(book.lines()), self._data)
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
            self._swept = _Swept(0, 0, Links([LinkDigest()] * turn.place.partitions), [])
        return self._swept
