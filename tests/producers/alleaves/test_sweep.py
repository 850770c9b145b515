"""The complete walk against a simulated point of sale, kind and hostile."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from producers.alleaves import plan as plans
from producers.alleaves import records
from producers.alleaves.sweep import SOURCE, Progress
from stream.contracts import topics
from stream.contracts.cursors import Cursor
from stream.contracts.dead_letters import ORG as ORG_HEADER
from stream.contracts.dead_letters import REASON, STAGE
from stream.contracts.facts import (
    FACTS,
    CustomerObserved,
    OrderObserved,
    OrdersSnapshot,
    OrdersSwept,
    OrderUnreadable,
)
from stream.contracts.names import OrgId
from stream.contracts.people import Person
from stream.contracts.settings import OrgSettings
from stream.errors import Unreachable
from stream.loyalty.order import counted
from stream.loyalty.rules import compile_rules
from stream.sandbox.failures import HOSTILE_RATES, Conditions, Failure
from stream.sandbox.oracle import expected
from stream.sandbox.serve import system_clock
from stream.sandbox.world.build import build_world
from stream.sandbox.world.model import DAY_MS, Defect
from stream.sandbox.world.options import WorldSize
from tests.producers.alleaves.shop import ORG, Shop, open_shop, small_world
from tests.producers.hand_clock import HandClock
from tests.producers.recording import RecordingPublisher

RUN = "shop:daily:2026-01-30"


def spend_by_customer(publisher: RecordingPublisher) -> dict[int, int]:
    """What the published orders add up to under the default rules, each order as it was published last."""
    rules = compile_rules(OrgSettings(), 1)
    spend: Counter[int] = Counter()
    for event in {event.data.order: event for event in publisher.events(OrderObserved)}.values():
        spend[int(event.customer)] += counted(event.data, rules)[0]
    return {customer: minor for customer, minor in spend.items() if minor}


def oracle_spend(shop: Shop) -> dict[int, int]:
    customers = expected(shop.world).customers
    return {key: customer.total_spent_minor for key, customer in customers.items() if customer.total_spent_minor}


def swept(publisher: RecordingPublisher) -> OrdersSwept:
    [output] = publisher.everywhere
    body = FACTS.decode(output.value or b"").data
    assert isinstance(body, OrdersSwept)
    return body


async def test_a_walk_publishes_every_order_and_customer_then_snapshots_then_says_so() -> None:
    async with open_shop() as shop:
        result = await shop.sweep().walk(RUN, 1)
        assert (result.complete, result.orders, result.customers, result.reason) == (True, 120, 40, None)
        assert len(shop.publisher.bodies(OrderObserved)) == 120
        assert len(shop.publisher.bodies(CustomerObserved)) == 40
        assert len(shop.publisher.bodies(Person, topics.PEOPLE.name)) == 40
        assert spend_by_customer(shop.publisher) == oracle_spend(shop)

        walk = swept(shop.publisher)
        snapshots = shop.publisher.bodies(OrdersSnapshot)
        listed = {order: content for snapshot in snapshots for order, content in snapshot.orders.items()}
        assert listed == {fact.order: fact.content_hash for fact in shop.publisher.bodies(OrderObserved)}
        assert {snapshot.walk for snapshot in snapshots} == {walk.walk}
        assert (walk.run, walk.attempt, walk.complete) == (RUN, 1, True)
        assert walk.window_to == walk.started_at
        assert walk.started_at <= min(fact.observed_at for fact in shop.publisher.bodies(OrderObserved))
        assert walk.window_from <= walk.started_at - 399 * DAY_MS


async def test_what_a_hostile_vendor_sends_adds_up_to_the_oracle() -> None:
    size = WorldSize(orders=400, customers=150, members=20, discrepancies=2, strangers=3)
    world = build_world(7, system_clock(), size=size, hostile=True)
    clock = HandClock(time.time())
    conditions = Conditions(rates={**HOSTILE_RATES, Failure.SLOW: 0}, clock_skew_ms=95_000)
    async with open_shop(world, conditions, clock.clock) as shop:
        result = await shop.sweep().walk(RUN, 1)
        assert result.complete, result.reason
        assert shop.client.http.budget.errors.total() > 0
        assert spend_by_customer(shop.publisher) == oracle_spend(shop)
        letters = shop.publisher.of_topic(topics.DEAD_LETTERS.name)
        # Two elements are `null`, which is one dead letter; three customers have no id.
        assert len(letters) == result.unreadable == 2 * len(Defect) - 1 + 3
        unreadable = {fact.order for fact in shop.publisher.bodies(OrderUnreadable)}
        empty = {
            order
            for snapshot in shop.publisher.bodies(OrdersSnapshot)
            for order, content in snapshot.orders.items()
            if not content
        }
        assert unreadable == empty
        assert len(unreadable) == 2 * (len(Defect) - 4), "all but those without an object, an id or a customer"


async def test_a_dead_letter_holds_the_bytes_as_they_were_sent_and_why() -> None:
    world = small_world()
    order = world.order_at(5)
    order.defect = Defect.BARE_NAN_TOTAL
    async with open_shop(world) as shop:
        result = await shop.sweep().walk(RUN, 1)
        assert (result.complete, result.orders, result.unreadable) == (True, 120, 1)
        [letter] = shop.publisher.of_topic(topics.DEAD_LETTERS.name)
        headers = dict(letter.headers)
        assert letter.key == f"shop:{order.customer_id}".encode()
        assert f'"id_order":{order.order_id},'.encode() in (letter.value or b"")
        assert b'"total":NaN' in (letter.value or b"")
        assert (headers[STAGE], headers[ORG_HEADER]) == (b"alleaves.translate", b"shop")
        assert b"total" in headers[REASON]
        assert [fact.order for fact in shop.publisher.bodies(OrderUnreadable)] == [str(order.order_id)]


async def test_a_walk_that_meets_an_outage_is_incomplete_and_says_neither_snapshots_nor_swept() -> None:
    clock = HandClock(time.time())
    async with open_shop(clock=clock.clock, page_size=10) as shop:

        def outage(progress: Progress) -> None:
            if progress.phase == "orders":
                shop.sandbox.alleaves.conditions.outage = True

        result = await shop.sweep().walk(RUN, 1, outage)
        assert not result.complete
        assert "503" in (result.reason or "") or "left alone" in (result.reason or "")
        assert shop.publisher.bodies(OrdersSnapshot) == []
        assert shop.publisher.everywhere == []
        assert await shop.cursors.load(ORG, SOURCE) is None

        shop.sandbox.alleaves.conditions.outage = False
        clock.now += 60
        again = await shop.sweep().walk(RUN, 2)
        assert (again.complete, again.orders) == (True, 120)
        assert swept(shop.publisher).attempt == 2


async def test_a_broker_that_stays_away_ends_the_walk_and_leaves_the_cursor() -> None:
    async with open_shop() as shop:
        shop.publisher.down = True
        with pytest.raises(Unreachable):
            await shop.sweep().walk(RUN, 1)
        assert await shop.cursors.load(ORG, SOURCE) is None


async def test_somebody_who_was_erased_gets_no_person_and_no_identities() -> None:
    world = small_world()
    customer = next(each for each in world.customers.values() if each.phone or each.email)
    async with open_shop(world) as shop:
        await shop.sweep(erased=frozenset({str(customer.customer_id)})).walk(RUN, 1)
        people = {event.customer for event in shop.publisher.events(Person, topics.PEOPLE.name)}
        assert str(customer.customer_id) not in people
        assert len(people) == 39
        observed = {event.customer: event.data for event in shop.publisher.events(CustomerObserved)}
        assert observed[str(customer.customer_id)].identities == ()


async def test_a_second_walk_asks_for_no_page_in_vain() -> None:
    async with open_shop(page_size=10) as shop:
        await shop.sweep().walk(RUN, 1)
        calls = shop.client.http.budget.calls
        await shop.sweep().walk("shop:daily:2026-01-31", 1)
        assert shop.client.http.budget.calls - calls == (12 + 1) + (4 + 1)


async def test_a_snapshot_of_many_orders_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SNAPSHOT_ORDERS", 3)
    world = small_world()
    customer = max(world.customers, key=lambda key: len(world.orders_of(key)))
    orders = {str(order.order_id) for order in world.orders_of(customer)}
    assert len(orders) > 3
    async with open_shop(world) as shop:
        await shop.sweep().walk(RUN, 1)
        parts = [event.data for event in shop.publisher.events(OrdersSnapshot) if event.customer == str(customer)]
    assert [part.part for part in parts] == list(range(1, -(-len(orders) // 3) + 1))
    assert {part.parts for part in parts} == {len(parts)}
    assert {order for part in parts for order in part.orders} == orders
    assert sum(len(part.orders) for part in parts) == len(orders)


class TestABigHistory:
    """Read by months, and resumed where months were finished."""

    @pytest.fixture(autouse=True)
    def small_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plans, "BIG_PAGES", 3)

    async def test_it_adds_up_and_says_how_far_it_is(self) -> None:
        told: list[Progress] = []
        saved: list[Cursor] = []
        async with open_shop(page_size=10) as shop:
            save = shop.cursors.save

            async def saving(org: OrgId, source: str, cursor: Cursor) -> None:
                saved.append(cursor)
                await save(ORG, source, cursor)

            shop.cursors.save = saving  # type: ignore[method-assign]
            result = await shop.sweep().walk(RUN, 1, told.append)
            assert (result.complete, result.orders, result.customers) == (True, 120, 40)
            assert spend_by_customer(shop.publisher) == oracle_spend(shop)
        before = [cursor.detail["before"] for cursor in saved if "before" in cursor.detail]
        assert len(before) >= 3
        assert before == sorted(set(before))
        assert "before" not in saved[-1].detail
        assert Progress("orders", 120, 120) in told

    async def test_a_walk_that_was_cut_off_goes_on_at_the_first_unfinished_month(self) -> None:
        clock = HandClock(time.time())
        async with open_shop(clock=clock.clock, page_size=10) as shop:

            def outage(progress: Progress) -> None:
                shop.sandbox.alleaves.conditions.outage = progress.phase == "orders" and progress.done > 80

            first = await shop.sweep().walk(RUN, 1, outage)
            assert not first.complete
            cursor = await shop.cursors.load(ORG, SOURCE)
            assert cursor is not None
            assert cursor.detail["run"] == RUN
            shop.sandbox.alleaves.conditions.outage = False
            clock.now += 60

            second = await shop.sweep().walk(RUN, 2)
            assert second.complete
            assert second.orders < 120
            assert swept(shop.publisher).window_from == cursor.through
            assert spend_by_customer(shop.publisher) == oracle_spend(shop), "nothing was lost between the two"

    async def test_another_run_begins_at_the_beginning(self) -> None:
        async with open_shop(page_size=10) as shop:
            await shop.cursors.save(ORG, SOURCE, Cursor(0, {"run": RUN, "before": "2026-10-01", "order_pages": "0"}))
            result = await shop.sweep().walk("shop:daily:other", 1)
            assert (result.complete, result.orders) == (True, 120)
