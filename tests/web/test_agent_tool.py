"""The agent tool, asked by the official SDK's client."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from stream.bootstrap.serving import http
from stream.contracts.access import Role
from stream.web.agent_tool import PATH, over_http, routes
from stream.web.app import create_app
from stream.web.counter import Explanation, PointsAnswer
from stream.web.pages import routers
from tests.sinks.records import AT, ORG
from tests.web.world import LOCAL_KEY, OTHER, World, token_of, world_of

ZOE = "(555) 123-4567"
TOOLS = ["check_points", "explain_points"]


@asynccontextmanager
async def http_session(world: World, key: str | None = LOCAL_KEY) -> AsyncIterator[ClientSession]:
    """A client's session with the server, over HTTP on a port of its own."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with (
        address_of(world) as address,
        httpx.AsyncClient(headers=headers) as client,
        streamable_http_client(address, http_client=client) as (incoming, outgoing, _),
        ClientSession(incoming, outgoing) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def address_of(world: World) -> AsyncIterator[str]:
    async with over_http(world.site.service, world.site.authenticator) as app, http(app, "127.0.0.1", 0) as address:
        yield address + PATH


@asynccontextmanager
async def stdio_session(data_dir: Path) -> AsyncIterator[ClientSession]:
    """A client's session with `loyalty mcp`, which it starts, as agents' programs do."""
    environment = {**os.environ, "LOYALTY_DATA_DIR": str(data_dir)}
    environment.pop("LOYALTY_CONFIG", None)
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "stream.cli", "mcp"], env=environment, cwd=Path(__file__).parents[2]
    )
    async with stdio_client(server) as (incoming, outgoing), ClientSession(incoming, outgoing) as session:
        await session.initialize()
        yield session


def structured(result: CallToolResult) -> Mapping[str, Any]:
    assert not result.isError, result.content
    assert result.structuredContent is not None
    return result.structuredContent


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def check(session: ClientSession, phone: str, org: str = ORG) -> CallToolResult:
    return await session.call_tool("check_points", {"phone": phone, "org_id": org})


async def explain(session: ClientSession, who: str, org: str = ORG) -> CallToolResult:
    return await session.call_tool("explain_points", {"phone_or_customer": who, "org_id": org})


async def test_an_agent_lists_and_calls_the_tools_of_the_program(tmp_path: Path) -> None:
    world_of(tmp_path)
    async with stdio_session(tmp_path) as session:
        tools = (await session.list_tools()).tools
        points = structured(await check(session, ZOE))
        told = structured(await explain(session, "7"))
    assert [tool.name for tool in tools] == TOOLS
    assert points["primary"] == {"points": 475, "tier": "Bronze", "source": "alpine_iq"}
    assert points["calculated"] == {"points": 450, "tier": "Bronze", "source": "orders"}
    assert points["reconciliation"] == {"reconciled": True, "discrepancy": 25, "needsReview": False}
    assert told["say_to_customer"].endswith("We are checking this number.")
    assert any("Alpine IQ shows 500, orders give 449" in sentence for sentence in told["staff_only"])


async def test_over_http_an_agent_lists_and_calls_the_tools_with_a_key(world: World) -> None:
    async with http_session(world) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == TOOLS
        assert structured(await check(session, "+15551234567"))["primary"]["points"] == 475
        told = structured(await explain(session, "+15551234567"))
    assert (told["customer_id"], told["points"], told["next_tier"], told["points_to_next_tier"]) == (
        "3528", 475, "Silver", 25,
    )  # fmt: skip


async def test_the_web_role_answers_agents_beside_its_pages(world: World) -> None:
    async with routes(world.site.service) as mcp, http(create_app(world.site, mcp, routers()), "127.0.0.1", 0) as web:
        headers = {"authorization": f"Bearer {token_of(Role.VIEWER)}"}
        async with (
            httpx.AsyncClient(base_url=web, headers=headers) as client,
            streamable_http_client(web + PATH, http_client=client) as (incoming, outgoing, _),
            ClientSession(incoming, outgoing) as session,
        ):
            await session.initialize()
            assert structured(await check(session, ZOE))["primary"]["points"] == 475
            assert (await check(session, ZOE, OTHER)).isError
            assert (await client.get("/api/v1/me")).json()["roles"] == {ORG: "viewer"}
            assert "Zoë Quinn" in (await client.get("/lookup?q=3528")).text
        async with httpx.AsyncClient(base_url=web) as stranger:
            assert (
                await stranger.post(PATH, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
            ).status_code == 401


async def test_an_agent_is_told_what_everything_means(world: World) -> None:
    async with http_session(world) as session:
        initialized = session.get_server_capabilities()
        tools = (await session.list_tools()).tools
    assert initialized is not None
    assert initialized.tools is not None
    for tool in tools:
        assert tool.description
        assert len(tool.description) > 100
        assert "\n " not in tool.description
        assert tool.annotations is not None
        assert tool.annotations.readOnlyHint
        given = tool.inputSchema["properties"]
        assert [name for name, schema in given.items() if not schema.get("description")] == []
        assert "context" not in given
        assert tool.outputSchema is not None
        assert {"found", "reason"} < set(tool.outputSchema["required"])


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("+1 555 999 9999", "unknown_phone"),
        ("555-000-1111", "ambiguous_phone"),
        ("call me", "unreadable_phone"),
    ],
)
async def test_a_number_that_is_nobodys_or_several_peoples_is_an_answer(world: World, phone: str, reason: str) -> None:
    async with http_session(world) as session:
        points, told = structured(await check(session, phone)), structured(await explain(session, phone))
    assert (points["found"], points["reason"], points["primary"]) == (False, reason, None)
    assert points["message"]
    assert (told["found"], told["points"]) == (False, None)
    assert told["say_to_customer"]


async def test_what_an_answer_says_is_what_the_service_says(world: World) -> None:
    async with http_session(world) as session:
        points, told = structured(await check(session, ZOE)), structured(await explain(session, "7"))
    assert points == dict(await world.site.service.check_points(ZOE, ORG))
    assert set(points) == set(PointsAnswer.__annotations__)
    said = await world.site.service.explain_points("7", ORG)
    assert list(told.values()) == [said[_camel(name)] for name in told]  # type: ignore[literal-required]
    assert {_camel(name) for name in told} == set(Explanation.__annotations__)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("key", [None, "loyalty_00000000_" + "x" * 43, LOCAL_KEY[:-1]])
async def test_over_http_nothing_is_told_without_a_key(world: World, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with address_of(world) as address, httpx.AsyncClient(headers=headers) as client:
        answer = await client.post(address, json=message, headers={"accept": "application/json, text/event-stream"})
    assert answer.status_code == 401
    assert "check_points" not in answer.text


@pytest.mark.parametrize("org", [OTHER, "no_such_org"])
async def test_an_org_that_the_key_is_not_for_does_not_exist(world: World, org: str) -> None:
    async with http_session(world, token_of(Role.VIEWER)) as session:
        assert structured(await check(session, ZOE))["found"]
        refused = await check(session, ZOE, org)
    assert refused.isError
    assert said(refused) == f"org '{org}' is not known; you may ask about: {ORG}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"phone": ZOE}, "org_id: Field required. check_points takes phone and org_id"),
        ({"phone": "", "org_id": ORG}, "phone: String should have at least 1 character. check_points takes"),
        ({"phone": "1" * 65, "org_id": ORG}, "phone: String should have at most 64 characters"),
        ({"phone": 7, "org_id": "A B"}, "phone: Input should be a valid string; org_id: String should match pattern"),
    ],
)
async def test_arguments_that_cannot_be_are_refused_with_what_to_send(
    world: World, arguments: dict[str, object], says: str
) -> None:
    async with http_session(world) as session:
        refused = await session.call_tool("check_points", arguments)
    assert refused.isError
    assert said(refused).startswith(says)


async def test_a_tool_that_there_is_not_is_said_with_those_there_are(world: World) -> None:
    async with http_session(world) as session:
        refused = await session.call_tool("give_points", {})
    assert refused.isError
    assert said(refused) == "there is no tool 'give_points': there are check_points, explain_points"


async def test_a_fault_of_ours_says_nothing_of_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(world.views), "customers_at_phone", lambda *_, **__: 1 // 0)
    async with http_session(world) as session:
        failed = await check(session, ZOE)
    assert failed.isError
    assert said(failed) == "that went wrong here, and is logged: tell whoever runs this"


async def test_over_http_no_stream_is_kept_open_on_which_nothing_would_come(world: World) -> None:
    headers = {"authorization": f"Bearer {LOCAL_KEY}", "accept": "text/event-stream"}
    async with address_of(world) as address, httpx.AsyncClient(headers=headers) as client:
        assert (await client.get(address)).status_code == 405


async def test_answers_say_how_old_they_are(world: World) -> None:
    async with http_session(world) as session:
        points, told = structured(await check(session, ZOE)), structured(await explain(session, "3528"))
    at = "2026-01-30T20:21:58.003Z"
    assert AT == 1_769_804_518_003
    assert (points["asOf"]["balance"], points["asOf"]["points"]) == (at, at)
    assert told["as_of"] == points["asOf"]
