"""The vendors over HTTP: true to what is known of them, and as unkind as they are told to be."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from stream.sandbox.failures import Conditions, Failure, Injector
from stream.sandbox.oracle import expected
from stream.sandbox.serve import Sandbox, running
from stream.sandbox.world.build import HOSTILE_LISTING, build_world
from stream.sandbox.world.model import DAY_MS
from stream.sandbox.world.options import Hostility, Listing, WorldOptions, WorldSize

NOW_MS = 1_769_804_518_003
SIZE = WorldSize(orders=420, customers=250, members=130, discrepancies=3, strangers=5)
ALL_DATES = {"startDate": "2024-12-01", "endDate": "2026-12-31", "pageSize": "100"}
KEY = {"X-APIKEY": "sandbox-alpine-key"}


class Time:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def sandbox(time: Time) -> AsyncIterator[Sandbox]:
    async with running(build_world(7, NOW_MS, size=SIZE), clock=time) as served:
        yield served


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        yield client


async def log_in(web: httpx.AsyncClient, sandbox: Sandbox) -> dict[str, str]:
    known = sandbox.alleaves_credentials
    answer = await web.post(
        f"{sandbox.alleaves_url}/auth", json={"username": known.username, "password": known.password, "pin": known.pin}
    )
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def walk_orders(web: httpx.AsyncClient, sandbox: Sandbox, **query: str) -> list[Any]:
    headers, rows = await log_in(web, sandbox), []
    for page in range(1, 100):
        params = {**ALL_DATES, **query, "page": str(page)}
        answer = await web.get(f"{sandbox.alleaves_url}/order", params=params, headers=headers)
        rows += answer.json()
        if len(answer.json()) < 100:
            break
    return rows


async def control(web: httpx.AsyncClient, root: str, **fields: object) -> dict[str, Any]:
    answer = await web.post(f"{root}/sandbox/control", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_token_comes_for_json_and_for_basic_and_carries_its_expiry(
    sandbox: Sandbox, web: httpx.AsyncClient
) -> None:
    known, url = sandbox.alleaves_credentials, f"{sandbox.alleaves_url}/auth"
    by_json = (await web.post(url, json={"username": known.username, "password": known.password})).json()
    by_basic = (await web.post(url, auth=(known.username, known.password))).json()
    assert {"token", "id_user", "name_first", "name_last", "username", "id_company", "company"} == by_json.keys()
    assert by_basic.keys() == {"token"}
    claims = json.loads(base64.urlsafe_b64decode(by_json["token"].split(".")[1] + "=="))
    assert claims["exp"] == NOW_MS // 1000 + 86_400


@pytest.mark.parametrize(
    "body",
    [
        {"username": "sandbox@shop.example", "password": "wrong"},
        {"username": "x", "password": "sandbox-password"},
        {"username": "sandbox@shop.example", "password": "sandbox-password", "pin": "9"},
    ],
)
async def test_wrong_credentials_are_a_401(sandbox: Sandbox, web: httpx.AsyncClient, body: dict[str, str]) -> None:
    answer = await web.post(f"{sandbox.alleaves_url}/auth", json=body)
    assert (answer.status_code, answer.json().keys()) == (401, {"message"})


async def test_a_token_ends_at_its_expiry(sandbox: Sandbox, web: httpx.AsyncClient, time: Time) -> None:
    await control(web, sandbox.alleaves_root, token_seconds=60)
    headers, url = await log_in(web, sandbox), f"{sandbox.alleaves_url}/location"
    statuses = []
    for seconds in (0, 58, 5):
        time.now_ms += seconds * 1000
        statuses.append((await web.get(url, headers=headers)).status_code)
    assert statuses == [200, 200, 401]
    assert (await web.get(url, headers=await log_in(web, sandbox))).status_code == 200
    assert (await web.get(url)).status_code == 401
    assert (await web.get(url, headers={"Authorization": headers["Authorization"] + "x"})).status_code == 401


async def test_orders_are_bare_arrays_that_end_with_a_short_page(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    rows = await walk_orders(web, sandbox)
    assert len(rows) == 420
    assert {row["id_order"] for row in rows} == set(sandbox.world.orders)
    wanted = {
        "id_order", "id_customer", "id_location", "name_first", "name_last", "patient_number", "date_created",
        "date_updated", "total", "subtotal", "tax", "discount", "status", "complete", "cancel", "void", "paid_in_full",
        "type", "items", "loyalty", "points_earned", "loyalties",
    }  # fmt: skip
    assert all(row.keys() - {"refunded_amount"} == wanted for row in rows)
    assert any("refunded_amount" in row for row in rows)
    assert {type(row["total"]) for row in rows} >= {str, float}


async def test_a_page_has_no_more_than_a_hundred_orders(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    params = {**ALL_DATES, "page": "1", "pageSize": "5000"}
    answer = await web.get(f"{sandbox.alleaves_url}/order", params=params, headers=await log_in(web, sandbox))
    assert len(answer.json()) == 100


async def test_without_dates_most_orders_are_hidden(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{sandbox.alleaves_url}/order", headers=await log_in(web, sandbox))
    week = [order for order in sandbox.world.orders.values() if order.created_ms >= NOW_MS - 7 * DAY_MS]
    assert 0 < len(answer.json()) == len(week) < 30


@pytest.mark.parametrize(
    ("listing", "first", "last"),
    [
        (Listing(), "2025-08-01T00:00", "2025-09-01T00:00"),
        (Listing(end_inclusive=False), "2025-08-01T00:00", "2025-08-31T00:00"),
        (Listing(utc_offset_hours=-7), "2025-08-01T07:00", "2025-09-01T07:00"),
    ],
)
async def test_dates_bound_the_listing_as_the_world_says(
    listing: Listing, first: str, last: str, web: httpx.AsyncClient
) -> None:
    world = build_world(7, NOW_MS, options=WorldOptions(size=SIZE, listing=listing))
    start, end = (datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp() * 1000 for each in (first, last))
    async with running(world) as served:
        rows = await walk_orders(web, served, startDate="2025-08-01", endDate="2025-08-31")
    assert sorted(row["id_order"] for row in rows) == sorted(
        order.order_id for order in world.orders.values() if start <= order.created_ms < end
    )


async def test_customers_are_an_object_with_numbers_for_keys(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    headers, url = await log_in(web, sandbox), f"{sandbox.alleaves_url}/customer/search"
    pages = [
        (await web.post(url, json={"page": page, "pageSize": 100}, headers=headers)).json() for page in (1, 2, 3, 4)
    ]
    assert [len(page) for page in pages] == [100, 100, 50, 0]
    assert list(pages[2]) == [str(index) for index in range(50)]
    assert {row["id_customer"] for page in pages for row in page.values()} == set(sandbox.world.customers)
    assert {row["loyalty_points"] for page in pages for row in page.values()} == {0, None}
    assert (await web.post(url, json={"page": 1}, headers=headers)).status_code == 400


async def test_order_search_does_not_exist_and_unknown_orders_carry_an_error(
    sandbox: Sandbox, web: httpx.AsyncClient
) -> None:
    headers, url = await log_in(web, sandbox), sandbox.alleaves_url
    assert (await web.post(f"{url}/order/search", json={}, headers=headers)).status_code == 404
    unknown = await web.get(f"{url}/order/1", headers=headers)
    assert (unknown.status_code, unknown.json().keys()) == (404, {"error"})
    one = next(iter(sandbox.world.orders))
    assert "status_list" in (await web.get(f"{url}/order/{one}", headers=headers)).json()


async def test_the_sweep_lists_every_member_once_and_then_null(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    url = f"{sandbox.alpine_url}/v1.1/piis/9001"
    rows: list[Any] = []
    for start in (0, 100, 200):
        data = (await web.get(url, params={"start": start, "limit": 100}, headers=KEY)).json()["data"]
        rows += data["results"] or []
    assert data["results"] is None
    assert Counter(row["contactID"] for row in rows) == Counter(dict.fromkeys(sandbox.world.members, 1))
    assert data["total"] == len(rows) == 135
    nobody = (await web.get(url, params={"search": "nobody at all"}, headers=KEY)).json()
    assert nobody == {"success": True, "data": {"results": None, "start": 0, "total": 0, "limit": 100, "size": 0}}


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "sandbox-alpine-key"}, {"X-APIKEY": "wrong"}])
async def test_only_the_right_header_with_the_right_key_opens(
    sandbox: Sandbox, web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await web.get(f"{sandbox.alpine_url}/v1.1/piis/9001", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"] == "Please provide a valid API key"


async def test_one_member_is_found_by_phone_and_a_hidden_wallet_reads_zero(
    sandbox: Sandbox, web: httpx.AsyncClient
) -> None:
    url = sandbox.alpine_url
    found = (await web.get(f"{url}/v2/loyalty/lookup/+15551234567", headers=KEY)).json()
    assert found["data"]["wallet"]["points"] == 475
    member = sandbox.world.members[found["data"]["contactID"]]
    member.hidden = True
    wallet = (await web.post(f"{url}/v2/wallet", json={"phone": "5551234567"}, headers=KEY)).json()
    assert (wallet["data"]["loyaltyPoints"], wallet["data"]["hidePointsInWallet"]) == (0, True)
    nobody = await web.post(f"{url}/v2/wallet", json={"phone": "5550000000"}, headers=KEY)
    assert (nobody.status_code, nobody.json()["success"]) == (404, False)


async def test_a_timeline_adds_up_to_the_balance_and_adjusting_extends_it(
    sandbox: Sandbox, web: httpx.AsyncClient
) -> None:
    url = f"{sandbox.alpine_url}/v1.1"
    moved = next(member for member in sandbox.world.members.values() if member.movements)
    adjusted = await web.put(
        f"{url}/adjust/loyaltyPoints/9001/{moved.contact_id}", json={"value": 15, "note": "test"}, headers=KEY
    )
    assert adjusted.json()["data"]["loyaltyPoints"] == moved.points
    events = (await web.get(f"{url}/contact/loyaltyPoints/timeline/9001/{moved.contact_id}", headers=KEY)).json()
    assert sum(event["points"] for event in events["data"]["events"]) == moved.points
    listed = (await web.get(f"{url}/adjustments/9001/0/{NOW_MS // 1000}", headers=KEY)).json()["data"]
    assert [event["points"] for event in listed if event["note"] == "test"] == [15]
    assert (await web.get(f"{url}/redemptions/9001/0/1", headers=KEY)).json()["data"] is None


async def test_the_vendors_clock_may_be_wrong(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    await control(web, sandbox.alleaves_root, clock_skew_ms=90_000)
    dates = []
    for root in (sandbox.alleaves_root, sandbox.alpine_root):
        dates.append(parsedate_to_datetime((await web.get(f"{root}/sandbox/stats")).headers["Date"]).timestamp())
    assert dates[1] == NOW_MS // 1000
    assert dates[0] == NOW_MS // 1000 + 90


async def test_delayed_calls_are_served_at_the_same_time_and_counted(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    headers = await log_in(web, sandbox)
    await web.post(f"{sandbox.alleaves_root}/sandbox/stats/reset")
    await control(web, sandbox.alleaves_root, latency_ms=200)
    calls = [web.get(f"{sandbox.alleaves_url}/location", headers=headers) for _ in range(30)]
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    stats = (await web.get(f"{sandbox.alleaves_root}/sandbox/stats")).json()
    assert (stats["calls"], stats["in_flight_peak"]) == ({"GET /api/location": 30}, 30)


async def test_limits_and_outages_can_be_switched(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    url, root = f"{sandbox.alpine_url}/v1.1/piis/9001", sandbox.alpine_root
    await control(web, root, limits=[[3, 60]], retry_after_seconds=7)
    answers = [await web.get(url, headers=KEY) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "7"
    await control(web, root, limits=[], outage=True)
    assert (await web.get(url, headers=KEY)).status_code == 503
    await control(web, root, outage=False)
    assert (await web.get(url, headers=KEY)).status_code == 200
    assert (await web.post(f"{root}/sandbox/control", json={"latency": 3})).status_code == 400


async def outcome_of(web: httpx.AsyncClient, url: str, headers: dict[str, str]) -> str:
    """What a client sees of one call."""
    try:
        answer = await web.get(url, headers=headers)
    except httpx.RemoteProtocolError:
        return "dropped"
    if answer.headers["content-type"] != "application/json":
        return f"{answer.status_code} html"
    try:
        payload = answer.json()
    except json.JSONDecodeError:
        return "truncated"
    refused = isinstance(payload, dict) and payload.get("success") is False and answer.status_code == 200
    retry_after = " retry-after" if "retry-after" in answer.headers else ""
    return "refused" if refused else f"{answer.status_code}{retry_after}"


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (Failure.SERVER_ERROR, "500"),
        (Failure.RATE_LIMITED, "429 retry-after"),
        (Failure.RATE_LIMITED_BARE, "429"),
        (Failure.DROPPED, "dropped"),
        (Failure.TRUNCATED, "truncated"),
        (Failure.HTML, "502 html"),
        (Failure.REFUSED, "refused"),
    ],
)
async def test_every_failure_is_seen_by_a_client_and_never_three_times_running(
    sandbox: Sandbox, web: httpx.AsyncClient, failure: Failure, seen: str
) -> None:
    await control(web, sandbox.alpine_root, rates={failure: 1.0})
    url = f"{sandbox.alpine_url}/v1.1/piis/9001"
    assert [await outcome_of(web, url, KEY) for _ in range(4)] == [seen, seen, "200", seen]


async def test_a_401_in_mid_walk_ends_every_token(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    headers, url = await log_in(web, sandbox), f"{sandbox.alleaves_url}/location"
    await control(web, sandbox.alleaves_root, rates={"unauthorized": 1.0})
    assert [(await web.get(url, headers=headers)).status_code for _ in range(2)] == [401, 401]
    assert (await web.get(url, headers=await log_in(web, sandbox))).status_code == 200


def test_failures_are_the_same_for_the_same_seed() -> None:
    def sequence(seed: int) -> list[Failure | None]:
        injector = Injector(seed, "alleaves", frozenset(Failure))
        return [injector.next({Failure.HTML: 0.2, Failure.SLOW: 0.2}, b"call") for _ in range(300)]

    assert sequence(1) == sequence(1) != sequence(2)
    counts = Counter(sequence(1))
    assert 30 < counts[Failure.HTML] < 90
    assert 30 < counts[Failure.SLOW] < 90


async def test_a_hostile_listing_repeats_rows_but_loses_none(web: httpx.AsyncClient) -> None:
    options = WorldOptions(size=WorldSize.of(1_000), listing=HOSTILE_LISTING, hostility=Hostility(walk_in_orders=5))
    world = build_world(7, NOW_MS, options=options)
    async with running(world, alleaves=Conditions()) as served:
        rows = await walk_orders(web, served)
    seen = Counter(str(row["id_order"]) for row in rows if row and "id_order" in row)
    readable = {str(order.order_id) for order in world.orders.values() if order.defect is None}
    assert readable <= seen.keys()
    assert max(seen.values()) == 2


async def test_trade_over_http_changes_what_is_listed(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    root = sandbox.alleaves_root
    before = {row["id_order"]: row for row in await walk_orders(web, sandbox)}
    changes = (await web.post(f"{root}/sandbox/trade", json={"orders": 40})).json()["changes"]
    after = {row["id_order"]: row for row in await walk_orders(web, sandbox)}
    changed = {key for key, row in after.items() if before.get(key) != row}
    assert len(changes) == 40
    assert {change["order_id"] for change in changes if change["order_id"]} == changed


async def test_one_order_can_be_added_and_is_what_the_oracle_expects(sandbox: Sandbox, web: httpx.AsyncClient) -> None:
    customer = sandbox.world.sample_customer_id
    added = (
        await web.post(f"{sandbox.alleaves_root}/sandbox/order", json={"customer_id": customer, "total": "10.50"})
    ).json()
    assert (added["points_from_orders"], added["order"]["id_customer"]) == (50, customer)
    answer = (await web.post(f"{sandbox.alpine_root}/sandbox/oracle", json={})).json()
    assert answer["customers"][str(customer)]["points_from_orders"] == 50
    assert answer["stats"] == expected(sandbox.world).stats.as_dict()
    for total in ("1.005", "abc", "NaN"):
        body = {"customer_id": customer, "total": total}
        assert (await web.post(f"{sandbox.alleaves_root}/sandbox/order", json=body)).status_code == 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_as_a_process_of_its_own_it_prints_its_addresses_and_ends_when_asked(
    number: signal.Signals, web: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "ports.json"
    command = ("-m", "stream.sandbox.serve", "--seed", "3", "--orders", "200", "--ports-file", str(file))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    printed = json.loads(await process.stdout.readline())
    assert json.loads(file.read_text()) == printed
    assert printed["world"]["orders"] == 200
    stats = await web.get(f"{printed['alpine_iq']['root']}/sandbox/stats")
    assert stats.json()["total"] == 0
    process.send_signal(number)
    assert await process.wait() == 0
