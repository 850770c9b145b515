"""An org whose channels lead to the servers of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stream.contracts.deliveries import Content, Delivery, MessageKind, Outcome
from stream.settings import Configuration
from stream.sinks.notify.audience import Audience, audiences_of
from stream.sinks.notify.clock import Clock
from tests.sinks.notify.news import AT, ORG
from tests.sinks.notify.servers import PASSWORD, SIGNING, USER, Mail, Web

WINDOW_SECONDS = 0.3


def house(
    web: Web | None = None,
    mail: Mail | None = None,
    folder: Path = Path(),
    *,
    smtp: dict[str, object] | None = None,
    notify: dict[str, object] | None = None,
) -> Configuration:
    """A configuration with a channel for every server that is given."""
    channels: dict[str, Any] = {"window_seconds": WINDOW_SECONDS}
    if web is not None:
        channels |= {
            "heartbeat": web.heartbeat,
            "discord": [{"url": web.discord}],
            "webhook": [{"url": web.hook, "secrets": [f"whsec_{key}" for key in SIGNING]}],
        }
    server: dict[str, object] = {}
    if mail is not None:
        server = {"host": "localhost", "port": mail.port, "sender": "loyalty@example.com", "timeout_seconds": 5}
        server |= {"username": USER, "password": PASSWORD, "ca_file": folder / "ca.pem"}
        channels["email"] = [{"to": ["owner@example.com"]}]
    org = {"id": ORG, "name": "Green Leaf", "notify": channels | (notify or {})}
    return Configuration.model_validate({"smtp": server | (smtp or {}), "org": [org]})


def audiences(configuration: Configuration) -> list[Audience]:
    return audiences_of(configuration, lambda: "https://pages.example", lambda text: text, Clock())


def channels(configuration: Configuration) -> dict[str, Any]:
    """By name."""
    return {channel.name: channel for audience in audiences(configuration) for channel in audience.channels}


def message(channel: str) -> Delivery:
    return Delivery(
        message="m-1",
        kind=MessageKind.ALERTS,
        channel=channel,
        outcome=Outcome.PENDING,
        title="Green Leaf: 1 new discrepancy",
        made_at=AT,
        content=Content(name="Green Leaf", counts={"discrepancy.opened": 1}, apart=1),
    )
