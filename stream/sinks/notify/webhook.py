"""An address of one's own, signed by Standard Webhooks (https://www.standardwebhooks.com).

webhook-id         the message's id, the same at every attempt: take each once
webhook-timestamp  of this attempt, UTC seconds
webhook-signature  `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; with two secrets two of them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook

from stream.contracts.deliveries import Content, Delivery, MessageKind
from stream.settings import WebhookSettings
from stream.sinks.document import iso, utc
from stream.sinks.notify.channel import MessageRefused, Receipt, remote_id
from stream.sinks.notify.http import Address


class Data(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`data` of a webhook's body. `alerts`: ids, at most a hundred; `count` counts them all."""

    org: str
    title: str
    count: int
    content: Content
    run: str | None = None
    alerts: tuple[str, ...] = ()


class Body(msgspec.Struct, frozen=True):
    """A webhook's body, by the specification's recommendation: `type`, `timestamp` (when it happened) and `data`."""

    type: str
    timestamp: str
    data: Data


class WebhookChannel:
    """A receiver of signed messages. `clock`: UTC seconds."""

    def __init__(
        self, settings: WebhookSettings, org: str, clean: Callable[[str], str], clock: Callable[[], float]
    ) -> None:
        self.name = settings.name
        self._org = org
        self._clock = clock
        self._secrets = [secret.get_secret_value() for secret in settings.secrets]
        self._address = Address("the webhook", str(settings.url), settings.timeout_seconds, clean)

    async def send(self, delivery: Delivery) -> Receipt:
        """See `Channel`."""
        body = webhook_body(delivery, self._org)
        headers = signed(self._secrets, remote_id(delivery), int(self._clock()), body)
        return await self._address.ask("POST", body=body, headers={"Content-Type": "application/json"} | headers)

    async def close(self) -> None:
        """See `Channel`."""
        await self._address.close()


def webhook_body(delivery: Delivery, org: str) -> bytes:
    """The same bytes at every attempt."""
    if delivery.content is None:
        raise MessageRefused("the message has no content")
    data = Data(
        org=org,
        title=delivery.title,
        count=delivery.count,
        content=delivery.content,
        run=delivery.run,
        alerts=delivery.alerts,
    )
    kind = MessageKind(delivery.kind)
    return msgspec.json.encode(Body(f"loyalty.{kind}", iso(utc(delivery.made_at)), data))


def signed(secrets: Sequence[str], message: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks. Whoever holds any of the secrets can verify."""
    at = datetime.fromtimestamp(seconds, UTC)
    signatures = [Webhook(secret).sign(message, at, body.decode()) for secret in secrets]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }
