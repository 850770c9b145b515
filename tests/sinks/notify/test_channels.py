"""Each channel against a real server: what it hands over, and what it makes of every answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from stream.sinks.notify.channel import Busy, ChannelRefused, MessageRefused, Receipt
from stream.sinks.notify.http import retry_after_seconds
from tests.sinks.notify.house import channels, house, message
from tests.sinks.notify.servers import PASSWORD, Answer, Mail, Web, mail_server, web_servers

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one address for all: starting one takes a third of a second


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address() -> AsyncIterator[Web]:
    async with web_servers() as servers:
        yield servers


@pytest.fixture
def web(address: Web) -> Web:
    address.forget()
    return address


@pytest_asyncio.fixture(loop_scope="module")
async def mail(tmp_path: Path) -> AsyncIterator[Mail]:
    async with mail_server(tmp_path) as server:
        yield server


async def test_discord_gets_one_embed_with_the_messages_id_and_confirms_that_it_is_saved(web: Web) -> None:
    receipt = await channels(house(web))["discord"].send(message("discord"))
    [got] = web.to("discord")
    assert receipt == Receipt(200)
    assert [embed["footer"]["text"] for embed in got["body"]["embeds"]] == ["m-1.discord"]


async def test_a_webhook_is_signed_and_says_the_same_bytes_each_time(web: Web) -> None:
    channel = channels(house(web))["webhook"]
    await channel.send(message("webhook"))
    await channel.send(message("webhook"))
    one, other = web.to("hook")
    assert one["headers"]["webhook-id"] == other["headers"]["webhook-id"] == "m-1.webhook"
    assert one["raw"] == other["raw"]
    assert one["body"]["type"] == "loyalty.alerts"


async def test_the_heartbeats_address_is_only_called(web: Web) -> None:
    await channels(house(web))["heartbeat"].send(message("heartbeat"))
    assert [got["raw"] for got in web.to("heartbeat")] == [b""]


@pytest.mark.parametrize(
    ("answer", "error", "retry_after"),
    [
        (Answer(429, {"Retry-After": "3"}, {"message": "slow down", "retry_after": 2.5}), Busy, 3.0),
        (Answer(429, {}, {"message": "slow down", "retry_after": 0.25, "global": False}), Busy, 0.25),
        (Answer(503, {"Retry-After": "soon"}), Busy, None),
        (Answer(500), Busy, None),
        (Answer(408), Busy, None),
        (Answer(401, {}, {"message": "Invalid Webhook Token", "code": 50027}), ChannelRefused, None),
        (Answer(403), ChannelRefused, None),
        (Answer(410), ChannelRefused, None),
        (Answer(302, {"Location": "https://elsewhere.example"}), ChannelRefused, None),
        (Answer(400, {}, {"message": ["no"]}), MessageRefused, None),
        (Answer(413), MessageRefused, None),
    ],
)
@pytest.mark.parametrize("name", ["discord", "webhook"])
async def test_an_answer_means(
    web: Web, name: str, answer: Answer, error: type[Exception], retry_after: float | None
) -> None:
    web.answers({"webhook": "hook"}.get(name, name), answer)
    with pytest.raises(error) as caught:
        await channels(house(web))[name].send(message(name))
    assert getattr(caught.value, "status", None) == answer.status
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert len(web.asked) == 1, "one attempt is one request"


@pytest.mark.parametrize(("name", "error"), [("discord", ChannelRefused), ("webhook", Busy)])
async def test_404_is_a_webhook_deleted_at_discord_and_elsewhere_a_deployment(
    web: Web, name: str, error: type[Exception]
) -> None:
    web.answers({"webhook": "hook"}.get(name, name), Answer(404))
    with pytest.raises(error):
        await channels(house(web))[name].send(message(name))


async def test_a_server_that_says_nothing_is_given_up_in_time_and_no_error_tells_the_address() -> None:
    async with _silent_server() as port:
        url = f"http://127.0.0.1:{port}/webhooks/1/tOkEn"
        channel = channels(house(notify={"discord": [{"url": url, "timeout_seconds": 0.1}]}))["discord"]
        with pytest.raises(Busy, match=r"Discord did not answer within 0\.1 s") as caught:
            await channel.send(message("discord"))
        assert "tOkEn" not in repr(caught.value)
    with pytest.raises(Busy, match="cannot be reached") as caught:
        await channel.send(message("discord"))
    assert "tOkEn" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Fri, 30 Jan 2026 20:00:30 GMT", "Date": "Fri, 30 Jan 2026 20:00:00 GMT"}, 30.0),
        ({"Retry-After": "Fri, 30 Jan 2026 19:00:00 GMT", "Date": "Fri, 30 Jan 2026 20:00:00 GMT"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "later"}, None),
    ],
)
async def test_retry_after_has_two_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


async def test_mail_goes_out_encrypted_and_after_a_login(mail: Mail, tmp_path: Path) -> None:
    receipt = await channels(house(mail=mail, folder=tmp_path))["email"].send(message("email"))
    assert (receipt, mail.encrypted, mail.logins) == (Receipt(250), [True], ["loyalty"])
    assert mail.recipients == [["owner@example.com"]]
    assert mail.mails[0]["Message-ID"] == "<m-1.email@example.com>"
    assert mail.mails[0]["Subject"] == "Green Leaf: 1 new discrepancy"


@pytest.mark.parametrize(
    ("smtp", "answer", "error", "status", "said"),
    [
        ({"password": "wrong"}, None, ChannelRefused, 535, "Correct smtp.username"),
        ({"username": None, "password": None}, None, ChannelRefused, 530, "Authentication required"),
        ({"ca_file": None}, None, Busy, None, "mail server"),
        ({}, "451 try again later", Busy, 451, "try again later"),
        ({}, "550 no such user jane@example.com", MessageRefused, 550, "550"),
    ],
)
async def test_a_mail_servers_answer_means(
    mail: Mail,
    tmp_path: Path,
    smtp: dict[str, object],
    answer: str | None,
    error: type[Exception],
    status: int | None,
    said: str,
) -> None:
    mail.refuses.extend([answer] if answer else [])
    with pytest.raises(error, match=said) as caught:
        await channels(house(mail=mail, folder=tmp_path, smtp=smtp))["email"].send(message("email"))
    assert getattr(caught.value, "status", None) == status
    assert PASSWORD not in str(caught.value)
    assert mail.mails == []


async def test_a_mail_server_that_hangs_is_given_up_within_its_timeout() -> None:
    async with _silent_server() as port:
        smtp: dict[str, object] = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "l@example.com"}
        settings = house(smtp=smtp | {"timeout_seconds": 0.1}, notify={"email": [{"to": ["o@example.com"]}]})
        with pytest.raises(Busy, match=r"did not take the mail within 0\.1 s"):
            await channels(settings)["email"].send(message("email"))


async def test_a_mail_server_that_drips_is_given_up_within_the_same_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"220-still there\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        smtp: dict[str, object] = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "l@example.com"}
        settings = house(smtp=smtp | {"timeout_seconds": 0.2}, notify={"email": [{"to": ["o@example.com"]}]})
        with pytest.raises(Busy, match="did not take the mail"):
            await channels(settings)["email"].send(message("email"))


@contextlib.asynccontextmanager
async def _silent_server() -> AsyncIterator[int]:
    """Takes connections and says nothing."""
    until = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await until.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        until.set()
        server.close()
        await server.wait_closed()
