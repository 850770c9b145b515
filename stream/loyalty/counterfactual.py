"""What a provider would count that did something otherwise than we do: a hypothesis, and the points that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from stream.contracts.cases import CauseKind
from stream.contracts.settings import Basis
from stream.loyalty.account import Account
from stream.loyalty.order import OrderLine, amount_under
from stream.loyalty.points import rounded
from stream.loyalty.rules import Rules

_COUNTABLE = (None, "no_tax", "no_subtotal")
"""Reasons why not that hold under one basis only."""
_COUNTS_OTHERWISE = (CauseKind.TAX_BASIS, CauseKind.EQUITY_MULTIPLIER, CauseKind.ROUNDING)


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Something that the provider may have done. Fields that are not set say nothing. Each is only itself.

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
        return self.kind in _COUNTS_OTHERWISE


class _Way(NamedTuple):
    """A way of counting all orders."""

    basis: Basis
    equity: bool
    half_up: bool
    per_order: bool


def _counting(way: _Way, otherwise: Hypothesis) -> _Way:
    return _Way(
        otherwise.basis or way.basis,
        way.equity if otherwise.equity is None else otherwise.equity,
        way.half_up if otherwise.half_up is None else otherwise.half_up,
        way.per_order if otherwise.per_order is None else otherwise.per_order,
    )


class Counterfactual:
    """Points of one account under hypotheses.

    The orders are summed once per way of counting, and those of a hypothesis once per way it is tried in: what theories
    put together costs the same however many orders there are.
    """

    def __init__(self, account: Account, lines: Mapping[str, OrderLine], rules: Rules) -> None:
        self._lines = lines
        self._rules = rules
        self._amounts: dict[Basis, dict[str, int]] = {}
        self._earned: dict[_Way, int] = {}
        self._moved: dict[tuple[Hypothesis, _Way], int] = {}
        self._way = _Way(rules.basis, account.equity, rules.half_up, rules.per_order)
        self._ours = self._points(self._way, self._all(self._way))

    def points(self, theory: Sequence[Hypothesis]) -> int:
        """Signed points by which the provider would differ, were all of this so. No two of a theory may be about the
        same order."""
        way, moved = self._way, 0
        about: list[Hypothesis] = []
        for each in theory:
            moved += each.moved
            if each.seen:
                about.append(each)
            elif each.counts_otherwise:
                way = _counting(way, each)
        earned = self._all(way)
        for each in about:
            earned += self._differing(each, way)
        return self._points(way, earned) - self._ours + moved

    def without(self, order: str) -> int:
        """Signed points by which the provider would differ, had it not booked that order."""
        earned = self._all(self._way) - self._of(order, self.orders()[order], self._way)
        return self._points(self._way, earned) - self._ours

    def orders(self) -> Mapping[str, int]:
        """The orders that count, with their minor units."""
        return self._under(self._rules.basis)

    def _points(self, way: _Way, earned: int) -> int:
        """Points of all orders, of which there are never less than none."""
        if earned <= 0 or way.per_order:
            return max(earned, 0)
        return rounded(earned, self._rules.denominator, half_up=way.half_up)

    def _all(self, way: _Way) -> int:
        """What all orders earn: points where each is rounded by itself, else points × denominator."""
        known = self._earned.get(way)
        if known is None:
            known = self._earned[way] = self._summed(way)
        return known

    def _summed(self, way: _Way) -> int:
        amounts = self._under(way.basis)
        weights = self._rules.equity if way.equity else self._rules.plain
        if len(weights) > 1:
            return sum(self._of(order, minor, way) for order, minor in amounts.items())
        if way.per_order:
            weight, denominator = weights[0], self._rules.denominator
            return sum(rounded(minor * weight, denominator, half_up=way.half_up) for minor in amounts.values())
        return sum(amounts.values()) * weights[0]

    def _differing(self, hypothesis: Hypothesis, way: _Way) -> int:
        """What a hypothesis about some orders earns more than they do."""
        known = self._moved.get((hypothesis, way))
        if known is None:
            amounts = self._under(way.basis)
            known = self._moved[hypothesis, way] = sum(
                self._of(order, minor, way) - self._of(order, amounts.get(order, 0), way)
                for order, minor in hypothesis.seen.items()
            )
        return known

    def _of(self, order: str, minor: int, way: _Way) -> int:
        """What one order earns."""
        rules = self._rules
        accrual = rules.accrual_at(self._lines[order].created_at)
        earned = minor * (rules.equity if way.equity else rules.plain)[accrual]
        return rounded(earned, rules.denominator, half_up=way.half_up) if way.per_order else earned

    def _under(self, basis: Basis) -> dict[str, int]:
        """What each order counts under a basis, those left out that count under none."""
        known = self._amounts.get(basis)
        if known is None:
            known = self._amounts[basis] = self._ours_counted() if basis is self._rules.basis else self._other(basis)
        return known

    def _ours_counted(self) -> dict[str, int]:
        return {
            order: line.minor for order, line in self._lines.items() if line.gone is None and line.why_not in _COUNTABLE
        }

    def _other(self, basis: Basis) -> dict[str, int]:
        """An order whose tax is not known counts the same under every basis: nothing can be said of it."""
        amounts = dict(self.orders())
        for order in amounts:
            minor, why_not = amount_under(self._lines[order], basis)
            if why_not is None:
                amounts[order] = minor
        return amounts
