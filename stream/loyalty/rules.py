"""Settings made ready for use: exact integer ratios, looked up instead of computed for each order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm

from stream.contracts.settings import (
    Basis,
    CaseRules,
    Compare,
    Mode,
    OrderStatus,
    OrgSettings,
    RoundingMode,
    RoundingPer,
    Tier,
    Tolerance,
)
from stream.loyalty.money import digits_of
from stream.loyalty.validation import validate


@dataclass(frozen=True, slots=True)
class Limit:
    """How far apart the sides may be: `numerator / denominator` percent, with floor and cap in points."""

    numerator: int
    denominator: int
    floor: int
    cap: int | None


@dataclass(frozen=True, slots=True)
class Rules:
    """An org's settings, compiled. Build with `compile_rules` once per settings version and keep.

    Points of a spend are `Σ spend[i] × weights[i] / denominator`, where `i` is the accrual rule in force when the
    order was created and spend is in minor units; `plain` are the weights without, `equity` with the multiplier.
    `per_order`: each order is rounded by itself (never with rounding `none`, where it makes no difference).
    """

    version: int
    settings: OrgSettings
    currency: str
    digits: int
    basis: Basis
    statuses: dict[str, OrderStatus]
    accrual_from: tuple[int, ...]
    plain: tuple[int, ...]
    equity: tuple[int, ...]
    denominator: int
    half_up: bool
    per_order: bool
    tiers: tuple[Tier, ...]
    tolerance: Limit
    closing: Limit
    worsens: Fraction
    cases: CaseRules
    expected: bool
    live: bool
    settle_ms: int
    equity_customers: frozenset[str]

    @property
    def no_spend(self) -> tuple[int, ...]:
        """Spend per accrual rule of somebody who bought nothing."""
        return (0,) * len(self.plain)

    def accrual_at(self, created_at: int) -> int:
        """Which accrual rule an order created then falls under."""
        if len(self.accrual_from) == 1:
            return 0
        return max(bisect_right(self.accrual_from, created_at) - 1, 0)


def compile_rules(settings: OrgSettings, version: int) -> Rules:
    """The rules of settings version `version`. Raises `BadRecord` when the settings are impossible."""
    validate(settings)
    digits = digits_of(settings.currency)
    plain = [Fraction(each.points_per_dollar) / 10**digits for each in settings.accruals]
    equity = [weight * Fraction(each.equity_multiplier) for weight, each in zip(plain, settings.accruals, strict=True)]
    denominator = lcm(*(weight.denominator for weight in plain + equity))
    closing = settings.cases.closes_percent
    return Rules(
        version=version,
        settings=settings,
        currency=settings.currency,
        digits=digits,
        basis=settings.basis,
        statuses={name.casefold(): status for name, status in settings.statuses.items()},
        accrual_from=tuple(each.effective_from for each in settings.accruals),
        plain=tuple(int(weight * denominator) for weight in plain),
        equity=tuple(int(weight * denominator) for weight in equity),
        denominator=denominator,
        half_up=settings.rounding is RoundingMode.HALF_UP,
        per_order=settings.rounding_per is RoundingPer.ORDER and settings.rounding is not RoundingMode.NONE,
        tiers=settings.tiers,
        tolerance=limit_of(settings.tolerance),
        closing=limit_of(settings.tolerance, closing),
        worsens=Fraction(settings.cases.worsens_percent),
        cases=settings.cases,
        expected=settings.compare is Compare.EXPECTED,
        live=settings.mode is Mode.LIVE,
        settle_ms=settings.settle_seconds * 1000,
        equity_customers=frozenset(settings.equity_customers),
    )


def limit_of(tolerance: Tolerance, percent: Decimal | None = None) -> Limit:
    """A tolerance as integers; `percent` replaces its own, as the closing limit does."""
    ratio = Fraction(tolerance.percent if percent is None else percent)
    return Limit(ratio.numerator, ratio.denominator, tolerance.floor_points, tolerance.cap_points)
