"""Each role against each route and each org."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from stream.contracts import topics
from stream.contracts.access import ALL_ORGS, Role
from stream.contracts.audit import AUDIT
from stream.web.openapi import document
from tests.sinks.records import ORG
from tests.web.world import OTHER, RUN, TO_REVOKE, World, key_id, key_record, token_of, user_records, world_of

ANY = None
"""For whoever has proved who they are, whatever their role."""


class Call(NamedTuple):
    """A route as it is called; `path`: with `{org}`; `done`: its answer to who may."""

    method: str
    route: str
    path: str
    role: Role | None
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    done: int = 200


V, S, M, A = Role.VIEWER, Role.SUPPORT, Role.MANAGER, Role.ADMIN
IN = "/api/v1/orgs/{org}"
SYNC = ("post", "/api/loyalty/sync", "/api/loyalty/sync")
ACT = ("post", IN + "/cases/{case}/actions", IN + "/cases/{org}:7:1/actions")
DECIDE = ("post", IN + "/dead-letters/{place}/actions", IN + "/dead-letters/{place}/actions")
NEXT_YEAR = "2027-01-30T00:00:00Z"
CALLS = [
    Call("get", "/api/loyalty/sync", "/api/loyalty/sync?orgId={org}", V),
    Call("get", "/api/loyalty/sync", "/api/loyalty/sync?orgId={org}&customerId=3528", V),
    Call(*SYNC, M, {"orgId": "{org}", "reason": "r"}, done=202),
    Call(*SYNC, S, {"orgId": "{org}", "customerId": "3528", "reason": "r"}, done=202),
    Call("get", "/api/loyalty/check-points", "/api/loyalty/check-points?orgId={org}&phone=5551234567", V),
    Call("get", "/api/v1/status", "/api/v1/status", ANY),
    Call("get", "/api/v1/me", "/api/v1/me", ANY),
    Call("get", "/api/v1/orgs", "/api/v1/orgs", ANY),
    Call("get", IN, IN, V),
    Call("get", IN + "/customers", IN + "/customers?q=zoe", V),
    Call("get", IN + "/customers/{customer}", IN + "/customers/3528", V),
    Call("get", IN + "/customers/{customer}/entries", IN + "/customers/3528/entries", V),
    Call("get", IN + "/customers/{customer}/explanation", IN + "/customers/3528/explanation", V),
    Call("get", IN + "/cases", IN + "/cases", V),
    Call("get", IN + "/cases/{case}", IN + "/cases/{org}:7:1", V),
    Call(*ACT, S, {"action": "acknowledge", "note": "r"}),
    Call(*ACT, S, {"action": "note", "note": "n"}),
    Call(*ACT, S, {"action": "assign", "to": None, "reason": "r"}),
    Call(*ACT, S, {"action": "silence", "until": NEXT_YEAR, "reason": "r"}),
    Call(*ACT, M, {"action": "accept", "reason": "a gift"}),
    Call(*ACT, M, {"action": "resolve", "reason": "r"}),
    Call(
        *("post", IN + "/cases/actions", IN + "/cases/actions", S),
        {"cases": ["{org}:7:1"], "action": {"action": "acknowledge", "note": "r"}},
    ),
    Call(
        *("post", IN + "/cases/actions", IN + "/cases/actions", M),
        {"cases": ["{org}:7:1"], "action": {"action": "resolve", "reason": "r"}},
    ),
    Call("get", IN + "/runs", IN + "/runs", V),
    Call("get", IN + "/runs/{run}", IN + "/runs/" + RUN, V),
    Call("get", IN + "/runs/{run}/events", IN + "/runs/" + RUN + "/events", V),
    Call("get", IN + "/alerts", IN + "/alerts", V),
    Call("get", IN + "/deliveries", IN + "/deliveries", V),
    Call("get", IN + "/dead-letters", IN + "/dead-letters", V),
    Call("get", IN + "/dead-letters/reasons", IN + "/dead-letters/reasons", V),
    Call("get", IN + "/dead-letters/{place}", IN + "/dead-letters/{place}", V),
    Call(*DECIDE, M, {"action": "discard", "reason": "r"}),
    Call(*DECIDE, M, {"action": "retry", "reason": "r"}),
    Call("get", IN + "/settings", IN + "/settings", V),
    Call("post", IN + "/settings/preview", IN + "/settings/preview", V, {"settings": {}}),
    Call(
        *("patch", IN + "/settings", IN + "/settings", M, {"settings": {}, "reason": "none"}),
        headers=(("if-match", '"1"'),),
    ),
    Call("get", IN + "/settings/versions", IN + "/settings/versions", V),
    Call("get", IN + "/settings/versions/{version}", IN + "/settings/versions/1", V),
    Call("get", IN + "/keys", IN + "/keys", A),
    Call("post", IN + "/keys", IN + "/keys", A, {"name": "till", "role": "viewer", "reason": "r"}, done=201),
    Call("delete", IN + "/keys/{key}", IN + "/keys/" + key_id(TO_REVOKE) + "?reason=r", A),
    Call("get", IN + "/members", IN + "/members", A),
    Call(
        *("put", IN + "/members/{name}", IN + "/members/ana", A),
        {"role": "viewer", "password": "correct horse battery", "reason": "r"},
    ),
    Call("delete", IN + "/members/{name}", IN + "/members/bob?reason=r", A, done=204),
    Call("get", IN + "/audit", IN + "/audit", A),
]
STREAMS = {("get", IN + "/alerts/stream")}
"""Never ends: tried elsewhere."""
SESSION = {
    *(("post", "/api/v1/session"), ("delete", "/api/v1/session"), ("post", "/api/v1/session/links")),
    ("put", "/api/v1/me/password"),
}
"""How one authenticates: tried elsewhere."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    bob = user_records("bob", {ORG: Role.VIEWER})
    world = world_of(tmp_path_factory.mktemp("roles"), bob)

    def back_again(_: object) -> list[Any]:
        return [*bob]

    world.log.reacting = back_again
    return world


async def answer_to(world: World, call: Call, token: str | None, org: str = ORG) -> httpx.Response:
    letter = world.views.dead_letters(1)[0]

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        places = {"{org}": org, "{place}": f"{letter.partition}:{letter.offset}"}
        for name, place in places.items():
            value = value.replace(name, place) if isinstance(value, str) else value
        return value

    async with world.client(token) as client:
        body = None if call.body is None else filled(call.body)
        return await client.request(call.method, filled(call.path), json=body, headers=dict(call.headers))


def test_every_route_is_in_the_table(world: World) -> None:
    paths = document(world.app)["paths"]
    routes = {(method, path) for path, methods in paths.items() for method in methods}
    assert {(call.method, call.route) for call in CALLS} == routes - STREAMS - SESSION


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.body or ''}")
async def test_a_role_may_what_it_may_and_no_more(world: World, call: Call, role: Role) -> None:
    allowed = call.role is None or role.rank >= call.role.rank
    before = len(world.log.published)
    for org in (ORG, ALL_ORGS):
        answer = await answer_to(world, call, token_of(role.value, org))
        assert answer.status_code == (call.done if allowed else 403), answer.text
    assert allowed or len(world.log.published) == before


CHANGES = [call for call in CALLS if call.method != "get" and not call.route.startswith(IN + "/settings")]
"""Settings are left as they are here, which is no change: changing them is tried elsewhere."""


@pytest.mark.parametrize("call", CHANGES, ids=lambda call: f"{call.method} {call.path} {call.body or ''}")
async def test_every_change_is_in_the_audit_with_who_and_why(world: World, call: Call) -> None:
    world.log.write([key_record(Role.VIEWER, name=TO_REVOKE)])
    before = len(world.log.of(topics.AUDIT))
    assert (await answer_to(world, call, token_of("admin"))).status_code == call.done
    entries = [AUDIT.decode(each.value or b"").data for each in world.log.of(topics.AUDIT)[before:]]
    assert {each.actor for each in entries} == {f"key:{key_id('admin')}"}
    assert any(each.reason for each in entries), "a retry asks for a run too, which says no more"


@pytest.mark.parametrize("call", [call for call in CALLS if call.role], ids=lambda call: f"{call.method} {call.path}")
async def test_an_org_of_others_is_one_that_does_not_exist(world: World, call: Call) -> None:
    before = len(world.log.published)
    others = await answer_to(world, call, token_of("admin", OTHER), ORG)
    nobodys = await answer_to(world, call, token_of("admin", OTHER), "no_such_org")
    assert (others.status_code, nobodys.status_code) == (404, 404)
    assert others.json()["detail"].replace(ORG, "ORG") == nobodys.json()["detail"].replace("no_such_org", "ORG")
    assert len(world.log.published) == before


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
async def test_without_a_key_nothing_is_served_and_nothing_can_be_told(world: World, call: Call) -> None:
    async with world.client(None) as client:
        nothing = await client.get("/api/v1/nothing")
    for token in (None, "wrong", token_of("viewer")[:-1] + "y"):
        world.clock.now += 60_001  # failures are counted
        answer = await answer_to(world, call, token)
        assert answer.status_code == 401
        assert answer.json()["detail"] == nothing.json()["detail"]


async def test_the_lists_of_orgs_have_only_ones_own(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    async with world.client(token_of("viewer", OTHER)) as client:
        assert (await client.get("/api/v1/orgs")).json() == {"items": [{"id": OTHER, "role": "viewer"}], "next": None}
        assert list((await client.get("/api/v1/status")).json()["orgs"]) == [OTHER]
        assert (await client.get("/api/v1/me")).json()["roles"] == {OTHER: "viewer"}


@pytest.mark.parametrize("role", list(Role))
async def test_contact_data_is_masked_for_viewers_everywhere(world: World, role: Role) -> None:
    masked = role is Role.VIEWER
    async with world.client(token_of(role.value)) as client:
        one = (await client.get(f"/api/v1/orgs/{ORG}/customers/3528")).json()["person"]
        (listed,) = (await client.get(f"/api/v1/orgs/{ORG}/customers?q=zoe")).json()["items"]
        exports = [(await client.get(f"/api/v1/orgs/{ORG}/customers?export={how}")).text for how in ("csv", "json")]
    assert one == listed["person"]
    assert one == {
        "name": "Zoë Quinn",
        "phones": ["•••4567" if masked else "+15551234567"],
        "email": "z•••@•••.com" if masked else "zoe@example.com",
        "masked": masked,
    }
    for text in exports:
        assert ("+15551234567" in text) == (not masked)
        assert ("zoe@example.com" in text) == (not masked)


@pytest.mark.parametrize(
    ("text", "viewer", "support", "because"),
    [
        ("+1 (555) 123-4567", ["3528"], ["3528"], "the whole number: a customer may say it"),
        ("555 123 4567", ["3528"], ["3528"], "without the country code too"),
        ("4567", ["3528"], ["3528"], "what everybody is shown"),
        ("555123", [], ["3528"], "digit by digit the number would come out"),
        ("1555123456", [], ["3528"], "to the last digit"),
        ("zoe@example.com", ["3528"], ["3528"], "the whole address"),
        ("ZOE@EXAMPLE.COM", ["3528"], ["3528"], "however it is written"),
        ("zoe@ex", [], ["3528"], "letter by letter the address would come out"),
        ("@example.com", [], ["3528"], "or the company"),
        ("exam", [], ["3528"], "a part without a sign"),
        ("zo qui", ["3528"], ["3528"], "names are shown to everybody"),
        ("352", ["3528"], ["3528"], "so are ids"),
        ("3528", ["3528"], ["3528"], "of four digits, too"),
    ],
)
async def test_contact_data_cannot_be_searched_out_by_who_does_not_see_it(
    world: World, text: str, viewer: list[str], support: list[str], because: str
) -> None:
    for role, found in ((Role.VIEWER, viewer), (Role.SUPPORT, support)):
        async with world.client(token_of(role.value)) as client:
            answer = (await client.get(f"/api/v1/orgs/{ORG}/customers", params={"q": text})).json()
            table = (await client.get(f"/api/v1/orgs/{ORG}/customers", params={"q": text, "export": "csv"})).text
        assert [each["customer"]["customerId"] for each in answer["items"]] == found, because
        assert ("3528" in table) == bool(found), because
