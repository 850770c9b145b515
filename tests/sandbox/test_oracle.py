"""The oracle, against sums done by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stream.sandbox.oracle import Rules, expected, points_for, tier, verdict
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import Customer, Defect, Member, Movement, Order, OrderState, World
from stream.sandbox.world.options import WorldOptions

NOW_MS = 1_769_804_518_003


class Shop:
    """Builds a tiny world by hand."""

    def __init__(self) -> None:
        self.world = World(0, NOW_MS, WorldOptions())

    def customer(self, number: int, *, group: str | None = None, code: str | None = None, phone: str | None = None,
                 email: str | None = None, walk_in: bool = False) -> Shop:  # fmt: skip
        self.world.add_customer(
            Customer(number, "A", "B", 0, group=group, alpine_user_code=code, phone=phone, email=email, walk_in=walk_in)
        )
        return self

    def order(self, customer: int, total: int, state: OrderState = OrderState.COMPLETED, *, refunded: int = 0,
              tax: int = 0, defect: Defect | None = None) -> Shop:  # fmt: skip
        number = self.world.next_order_id()
        self.world.add_order(
            Order(number, customer, 1, number, number, total - tax, 0, tax, total, state, refunded, defect=defect)
        )
        return self

    def member(self, contact: str, points: int, *, phone: str | None = None, email: str | None = None,
               hidden: bool = False) -> Shop:  # fmt: skip
        self.world.members[contact] = Member(contact, "A", "B", points, 0, phone, email, hidden)
        return self


@pytest.mark.parametrize(
    ("amounts", "equity", "rules", "points", "because"),
    [
        ([3955], False, {}, 40, "the live order: 39.55 rounds up"),
        ([3949], False, {}, 39, "below a half rounds down"),
        ([3950], False, {}, 40, "a half rounds up, not to even"),
        ([4050], False, {}, 41, "a half rounds up, not to even"),
        ([199] * 10, False, {}, 20, "rounded once, on the lifetime total"),
        ([199] * 10, False, {"rounding": "floor"}, 19, "floor of 19.90"),
        ([199] * 10, False, {"rounding": "floor", "roundPer": "order"}, 10, "each order by itself"),
        ([10_000], True, {}, 120, "equity counts 1.2 times"),
        ([1_250], True, {}, 15, "12.50 times 1.2 is exactly 15"),
        ([10_000, -12_000], False, {}, 0, "points are never negative"),
        ([10_000, -4_000], False, {}, 60, "a negative order claws back"),
        ([999], False, {"pointsPerDollar": "0.1"}, 1, "0.999 rounds to 1"),
        ([], False, {}, 0, "no orders, no points"),
    ],
)
def test_points(amounts: list[int], equity: bool, rules: Rules, points: int, because: str) -> None:
    assert points_for(amounts, equity, rules) == points, because


@pytest.mark.parametrize(
    ("provider", "ours", "outcome", "because"),
    [
        (475, 450, "matched", "5.3 %"),
        (500, 450, "matched", "exactly 10 % is still within"),
        (500, 449, "discrepancy", "10.2 %"),
        (500, 550, "matched", "the same on the other side"),
        (500, 551, "discrepancy", "the same on the other side"),
        (0, 1, "discrepancy", "of nothing, everything is too much"),
        (0, 0, "matched", "nothing on both sides"),
        (9, 10, "discrepancy", "11.1 %"),
        (10, 9, "matched", "10 %: the provider's balance is the base"),
    ],
)
def test_verdict(provider: int, ours: int, outcome: str, because: str) -> None:
    assert verdict(provider, ours, Decimal(10)) == outcome, because


@pytest.mark.parametrize(
    ("points", "name"), [(0, "Bronze"), (499, "Bronze"), (500, "Silver"), (999, "Silver"), (1000, "Gold")]
)
def test_a_tier_begins_at_its_threshold(points: int, name: str) -> None:
    tiers = [
        {"name": "Gold", "threshold": 1000},
        {"name": "Bronze", "threshold": 0},
        {"name": "Silver", "threshold": 500},
    ]
    assert tier(points, tiers) == name  # type: ignore[arg-type]  # plain tables


def test_only_completed_and_readable_orders_count_and_refunds_are_taken_off() -> None:
    shop = Shop().customer(1).order(1, 10_000).order(1, 5_000, refunded=2_000).order(1, -1_000)
    for state in (OrderState.CANCELLED, OrderState.VOID, OrderState.PENDING, OrderState.UNPAID):
        shop.order(1, 77_700, state)
    shop.order(1, 88_800, defect=Defect.TEXT_TOTAL)
    result = expected(shop.world).customers[1]
    assert (result.total_spent_minor, result.order_count, result.points_from_orders) == (12_000, 3, 120)


def test_spend_may_be_negative_but_points_are_not() -> None:
    result = expected(Shop().customer(1).order(1, 1_000).order(1, -3_000).world).customers[1]
    assert (result.total_spent_minor, result.points_from_orders) == (-2_000, 0)


@pytest.mark.parametrize(("basis", "spent"), [("total", 900), ("total_less_tax", 800), ("subtotal", 800)])
def test_the_basis_says_what_of_an_order_counts(basis: str, spent: int) -> None:
    result = expected(Shop().customer(1).order(1, 1_000, tax=100, refunded=100).world, {"basis": basis})
    assert result.customers[1].total_spent_minor == spent


@pytest.mark.parametrize(
    ("points", "moved", "raw", "expecting", "because"),
    [
        (60, [-40], "discrepancy", "matched", "what was redeemed is missing there"),
        (60, [-30, -20, 10], "discrepancy", "matched", "they add up"),
        (100, [-40], "matched", "discrepancy", "it was not taken off"),
        (89, [1], "discrepancy", "discrepancy", "12.4 %, and 13.5 %"),
        (100, [], "matched", "matched", "nothing moved"),
    ],
)
def test_where_so_asked_the_sides_are_compared_after_what_moved_the_balance(
    points: int, moved: list[int], raw: str, expecting: str, because: str
) -> None:
    world = Shop().customer(1, code="55").order(1, 10_000).member("55", points).world
    world.members["55"].movements = [Movement("adjustment", each, 0, "") for each in moved]
    world.members["55"].movements.append(Movement("adjustment", 5_000, 0, "nobody can read this", broken=True))
    assert expected(world).customers[1].verdict == expected(world, {"compare": "raw"}).customers[1].verdict == raw
    result = expected(world, {"compare": "expected"}).customers[1]
    assert (result.verdict, result.moved_points) == (expecting, sum(moved)), because
    assert (result.points, result.points_from_orders) == (points, 100), "and nothing else changes"


def test_equity_comes_from_the_field_or_from_the_list() -> None:
    world = (
        Shop().customer(1, group="equity").customer(2).customer(3).order(1, 1_000).order(2, 1_000).order(3, 1_000).world
    )
    world.equity_override.add(2)
    points = {key: each.points_from_orders for key, each in expected(world).customers.items()}
    assert points == {1: 12, 2: 12, 3: 10}
    given = {key: each.points_from_orders for key, each in expected(world, {"equityCustomers": [3]}).customers.items()}
    assert given == {1: 12, 2: 10, 3: 12}


def test_the_providers_points_win_and_decide_the_tier() -> None:
    world = Shop().customer(1, code="55").order(1, 45_000).member("55", 505).world
    result = expected(world).customers[1]
    assert (result.points, result.tier, result.tier_from_orders) == (505, "Silver", "Bronze")
    assert (result.verdict, result.contact_id) == ("discrepancy", "55")


@pytest.mark.parametrize(
    ("shop", "points", "reason", "because"),
    [
        (Shop().customer(1, code="5").member("5", 7), 7, None, "found by code"),
        (Shop().customer(1, phone="2125550100").member("5", 7, phone="2125550100"), 7, None, "found by phone"),
        (Shop().customer(1, email="a@example.com").member("5", 7, email="a@example.com"), 7, None, "found by e-mail"),
        (
            Shop().customer(1, code="5", phone="2125550100").member("5", 7).member("6", 9, phone="2125550100"),
            7, None, "the code is the better identity",
        ),
        (Shop().customer(1, code="5").member("6", 7), None, "not_enrolled", "nobody there"),
        (Shop().customer(1, code="5").member("5", 0, hidden=True), None, "hidden", "hidden is unknown, not 0"),
        (
            Shop().customer(1, phone="2125550100").customer(2, phone="2125550100").member("5", 7, phone="2125550100"),
            None, "ambiguous", "two customers, one phone",
        ),
        (
            Shop().customer(1, email="a@b.c").member("5", 7, email="a@b.c").member("6", 8, email="a@b.c"),
            None, "ambiguous", "two members, one address",
        ),
    ],
)  # fmt: skip
def test_balances_are_joined_by_the_best_identity(
    shop: Shop, points: int | None, reason: str | None, because: str
) -> None:
    result = expected(shop.world).customers[1]
    assert (result.provider_points, result.no_verdict_because) == (points, reason), because
    assert (result.verdict == "none") == (points is None)


def test_a_walk_in_earns_nothing_and_is_no_customer_of_the_figures() -> None:
    outcome = expected(Shop().customer(1, walk_in=True).order(1, 9_900).customer(2).world)
    assert outcome.customers[1].points == 0
    assert outcome.stats.totalCustomers == 1


def test_customers_that_only_orders_mention_are_there_too() -> None:
    outcome = expected(Shop().order(9, 2_000).order(8, 2_000, defect=Defect.NO_TOTAL).world)
    assert outcome.customers.keys() == {9}
    assert (outcome.customers[9].points, outcome.customers[9].known) == (20, False)


def test_the_samples_of_the_brief_are_in_every_world() -> None:
    world = build_world(123, NOW_MS)
    customers = expected(world).customers
    single, member = customers[world.sample_customer_id], customers[world.sample_member_id]
    assert (single.order_count, single.total_spent_minor, single.points, single.tier) == (1, 3955, 40, "Bronze")
    assert (member.points, member.points_from_orders, member.tier, member.verdict) == (475, 450, "Bronze", "matched")
