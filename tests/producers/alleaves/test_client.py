"""Logging in, and answers of either shape."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import UTC, date, datetime

import httpx
import pytest
from pydantic import SecretStr

from producers.alleaves.client import AlleavesClient
from producers.alleaves.token import renew_at
from producers.http import UnreadableAnswer
from stream.errors import Refused
from stream.sandbox.failures import Conditions
from stream.sandbox.serve import system_clock
from stream.settings import AlleavesSettings
from tests.producers.alleaves.shop import open_shop, small_world
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer

SETTINGS = AlleavesSettings(username="u", password=SecretStr("pass-word"), pin=SecretStr("1234"))
NOW = 1_700_000_000.0
ODD = '{"total":NaN , "name":"Zo\\u00eb ë"}'.encode()


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.signature"


class Tokens:
    """A vendor that numbers its tokens; those up to `revoked` are refused."""

    def __init__(self) -> None:
        self.issued = 0
        self.revoked = 0

    def play(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/auth":
            self.issued += 1
            return answer(200, json.dumps({"token": f"t-{self.issued}"}))
        number = int(request.headers["Authorization"].rpartition("-")[2])
        return answer(200, "[]") if number > self.revoked else answer(401)


@pytest.mark.parametrize(
    ("token", "in_seconds"),
    [
        (jwt(exp=NOW + 86_400), 86_100),
        (jwt(exp=NOW + 600.5), 300.5),
        (jwt(exp=NOW + 60), 30),
        (jwt(exp=NOW - 60), 12 * 3600 - 300),
        (jwt(exp=0), 12 * 3600 - 300),
        (jwt(sub=1), 12 * 3600 - 300),
        ("opaque", 12 * 3600 - 300),
        ("a.!!!.c", 12 * 3600 - 300),
    ],
)
def test_a_token_is_renewed_five_minutes_before_it_expires(token: str, in_seconds: float) -> None:
    assert renew_at(token, NOW) - NOW == in_seconds


@pytest.mark.parametrize("how", ["json", "basic"])
async def test_one_logs_in_once_for_many_calls(how: str) -> None:
    async with open_shop(auth=how) as shop:
        await asyncio.gather(*(shop.client.locations() for _ in range(5)))
        assert shop.sandbox.alleaves.traffic.calls["POST /api/auth"] == 1


async def test_a_token_about_to_expire_is_renewed_before_it_is_refused() -> None:
    clock = HandClock(time.time())
    async with open_shop(conditions=Conditions(token_seconds=1_000), clock=clock.clock) as shop:
        await shop.client.locations()
        clock.now += 690
        await shop.client.locations()
        assert shop.sandbox.alleaves.traffic.calls["POST /api/auth"] == 1
        clock.now += 20
        await shop.client.locations()
        assert shop.sandbox.alleaves.traffic.calls["POST /api/auth"] == 2
        assert "401" not in shop.sandbox.alleaves.traffic.statuses


async def test_a_token_that_was_revoked_is_renewed_once_for_all_calls() -> None:
    tokens = Tokens()
    script = Script(tokens.play)
    async with AlleavesClient.of(SETTINGS, clock=HandClock().clock, transport=script) as client:
        await client.locations()
        tokens.revoked = tokens.issued
        await asyncio.gather(*(client.locations() for _ in range(6)))
    assert tokens.issued == 2


async def test_refused_credentials_are_not_sent_again_and_again() -> None:
    clock = HandClock()
    script = Script(answer(401, '{"message": "Invalid username or password pass-word"}'))
    async with AlleavesClient.of(SETTINGS, clock=clock.clock, transport=script) as client:
        for _ in range(3):
            with pytest.raises(Refused, match="Invalid username") as caught:
                await client.locations()
            assert "pass-word" not in str(caught.value)
        assert len(script.requests) == 1
        clock.now += 61
        with pytest.raises(Refused):
            await client.locations()
    assert len(script.requests) == 2


async def test_what_is_sent_is_what_is_known_to_work() -> None:
    rows = '[{"id_order": 1}, {"id_order": 2}]'
    script = Script(answer(200, '{"token": "t"}'), answer(200, rows), answer(200, "{}"))
    async with AlleavesClient.of(SETTINGS, clock=HandClock().clock, transport=script) as client:
        await client.orders(2, date(2026, 1, 1), date(2026, 1, 31))
        await client.customers(3)
    log_in, orders, customers = script.requests
    assert json.loads(log_in.content) == {"username": "u", "password": "pass-word", "pin": "1234"}
    assert str(orders.url).endswith("/api/order?page=2&pageSize=100&startDate=2026-01-01&endDate=2026-01-31")
    assert orders.headers["Authorization"] == "Bearer t"
    assert json.loads(customers.content) == {"page": 3, "pageSize": 500}


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        ('[{"id": 1.10}, null, 3]', [b'{"id": 1.10}', b"null", b"3"]),
        ('{"0": {"id": 1}, "10": 3, "2": null}', [b'{"id": 1}', b"null", b"3"]),
        (f' [ {ODD.decode()} ,{{"b": [1,2]}} ] ', [ODD, b'{"b": [1,2]}']),
        ('{"1":{"a":Infinity},"0":{"b":"}]"}}', [b'{"b":"}]"}', b'{"a":Infinity}']),
        ("[]", []),
        ("{}", []),
        (" [ ] ", []),
    ],
)  # fmt: skip
async def test_both_shapes_of_a_list_are_read_with_the_bytes_of_each_item(body: str, raw: list[bytes]) -> None:
    script = Script(answer(200, '{"token": "t"}'), answer(200, body))
    async with AlleavesClient.of(SETTINGS, clock=HandClock().clock, transport=script) as client:
        page = await client.orders(1, date(2026, 1, 1), date(2026, 1, 1))
    assert [item.raw for item in page.items] == raw


@pytest.mark.parametrize("body", ['{"error": "no"}', '"text"', "7", '{"orders": []}'])
async def test_another_shape_is_unreadable(body: str) -> None:
    script = Script(answer(200, '{"token": "t"}'), answer(200, body))
    async with AlleavesClient.of(SETTINGS, clock=HandClock().clock, transport=script) as client:
        with pytest.raises(UnreadableAnswer) as caught:
            await client.orders(1, date(2026, 1, 1), date(2026, 1, 1))
    assert caught.value.body == body.encode()


async def test_one_order_and_one_customer_can_be_read() -> None:
    world = small_world()
    order, customer = world.order_at(0), next(iter(world.customers))
    async with open_shop(world) as shop:
        item = await shop.client.order(str(order.order_id))
        assert item is not None
        assert f'"id_order":{order.order_id},'.encode() in item.raw
        assert await shop.client.order("99999999") is None
        found = await shop.client.find_customer(str(customer))
        assert found is not None
        assert f'"id_customer":{customer},'.encode() in found[0].raw
        assert await shop.client.find_customer("99999999") is None
        assert {location.id_location for location in await shop.client.locations()} == {
            str(location.location_id) for location in world.locations
        }


async def test_started_at_is_by_the_vendors_clock() -> None:
    async with open_shop(conditions=Conditions(clock_skew_ms=95_000)) as shop:
        today = datetime.now(UTC).date()
        page = await shop.client.orders(1, today, today)
        assert 92_000 < page.started_at - system_clock() < 96_000


async def test_a_neighbour_that_cannot_be_read_does_not_hide_the_customer_who_is_looked_for() -> None:
    rows = [{"id_customer": 1.5}, {"id_customer": True}, {"id_customer": "3528"}]

    def play(request: httpx.Request) -> httpx.Response:
        return answer(body=json.dumps({"token": "t"} if request.url.path == "/api/auth" else rows))

    async with AlleavesClient.of(SETTINGS, transport=Script(play)) as client:
        found = await client.find_customer("3528")
    assert found is not None
    assert found[0].document == {"id_customer": "3528"}
