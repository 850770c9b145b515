"""A difference says where it comes from: in points that add up, with the orders that fit, and never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.facts import MovementMatched
from stream.contracts.settings import Accrual, Basis, Compare, OrgSettings, RoundingPer, Tolerance
from stream.loyalty.account import Account
from stream.loyalty.accrual import remove_order
from stream.loyalty.balances import take_movement
from stream.loyalty.explain import MOST_ORDERS, explain
from stream.loyalty.order import OrderLine
from stream.loyalty.reconcile import verdict
from stream.loyalty.rules import Rules
from tests.loyalty.builders import PHONE, SETTLED_AT, Ledger, order, reassigned, rules, with_balance

NOW = SETTLED_AT
HOUR = 3_600_000
BRIEF = rules()
PER_ORDER = rules(rounding_per=RoundingPer.ORDER)


def movement(kind: str, points: int, number: int = 1) -> MovementMatched:
    return MovementMatched(PHONE, (0, 1), (0, number), f"{kind}-{number}", kind, points, 1_500, contact="contact-1")


@dataclass
class Known:
    """What is known of a customer: facts about orders, orders that a walk removed, and the provider's movements."""

    orders: Sequence[msgspec.Struct]
    removed: Sequence[str] = ()
    movements: Sequence[MovementMatched] = ()
    using: Rules = BRIEF
    lines: dict[str, OrderLine] = field(default_factory=dict)

    def causes(self, provider: int) -> tuple[Cause, ...]:
        account = self.account(provider)
        judgement = verdict(account, self.lines.values, self.using, NOW)
        return explain(account, self.lines.items(), judgement, self.using, NOW)

    def account(self, provider: int) -> Account:
        ledger = Ledger(self.using).take(*self.orders)
        for number in self.removed:
            effect = remove_order(ledger.account, ledger.lines[number], NOW - 48 * HOUR, self.using)
            assert effect is not None
            ledger.account, ledger.lines[number] = effect.account, effect.line
        self.lines = ledger.lines
        account = with_balance(ledger.account, provider, self.using)
        for each in self.movements:
            account = take_movement(account, each) or account
        return account


def told(causes: Sequence[Cause]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(each.kind.value, each.points, each.orders) for each in causes]


OLD = order(50_000, "1")
ALSO_OLD = order(12_300, "2")
RECENT = order(7_000, "3", created_at=NOW - HOUR, observed_at=NOW - HOUR)
EARLIER = order(9_100, "4", created_at=NOW - 3 * HOUR, observed_at=NOW - 3 * HOUR)
LATEST = order(3_300, "7", created_at=NOW - HOUR // 2, observed_at=NOW - HOUR // 2)
THREE_HOURS_AGO = {"created_at": NOW - 3 * HOUR, "observed_at": NOW - 3 * HOUR}
REFUNDED = order(20_000, "5", refunded_minor=15_500)
TAXED = [order(10_000 + 500 * n, f"t{n}", tax_minor=1_731 + 13 * n, subtotal_minor=8_000 + 499 * n) for n in range(3)]

KNOWN = {
    "nothing to explain": (Known([OLD]), 500, []),
    "a redemption that the provider tells of": (
        Known([OLD], movements=[movement("redemption", -200)]),
        300,
        [("redemptions", -200, ())],
    ),
    "movements of several kinds, each with its points": (
        Known([OLD], movements=[movement("redemption", -200), movement("adjustment", 50), movement("expiry", -111)]),
        239,
        [("redemptions", -200, ()), ("adjustments", 50, ()), ("expiry", -111, ())],
    ),
    "one of them alone, where the others are in the balance already": (
        Known([OLD], movements=[movement("redemption", -200), movement("adjustment", 50)]),
        550,
        [("adjustments", 50, ())],
    ),
    "a kind of movement that nobody has heard of": (
        Known([OLD], movements=[movement("merge", 300)]),
        800,
        [("other_movements", 300, ())],
    ),
    "a redemption, and something else": (
        Known([OLD], movements=[movement("redemption", -200)]),
        277,
        [("redemptions", -200, ()), ("unexplained", -23, ())],
    ),
    "an order of the settle window that is not booked, while an earlier one is": (
        Known([OLD, RECENT, EARLIER]),
        570,
        [("provider_lag", -91, ("4",))],
    ),
    "nothing of the settle window is booked": (
        Known([OLD, RECENT, EARLIER]),
        500,
        [("provider_lag", -161, ("3", "4"))],
    ),
    "what was lowered before that counts as it stood then": (
        Known(
            [
                OLD,
                order(4_000, "5", **THREE_HOURS_AGO),
                order(1_000, "5", **(THREE_HOURS_AGO | {"observed_at": NOW - 2 * HOUR})),
                RECENT,
                LATEST,
            ]
        ),
        510,
        [("provider_lag", -103, ("7", "3"))],
    ),
    "a lag beside a redemption": (
        Known([OLD, RECENT], movements=[movement("redemption", -200)]),
        300,
        [("redemptions", -200, ()), ("provider_lag", -70, ("3",))],
    ),
    "a refund that the provider has not applied": (
        Known([OLD, REFUNDED]),
        700,
        [("refunds_not_applied", 155, ("5",))],
    ),
    "an order whose total was lowered long ago": (
        Known([OLD, order(20_000, "5"), order(4_500, "5", observed_at=9_000)]),
        700,
        [("refunds_not_applied", 155, ("5",))],
    ),
    "an order that was cancelled when it was first seen": (
        Known([OLD, order(15_500, "5", cancelled=True)]),
        655,
        [("refunds_not_applied", 155, ("5",))],
    ),
    "a refund that is an order of its own": (
        Known([OLD, order(-15_500, "5")]),
        500,
        [("refunds_not_applied", 155, ("5",))],
    ),
    "one of two refunds": (
        Known([OLD, REFUNDED, order(9_000, "6", refunded_minor=8_000)]),
        635,
        [("refunds_not_applied", 80, ("6",))],
    ),
    "an order that is gone here": (
        Known([OLD, ALSO_OLD], removed=["2"]),
        623,
        [("removed_orders", 123, ("2",))],
    ),
    "an order that went to another customer": (
        Known([OLD, ALSO_OLD, reassigned("7", 9_000, "2")]),
        623,
        [("removed_orders", 123, ("2",))],
    ),
    "an order of a status that nobody has mapped": (
        Known([OLD, order(12_300, "2", completed=None, status="Handed over")]),
        623,
        [("pending_orders", 123, ("2",))],
    ),
    "tax does not count there": (Known(TAXED), 263, [("tax_basis", -52, ())]),
    "the subtotal counts there": (Known(TAXED), 255, [("tax_basis", -60, ())]),
    "tax does not count there, and something was redeemed": (
        Known(TAXED, movements=[movement("redemption", -100)]),
        163,
        [("redemptions", -100, ()), ("tax_basis", -52, ())],
    ),
    "the multiplier is applied there": (Known([OLD, ALSO_OLD]), 748, [("equity_multiplier", 125, ())]),
    "each order is rounded down there": (
        Known([order(199, f"{n}") for n in range(10)]),
        10,
        [("rounding", -10, ())],
    ),
    "each order is rounded up here": (
        Known([order(151, f"{n}") for n in range(10)], using=PER_ORDER),
        15,
        [("rounding", -5, ())],
    ),
    "a refund and a lag": (
        Known([OLD, REFUNDED, RECENT]),
        700,
        [("provider_lag", -70, ("3",)), ("refunds_not_applied", 155, ("5",))],
    ),
    "a refund, a lag and an order that is gone": (
        Known([OLD, REFUNDED, RECENT, ALSO_OLD], removed=["2"]),
        823,
        [("provider_lag", -70, ("3",)), ("refunds_not_applied", 155, ("5",)), ("removed_orders", 123, ("2",))],
    ),
    "a redemption and a tax that was rounded elsewhere": (
        Known(TAXED, movements=[movement("redemption", -100)]),
        164,
        [("redemptions", -100, ()), ("tax_basis", -52, ()), ("unexplained", 1, ())],
    ),
    "an old order that the provider never had": (
        Known([OLD, ALSO_OLD]),
        500,
        [("order_not_credited", -123, ("2",))],
    ),
    "either of two such orders": (
        Known([OLD, ALSO_OLD, order(12_300, "9", created_at=5_000)]),
        623,
        [("order_not_credited", -123, ("9", "2"))],
    ),
    "nothing fits": (Known([OLD, ALSO_OLD, REFUNDED, RECENT]), 1_000, [("unexplained", 262, ())]),
    "more than there is": (Known([OLD]), 5_000, [("unexplained", 4_500, ())]),
}


@pytest.mark.parametrize(("known", "provider", "expected"), KNOWN.values(), ids=KNOWN)
def test_causes(known: Known, provider: int, expected: list[tuple[str, int, tuple[str, ...]]]) -> None:
    assert told(known.causes(provider)) == expected


def test_ways_of_counting_say_which() -> None:
    details = [Known(TAXED).causes(263)[0].detail, Known(TAXED).causes(255)[0].detail]
    details.append(Known([OLD, ALSO_OLD]).causes(748)[0].detail)
    details.append(Known([order(199, f"{n}") for n in range(10)]).causes(10)[0].detail)
    assert details == ["total_less_tax", "subtotal", "applied", "down, each order"]


def test_movements_that_are_compared_already_are_no_cause() -> None:
    using = rules(compare=Compare.EXPECTED)
    known = Known([OLD], movements=[movement("redemption", -200)], using=using)
    assert known.causes(300) == ()
    assert told(known.causes(100)) == [("unexplained", -200, ())]


def test_orders_that_fit_are_named_up_to_a_bound_and_all_counted() -> None:
    refunds = [order(10_000, f"r{n:02}", refunded_minor=5_000, created_at=1_000 + n) for n in range(30)]
    (cause,) = Known(refunds).causes(3_000)
    assert (cause.kind, cause.points, cause.count) == (CauseKind.REFUNDS_NOT_APPLIED, 1_500, 30)
    assert cause.orders == tuple(f"r{n:02}" for n in range(29, 29 - MOST_ORDERS, -1))


def test_an_order_is_part_of_one_cause_only() -> None:
    """The refund of an hour ago is a lag and a refund: 70 points, not 140."""
    refund = order(7_000, "3", observed_at=NOW - 2 * HOUR, created_at=NOW - 3 * HOUR)
    again = order(1_000, "3", observed_at=NOW - HOUR, created_at=NOW - 3 * HOUR)
    known = Known([OLD, refund, again], using=rules(tolerance=Tolerance(Decimal(0))))
    assert told(known.causes(570)) == [("provider_lag", 60, ("3",))]
    assert told(known.causes(630)) == [("unexplained", 120, ())]


def test_an_order_whose_change_is_not_booked_yet_is_not_said_to_be_missing_too() -> None:
    """Without the raise of an hour ago the sides are within 10 %; the order's own 45 points would make up the rest."""
    yesterday = NOW - 30 * HOUR
    raised = [order(minor, "5", created_at=yesterday, observed_at=at) for minor, at in ((500, yesterday), (4_500, NOW))]
    assert told(Known([OLD, *raised]).causes(460)) == [("provider_lag", -40, ("5",)), ("unexplained", -45, ())]


def test_without_a_balance_there_is_nothing_to_explain() -> None:
    ledger = Ledger(BRIEF).take(OLD)
    judgement = verdict(ledger.account, ledger.lines.values, BRIEF, NOW)
    assert explain(ledger.account, ledger.lines.items(), judgement, BRIEF, NOW) == ()


def test_a_lag_that_explains_but_for_the_tolerance_is_named_with_the_rest() -> None:
    """The verdict is `timing`: without the order of an hour ago the sides are within 10 %."""
    assert told(Known([OLD, RECENT]).causes(505)) == [("provider_lag", -70, ("3",)), ("unexplained", 5, ())]


def test_an_order_counts_under_the_rate_of_its_day() -> None:
    using = rules(accruals=(Accrual(Decimal(1)), Accrual(Decimal(3), effective_from=4_000)))
    refunded = Known([OLD, order(10_000, "2", created_at=5_000, refunded_minor=10_000)], using=using)
    assert told(refunded.causes(800)) == [("refunds_not_applied", 300, ("2",))]
    multiplied = Known([OLD, order(10_000, "2", created_at=5_000)], using=using)
    assert told(multiplied.causes(960)) == [("equity_multiplier", 160, ())]


any_order = st.builds(
    order,
    st.integers(-20_000, 40_000),
    st.sampled_from("123456"),
    created_at=st.sampled_from([1_000, NOW - 30 * HOUR, NOW - 3 * HOUR, NOW - HOUR]),
    observed_at=st.integers(NOW - HOUR, NOW),
    refunded_minor=st.sampled_from([0, 0, 1_000]),
    tax_minor=st.sampled_from([None, 0, 777]),
    cancelled=st.booleans(),
    completed=st.sampled_from([True, True, None]),
)
any_movement = st.builds(
    movement, st.sampled_from(["redemption", "adjustment", "expiry", "x"]), st.integers(-300, 300), st.integers(1, 4)
)
any_settings = st.builds(
    OrgSettings,
    basis=st.sampled_from(Basis),
    rounding_per=st.sampled_from(RoundingPer),
    compare=st.sampled_from(Compare),
)


@given(
    st.lists(any_order, max_size=8),
    st.lists(any_movement, max_size=4),
    any_settings,
    st.integers(-100, 1_200),
    st.randoms(use_true_random=False),
)
def test_causes_add_up_and_do_not_depend_on_the_order_of_lines(
    orders: list[msgspec.Struct],
    movements: list[MovementMatched],
    settings: OrgSettings,
    provider: int,
    random: object,
) -> None:
    known = Known(orders, movements=movements, using=rules(**msgspec.structs.asdict(settings)))
    account = known.account(provider)
    judgement = verdict(account, known.lines.values, known.using, NOW)
    causes = explain(account, known.lines.items(), judgement, known.using, NOW)
    assert sum(each.points for each in causes) == judgement.difference
    assert [each.kind for each in causes].count(CauseKind.UNEXPLAINED) <= 1
    shuffled = list(known.lines.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert explain(account, shuffled, judgement, known.using, NOW) == causes


class Watched(OrderLine, frozen=True, array_like=True, gc=False):
    """A line that counts how often it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("__"):
            LOOKS[name] += 1
        return super().__getattribute__(name)


LOOKS: Counter[str] = Counter()
"""How often each field of watched lines was read."""


def of_a_busy_customer(count: int, kind: str) -> Known:
    """Lines of one customer, all of one kind."""
    amounts = Random(count)
    orders = [order(amounts.randrange(100, 90_000), f"{n:05}", tax_minor=77, **BUSY[kind](n)) for n in range(count)]
    return Known(orders, movements=[movement("redemption", -200)])


BUSY: dict[str, Callable[[int], dict[str, object]]] = {
    "settled": lambda n: {"created_at": 1_000 + n},
    "refunded": lambda n: {"created_at": 1_000 + n, "refunded_minor": 1 + n % 700},
    "pending": lambda n: {"created_at": 1_000 + n, "completed": None},
    "of the settle window": lambda n: {"created_at": NOW - HOUR - n, "observed_at": NOW - n},
    "of one instant of the settle window": lambda n: {"created_at": NOW - HOUR, "observed_at": NOW},
}


@pytest.mark.parametrize("apart", [-123_457, 987_653])
@pytest.mark.parametrize("kind", BUSY)
def test_a_line_is_looked_at_as_often_in_a_long_history_as_in_a_short_one(kind: str, apart: int) -> None:
    """Nothing is searched in squares: the looks per line stay, and they are few."""

    def looks_per_line(count: int) -> float:
        known = of_a_busy_customer(count, kind)
        account = known.account(0)
        account = known.account(account.points + apart)
        judgement = verdict(account, known.lines.values, BRIEF, NOW)
        watched = [(number, Watched(*msgspec.structs.astuple(line))) for number, line in known.lines.items()]
        LOOKS.clear()
        causes = explain(account, watched, judgement, BRIEF, NOW)
        assert sum(each.points for each in causes) == judgement.difference
        return max(LOOKS.values()) / count

    few, many = looks_per_line(200), looks_per_line(2_000)
    assert many <= few
    assert many <= 12
