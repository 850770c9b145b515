"""What a provider would count that did something otherwise than we do: a hypothesis, and the points that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as with_rules

import msgspec

from stream.contracts.cases import CauseKind
from stream.contracts.settings import Basis
from stream.loyalty.account import Account
from stream.loyalty.order import OrderLine, counted
from stream.loyalty.points import points_for, points_of_order
from stream.loyalty.rules import Rules

_COUNTABLE = (None, "no_tax", "no_subtotal")
"""Reasons why not that hold under one basis only."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the provider may have done. Fields that are not set say nothing.

    `seen`: minor units that it counts for these orders. `moved`: points that it moved. `basis`, `equity`, `half_up`,
    `per_order`: how it counts. `named`: orders to tell people of, newest first. `whole`: it concerns all orders of its
    kind, not some picked out. `number`: its place among all, from the likeliest. `alone`: points that it makes.
    """

    kind: CauseKind
    number: int = 0
    alone: int = 0
    seen: Mapping[str, int] = {}
    moved: int = 0
    basis: Basis | None = None
    equity: bool | None = None
    half_up: bool | None = None
    per_order: bool | None = None
    named: tuple[str, ...] = ()
    count: int = 0
    detail: str | None = None
    whole: bool = True

    @property
    def counts_otherwise(self) -> bool:
        """It concerns how every order is counted."""
        return self.kind in (CauseKind.TAX_BASIS, CauseKind.EQUITY_MULTIPLIER, CauseKind.ROUNDING)


class _Amounts(msgspec.Struct):
    """What each order counts under a basis, with the sums per accrual rule."""

    minor: dict[str, int]
    spend: list[int]


class Counterfactual:
    """Points of one account under hypotheses. Sums over all orders are made once per way of counting."""

    def __init__(self, account: Account, lines: Mapping[str, OrderLine], rules: Rules) -> None:
        self._account = account
        self._lines = lines
        self._rules = rules
        self._amounts: dict[Basis, _Amounts] = {}
        self._rounded: dict[tuple[Basis, bool, bool], int] = {}
        self._rounding = {(rules.half_up, rules.per_order): rules}
        self._ours = self._counted(())

    def points(self, theory: Sequence[Hypothesis]) -> int:
        """Signed points by which the provider would differ, were all of this so."""
        return self._counted(theory) - self._ours + sum(each.moved for each in theory)

    def orders(self) -> Mapping[str, int]:
        """The orders that count, with their minor units."""
        return self._under(self._rules.basis).minor

    def _counted(self, theory: Sequence[Hypothesis]) -> int:
        """Points from orders as a provider would count them that did all of this."""
        basis, equity, rules = self._rules.basis, self._account.equity, self._rules
        seen: dict[str, int] = {}
        for each in theory:
            seen |= each.seen
            basis = each.basis or basis
            equity = equity if each.equity is None else each.equity
            if each.half_up is not None and each.per_order is not None:
                rules = self._rounded_as(each.half_up, each.per_order)
        amounts = self._under(basis)
        if rules.per_order:
            return max(self._each_rounded(basis, equity, rules, seen), 0)
        spend = list(amounts.spend)
        for order, minor in seen.items():
            spend[self._accrual(order)] += minor - amounts.minor.get(order, 0)
        return points_for(spend, equity, rules)

    def _rounded_as(self, half_up: bool, per_order: bool) -> Rules:
        known = self._rounding.get((half_up, per_order))
        if known is None:
            known = with_rules(self._rules, half_up=half_up, per_order=per_order)
            self._rounding[half_up, per_order] = known
        return known

    def _each_rounded(self, basis: Basis, equity: bool, rules: Rules, seen: Mapping[str, int]) -> int:
        """Points where each order is rounded by itself."""
        amounts, key = self._under(basis).minor, (basis, equity, rules.half_up)
        if key not in self._rounded:
            self._rounded[key] = sum(self._of(order, minor, equity, rules) for order, minor in amounts.items())
        moved = (
            self._of(order, minor, equity, rules) - self._of(order, amounts.get(order, 0), equity, rules)
            for order, minor in seen.items()
        )
        return self._rounded[key] + sum(moved)

    def _of(self, order: str, minor: int, equity: bool, rules: Rules) -> int:
        return points_of_order(minor, self._accrual(order), equity, rules)

    def _accrual(self, order: str) -> int:
        return self._rules.accrual_at(self._lines[order].created_at)

    def _under(self, basis: Basis) -> _Amounts:
        known = self._amounts.get(basis)
        if known is None:
            known = self._amounts[basis] = self._summed(basis)
        return known

    def _summed(self, basis: Basis) -> _Amounts:
        """An order whose tax is not known counts the same under every basis: nothing can be said of it."""
        ours = basis is self._rules.basis
        rules = self._rules if ours else with_rules(self._rules, basis=basis)
        amounts = _Amounts({}, list(rules.no_spend))
        for order, line in self._lines.items():
            if line.gone is not None or line.why_not not in _COUNTABLE:
                continue
            minor = line.minor
            if not ours:
                other, why_not = counted(line, rules)
                minor = other if why_not is None else minor
            amounts.minor[order] = minor
            amounts.spend[rules.accrual_at(line.created_at)] += minor
        return amounts
