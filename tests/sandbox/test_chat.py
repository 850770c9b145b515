"""The demo's chat takes what the real channel for Discord sends, and tells it as it is read."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from stream.bootstrap.serving import http
from stream.contracts.deliveries import Content, Delivery, MessageKind, Outcome, Row
from stream.sandbox.chat import Chat, plain
from stream.settings import DiscordSettings
from stream.sinks.notify.channel import Receipt
from stream.sinks.notify.discord import DiscordChannel

WORST = Row(
    customer="3066", kind="discrepancy.opened", ours=52, provider=124, difference=72, case="brand_example:3066:1"
)
CONTENT = Content(
    name="brand_example", counts={"discrepancy.opened": 1}, apart=1, worst=(WORST,), link="http://127.0.0.1/cases"
)
DELIVERY = Delivery(
    message="m-1",
    kind=MessageKind.ALERTS,
    channel="discord",
    outcome=Outcome.PENDING,
    title="1 customer needs review (brand_example)",
    content=CONTENT,
)


async def test_a_message_arrives_in_the_words_that_people_read() -> None:
    told: list[list[str]] = []
    chat = Chat(told.append)
    async with http(chat.app, "127.0.0.1", 0) as root:
        channel = DiscordChannel(DiscordSettings(url=SecretStr(chat.webhook(root))), clean=str)
        assert await channel.send(DELIVERY) == Receipt(200)
        await channel.close()
    ((title, worst, *_),) = told
    assert title == DELIVERY.title
    assert worst.startswith("• 3066: ")
    assert "124" in worst
    assert "52" in worst


async def test_what_is_no_message_is_refused_and_another_address_is_none() -> None:
    told: list[list[str]] = []
    chat = Chat(told.append)
    async with http(chat.app, "127.0.0.1", 0) as root, httpx.AsyncClient() as client:
        assert (await client.post(chat.webhook(root), content=b"{")).status_code == 400
        assert (await client.post(f"{root}/api/webhooks/1/guessed", json={"embeds": []})).status_code == 404
        assert (await client.post(chat.webhook(root), json={"embeds": []})).status_code == 204
    assert told == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"brand\_example \(a\)", "brand_example (a)"),
        ("• [3066](http://127.0.0.1/cases/3066/1): shows 124", "• 3066: shows 124"),
        (r"[a \] b](http://x)", "a ] b"),
        ("nothing", "nothing"),
    ],
)
def test_markdown_is_told_as_it_is_read(written: str, read: str) -> None:
    assert plain(written) == read
