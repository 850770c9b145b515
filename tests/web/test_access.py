"""Keys, passwords, sessions, links, limits, and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from stream.contracts import topics
from stream.contracts.access import ACCESS, ALL_ORGS, Account, ApiKey, Role
from stream.contracts.audit import AUDIT
from stream.errors import ConfigurationError
from stream.web.access.keys import local_key
from stream.web.access.sessions import COOKIE, IDLE_MS, LINK_MS
from stream.web.app import create_app
from tests.sinks.records import AT, ORG
from tests.web.world import (
    LOCAL_KEY,
    OTHER,
    PASSWORD,
    World,
    access_record,
    key_record,
    token_of,
    user_records,
    world_of,
)

ME = "/api/v1/me"
OWN_PASSWORD = "/api/v1/me/password"
WHY = "?reason=left"
ANOTHER = "staple battery horse"
NEW_PASSWORD = Account(name="ana", password="x", password_at=AT + 5, created_at=AT, created_by="t")
SAME_SITE = {"sec-fetch-site": "same-origin"}


async def logged_in(client: httpx.AsyncClient, name: str = "ana", password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/session", json={"name": name, "password": password})


@pytest.mark.parametrize(
    ("fields", "status", "because"),
    [
        ({}, 200, "it does not expire"),
        ({"expires_at": AT + 1}, 200, "it has not expired yet"),
        ({"expires_at": AT}, 401, "it has expired"),
        ({"revoked_at": AT - 9}, 401, "it was revoked"),
    ],
)
async def test_a_key_counts_until_it_ends(tmp_path: Path, fields: dict[str, int], status: int, because: str) -> None:
    world = world_of(tmp_path, [key_record(Role.VIEWER, name="till", **fields)])
    async with world.client(token_of("till")) as client:
        assert (await client.get(ME)).status_code == status, because


async def test_a_key_is_shown_once_kept_as_a_hash_and_ends_when_it_is_revoked(world: World) -> None:
    async with world.client() as admin:
        made = (await admin.post(f"/api/v1/orgs/{ORG}/keys", json={"name": "till 1", "role": "support"})).json()
        listed = (await admin.get(f"/api/v1/orgs/{ORG}/keys")).json()["items"]
        async with world.client(made["token"]) as till:
            before = await till.get(ME)
            revoked = await admin.delete(f"/api/v1/orgs/{ORG}/keys/{made['key']['id']}{WHY}")
            after = await till.get(ME)
    assert made["key"] in listed
    assert (before.status_code, before.json()["roles"], after.status_code) == (200, {ORG: "support"}, 401)
    assert revoked.json()["revokedAt"] == "2026-01-30T20:21:58.003Z"
    secret = made["token"].rpartition("_")[2]
    assert secret.encode() not in b"".join(each.value or b"" for each in world.log.published)
    assert [AUDIT.decode(each.value or b"").data.action for each in world.log.of(topics.AUDIT)] == [
        "key.create",
        "key.revoke",
    ]
    key = ACCESS.decode(world.log.of(topics.ACCESS)[0].value or b"").data
    assert isinstance(key, ApiKey)
    assert key.expires_at == AT + 365 * 86_400_000


async def test_a_key_of_another_org_cannot_be_revoked(world: World) -> None:
    async with world.client(token_of("admin", OTHER)) as admin:
        made = (await admin.post(f"/api/v1/orgs/{OTHER}/keys", json={"name": "x", "role": "viewer"})).json()
    async with world.client(token_of("admin", ORG)) as other:
        assert (await other.delete(f"/api/v1/orgs/{ORG}/keys/{made['key']['id']}{WHY}")).status_code == 404
    async with world.client(made["token"]) as client:
        assert (await client.get(ME)).status_code == 200


async def test_a_session_is_begun_by_a_password_and_ended_by_logging_out(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.MANAGER}))
    async with world.client(None, SAME_SITE) as client:
        answer = await logged_in(client)
        assert (answer.status_code, answer.json()) == (201, {"id": "user:ana", "name": "ana"})
        cookie = answer.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/")), cookie
        assert "secure" not in cookie, "the request came without TLS"
        assert (await client.get(ME)).json() == {"id": "user:ana", "name": "ana", "roles": {ORG: "manager"}}
        token = client.cookies[COOKIE]
        assert (await client.delete("/api/v1/session")).status_code == 204
        assert (await client.get(ME, headers={"cookie": f"{COOKIE}={token}"})).status_code == 401


async def test_over_tls_the_cookie_stays_there(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}))
    transport = httpx.ASGITransport(create_app(world.site))
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as client:
        answer = await logged_in(client)
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    ("name", "password"), [("ana", "wrong"), ("nobody", PASSWORD), ("ANA", PASSWORD), ("gone", PASSWORD)]
)
async def test_who_fails_to_log_in_is_not_told_why(tmp_path: Path, name: str, password: str) -> None:
    gone = user_records("gone", {ORG: Role.ADMIN}, disabled_at=AT)
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}), gone)
    async with world.client(None) as client:
        answer = await logged_in(client, name, password)
    assert (answer.status_code, answer.json()["detail"]) == (401, "name and password do not fit")
    assert "set-cookie" not in answer.headers


async def test_passwords_cannot_be_tried_out(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}))
    async with world.client(None) as client:
        statuses = [(await logged_in(client, password=f"guess {n}")).status_code for n in range(12)]
        late = await logged_in(client)
    assert statuses == [401] * 10 + [429] * 2
    assert late.status_code == 429, "the right one does not help either"
    assert int(late.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ([access_record(ALL_ORGS, NEW_PASSWORD)], "the password is another"),
        (user_records("ana", {ORG: Role.VIEWER}, disabled_at=AT + 5), "the account is disabled"),
    ],
)
async def test_a_session_ends_with_what_began_it(tmp_path: Path, change: list[object], because: str) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}))
    async with world.client(None, SAME_SITE) as client:
        await logged_in(client)
        assert (await client.get(ME)).status_code == 200
        world.log.write(change)  # type: ignore[arg-type]
        assert (await client.get(ME)).status_code == 401, because


async def test_a_session_that_nobody_uses_ends(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.VIEWER}))
    async with world.client(None) as client:
        await logged_in(client)
        world.clock.now += IDLE_MS
        assert (await client.get(ME)).status_code == 200, "used just in time"
        world.clock.now += IDLE_MS + 1
        assert (await client.get(ME)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status", "because"),
    [
        ({"sec-fetch-site": "same-origin"}, 202, "a page of ours"),
        ({"sec-fetch-site": "cross-site"}, 403, "another site"),
        ({"sec-fetch-site": "same-site"}, 403, "a neighbour"),
        ({"sec-fetch-site": "none"}, 403, "typed in: never a change"),
        ({"origin": "http://test"}, 202, "an older browser, from here"),
        ({"origin": "http://evil.test"}, 403, "an older browser, from elsewhere"),
        ({"origin": "null"}, 403, "a sandboxed frame"),
        ({}, 403, "a browser that says nothing"),
    ],
)
async def test_a_browsers_change_must_come_from_our_own_pages(
    tmp_path: Path, headers: dict[str, str], status: int, because: str
) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.MANAGER}))
    async with world.client(None) as client:
        await logged_in(client)
        asked = await client.post("/api/loyalty/sync", json={"orgId": ORG}, headers=headers)
        assert asked.status_code == status, because
        assert (await client.get(ME, headers=headers)).status_code == 200, "looking is always allowed"
    assert bool(world.log.of(topics.RUNS)) == (status == 202)


async def test_another_site_cannot_log_somebody_in(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {ORG: Role.MANAGER}))
    async with world.client(None, {"sec-fetch-site": "cross-site"}) as client:
        assert (await logged_in(client)).status_code == 403


async def test_a_link_begins_one_session_within_the_hour(world: World) -> None:
    async with world.client() as local, world.client(None) as browser:
        path, late = [(await local.post("/api/v1/session/links")).json()["path"] for _ in range(2)]
        first = await browser.get(path)
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert (await browser.get(ME)).json()["id"] == "local"
        browser.cookies.clear()
        assert (await browser.get(path)).headers["location"] == "/login", "it is used up"
        world.clock.now += LINK_MS + 1
        assert (await browser.get(late)).headers["location"] == "/login", "it is too old"
        assert (await browser.get(ME)).status_code == 401


@pytest.mark.parametrize("org", [ORG, ALL_ORGS])
async def test_a_link_is_only_for_whoever_may_read_the_data_folder(world: World, org: str) -> None:
    async with world.client(token_of("admin", org)) as client:
        assert (await client.post("/api/v1/session/links")).status_code == 403


async def test_each_caller_has_a_limit_of_their_own(tmp_path: Path) -> None:
    world = world_of(tmp_path, calls_a_minute=3)
    async with world.client(token_of("viewer")) as one, world.client(token_of("support")) as other:
        statuses = [(await one.get(ME)).status_code for _ in range(5)]
        limited = await one.get(ME)
        assert statuses == [200, 200, 200, 429, 429]
        assert int(limited.headers["retry-after"]) >= 1
        assert (await other.get(ME)).status_code == 200
        world.clock.now += 61_000
        assert (await one.get(ME)).status_code == 200


@pytest.mark.parametrize("path", [ME, "/healthz", "/nothing", "/login", "/api/openapi.json"])
async def test_every_answer_carries_what_browsers_are_to_know(world: World, path: str) -> None:
    async with world.client() as client:
        headers = (await client.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/metrics", "127.0.0.1", 404),
        ("/metrics", "::1", 404),
        ("/metrics", "10.0.0.7", 401),
        ("/healthz", "10.0.0.7", 404),
        ("/healthz/more", "10.0.0.7", 401),
        ("//healthz", "10.0.0.7", 401),
    ],
)
async def test_only_health_is_for_everybody_and_metrics_for_this_machine(
    world: World, path: str, host: str, status: int
) -> None:
    """There are none in this application, so "not found" is beyond the gate."""
    async with world.client(None, host=host) as client:
        assert (await client.get(f"http://test{path}")).status_code == status


async def test_people_are_led_to_the_log_in_page_and_back(world: World) -> None:
    async with world.client(None, {"accept": "text/html"}) as client:
        answer = await client.get("/cases?state=open&x=1")
        api = await client.get(ME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fcases%3Fstate%3Dopen%26x%3D1")
    assert api.status_code == 401


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_large_request_is_refused(world: World, chunked: bool) -> None:
    async def pieces() -> object:
        for _ in range(300):
            yield b"x" * 1024

    async with world.client() as client:
        content = pieces() if chunked else b"x" * (300 << 10)
        answer = await client.post("/api/loyalty/sync", content=content)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


async def test_an_admin_of_one_org_cannot_take_over_somebody_of_another(tmp_path: Path) -> None:
    world = world_of(tmp_path, user_records("ana", {OTHER: Role.ADMIN}))
    async with world.client(token_of("admin")) as client:
        answer = await client.put(
            f"/api/v1/orgs/{ORG}/members/ana", json={"role": "viewer", "password": "another password", "reason": "r"}
        )
    assert answer.status_code == 409
    assert world.log.published == []


async def test_a_member_is_added_changed_and_removed_and_the_audit_says_so(world: World) -> None:
    path = f"/api/v1/orgs/{ORG}/members/eve"
    async with world.client(token_of("admin")) as admin, world.client(None, SAME_SITE) as eve:
        new = {"role": "viewer", "reason": "new here"}
        assert (await admin.put(path, json=new)).status_code == 409, "nobody has that name yet"
        assert (await admin.put(path, json=new | {"password": "short"})).status_code == 422
        assert (await admin.put(path, json={"role": "viewer", "password": PASSWORD})).status_code == 422, "why?"
        assert (await admin.put(path, json=new | {"password": PASSWORD})).status_code == 200
        assert (await logged_in(eve, "eve")).status_code == 201
        assert (await admin.put(path, json={"role": "support", "reason": "covers for Bob"})).status_code == 200
        assert (await eve.get(ME)).json()["roles"] == {ORG: "support"}
        assert (await admin.delete(path)).status_code == 422, "why?"
        assert (await admin.delete(path + WHY)).status_code == 204
        assert (await eve.get(ME)).json()["roles"] == {}
        assert (await eve.get(f"/api/v1/orgs/{ORG}")).status_code == 404
        assert (await admin.delete(path + WHY)).status_code == 404
        audit = (await admin.get(f"/api/v1/orgs/{ORG}/audit")).json()["items"]
    assert {(each["action"], each["target"], each["reason"]) for each in audit} == {
        ("user.set", "eve", "new here"),
        ("user.set", "eve", "covers for Bob"),
        ("user.set", "eve", "left"),
    }
    assert {each["actor"] for each in audit} == {f"key:{token_of('admin').split('_')[1]}"}
    assert PASSWORD.encode() not in b"".join(each.value or b"" for each in world.log.published)


def test_the_local_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "web.key"
    key = local_key(path)
    assert (len(key) >= 32, path.stat().st_mode & 0o777, local_key(path)) == (True, 0o600, key)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="read by others"):
        local_key(path)


async def test_the_local_key_opens_everything(world: World) -> None:
    async with world.client(LOCAL_KEY) as client:
        assert (await client.get(ME)).json() == {"id": "local", "name": "local", "roles": {"*": "admin"}}
