from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contracts.settings import BRIEF_TIERS, Accrual, RoundingMode, RoundingPer
from stream.loyalty.points import points_for, points_of_order
from stream.loyalty.tiers import tier_of
from tests.loyalty.builders import Ledger, order, rules


@pytest.mark.parametrize(
    ("spend_minor", "equity", "points", "because"),
    [
        (3955, False, 40, "the brief's order of $39.55"),
        (3955, True, 47, "47.46 with equity"),
        (3950, False, 40, "half goes up"),
        (3949, False, 39, "less than half goes down"),
        (0, False, 0, "nothing bought"),
        (-3955, True, 0, "spend may be negative, points never are"),
        (45_000, False, 450, "the brief's sample"),
        (10**14, False, 10**12, "no overflow"),
    ],
)
def test_points_of_a_lifetimes_spend(spend_minor: int, equity: bool, points: int, because: str) -> None:
    assert points_for((spend_minor,), equity, rules()) == points, because


@pytest.mark.parametrize(
    ("points", "tier"),
    [
        (-5, "Bronze"),
        (0, "Bronze"),
        (475, "Bronze"),
        (499, "Bronze"),
        (500, "Silver"),
        (999, "Silver"),
        (1000, "Gold"),
        (10**9, "Gold"),
    ],
)
def test_a_threshold_belongs_to_its_tier(points: int, tier: str) -> None:
    assert tier_of(points, BRIEF_TIERS).name == tier


@pytest.mark.parametrize(
    ("rounding", "per", "points"),
    [
        (RoundingMode.HALF_UP, RoundingPer.TOTAL, 20),
        (RoundingMode.FLOOR, RoundingPer.TOTAL, 19),
        (RoundingMode.NONE, RoundingPer.TOTAL, 19),
        (RoundingMode.HALF_UP, RoundingPer.ORDER, 20),
        (RoundingMode.FLOOR, RoundingPer.ORDER, 10),
        (RoundingMode.NONE, RoundingPer.ORDER, 19),
    ],
)
def test_ten_orders_of_a_dollar_ninety_nine_depend_on_rounding(
    rounding: RoundingMode, per: RoundingPer, points: int
) -> None:
    ledger = Ledger(rules(rounding=rounding, rounding_per=per))
    ledger.take(*(order(199, str(number)) for number in range(10)))
    assert ledger.account.points == points


def test_spend_earns_at_the_rate_of_its_accrual_and_is_rounded_once() -> None:
    doubled = rules(accruals=(Accrual(), Accrual(Decimal(2), Decimal(1), effective_from=5_000)))
    ledger = Ledger(doubled).take(order(1_030, "1", created_at=4_999), order(1_010, "2", created_at=5_000))
    assert ledger.account.spend == (1_030, 1_010)
    assert ledger.account.points == 31, "10.30 + 20.20 = 30.50"


def test_a_refund_rounded_by_itself_cancels_its_order() -> None:
    each = rules(rounding_per=RoundingPer.ORDER)
    assert points_of_order(150, 0, False, each) == 2
    assert points_of_order(-150, 0, False, each) == -2


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5),
    st.decimals(0, 50, places=3),
    st.decimals(0, 3, places=2),
    st.booleans(),
)
def test_points_are_the_exact_product_rounded_half_up(
    amounts: list[int], rate: Decimal, multiplier: Decimal, equity: bool
) -> None:
    exact = max(Fraction(sum(amounts), 100) * Fraction(rate) * Fraction(multiplier if equity else 1), Fraction(0))
    one = rules(accruals=(Accrual(rate, multiplier),))
    assert points_for((sum(amounts),), equity, one) == (exact + Fraction(1, 2)).__floor__()
