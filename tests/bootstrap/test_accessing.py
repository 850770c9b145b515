"""Keys, people and sessions on a real Kafka, with two web processes that have views of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from stream.bootstrap import accessing
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.settings import Configuration
from stream.sinks.views.follower import ViewsFollower
from stream.sinks.views.read import Views
from stream.web.access.sessions import COOKIE
from stream.web.app import create_app
from stream.web.site import site_of
from tests.sinks.records import ORG
from tests.web.world import PASSWORD, QUICK

PARTITIONS = 2
ME = "/api/v1/me"
SAME_SITE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
async def configuration(kafka: str, topic_prefix: str, tmp_path: Path) -> Configuration:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    given = {"bootstrap": kafka, "prefix": topic_prefix, "partitions": PARTITIONS}
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    return Configuration.model_validate({"data_dir": tmp_path / "one", "kafka": given, "org": [{"id": ORG}]})


@contextlib.asynccontextmanager
async def web(configuration: Configuration, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A web process over a data folder, and somebody's browser at it."""
    bootstrap, prefix = str(configuration.kafka.bootstrap), configuration.kafka.prefix
    follower = ViewsFollower(bootstrap, prefix, folder / "views.db")
    following = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(20), KafkaPublisher(bootstrap, prefix, client_id=folder.name) as publisher:
            await follower.caught_up()
            with contextlib.closing(Views(folder / "views.db")) as views:
                app = create_app(site_of(views, follower, publisher, passwords=QUICK))
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=SAME_SITE) as client:
                    yield client
    finally:
        following.cancel()
        await asyncio.wait([following])


async def until(status: int, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
    """Asks until that is the answer: another process reads what was written a moment later."""
    async with asyncio.timeout(10):
        while (await ask()).status_code != status:
            await asyncio.sleep(0.02)


async def knows_ana(folder: Path) -> None:
    with contextlib.closing(Views(folder / "views.db")) as views:
        await views.wait_for(
            lambda known: known.account("ana") is not None and "ana" in str(known.members(ORG)), timeout=10
        )


async def log_in(client: httpx.AsyncClient) -> int:
    return (await client.post("/api/v1/session", json={"name": "ana", "password": PASSWORD})).status_code


async def test_keys_and_people_come_and_go_by_command(configuration: Configuration, tmp_path: Path) -> None:
    async with web(configuration, tmp_path / "one") as client:
        made = await accessing.create_key(
            configuration, org=ORG, name="till", role="support", days=1, reason="a new till"
        )
        headers = {"authorization": f"Bearer {made['token']}"}
        await until(200, lambda: client.get(ME, headers=headers))
        (listed,) = await accessing.keys(configuration, org=ORG)
        assert (listed["id"], "token" in listed) == (made["id"], False)
        assert await accessing.revoke_key(configuration, org="other", key=str(made["id"]), reason="r") is None
        await accessing.revoke_key(configuration, org=ORG, key=str(made["id"]), reason="it is gone")
        await until(401, lambda: client.get(ME, headers=headers))

        await accessing.set_user(configuration, org=ORG, name="ana", role="admin", password=PASSWORD, reason="new")
        await knows_ana(tmp_path / "one")
        assert await log_in(client) == 201
        assert [each["name"] for each in await accessing.users(configuration, org=ORG)] == ["ana"]
        await accessing.disable_user(configuration, name="ana", disabled=True, reason="on leave")
        await until(401, lambda: client.get(ME))
        await accessing.disable_user(configuration, name="ana", disabled=False, reason="back")
        await until(200, lambda: client.get(ME))
        with contextlib.closing(Views(tmp_path / "one" / "views.db")) as views:
            audit = views.audit(ORG)
    assert [(each.action, each.reason) for each in reversed(audit)] == [
        ("key.create", "a new till"),
        ("key.revoke", "it is gone"),
        ("user.set", "new"),
        ("user.disable", "on leave"),
        ("user.enable", "back"),
    ]


async def test_a_session_counts_on_every_web_process_and_over_restarts(
    configuration: Configuration, tmp_path: Path
) -> None:
    async with web(configuration, tmp_path / "one") as one:
        await accessing.set_user(configuration, org=ORG, name="ana", role="viewer", password=PASSWORD, reason="new")
        await knows_ana(tmp_path / "one")
        assert await log_in(one) == 201
        assert (await one.get(ME)).status_code == 200, "at once, where one logged in"
        cookie = {"cookie": f"{COOKIE}={one.cookies[COOKIE]}"}
        async with web(configuration, tmp_path / "two") as two:
            await until(200, lambda: two.get(ME, headers=cookie))
        async with web(configuration, tmp_path / "two") as two:  # begun again over what it had
            assert (await two.get(ME, headers=cookie)).status_code == 200
            assert (await two.delete("/api/v1/session", headers=cookie)).status_code == 204
            assert (await two.get(ME, headers=cookie)).status_code == 401, "at once, where one logged out"
            await until(401, lambda: one.get(ME))
    async with web(configuration, tmp_path / "three") as anew:
        assert (await anew.get(ME, headers=cookie)).status_code == 401
