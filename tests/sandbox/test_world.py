"""The world: the brief's figures for every seed, every ingredient in it, and live trade."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from producers.identity import normalised_email
from stream.sandbox.oracle import expected
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import DAY_MS, Defect, Oddity, OrderState, World
from stream.sandbox.world.options import Hostility, WorldOptions, WorldSize
from stream.sandbox.world.people import HOSTILE_NAMES, email
from stream.sandbox.world.rows import customer_row, encode, member_row, order_row
from stream.sandbox.world.trade import ChangeKind, Trade

NOW_MS = 1_769_804_518_003
BRIEF = {
    "totalCustomers": 1641,
    "withAlpineSync": 245,
    "withCalculatedPoints": 1641,
    "reconciled": 240,
    "needsReview": 5,
}
SMALL = WorldSize(orders=300, customers=180, members=40, discrepancies=3, strangers=5)


def everything(world: World) -> bytes:
    """All that a client could read."""
    orders = [order_row(world, order) for order in world.orders.values()]
    customers = [customer_row(customer) for customer in world.customers.values()]
    return encode([orders, customers, [member_row(member) for member in world.members.values()]])


@pytest.mark.parametrize("seed", [0, 1, 7, 42, 2**31, -3])
def test_every_seed_has_the_figures_of_the_brief(seed: int) -> None:
    world = build_world(seed, NOW_MS)
    assert (len(world.orders), len(world.customers)) == (2689, 1641)
    assert expected(world).stats.as_dict() == BRIEF


def test_a_hostile_world_adds_rows_but_keeps_the_verdicts() -> None:
    stats = expected(build_world(7, NOW_MS, hostile=True)).stats
    assert (stats.withAlpineSync, stats.reconciled, stats.needsReview) == (245, 240, 5)
    assert stats.totalCustomers == 1641 + 4 + 7 + 6  # unknown at the shop, sharing a phone, balance unknowable


@pytest.mark.parametrize("hostile", [False, True])
def test_the_same_seed_gives_the_same_world_and_another_seed_another(hostile: bool) -> None:
    first, second = (everything(build_world(7, NOW_MS, hostile=hostile)) for _ in range(2))
    assert first == second
    assert first != everything(build_world(8, NOW_MS, hostile=hostile))


@pytest.mark.parametrize(("orders", "customers"), [(20, 10), (8, 4), (500, 40), (100, 400)], ids=lambda each: str(each))
def test_other_sizes_keep_their_word(orders: int, customers: int) -> None:
    size = WorldSize(orders=orders, customers=customers, members=3, discrepancies=2, strangers=1)
    world = build_world(3, NOW_MS, size=size)
    assert (len(world.orders), len(world.customers), len(world.members)) == (orders, customers, 4)
    stats = expected(world).stats
    assert (stats.withAlpineSync, stats.reconciled, stats.needsReview) == (3, 1, 2)


def test_a_size_that_cannot_be_is_refused() -> None:
    for wrong in ({"customers": 1}, {"members": 1641}, {"discrepancies": 245}, {"orders": 3}):
        with pytest.raises(ValueError):
            replace(WorldSize(), **wrong)


def test_every_status_and_every_form_of_refund_occurs() -> None:
    orders = list(build_world(7, NOW_MS).orders.values())
    assert {order.state for order in orders} == set(OrderState)
    assert any(order.total_minor < 0 for order in orders)
    assert any(order.refunded_minor for order in orders)
    assert any(order.was_complete and order.state is OrderState.VOID for order in orders)
    lowered = [o for o in orders if 0 < o.total_minor < o.subtotal_minor - o.discount_minor + o.tax_minor]
    assert len(lowered) >= 20


def test_contact_data_is_sparse_and_every_kind_of_link_is_used() -> None:
    world = build_world(7, NOW_MS)
    outcome = expected(world)
    links: Counter[str] = Counter()
    for customer in world.customers.values():
        if outcome.customers[customer.customer_id].provider_points is not None:
            links["code" if customer.alpine_user_code else "phone" if customer.phone else "email"] += 1
    assert links.total() == 245
    assert min(links["code"], links["phone"], links["email"]) >= 10
    reachable = sum(bool(customer.phone or customer.email) for customer in world.customers.values())
    assert reachable < len(world.customers) / 4


def test_balances_are_clearly_on_one_side_and_no_lag_explains_a_discrepancy() -> None:
    world = build_world(7, NOW_MS, size=WorldSize(members=400, discrepancies=380, orders=9_000))
    for customer in expected(world).customers.values():
        if customer.provider_points is None:
            continue
        off = abs(customer.provider_points - customer.points_from_orders) * 100
        if customer.verdict == "matched":
            assert off <= 6 * customer.provider_points
        else:
            assert off >= 20 * max(customer.provider_points, 1)
            newest = max(order.updated_ms for order in world.orders_of(customer.customer_id))
            assert newest < NOW_MS - 3 * DAY_MS


def test_orders_lie_within_the_year_before_now() -> None:
    for order in build_world(7, NOW_MS).orders.values():
        assert NOW_MS - 366 * DAY_MS < order.created_ms <= order.updated_ms <= NOW_MS


def test_a_hostile_world_has_every_defect_and_oddity() -> None:
    orders = build_world(7, NOW_MS, hostile=True).orders.values()
    assert {order.defect for order in orders} == {None, *Defect}
    assert {order.oddity for order in orders} == {None, *Oddity}
    tame = build_world(7, NOW_MS, options=WorldOptions(hostility=Hostility(bare_nan=False)))
    assert Defect.BARE_NAN_TOTAL not in {order.defect for order in tame.orders.values()}


def test_money_is_a_number_or_a_string_and_the_sample_is_39_55() -> None:
    world = build_world(7, NOW_MS)
    rows = [order_row(world, order) for order in world.orders.values()]
    assert {type(row["total"]).__name__ for row in rows if row} == {"str", "int", "Decimal"}
    (sample,) = world.orders_of(world.sample_customer_id)
    assert b'"total":39.55' in encode(order_row(world, sample)) or b'"39.55"' in encode(order_row(world, sample))


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_each_kind_of_change_happens_and_names_what_it_changed(kind: ChangeKind) -> None:
    world = build_world(5, NOW_MS, size=SMALL)
    before = everything(world)
    changes = Trade(world).run(8, NOW_MS + 1_000, (kind,))
    assert [change.kind for change in changes] == [kind] * 8
    assert changes[-1].at_ms == NOW_MS + 1_000
    assert everything(world) != before
    for change in changes:
        if change.order_id is not None:
            order = world.orders[change.order_id]
            assert NOW_MS < order.updated_ms <= NOW_MS + 1_000
        if kind is ChangeKind.MOVED:
            assert change.former_customer_id is not None


@pytest.mark.parametrize("hostile", [False, True])
def test_trade_is_deterministic_and_does_not_change_who_needs_review(hostile: bool) -> None:
    hostility = Hostility() if hostile else None
    worlds = [build_world(5, NOW_MS, options=WorldOptions(size=SMALL, hostility=hostility)) for _ in range(2)]
    before = expected(worlds[0])
    changes = [Trade(world).run(400, NOW_MS + 60_000) for world in worlds]
    assert changes[0] == changes[1]
    assert everything(worlds[0]) == everything(worlds[1])
    after = expected(worlds[0])
    assert after.stats.needsReview == before.stats.needsReview == 3
    assert after.stats.totalCustomers > before.stats.totalCustomers
    assert {key for key, each in after.customers.items() if each.verdict == "discrepancy"} == {
        key for key, each in before.customers.items() if each.verdict == "discrepancy"
    }


def test_a_provider_that_does_not_follow_keeps_its_balances() -> None:
    world = build_world(5, NOW_MS, size=SMALL)
    before = {key: member.points for key, member in world.members.items()}
    Trade(world, provider_follows=False).run(200, NOW_MS + 60_000, (ChangeKind.NEW, ChangeKind.REFUNDED))
    assert {key: member.points for key, member in world.members.items()} == before


def test_orders_of_a_large_world_are_found_by_date() -> None:
    world = build_world(1, NOW_MS, size=WorldSize.of(orders=20_000))
    day = world.orders_between(NOW_MS - 10 * DAY_MS, NOW_MS - 9 * DAY_MS)
    by_hand = [o for o in world.orders.values() if NOW_MS - 10 * DAY_MS <= o.created_ms < NOW_MS - 9 * DAY_MS]
    assert len(day) == len(by_hand) > 20
    assert {world.order_at(position).order_id for position in day} == {order.order_id for order in by_hand}


def verdicts(world: World, compare: str) -> Counter[str]:
    return Counter(each.verdict for each in expected(world, {"compare": compare}).customers.values())


@pytest.mark.parametrize("hostile", [False, True])
def test_members_who_redeem_make_raw_and_expected_disagree(hostile: bool) -> None:
    size = WorldSize(orders=900, customers=500, members=200, discrepancies=5, strangers=3)
    hostility = Hostility() if hostile else None
    world = build_world(7, NOW_MS, options=WorldOptions(size, hostility=hostility, movements=True))
    kind = build_world(7, NOW_MS, options=WorldOptions(size, hostility=hostility))
    outcomes = {
        (raw.verdict, expecting.verdict): raw.customer_id
        for raw, expecting in zip(
            expected(world).customers.values(), expected(world, {"compare": "expected"}).customers.values(), strict=True
        )
    }
    assert outcomes.keys() >= {("discrepancy", "matched"), ("matched", "discrepancy"), ("discrepancy", "discrepancy")}
    assert verdicts(world, "raw")["discrepancy"] > 20
    assert verdicts(kind, "raw")["discrepancy"] == 5
    assert verdicts(kind, "expected")["discrepancy"] == 2, "a late enrolment and a boost; the others moved points"
    assert all(member.points >= 0 for member in world.members.values())


def test_what_moved_balances_in_a_world_without_redeeming_members_is_what_explains_discrepancies() -> None:
    world = build_world(7, NOW_MS)
    moved = [member for member in world.members.values() if member.movements]
    assert sorted(member.movements[0].kind for member in moved) == ["adjustment", "expiry", "redemption"]


@pytest.mark.parametrize(("first", "last"), [*HOSTILE_NAMES, ("Ana", "O'Brien-Smith"), ("Ann Mary", "de la Cruz")])
def test_an_address_is_valid_whatever_its_owner_is_called(first: str, last: str) -> None:
    address = email(first, last, 1_234_567)
    assert re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)*@example\.com", address)
    assert len(address.partition("@")[0]) <= 64
    assert normalised_email(address) == address


def test_ordinary_names_are_in_their_addresses() -> None:
    assert email("Ana", "Baker", 7) == "ana.baker7@example.com"
