"""Sessions of browsers: over restarts, on several copies of the web role, until they end; and one's own password."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import httpx
import pytest

from stream.contracts import topics
from stream.contracts.access import ALL_ORGS, Role
from stream.contracts.audit import AUDIT, Action
from stream.contracts.runs import RunCompleted, RunKind, RunRequested, Tally
from stream.engine.ports import Input
from stream.sinks.views.read import Views
from stream.web.access.sessions import COOKIE, HOUR_MS, IDLE_MS, LONGEST_MS, TIDIED_AT_ONCE
from stream.web.app import create_app
from stream.web.site import site_of
from tests.sinks.records import AT, ORG, run_record
from tests.sinks.views_file import views_of
from tests.web.world import (
    LOCAL_KEY,
    OTHER,
    PASSWORD,
    QUICK,
    Follower,
    Log,
    World,
    everybody,
    key_id,
    key_record,
    records,
    token_of,
    user_records,
    world_of,
)

ME = "/api/v1/me"
OWN_PASSWORD = "/api/v1/me/password"
ANOTHER = "staple battery horse"
UNDER_WAY = f"{ORG}:daily:now"
SAME_SITE = {"sec-fetch-site": "same-origin"}

RUN_ASKED = run_record(RunRequested(UNDER_WAY, RunKind.DAILY, "me"), AT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_of(tmp_path, user_records("ana", {ORG: Role.MANAGER, OTHER: Role.VIEWER}), [RUN_ASKED])


async def logged_in(client: httpx.AsyncClient, name: str = "ana", password: str = PASSWORD) -> int:
    return (await client.post("/api/v1/session", json={"name": name, "password": password})).status_code


async def status_of(world: World, token: str | None) -> int:
    async with world.client(None) as client:
        return (await client.get(ME, headers={"cookie": f"{COOKIE}={token}"})).status_code


def copy_of(world: World, path: Path | None = None, local_key: str = LOCAL_KEY) -> World:
    """Another process of the web role: it shares the log, and nothing that is remembered."""
    path = path or world.path
    views, log = Views(path), Log(path)
    site = site_of(
        *(views, Follower(), log),
        local_key=local_key,
        calls_a_minute=100_000,
        passwords=QUICK,
        settle_seconds=0.05,
        clock=world.clock,
        monotonic=world.clock.monotonic,
    )
    return World(path, views, log, world.clock, site)


def read_again(world: World, path: Path) -> World:
    """Another copy whose views are made from the log once more."""
    offsets = count()
    published = [Input(each.topic, 0, next(offsets), each.key, each.value) for each in world.log.published]
    people = user_records("ana", {ORG: Role.MANAGER, OTHER: Role.VIEWER})
    views_of(path, records(), everybody(), people, published).close()
    return copy_of(world, path)


async def test_a_session_outlives_a_restart_and_counts_on_every_copy(world: World, tmp_path: Path) -> None:
    async with world.client(None) as client:
        assert await logged_in(client) == 201
        token = client.cookies[COOKIE]
        assert [
            await status_of(each, token) for each in (copy_of(world), read_again(world, tmp_path / "again.db"))
        ] == [
            200,
            200,
        ]
    secrets = b"".join((each.key or b"") + (each.value or b"") for each in world.log.published)
    assert token.encode() not in secrets


async def test_logging_out_ends_it_everywhere_and_a_late_use_does_not_bring_it_back(
    world: World, tmp_path: Path
) -> None:
    other = copy_of(world)
    async with world.client(None, SAME_SITE) as client:
        await logged_in(client)
        token = client.cookies[COOKIE]
        world.clock.now += HOUR_MS
        assert await status_of(other, token) == 200, "which notes the use"
        (used,) = other.log.of(topics.ACCESS)
        assert (await client.delete("/api/v1/session")).status_code == 204
    await world.log.publish([used])
    for copy in (world, other, read_again(world, tmp_path / "again.db")):
        assert await status_of(copy, token) == 401


async def test_a_use_is_noted_once_an_hour_and_keeps_the_session(world: World, tmp_path: Path) -> None:
    async with world.client(None) as client:
        await logged_in(client)
        before = len(world.log.published)
        for _ in range(5):
            await client.get(ME)
        assert len(world.log.published) == before
        for hour in range(1, 4):
            world.clock.now += HOUR_MS
            for _ in range(5):
                await client.get(ME)
            assert len(world.log.published) == before + hour
        world.clock.now += IDLE_MS
        token = client.cookies[COOKIE]
        assert await status_of(read_again(world, tmp_path / "again.db"), token) == 200, "12 hours after its last use"
        world.clock.now += IDLE_MS + HOUR_MS
        assert await status_of(world, token) == 401


async def test_a_use_that_cannot_be_noted_troubles_nobody_and_is_noted_later(world: World) -> None:
    async with world.client(None) as client:
        await logged_in(client)
        world.clock.now += HOUR_MS
        world.log.reachable = False
        assert (await client.get(ME)).status_code == 200
        await asyncio.sleep(0)
        world.log.reachable = True
        before = len(world.log.published)
        assert (await client.get(ME)).status_code == 200
        await asyncio.sleep(0)
        assert len(world.log.published) == before + 1


async def test_a_session_ends_after_a_week_however_much_it_is_used(world: World) -> None:
    async with world.client(None) as client:
        await logged_in(client)
        for _ in range(14):
            assert (await client.get(ME)).status_code == 200
            world.clock.now += LONGEST_MS // 14
        assert (await client.get(ME)).status_code == 200
        world.clock.now += 1
        assert (await client.get(ME)).status_code == 401


async def test_what_nobody_can_use_any_more_is_removed_from_the_log(world: World) -> None:
    tokens = [await world.site.sessions.begin("user:ana") for _ in range(TIDIED_AT_ONCE + 1)]
    world.clock.now += 2 * IDLE_MS + 1
    before = len(world.log.published)
    await world.site.sessions.begin("user:ana")
    removed = [each for each in world.log.published[before:] if each.value is None]
    assert len(removed) == 2 * TIDIED_AT_ONCE
    await world.site.sessions.begin("user:ana")
    assert world.views.sessions_unused_since(world.clock.now, limit=100) == []
    assert len(tokens) == TIDIED_AT_ONCE + 1


async def test_without_kafka_nobody_logs_in_and_who_is_in_stays(world: World) -> None:
    async with world.client(None, SAME_SITE) as client, world.client(None) as late:
        await logged_in(client)
        world.log.reachable = False
        assert await logged_in(late) == 503
        assert COOKIE not in late.cookies
        assert (await client.get(ME)).status_code == 200
        assert (await client.delete("/api/v1/session")).status_code == 503, "it has not ended, and that is said"


async def test_logging_in_ends_the_session_that_the_browser_had(world: World) -> None:
    async with world.client(None, SAME_SITE) as client:
        await logged_in(client)
        first = client.cookies[COOKIE]
        await logged_in(client)
        assert client.cookies[COOKIE] != first
    assert await status_of(world, first) == 401


@pytest.mark.parametrize("token", ["given by somebody else", "", "x" * 5000, "*:session:1"])
async def test_a_token_that_was_never_given_opens_nothing_and_stays_unknown(world: World, token: str) -> None:
    async with world.client(None, SAME_SITE | {"cookie": f"{COOKIE}={token}"}) as client:
        assert (await client.get(ME)).status_code == 401
        answer = await client.post("/api/v1/session", json={"name": "ana", "password": PASSWORD})
        assert token not in answer.headers["set-cookie"] or not token
    assert await status_of(world, token) == 401


async def test_a_links_session_counts_where_the_local_key_is_the_same(world: World) -> None:
    async with world.client() as local, world.client(None) as browser:
        path = (await local.post("/api/v1/session/links")).json()["path"]
        await browser.get(path)
        token = browser.cookies[COOKIE]
        assert (await browser.get(ME)).json()["id"] == "local"
    assert await status_of(copy_of(world), token) == 200
    assert await status_of(copy_of(world, local_key="m" * 43), token) == 401, "the key was changed"


async def test_whose_clock_is_behind_can_log_in_all_the_same(world: World) -> None:
    world.clock.now -= HOUR_MS
    async with world.client(None) as client:
        assert await logged_in(client) == 201
        assert (await client.get(ME)).status_code == 200


# ── one's own password ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_password_ends_the_other_sessions_and_this_one_goes_on(world: World) -> None:
    async with world.client(None, SAME_SITE) as here, world.client(None, SAME_SITE) as elsewhere:
        await logged_in(here)
        await logged_in(elsewhere)
        old = here.cookies[COOKIE]
        world.clock.now += 1
        answer = await here.put(OWN_PASSWORD, json={"current": PASSWORD, "new": ANOTHER})
        assert answer.status_code == 204, answer.text
        assert (await here.get(ME)).json()["id"] == "user:ana"
        assert (await elsewhere.get(ME)).status_code == 401
        assert await status_of(world, old) == 401, "its cookie is a new one"
        assert await logged_in(elsewhere) == 401
        assert await logged_in(elsewhere, password=ANOTHER) == 201
    entries = [AUDIT.decode(each.value or b"") for each in world.log.of(topics.AUDIT)]
    assert {(each.org, each.data.action, each.data.actor, each.data.target) for each in entries} == {
        (org, Action.PASSWORD_CHANGED, "user:ana", "ana") for org in (ORG, OTHER)
    }
    written = b"".join(each.value or b"" for each in world.log.published)
    assert PASSWORD.encode() not in written
    assert ANOTHER.encode() not in written


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"current": "not it", "new": ANOTHER}, 403, "not your current password"),
        ({"current": PASSWORD, "new": PASSWORD}, 422, "choose another"),
        ({"current": PASSWORD, "new": "short"}, 422, "12 characters"),
        ({"current": PASSWORD, "new": "x" * 257}, 422, "256 characters"),
        ({"new": ANOTHER}, 422, "current"),
        ({"current": PASSWORD, "new": ANOTHER, "name": "bob"}, 422, "name"),
    ],
)
async def test_a_password_that_cannot_be_changed_stays(
    world: World, body: dict[str, str], status: int, says: str
) -> None:
    async with world.client(None, SAME_SITE) as client:
        await logged_in(client)
        answer = await client.put(OWN_PASSWORD, json=body)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text
        assert (await client.get(ME)).status_code == 200
    assert world.log.of(topics.AUDIT) == []


@pytest.mark.parametrize("token", [LOCAL_KEY, token_of("admin"), token_of("admin", ALL_ORGS)])
async def test_who_has_no_password_has_none_to_change(world: World, token: str) -> None:
    async with world.client(token) as client:
        answer = await client.put(OWN_PASSWORD, json={"current": PASSWORD, "new": ANOTHER})
    assert (answer.status_code, world.log.published) == (403, [])


async def test_another_site_cannot_change_it_and_it_cannot_be_tried_out(world: World) -> None:
    async with world.client(None) as client:
        await logged_in(client)
        body = {"current": PASSWORD, "new": ANOTHER}
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.test"}, {}):
            assert (await client.put(OWN_PASSWORD, json=body, headers=headers)).status_code == 403
        guesses = [
            (await client.put(OWN_PASSWORD, json=body | {"current": f"guess {n}"}, headers=SAME_SITE)).status_code
            for n in range(11)
        ]
        assert guesses == [403] * 9 + [429] * 2, "logging in was the first attempt"
        assert (await client.put(OWN_PASSWORD, json=body, headers=SAME_SITE)).status_code == 429
    assert world.log.of(topics.AUDIT) == []


async def test_who_was_shut_out_while_changing_it_stays_shut_out(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}, disabled_at=AT - 1))
    await world.site.access.change_password("ana", ANOTHER, by="user:ana")
    account = world.views.account("ana")
    assert account is not None
    assert (account.disabled_at, account.password_at) == (AT - 1, AT)


# ── when it goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_fault_of_ours_is_a_problem_with_every_header_and_says_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(world.views), "run", lambda *_: 1 // 0)
    async with world.client() as client:
        answer = await client.get(f"/api/v1/orgs/{ORG}/runs/x")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "ZeroDivision" not in answer.text


async def test_a_key_cannot_be_looked_up_without_views_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    app = create_app(site_of(Views(path), Follower(), Log(path), local_key=LOCAL_KEY))
    headers = {"authorization": f"Bearer {token_of('viewer')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        assert (await client.get(ME)).status_code == 503


@pytest.mark.parametrize("ended", [True, False])
async def test_a_stream_says_nothing_more_once_the_key_has_ended(world: World, ended: bool) -> None:
    key = key_record(Role.VIEWER, name="till", **({"revoked_at": AT} if ended else {}))
    world.log.write([key_record(Role.VIEWER, name="till")])
    async with world.client(token_of("till")) as client:
        listening = asyncio.create_task(client.get(f"/api/v1/orgs/{ORG}/runs/{UNDER_WAY}/events"))
        while not world.app.state.streams.opened(f"key:{key_id('till')}"):
            await asyncio.sleep(0.01)
        world.log.write([key, run_record(RunCompleted(UNDER_WAY, RunKind.DAILY, AT, AT + 1, Tally(), {}))])
        answer = await listening
    assert answer.text.count("event: run\n") == (1 if ended else 2)
    assert ('"outcome":"completed"' in answer.text) == (not ended)
