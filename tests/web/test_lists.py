"""Lists: pages, filters, search, exports; and what hostile people put into them."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.people import Person
from stream.contracts.runs import RunKind, RunRequested
from stream.engine.ports import Input
from stream.web.events import Event, Streams, whenever_changed
from stream.web.listing import cell
from stream.web.problems import Problem
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    alert_record,
    case_record,
    dead_letter_record,
    entry_record,
    person_record,
    profile_record,
    run_record,
)
from tests.web.world import CASE, ENTRY, World, world_of

HERE = f"/api/v1/orgs/{ORG}"
MANY = 7


def many() -> list[Input]:
    """Seven of everything."""
    found: list[Input] = []
    for n in range(MANY):
        found += [
            profile_record(f"c{n}", a_profile(n, tier="Gold" if n % 2 else "Silver", home_location=f"shop{n % 3}")),
            person_record(f"c{n}", Person(f"Customer Number{n}", (), None, AT)),
            entry_record("3528", replace(ENTRY, id=f"e-{n}", version=n + 2)),
            case_record(f"c{n}", replace(CASE, id=f"{ORG}:c{n}:1", causes=(), difference=n * 10)),
            alert_record(Alert(kind=AlertKind.RUN_FAILED, org=ORG), f"many-{n}", AT + n),
            run_record(RunRequested(f"{ORG}:daily:{n}", RunKind.DAILY, "me"), AT + n),
            dead_letter_record(b"%d" % n, f"reason {n % 2}", at=AT + n // 2),
        ]
    return found


@pytest.fixture
def crowd(tmp_path: Path) -> World:
    return world_of(tmp_path, many())


async def every_page(client: httpx.AsyncClient, path: str, limit: int) -> list[list[Any]]:
    pages: list[list[Any]] = []
    parameters: dict[str, str | int] = {"limit": limit}
    while True:
        answer = (await client.get(path, params=parameters)).json()
        pages.append(answer["items"])
        if answer["next"] is None:
            return pages
        parameters["cursor"] = answer["next"]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/customers", MANY + 3),
        ("/customers/3528/entries", MANY + 1),
        ("/cases", MANY + 1),
        ("/runs", MANY + 1),
        ("/dead-letters", MANY + 1),
        ("/keys", 5),
        ("/settings/versions", 1),
        ("/deliveries", 1),
        ("/audit", 0),
        ("/members", 0),
        ("", 2),
    ],
)
async def test_pages_hold_everything_once_in_the_lists_order(crowd: World, path: str, count: int) -> None:
    here = HERE + path if path else "/api/v1/orgs"
    async with crowd.client() as client:
        (whole, *_) = await every_page(client, here, 500)
        for limit in (1, 2, 3):
            pages = await every_page(client, here, limit)
            assert [item for page in pages for item in page] == whole
            assert all(len(page) <= limit for page in pages)
        exported = (await client.get(here, params={"export": "json"})).json()
        table = (await client.get(here, params={"export": "csv"})).text
    assert len(whole) == count
    assert exported == whole
    rows = list(csv.reader(io.StringIO(table)))
    assert len(rows) == count + 1
    assert all(len(row) == len(rows[0]) for row in rows)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"verdict": "discrepancy"}, ["7"]),
        ({"tier": "Gold"}, ["c1", "c3", "c5"]),
        ({"tier": "Gold", "shop": "shop0"}, ["c3"]),
        ({"tier": "Platinum"}, []),
        ({"case": "live"}, ["7", *(f"c{n}" for n in range(MANY))]),
        ({"case": "acknowledged"}, []),
        ({"case": "open", "tier": "Silver", "shop": "shop2"}, ["c2"]),
        ({"q": "number3"}, ["c3"]),
        ({"q": "customer", "tier": "Gold"}, ["c1", "c3", "c5"]),
        ({"q": "(555) 123-4567"}, ["3528"]),
        ({"q": "zoe@example.com"}, ["3528"]),
        ({"q": "3528"}, ["3528"]),
        ({"q": '" OR 1=1 --'}, []),
    ],
)
async def test_customers_are_filtered_and_searched(crowd: World, filters: dict[str, str], found: list[str]) -> None:
    async with crowd.client() as client:
        answer = (await client.get(f"{HERE}/customers", params=filters)).json()
    assert sorted(item["customer"]["customerId"] for item in answer["items"]) == sorted(found)


async def test_search_results_come_in_pages_too(crowd: World) -> None:
    async with crowd.client() as client:
        first = (await client.get(f"{HERE}/customers", params={"q": "customer", "limit": 4})).json()
        rest = (await client.get(f"{HERE}/customers", params={"q": "customer", "cursor": first["next"]})).json()
    ids = [item["customer"]["customerId"] for item in first["items"] + rest["items"]]
    assert sorted(ids) == [f"c{n}" for n in range(MANY)]


async def test_the_inbox_begins_with_the_most_unexplained_points(crowd: World) -> None:
    async with crowd.client() as client:
        items = (await client.get(f"{HERE}/cases")).json()["items"]
        resolved = (await client.get(f"{HERE}/cases", params={"state": "resolved"})).json()["items"]
    weights = [abs(i["discrepancy"] if i["unexplained"] is None else i["unexplained"]) for i in items]
    assert weights == sorted(weights, reverse=True) == [60, 50, 40, 30, 20, 11, 10, 0]
    assert resolved == []


async def test_dead_letters_are_filtered_and_counted_by_reason(crowd: World) -> None:
    async with crowd.client() as client:
        found = (await client.get(f"{HERE}/dead-letters", params={"reason": "REASON 1"})).json()["items"]
        reasons = (await client.get(f"{HERE}/dead-letters/reasons")).json()["items"]
        exported = [(await client.get(f"{HERE}/dead-letters/reasons?export={how}")) for how in ("json", "csv")]
    assert exported[0].json() == reasons
    assert len(exported[1].text.splitlines()) == len(reasons) + 1
    assert {letter["reason"] for letter in found} == {"reason 1"}
    assert [(each["reason"], each["count"]) for each in reasons] == [
        ("reason 0", 4),
        ("reason 1", 3),
        ("total is missing", 1),
    ]


async def test_alerts_after_a_cursor_are_those_that_came_since(crowd: World) -> None:
    async with crowd.client() as client:
        seen, cursor = [], None
        for _ in range(9):
            params = {"limit": "3"} | ({"after": cursor} if cursor else {})
            answer = (await client.get(f"{HERE}/alerts", params=params)).json()
            seen += [alert["id"] for alert in answer["items"]]
            cursor = answer["next"]
        assert sorted(seen) == ["a-1", *(f"many-{n}" for n in range(MANY))]
        early = alert_record(Alert(kind=AlertKind.RUN_FAILED, org=ORG), "late, of an earlier time", AT - 99)
        crowd.log.write([early, alert_record(Alert(kind=AlertKind.RUN_FAILED, org="other"), "not ours", AT)])
        late = (await client.get(f"{HERE}/alerts", params={"after": cursor})).json()
        assert [alert["id"] for alert in late["items"]] == ["late, of an earlier time"]
        assert (await client.get(f"{HERE}/alerts", params={"after": late["next"]})).json()["items"] == []
        exported = (await client.get(f"{HERE}/alerts", params={"export": "json"})).json()
        assert len(exported) == MANY + 2


async def test_a_stream_says_what_comes_and_where_to_go_on(world: World) -> None:
    told: list[str] = []

    def look() -> list[Event]:
        new = [alert for alert in world.views.alerts(ORG) if alert.id not in told]
        told.extend(alert.id for alert in new)
        return [Event("alert", {"id": alert.id}, alert.id) for alert in new]

    events = whenever_changed(world.views, look, heartbeat_seconds=0.05, longest_seconds=60)
    assert await anext(events) == b'event: alert\nid: a-1\ndata: {"id":"a-1"}\n\n'
    assert await anext(events) == b": still here\n\n"
    world.log.write([alert_record(Alert(kind=AlertKind.RUN_FAILED, org=ORG), "a-2")])
    assert await anext(events) == b'event: alert\nid: a-2\ndata: {"id":"a-2"}\n\n'
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_stream_ends_after_its_longest_time(world: World) -> None:
    events = whenever_changed(world.views, list, heartbeat_seconds=60, longest_seconds=0.02)
    assert [event async for event in events] == []


async def test_streams_are_not_without_number(world: World) -> None:
    streams = Streams(most=2, each=1)

    def opened(caller: str) -> AsyncIterator[bytes]:
        events = whenever_changed(world.views, list, heartbeat_seconds=0.01)
        return streams.respond(caller, lambda: True, events).body_iterator  # type: ignore[return-value]  # of bytes

    first, late = opened("ana"), opened("ana")
    assert await anext(first) == b": still here\n\n"
    assert [event async for event in late] == [], "it was let in, but another was faster"
    for caller, status in (("ana", 429), ("bob", None), ("eve", 503)):
        if status is None:
            assert await anext(opened(caller)) == b": still here\n\n"
            continue
        with pytest.raises(Problem) as refused:
            opened(caller)
        assert refused.value.status == status
    await first.aclose()  # type: ignore[attr-defined]
    assert await anext(opened("ana")) == b": still here\n\n"


async def test_who_may_no_longer_see_it_hears_no_more(world: World) -> None:
    allowed = iter([True, False])
    events = whenever_changed(world.views, list, heartbeat_seconds=0.01)
    body = Streams().respond("ana", lambda: next(allowed), events).body_iterator
    assert [event async for event in body] == [b": still here\n\n"]


HOSTILE = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\u202egnirts", "x" * 10_000]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_text_and_no_formula(tmp_path: Path, name: str) -> None:
    world = world_of(tmp_path, [person_record("8", Person(name, (), None, AT))])
    async with world.client() as client:
        table = (await client.get(f"{HERE}/customers", params={"export": "csv"})).text
        listed = await client.get(f"{HERE}/customers")
    assert listed.headers["content-type"] == "application/json"
    assert name in [item["person"]["name"] for item in listed.json()["items"]]
    names = [row["person.name"] for row in csv.DictReader(io.StringIO(table))]
    assert (f"'{name}" if name[0] in "=+-@" else name) in names


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-5, -5),
        ("-5", "'-5"),
        ("  =1", "'  =1"),
        ("\t=1", "'\t=1"),
        ("Ana", "Ana"),
        (None, None),
        (["=1"], '["=1"]'),
        ("", ""),
    ],
)
def test_only_text_that_would_be_a_formula_is_quoted(value: object, shown: object) -> None:
    assert cell(value) == shown


PARAMETERS = ["'; DROP TABLE profiles;--", "../../etc/passwd", "%00", "\x00", "﷽" * 50, "-1", "9" * 40, "NaN", "*"]


@pytest.mark.parametrize("value", PARAMETERS)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{HERE}/customers", "q"),
        (f"{HERE}/customers", "cursor"),
        (f"{HERE}/customers", "tier"),
        (f"{HERE}/customers", "limit"),
        (f"{HERE}/alerts", "after"),
        (f"{HERE}/dead-letters", "reason"),
        (f"{HERE}/runs", "cursor"),
        ("/api/loyalty/sync", "orgId"),
        (f"/api/loyalty/check-points?orgId={ORG}", "phone"),
    ],
)
async def test_a_hostile_parameter_is_text_or_refused(world: World, path: str, name: str, value: str) -> None:
    before = world.views.stats(ORG)
    async with world.client() as client:
        answer = await client.get(httpx.URL(path).copy_merge_params({name: value}))
    assert answer.status_code in (200, 404, 422), answer.text
    assert world.views.stats(ORG) == before
