"""Questions that take long leave room for others."""

from __future__ import annotations

import asyncio

import pytest

from stream.web.problems import Problem
from stream.web.turns import Turns
from tests.sinks.records import ORG
from tests.web.world import World, token_of


async def test_one_after_the_other_and_of_each_caller_a_few() -> None:
    turns, done = Turns(each=2), asyncio.Event()
    order: list[str] = []

    async def ask(caller: str) -> None:
        async with turns.next(caller):
            order.append(caller)
            await done.wait()

    asked = [asyncio.create_task(ask(caller)) for caller in ("ana", "ana", "bob")]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await ask("ana")
    assert (refused.value.status, order) == (429, ["ana"])
    done.set()
    await asyncio.gather(*asked)
    assert order == ["ana", "ana", "bob"]
    await ask("ana")


async def test_previews_take_turns(world: World) -> None:
    path, body = f"/api/v1/orgs/{ORG}/settings/preview", {"settings": {"settle_seconds": 60}}
    async with world.client(token_of("viewer")) as client, world.client(token_of("manager")) as other:
        async with world.app.state.previews.next("whoever looks at every customer now"):
            asked = [asyncio.create_task(client.post(path, json=body)) for _ in range(5)]
            asked.append(asyncio.create_task(other.post(path, json=body)))
            while sum(each.done() for each in asked) < 2:
                await asyncio.sleep(0.01)
        statuses = [(await each).status_code for each in asked]
    assert sorted(statuses[:5]) == [200, 200, 200, 429, 429]
    assert statuses[5] == 200
