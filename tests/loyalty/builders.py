"""Values for the rules' tests: what a test does not say has an ordinary value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from stream.contracts.facts import (
    BalanceMatched,
    CustomerObserved,
    OrderObserved,
    OrderReassigned,
    OrdersSnapshot,
    OrdersSwept,
)
from stream.contracts.settings import OrgSettings
from stream.loyalty.account import Account, open_account
from stream.loyalty.accrual import OrderEffect, move_away, observe_order, remove_order
from stream.loyalty.balances import take_balance
from stream.loyalty.customer import observe_customer
from stream.loyalty.order import OrderLine
from stream.loyalty.rules import Rules, compile_rules
from stream.loyalty.snapshots import missing_after_walk, take_part

CUSTOMER = "3528"
PHONE = "phone:aa"
CODE = "code:bb"
EMAIL = "email:cc"
SETTLED_AT = 10 * 86_400_000
"""Long after every order that a test makes without saying when: outside the settle window."""


def rules(version: int = 1, /, **settings: object) -> Rules:
    return compile_rules(msgspec.structs.replace(OrgSettings(), **settings), version)


def order(total_minor: int = 3955, number: str = "1", /, **fields: object) -> OrderObserved:
    given: dict[str, object] = {
        "order": number,
        "total_minor": total_minor,
        "currency": "USD",
        "created_at": 1_000,
        "observed_at": 2_000,
        "completed": True,
        "paid": True,
    } | fields
    content = {name: value for name, value in given.items() if name != "observed_at"}
    given.setdefault("content_hash", repr(sorted(content.items())))
    return OrderObserved(**given)  # type: ignore[arg-type]


def reassigned(to: str, observed_at: int, order: str = "1") -> OrderReassigned:
    return OrderReassigned(order, to, observed_at)


def customer(observed_at: int = 1_000, **fields: object) -> CustomerObserved:
    content_hash = str(fields.pop("content_hash", repr(sorted(fields.items()))))
    return CustomerObserved(observed_at, content_hash, **fields)  # type: ignore[arg-type]


def snapshot(walk: str, orders: Iterable[str], observed_at: int, part: int = 1, parts: int = 1) -> OrdersSnapshot:
    return OrdersSnapshot(walk, part, parts, dict.fromkeys(orders, "h"), 0, 10**15, observed_at)


def swept(walk: str, started_at: int, complete: bool = True, window: tuple[int, int] = (0, 10**15)) -> OrdersSwept:
    return OrdersSwept("run", 1, walk, complete, *window, started_at)


def matched(points: int | None, nth: int = 1, /, **fields: object) -> BalanceMatched:
    given: dict[str, object] = {
        "identity": PHONE,
        "link_version": (0, 1),
        "observation": (0, nth),
        "contact": "contact-1",
        "points": points,
        "observed_at": 5_000,
    }
    return BalanceMatched(**(given | fields))  # type: ignore[arg-type]


def enrolled(spend_minor: int, provider: int | None, using: Rules) -> Account:
    """An account with one settled order of that amount and that balance at the provider."""
    ledger = Ledger(using)
    if spend_minor:
        ledger.take(order(spend_minor))
    return with_balance(ledger.account, provider, using)


def with_balance(account: Account, provider: int | None, using: Rules, observed_at: int = 5_000) -> Account:
    linked = observe_customer(account, customer(identities=(PHONE,)), (0, 1), using)
    assert linked is not None
    answered = take_balance(linked.account, matched(provider, observed_at=observed_at))
    assert answered is not None
    return answered


@dataclass
class Ledger:
    """One account with its lines, kept as an agent keeps them: a plain loop over the pure functions."""

    rules: Rules
    account: Account = None  # type: ignore[assignment]
    lines: dict[str, OrderLine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.account = self.account or open_account(CUSTOMER, self.rules)

    def take(self, *facts: msgspec.Struct) -> Ledger:
        for fact in facts:
            self._take(fact)
        return self

    @property
    def counted(self) -> dict[str, int]:
        return {order: line.minor for order, line in self.lines.items() if line.why_not is None}

    def _take(self, fact: msgspec.Struct) -> None:
        match fact:
            case OrderObserved():
                self._keep(fact.order, observe_order(self.account, self.lines.get(fact.order), fact, self.rules))
            case OrderReassigned():
                self._keep(fact.order, move_away(self.account, self.lines.get(fact.order), fact, self.rules))
            case CustomerObserved():
                changed = observe_customer(self.account, fact, (0, 1), self.rules)
                if changed is not None:
                    self.account = changed.account
                    self.lines = {} if changed.drop_lines else self.lines
            case OrdersSnapshot():
                self.account = take_part(self.account, fact) or self.account
            case OrdersSwept():
                self._sweep(fact)

    def _sweep(self, fact: OrdersSwept) -> None:
        outcome = missing_after_walk(self.account, self.lines.items(), fact)
        if outcome is None:
            return
        self.account = outcome.account
        for each in outcome.remove:
            self._keep(each, remove_order(self.account, self.lines[each], fact.started_at, self.rules))

    def _keep(self, order: str, effect: OrderEffect | None) -> None:
        if effect is not None:
            self.account, self.lines[order] = effect.account, effect.line
