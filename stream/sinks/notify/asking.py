"""What a person may ask of the notifier: try every channel, or send a message once more."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from stream.contracts import topics
from stream.contracts.deliveries import DELIVERIES, Content, Delivery, MessageKind, Outcome, delivery_key
from stream.engine.ports import Output, Publisher
from stream.errors import LoyaltyError, VendorError
from stream.sinks.notify.audience import Audience, Listener
from stream.sinks.notify.delivery_reader import DeliveryReader, Entry
from stream.sinks.notify.ledger import REQUEST_SOURCE, SOURCE

TRIAL = "This is a test message: if you read it, this channel works."


class Tried(msgspec.Struct, frozen=True):
    """How a channel took a test message. `status`: the answer's code; `reason`: why not, or what to know."""

    channel: str
    kind: str
    delivered: bool
    status: int | None
    reason: str | None
    message: str


class Asked(msgspec.Struct, frozen=True):
    """A message that was asked for once more. `was`: how it stood."""

    message: str
    channel: str
    title: str
    was: str


class NothingToSend(LoyaltyError):
    """There is no such message, or none that can be sent."""


async def try_channels(audience: Audience) -> list[Entry]:
    """Send a test message to every channel of the org, once, all at the same time. The heartbeat's address is left
    alone: a call there says that a run was good."""
    message = f"test-{uuid.uuid4().hex[:12]}"
    attempts = [_tried(audience, listener, message) for listener in audience.listeners]
    return [Entry(audience.org, delivery) for delivery in await asyncio.gather(*attempts)]


def told(audience: Audience, entries: Sequence[Entry]) -> list[Tried]:
    """The outcome for a person to read."""
    kinds = {listener.channel.name: listener.kind for listener in audience.listeners}
    return [
        Tried(d.channel, kinds[d.channel], d.outcome is Outcome.DELIVERED, d.status, d.reason, d.message)
        for _, d in entries
    ]


async def record(publisher: Publisher, entries: Sequence[Entry], *, source: str = SOURCE) -> None:
    """Keep how these stand. Raises Unreachable."""
    at = int(time.time() * 1000)
    await publisher.publish(
        Output(
            topics.DELIVERIES.name,
            delivery_key(org, delivery.message, delivery.channel),
            DELIVERIES.encode(delivery, org=org, at=at, source=source),
        )
        for org, delivery in entries
    )


async def resend(
    bootstrap: str, prefix: str, publisher: Publisher, *, org: str, message: str, channel: str | None = None
) -> list[Asked]:
    """Ask the notifier to send a message once more, under the same id, to all its channels or to one.

    A paused channel goes on with it. When no notifier runs, the next one sends it. Raises NothingToSend, Unreachable.
    """
    reader = DeliveryReader(bootstrap, prefix)
    try:
        known = [each for each in await reader.all() if (each.org, each.delivery.message) == (org, message)]
    finally:
        await reader.close()
    known = [each for each in known if channel in (None, each.delivery.channel)]
    if not known:
        raise NothingToSend(
            f"org {org!r} has no message {message}{f' to {channel}' if channel else ''}. "
            "`loyalty notify list` shows those there are."
        )
    sendable = [each.delivery for each in known if _can_be_sent(each.delivery)]
    if not sendable:
        raise NothingToSend(
            f"message {message} has nothing to send: {known[0].delivery.reason or 'it has no content'}."
        )
    await record(publisher, [Entry(org, _anew(delivery)) for delivery in sendable], source=REQUEST_SOURCE)
    return [Asked(message, each.channel, each.title, each.outcome.value) for each in sendable]


async def _tried(audience: Audience, listener: Listener, message: str) -> Delivery:
    at = int(time.time() * 1000)
    trial = Delivery(
        message=message,
        kind=MessageKind.TEST,
        channel=listener.channel.name,
        outcome=Outcome.PENDING,
        title=f"{audience.name}: test message",
        made_at=at,
        attempts=1,
        first_at=at,
        last_at=at,
        content=Content(name=audience.name, link=audience.link(), note=TRIAL),
    )
    try:
        receipt = await listener.channel.send(trial)
    except VendorError as error:
        return replace(trial, outcome=Outcome.GIVEN_UP, status=getattr(error, "status", None), reason=str(error))
    return replace(trial, outcome=Outcome.DELIVERED, status=receipt.status, reason=receipt.note)


def _can_be_sent(delivery: Delivery) -> bool:
    return delivery.content is not None or delivery.kind is MessageKind.HEARTBEAT


def _anew(delivery: Delivery) -> Delivery:
    return replace(delivery, outcome=Outcome.PENDING, attempts=0, first_at=None, next_at=None, status=None, reason=None)
