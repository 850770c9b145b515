"""Polling against a simulated point of sale."""

from __future__ import annotations

import asyncio
import json
import re
import time

import httpx
import pytest
from pydantic import SecretStr

from producers.alleaves.client import AlleavesClient
from producers.alleaves.poller import Poller, PollResult
from producers.alleaves.records import SOURCE
from producers.alleaves.sweep import OrderSweep
from producers.alleaves.translate import Translator
from producers.cursors import MemoryCursors
from producers.identity import Identities, IdentityKey
from stream.contracts import topics
from stream.contracts.cursors import Cursor
from stream.contracts.facts import OrderObserved, OrderReassigned, OrderUnreadable
from stream.errors import Unreachable, Unreadable
from stream.sandbox.failures import Conditions
from stream.sandbox.serve import system_clock
from stream.sandbox.world.model import DAY_MS, Defect, Order
from stream.sandbox.world.options import Listing
from stream.settings import AlleavesSettings
from tests.producers.alleaves.shop import ORG, Shop, open_shop, small_world
from tests.producers.hand_clock import HandClock
from tests.producers.recording import RecordingPublisher
from tests.producers.scripted import Script, answer
from tests.producers.waiting import until


def sell(shop: Shop, minor: int = 3_955, customer: int = 0) -> Order:
    return shop.sandbox.trade.sell(customer or next(iter(shop.world.customers)), system_clock(), minor)


async def test_a_new_order_is_published_once_however_often_it_is_polled() -> None:
    async with open_shop() as shop:
        poller = shop.poller()
        await poller.poll()
        shop.publisher.forget()
        order = sell(shop)
        results = [await poller.poll() for _ in range(3)]
        [event] = shop.publisher.events(OrderObserved)
        assert (event.data.order, event.data.total_minor, event.data.completed) == (str(order.order_id), 3_955, True)
        assert (event.customer, event.source, event.at) == (str(order.customer_id), "alleaves", event.data.observed_at)
        assert [result.published for result in results] == [1, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"total_minor": 2_000},
        {"refunded_minor": 500},
        {"state": "void"},
        {"state": "pending"},
        {"tax_minor": 1},
        {"location_id": 1999},
    ],
)
async def test_whatever_matters_and_changes_is_published_again(change: dict[str, object]) -> None:
    async with open_shop() as shop:
        poller, order = shop.poller(), sell(shop)
        await poller.poll()
        shop.publisher.forget()
        for field, value in change.items():
            setattr(order, field, value)
        await poller.poll()
        assert [fact.order for fact in shop.publisher.bodies(OrderObserved)] == [str(order.order_id)]


async def test_an_order_that_moves_is_taken_from_its_former_customer() -> None:
    async with open_shop() as shop:
        former, new = list(shop.world.customers)[:2]
        poller, order = shop.poller(), sell(shop, customer=former)
        await poller.poll()
        shop.publisher.forget()
        shop.world.move_order(order, new, system_clock())
        await poller.poll()
        [moved] = shop.publisher.events(OrderReassigned)
        [seen] = shop.publisher.events(OrderObserved)
        assert (moved.customer, moved.data.order, moved.data.to) == (str(former), str(order.order_id), str(new))
        assert (seen.customer, seen.data.observed_at) == (str(new), moved.data.observed_at)


async def test_an_unreadable_order_is_a_dead_letter_once_and_the_others_go_on() -> None:
    async with open_shop() as shop:
        poller, broken, fine = shop.poller(), sell(shop), sell(shop)
        await poller.poll()
        shop.publisher.forget()
        broken.defect, fine.total_minor = Defect.TEXT_TOTAL, 1
        results = [await poller.poll() for _ in range(3)]
        assert [result.unreadable for result in results] == [1, 0, 0]
        [letter] = shop.publisher.of_topic(topics.DEAD_LETTERS.name)
        assert b'"total":"abc"' in (letter.value or b"")
        assert [fact.order for fact in shop.publisher.bodies(OrderUnreadable)] == [str(broken.order_id)]
        assert [fact.total_minor for fact in shop.publisher.bodies(OrderObserved)] == [1]


async def test_the_cursor_goes_on_only_when_everything_was_acknowledged() -> None:
    async with open_shop() as shop:
        poller = shop.poller()
        await poller.poll()
        before = await shop.cursors.load(ORG, SOURCE)
        order = sell(shop)
        shop.publisher.down = True
        with pytest.raises(Unreachable):
            await poller.poll()
        assert await shop.cursors.load(ORG, SOURCE) == before
        shop.publisher.down = False
        shop.publisher.forget()
        await poller.poll()
        after = await shop.cursors.load(ORG, SOURCE)
        assert before is not None
        assert after is not None
        assert after.through > before.through
        assert [fact.order for fact in shop.publisher.bodies(OrderObserved)] == [str(order.order_id)]


async def test_a_poller_that_was_away_reads_from_its_cursor_on() -> None:
    async with open_shop() as shop:
        await shop.cursors.save(ORG, SOURCE, Cursor(system_clock() - 30 * DAY_MS))
        await shop.poller().poll()
        seen = {int(fact.order) for fact in shop.publisher.bodies(OrderObserved)}
        since = system_clock() - 30 * DAY_MS
        missed = {order.order_id for order in shop.world.orders.values() if order.created_ms >= since}
        assert missed <= seen
        assert len(seen) < 60


@pytest.mark.parametrize("hours", [-12, -7, 0, 14])
@pytest.mark.parametrize("inclusive", [True, False])
async def test_a_fresh_order_is_seen_whatever_zone_and_bounds_the_vendor_has(hours: int, inclusive: bool) -> None:
    world = small_world(listing=Listing(end_inclusive=inclusive, utc_offset_hours=hours))
    async with open_shop(world) as shop:
        order = sell(shop)
        await shop.poller().poll()
        assert str(order.order_id) in {fact.order for fact in shop.publisher.bodies(OrderObserved)}


async def test_rows_that_shift_between_pages_are_published_once() -> None:
    world = small_world(listing=Listing(repeat_every=1))
    async with open_shop(world, page_size=5) as shop:
        orders = {str(sell(shop, 100 + n).order_id) for n in range(23)}
        result = await shop.poller().poll()
        published = [fact.order for fact in shop.publisher.bodies(OrderObserved)]
        assert result.pages >= 5
        assert orders <= set(published)
        assert len(published) == len(set(published))


async def test_a_poll_that_found_something_is_followed_sooner_and_a_quiet_one_after_the_interval() -> None:
    clock = HandClock(time.time())
    async with open_shop(clock=clock.clock, poll_seconds=5) as shop:
        began = clock.now
        await polls(shop, clock, 4)  # the first finds the window's orders, the others nothing new
        assert clock.now - began == pytest.approx(2.5 + 3 * 5, abs=0.5)
        assert shop.client.http.budget.calls >= 5


@pytest.mark.parametrize(
    ("interval", "published", "then", "because"),
    [
        (5, 3, 2.5, "orders come in bursts"),
        (2.5, 1, 1.25, "and goes on halving"),
        (1.25, 1, 1, "but never below a second"),
        (1, 0, 5, "a quiet poll ends the burst"),
        (5, 0, 5, "the interval is never exceeded"),
    ],
)
async def test_the_interval_follows_the_trade(interval: float, published: int, then: float, because: str) -> None:
    async with open_shop(poll_seconds=5) as shop:
        assert shop.poller()._next_interval(interval, PollResult(9, published, 0, 1)) == then, because


async def polls(shop: Shop, clock: HandClock, count: int) -> None:
    """Runs a poller until it has slept so often."""
    poller = shop.poller(clock.clock)
    running = asyncio.create_task(poller.run())
    while len(clock.slept) < count:
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_failures_are_retried_later_and_later_and_end_in_the_status() -> None:
    clock, waits = HandClock(time.time()), HandClock(time.time())
    async with open_shop(conditions=Conditions(outage=True), clock=clock.clock, poll_seconds=5) as shop:
        poller = shop.poller(waits.clock)
        running = asyncio.create_task(poller.run())
        while len(waits.slept) < 6:
            await asyncio.sleep(0.001)
        assert waits.slept[:2] >= [10, 20]
        assert waits.slept[:6] == sorted(waits.slept[:6])
        assert waits.slept[5] == 60
        assert poller.status.failures_in_a_row >= 6
        assert poller.status.failing_since is not None
        assert poller.status.reason is not None
        shop.sandbox.alleaves.conditions.outage = False
        clock.now += 600
        while poller.status.failures_in_a_row:
            await asyncio.sleep(0.001)
        assert poller.status.last_success_at is not None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_a_vendor_says_of_a_person_is_not_repeated() -> None:
    """Reasons are shown to whoever may see that a run or a role is in trouble."""

    def play(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/auth":
            return answer(body='{"token": "t"}')
        return answer(400, '{"message": "see jane@example.com, 555 123 4567"}')

    settings, time = AlleavesSettings(username="u", password=SecretStr("p")), HandClock()
    translator = Translator(Identities(IdentityKey(b"k" * 32)))
    async with AlleavesClient.of(settings, clock=time.clock, transport=Script(play)) as client:
        shop = {"org": ORG, "client": client, "translator": translator, "settings": settings}
        parts = {**shop, "publisher": RecordingPublisher(), "cursors": MemoryCursors()}
        walked = await OrderSweep(**parts).walk("r", 1)  # type: ignore[arg-type]  # parts of many kinds
        poller = Poller(**parts, clock=time.clock)  # type: ignore[arg-type]  # likewise
        running = asyncio.create_task(poller.run())
        await until(lambda: poller.status.reason)
        running.cancel()
    for reason in (walked.reason, poller.status.reason):
        assert reason is not None
        assert "answered 400" in reason
        assert not re.search(r"jane|555", reason)


async def test_a_page_that_stays_unreadable_is_kept_once_and_nothing_of_it_is_guessed() -> None:
    clock, page = HandClock(), b'[{"id_order": 7, "id_customer": 1, "total": "1.00"}, {"id_'
    script = Script(answer(200, '{"token": "opaque"}'), answer(200, page))
    publisher, cursors = RecordingPublisher(), MemoryCursors()
    settings = AlleavesSettings(username="u", password=SecretStr("password"))
    async with AlleavesClient.of(settings, clock=clock.clock, transport=script) as client:
        poller = Poller(
            org=ORG,
            client=client,
            translator=Translator(Identities(IdentityKey(b"k" * 32))),
            publisher=publisher,
            cursors=cursors,
            settings=settings,
            clock=clock.clock,
        )
        for _ in range(2):
            with pytest.raises(Unreadable):
                await poller.poll()
    [letter] = publisher.outputs
    assert (letter.topic, letter.value) == (topics.DEAD_LETTERS.name, page)
    assert await cursors.load(ORG, SOURCE) is None


async def test_an_order_that_is_listed_though_it_is_old_is_not_said_again_with_every_poll() -> None:
    """Whether the vendor's dates are those of creation is unknown: it may list what was touched."""
    order = {"id_order": 7, "id_customer": 1, "total": "1.00", "date_created": "2020-01-01T00:00:00Z", "complete": True}

    def play(request: httpx.Request) -> httpx.Response:
        first = request.url.path == "/api/order" and request.url.params["page"] == "1"
        return answer(body=json.dumps({"token": "t"} if request.url.path == "/api/auth" else [order] if first else []))

    publisher = RecordingPublisher()
    settings = AlleavesSettings(username="u", password=SecretStr("p"))
    async with AlleavesClient.of(settings, transport=Script(play)) as client:
        poller = Poller(
            org=ORG,
            client=client,
            translator=Translator(Identities(IdentityKey(b"k" * 32))),
            publisher=publisher,
            cursors=MemoryCursors(),
            settings=settings,
        )
        assert [(await poller.poll()).published for _ in range(3)] == [1, 0, 0]
        order["total"] = "2.00"
        assert (await poller.poll()).published == 1
