"""Points that spend earns."""

from __future__ import annotations

from collections.abc import Sequence

from stream.contracts.names import Points
from stream.loyalty.rules import Rules


def points_for(spend: Sequence[int], equity: bool, rules: Rules) -> Points:
    """Points of a customer's counted spend, rounded once on the total.

    `spend`: minor units per accrual rule; may be negative (refunds), points never are. With rounding `none` the
    fraction is cut off at the end, since points are integers.
    Source: the brief ("totalSpent × pointsPerDollar", equity × 1.2).
    """
    weights = rules.equity if equity else rules.plain
    earned = spend[0] * weights[0] if len(weights) == 1 else sum(map(int.__mul__, spend, weights))
    if earned <= 0:
        return Points(0)
    if rules.half_up:
        return Points((2 * earned + rules.denominator) // (2 * rules.denominator))
    return Points(earned // rules.denominator)


def points_of_order(minor: int, accrual: int, equity: bool, rules: Rules) -> int:
    """Points of one order where each is rounded by itself; negative for a refund as an order of its own."""
    weights = rules.equity if equity else rules.plain
    return rounded(minor * weights[accrual], rules.denominator, half_up=rules.half_up)


def rounded(earned: int, denominator: int, *, half_up: bool) -> int:
    """`earned / denominator` in whole points.

    Half up is half away from zero, so that an order and its full refund cancel out; floor is towards −∞.
    """
    if not half_up:
        return earned // denominator
    points = (2 * abs(earned) + denominator) // (2 * denominator)
    return points if earned >= 0 else -points
