from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contracts.facts import BalanceAbsent, BalanceAmbiguous, MovementMatched, OrderObserved
from stream.contracts.profiles import Verdict
from stream.contracts.settings import Compare, RoundingPer, Tolerance
from stream.loyalty.account import open_account
from stream.loyalty.balances import take_balance, take_movement
from stream.loyalty.order import OrderLine
from stream.loyalty.reconcile import CLOCK_DOUBT_MS, compare, difference, verdict
from stream.loyalty.rules import Rules, limit_of
from tests.loyalty.builders import (
    CUSTOMER,
    PHONE,
    SETTLED_AT,
    Ledger,
    enrolled,
    order,
    reassigned,
    rules,
    with_balance,
)

BRIEF = rules()
TEN = limit_of(Tolerance())
HOUR = 3_600_000
NOW = SETTLED_AT


def never() -> Iterable[OrderLine]:
    raise AssertionError("lines must not be read inside the tolerance")


@pytest.mark.parametrize(
    ("provider", "ours", "expected", "because"),
    [
        (475, 450, Verdict.MATCHED, "5.3 % is within 10 %"),
        (500, 450, Verdict.MATCHED, "exactly 10 % is still within"),
        (500, 449, Verdict.DISCREPANCY, "10.2 % is over"),
        (500, 550, Verdict.MATCHED, "exactly 10 % the other way"),
        (500, 551, Verdict.DISCREPANCY, "over, the other way"),
        (0, 1, Verdict.DISCREPANCY, "nothing at the provider is 100 % off"),
        (0, 0, Verdict.MATCHED, "nothing on either side"),
        (-100, 0, Verdict.MISSING_INTERNAL, "a negative balance against nothing"),
        (100, 0, Verdict.MISSING_INTERNAL, "a balance without a single order line"),
        (None, 450, Verdict.UNKNOWN, "a hidden balance is not a zero"),
    ],
)
def test_verdict(provider: int | None, ours: int, expected: Verdict, because: str) -> None:
    judged = verdict(enrolled(ours * 100, provider, BRIEF), list, BRIEF, NOW)
    assert judged.verdict is expected, because
    assert judged.difference == (None if provider is None else provider - ours)
    assert (judged.ours, judged.provider) == (ours, provider)


def test_without_an_answer_nothing_is_known() -> None:
    assert verdict(Ledger(BRIEF).take(order()).account, never, BRIEF, NOW).verdict is Verdict.UNKNOWN
    assert verdict(open_account(CUSTOMER, BRIEF), never, BRIEF, NOW).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (BalanceAbsent(PHONE, (0, 1), (0, 2), 6_000), Verdict.NOT_ENROLLED),
        (BalanceAmbiguous(PHONE, (0, 1), (0, 2), 3), Verdict.AMBIGUOUS),
    ],
)
def test_absent_and_ambiguous_have_verdicts_of_their_own(
    answer: BalanceAbsent | BalanceAmbiguous, expected: Verdict
) -> None:
    account = take_balance(enrolled(45_000, 475, BRIEF), answer)
    assert account is not None
    assert verdict(account, never, BRIEF, NOW).verdict is expected


def test_lines_are_not_read_inside_the_tolerance() -> None:
    assert verdict(enrolled(45_000, 475, BRIEF), never, BRIEF, NOW).verdict is Verdict.MATCHED


def test_tiers_of_both_sides_are_reported_even_where_the_sides_agree() -> None:
    judged = verdict(enrolled(49_900, 500, BRIEF), never, BRIEF, NOW)
    assert (judged.verdict, judged.tier_ours, judged.tier_provider) == (Verdict.MATCHED, "Bronze", "Silver")


@pytest.mark.parametrize(
    ("ours", "provider", "tolerance", "within", "because"),
    [
        (100, 130, Tolerance(floor_points=30), True, "at the floor never"),
        (100, 131, Tolerance(floor_points=30), False, "over the floor the percentage decides"),
        (0, 5, Tolerance(floor_points=5), True, "the floor holds for a provider at 0 too"),
        (10_000, 10_101, Tolerance(cap_points=100), False, "above the cap always"),
        (10_000, 10_100, Tolerance(cap_points=100), True, "at the cap the percentage decides"),
        (2, 0, Tolerance(Decimal(100)), True, "a provider at 0 is 100 % off, which 100 % allows"),
        (2, 0, Tolerance(Decimal("99.9")), False, "and 99.9 % does not"),
        (1_000, 1_001, Tolerance(Decimal(0)), False, "no tolerance at all"),
        (875, 1_000, Tolerance(Decimal("12.5")), True, "exactly 12.5 %"),
        (874, 1_000, Tolerance(Decimal("12.5")), False, "12.6 %"),
    ],
)
def test_tolerance(ours: int, provider: int, tolerance: Tolerance, within: bool, because: str) -> None:
    compared = compare(ours, provider, limit_of(tolerance))
    assert compared.within is within, because
    assert compared.difference == difference(ours, provider)


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.decimals(0, 50, places=2))
def test_the_comparison_is_exact(ours: int, provider: int, percent: Decimal) -> None:
    exact = Fraction(abs(provider - ours), provider) <= Fraction(percent) / 100
    assert compare(ours, provider, limit_of(Tolerance(percent))).within is exact


# timing: the provider lags, so its balance may be that of an earlier instant

OLD = order(10_000, "1")
TIMING = {
    "an order of an hour ago that it has not booked": (
        [OLD, order(5_000, "2", created_at=NOW - HOUR, observed_at=NOW - HOUR)],
        100,
        Verdict.TIMING,
    ),
    "an order older than the settle window": (
        [OLD, order(5_000, "2", created_at=NOW - 25 * HOUR, observed_at=NOW - 25 * HOUR)],
        100,
        Verdict.DISCREPANCY,
    ),
    "the first of two, but not the second": (
        [
            OLD,
            order(5_000, "2", created_at=NOW - 3 * HOUR, observed_at=NOW - 3 * HOUR),
            order(9_000, "3", created_at=NOW - HOUR, observed_at=NOW - HOUR),
        ],
        150,
        Verdict.TIMING,
    ),
    "the second of two, but not the first: no instant had that": (
        [
            OLD,
            order(5_000, "2", created_at=NOW - 3 * HOUR, observed_at=NOW - 3 * HOUR),
            order(9_000, "3", created_at=NOW - HOUR, observed_at=NOW - HOUR),
        ],
        190,
        Verdict.DISCREPANCY,
    ),
    "a refund of an old order that it has not booked": (
        [OLD, order(4_000, "1", observed_at=NOW - HOUR)],
        100,
        Verdict.TIMING,
    ),
    "a refund long ago": ([OLD, order(4_000, "1", observed_at=NOW - 30 * HOUR)], 100, Verdict.DISCREPANCY),
    "an order that moved away an hour ago": (
        [OLD, order(9_000, "2"), reassigned("7", NOW - HOUR, "2")],
        190,
        Verdict.TIMING,
    ),
    "an order created and lowered inside the window, booked as it was created": (
        [
            OLD,
            order(9_000, "2", created_at=NOW - 3 * HOUR, observed_at=NOW - 3 * HOUR),
            order(1_000, "2", created_at=NOW - 3 * HOUR, observed_at=NOW - HOUR),
        ],
        190,
        Verdict.TIMING,
    ),
    "an order created after the provider was asked": (
        [OLD, order(9_000, "2", created_at=NOW + HOUR, observed_at=NOW + HOUR)],
        100,
        Verdict.TIMING,
    ),
}


@pytest.mark.parametrize(("facts", "provider", "expected"), TIMING.values(), ids=TIMING)
@pytest.mark.parametrize("using", [BRIEF, rules(rounding_per=RoundingPer.ORDER)], ids=["per total", "per order"])
def test_timing(facts: list[OrderObserved], provider: int, expected: Verdict, using: Rules) -> None:
    ledger = Ledger(using).take(*facts)
    account = with_balance(ledger.account, provider, using, NOW)
    judged = verdict(account, ledger.lines.values, using, NOW)
    assert judged.verdict is expected
    assert (judged.cut_off is not None) is (expected is Verdict.TIMING)


def test_two_changes_of_one_instant_are_one_step() -> None:
    """Neither order alone was ever there without the other."""
    both = [order(5_000, each, created_at=NOW - HOUR, observed_at=NOW - HOUR) for each in ("2", "3")]
    ledger = Ledger(BRIEF).take(OLD, *both)
    account = with_balance(ledger.account, 150, BRIEF, NOW)
    assert verdict(account, ledger.lines.values, BRIEF, NOW).verdict is Verdict.DISCREPANCY


@pytest.mark.parametrize(
    ("mode", "expected"), [(Compare.RAW, Verdict.DISCREPANCY), (Compare.EXPECTED, Verdict.MATCHED)]
)
def test_known_movements_are_taken_into_account_where_the_settings_say_so(mode: Compare, expected: Verdict) -> None:
    using = rules(compare=mode)
    ledger = Ledger(using).take(order(50_000))
    redeemed = MovementMatched(PHONE, (0, 1), (0, 1), "m1", "redemption", -200, 1_500, contact="contact-1")
    account = take_movement(with_balance(ledger.account, 300, using, NOW), redeemed)
    assert account is not None
    assert verdict(account, ledger.lines.values, using, NOW).verdict is expected


@pytest.mark.parametrize(
    ("provider", "difference", "because"),
    [
        (500, 0, "read before both"),
        (400, 0, "read after the first, though our idea of the provider's clock says before"),
        (350, 0, "read after both"),
        (340, -10, "nearest to after both"),
        (450, -50, "as near to before as to after: only what is surely in it"),
    ],
)
def test_of_what_was_moved_about_when_the_balance_was_read_counts_what_is_in_it(
    provider: int, difference: int, because: str
) -> None:
    using = rules(compare=Compare.EXPECTED)
    account = with_balance(Ledger(using).take(order(50_000)).account, provider, using, NOW)
    for number, (points, at) in enumerate([(-50, NOW + 2), (-100, NOW + 1)]):
        moved = MovementMatched(PHONE, (0, 1), (0, 1), f"m{number}", "redemption", points, at, contact="contact-1")
        account = take_movement(account, moved) or account
    assert verdict(account, list, using, NOW).difference == difference, because


def test_what_was_moved_long_after_the_balance_was_read_explains_nothing_of_it() -> None:
    """A row that a sweep missed keeps its balance, while movements are those of today."""
    using = rules(compare=Compare.EXPECTED)
    account = with_balance(Ledger(using).take(order(50_000)).account, 400, using, NOW)
    late = NOW + CLOCK_DOUBT_MS
    moved = MovementMatched(PHONE, (0, 1), (0, 1), "m", "redemption", -100, late, contact="contact-1")
    account = take_movement(account, moved) or account
    assert verdict(account, list, using, NOW).difference == -100
