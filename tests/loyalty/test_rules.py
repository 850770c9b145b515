from __future__ import annotations

from decimal import Decimal

import pytest

from stream.contracts.settings import Accrual, CaseRules, OrgSettings, Tier, Tolerance
from stream.errors import BadRecord
from stream.loyalty.rules import compile_rules
from stream.loyalty.validation import validate
from tests.loyalty.builders import rules

BRONZE = Tier("bronze", "Bronze", 0, "#CD7F32")
LATER = Accrual(effective_from=10)


def test_the_briefs_settings_are_valid() -> None:
    validate(OrgSettings())


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"tiers": ()}, "tiers is 0 entries"),
        ({"tiers": (Tier("a", "A", 5, ""),)}, r"tiers\[0\].threshold is 5, allowed: 0"),
        ({"tiers": (BRONZE, Tier("b", "B", 0, ""))}, "tiers.threshold"),
        ({"tiers": (BRONZE, Tier("bronze", "B", 9, ""))}, "tiers.id"),
        ({"tiers": (BRONZE, Tier("b", "Bronze", 9, ""))}, "tiers.name"),
        ({"tiers": (Tier("", "A", 0, ""),)}, "not empty"),
        ({"accruals": ()}, "accruals is 0 entries"),
        ({"accruals": (LATER,)}, r"accruals\[0\].effective_from is 10, allowed: 0"),
        ({"accruals": (Accrual(), LATER, LATER)}, "strictly ascending"),
        ({"accruals": (Accrual(points_per_dollar=Decimal(-1)),)}, "points_per_dollar is -1"),
        ({"accruals": (Accrual(equity_multiplier=Decimal("-0.1")),)}, "equity_multiplier is -0.1"),
        ({"accruals": (Accrual(points_per_dollar=Decimal("NaN")),)}, "points_per_dollar is NaN"),
        ({"accruals": (Accrual(points_per_dollar=Decimal("1e-999999")),)}, "12 decimals"),
        ({"accruals": (Accrual(points_per_dollar=Decimal("1e999999")),)}, "allowed: 0 to 10000"),
        ({"tolerance": Tolerance(Decimal(-1))}, "tolerance.percent is -1"),
        ({"tolerance": Tolerance(floor_points=-1)}, "tolerance.floor_points is -1"),
        ({"tolerance": Tolerance(floor_points=5, cap_points=4)}, "tolerance.cap_points is 4"),
        ({"cases": CaseRules(opens_after=0)}, "cases.opens_after is 0"),
        ({"cases": CaseRules(closes_percent=Decimal(11))}, "cases.closes_percent is 11"),
        ({"cases": CaseRules(closes_percent=Decimal("NaN"))}, "cases.closes_percent is NaN"),
        ({"cases": CaseRules(worsens_points=-1)}, "cases.worsens_points"),
        ({"currency": "usd"}, "currency is usd"),
        ({"time_zone": ""}, "time_zone"),
        ({"settle_seconds": -1}, "settle_seconds is -1"),
        ({"statuses": {" ": "completed"}}, "statuses"),
        ({"equity_customers": ("a_b",)}, "equity_customers"),
    ],
)
def test_impossible_settings_are_refused_by_name(settings: dict[str, object], names: str) -> None:
    with pytest.raises(BadRecord, match=names):
        rules(**settings)


@pytest.mark.parametrize(
    ("created_at", "accrual"), [(-5, 0), (0, 0), (99, 0), (100, 1), (199, 1), (200, 2), (10**15, 2)]
)
def test_an_order_falls_under_the_accrual_in_force_when_it_was_created(created_at: int, accrual: int) -> None:
    dated = tuple(Accrual(effective_from=start) for start in (0, 100, 200))
    assert rules(accruals=dated).accrual_at(created_at) == accrual


def test_ratios_are_exact() -> None:
    compiled = compile_rules(OrgSettings(accruals=(Accrual(Decimal("1.1"), Decimal("1.23")),)), 7)
    assert compiled.version == 7
    assert compiled.equity[0] * 100_000 == 1_353 * compiled.denominator
