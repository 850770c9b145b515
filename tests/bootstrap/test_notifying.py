"""What people ask of the notifier, and who runs it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.bootstrap.notifying import cleaner_of, notifier_of, notify_resend, notify_test
from stream.bootstrap.places import folder_of
from stream.bootstrap.up import _roles
from stream.contracts.deliveries import MessageKind, Outcome
from stream.errors import ConfigurationError
from stream.settings import Configuration
from stream.sinks.notify.asking import NothingToSend
from tests.sinks.notify.house import house
from tests.sinks.notify.news import ORG
from tests.sinks.notify.servers import PASSWORD, Answer, Mail, Web, mail_server, web_servers
from tests.sinks.notify.wire import deliveries, notify_log


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with web_servers() as servers:
        yield servers


@pytest.fixture
async def mail(tmp_path: Path) -> AsyncIterator[Mail]:
    async with mail_server(tmp_path) as server:
        yield server


def placed(configuration: Configuration, folder: Path, **kafka: object) -> Configuration:
    given = {"data_dir": folder, "kafka": type(configuration.kafka).model_validate(kafka)}
    return configuration.model_copy(update=given)


async def test_a_test_message_goes_to_every_channel_and_each_says_how_it_took_it(
    web: Web, mail: Mail, tmp_path: Path
) -> None:
    web.answers("hook", Answer(410, {}, {"message": "closed"}))
    settings = placed(house(web, mail, tmp_path), tmp_path)
    tried = {each.channel: each for each in await notify_test(settings, org=ORG)}
    assert {name: (each.kind, each.delivered, each.status) for name, each in tried.items()} == {
        "discord": ("discord", True, 200),
        "email": ("email", True, 250),
        "webhook": ("webhook", False, 410),
    }
    assert tried["webhook"].reason is not None
    assert "410: closed" in tried["webhook"].reason
    assert web.to("heartbeat") == [], "a call there would say that a run was good"
    assert "this channel works" in json.dumps(web.to("discord")[0]["body"])


async def test_the_outcome_of_a_test_is_kept_and_its_message_can_be_asked_for_again(
    web: Web, kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with notify_log(kafka, topic_prefix) as log:
        settings = placed(house(web), tmp_path, bootstrap=kafka, prefix=topic_prefix)
        await notify_test(settings, org=ORG)
        kept = await deliveries(log)
        assert [(each.channel, each.kind, each.outcome) for each in kept] == [
            ("discord", MessageKind.TEST, Outcome.DELIVERED),
            ("webhook", MessageKind.TEST, Outcome.DELIVERED),
        ]
        [asked] = await notify_resend(settings, org=ORG, message=kept[0].message, channel="discord")
        assert (asked.channel, asked.was) == ("discord", "delivered")
        assert [each.outcome for each in await deliveries(log)] == [Outcome.PENDING, Outcome.DELIVERED]
        with pytest.raises(NothingToSend):
            await notify_resend(settings, org=ORG, message=kept[0].message, channel="email")


async def test_an_org_without_channels_has_nothing_to_test(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no channel"):
        await notify_test(placed(house(), tmp_path), org=ORG)


def test_a_mail_servers_authority_must_be_there(tmp_path: Path) -> None:
    smtp: dict[str, object] = {"host": "localhost", "sender": "l@example.com", "ca_file": tmp_path / "no.pem"}
    settings = placed(house(smtp=smtp, notify={"email": [{"to": ["o@example.com"]}]}), tmp_path)
    with pytest.raises(ConfigurationError, match=r"smtp\.ca_file .*no\.pem cannot be used"):
        notifier_of(settings, "127.0.0.1:1", "1")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"login with {PASSWORD} failed", "login with [redacted] failed"),
        ("no member jane@mail.example", "no member [redacted]"),
        ("no member 5551234567 or +1 555 123 4567", "no member [redacted] or [redacted]"),
        ("1200 of 3400 orders on 2026-01-30", "1200 of 3400 orders on 2026-01-30"),
    ],
)
def test_what_others_wrote_leaves_the_house_without_secrets_and_personal_data(
    text: str, clean: str, tmp_path: Path
) -> None:
    settings = house(smtp={"host": "localhost", "sender": "l@example.com", "username": "u", "password": PASSWORD})
    assert cleaner_of(settings)(text) == clean


@pytest.mark.parametrize(
    ("notify", "runs"),
    [({}, False), ({"heartbeat": "https://watchdog.example"}, True), ({"discord": [{"url": "https://d"}]}, True)],
)
def test_it_runs_with_the_other_roles_when_anybody_is_to_be_told(
    notify: dict[str, object], runs: bool, tmp_path: Path
) -> None:
    settings = placed(house(notify=notify), tmp_path)
    names = [role.name for role in _roles(settings, folder_of(settings), {})]
    assert ("sink-notify" in names) is runs
