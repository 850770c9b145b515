"""The notifier and what people ask of it, built from the configuration."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence

import structlog

from stream.bootstrap.backlog import BacklogReader
from stream.bootstrap.measuring import Raised
from stream.bootstrap.places import folder_of, kafka_of
from stream.engine.publisher import KafkaPublisher
from stream.errors import ConfigurationError, Unreachable
from stream.ops.logging import secrets_of
from stream.ops.metrics import Metrics
from stream.ops.redaction import REDACTED, Redaction
from stream.settings import Configuration
from stream.sinks.notify.asking import Asked, Tried, record, resend, told, try_channels
from stream.sinks.notify.audience import Audience, audiences_of
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.notifier import Notifier

log = structlog.get_logger(__name__)

NAME = "notify"
RECORD_SECONDS = 5.0
"""How long Kafka may take to keep the outcome of a test, which is worth having without it."""
_BARE_PHONE = re.compile(r"(?<![\w.-])\d{10,15}(?![\w-])")


def notifier_of(configuration: Configuration, bootstrap: str, name: str) -> Notifier:
    """The notifier of every org that wants to hear something. Raises ConfigurationError."""
    audiences = _audiences(configuration)
    if not audiences:
        log.warning("no org has a channel under [org.notify]: nobody will be told anything")
    clean = cleaner_of(configuration)
    return Notifier(bootstrap, configuration.kafka.prefix, audiences, clean=clean, name=name)


def cleaner_of(configuration: Configuration) -> Callable[[str], str]:
    """Takes secrets, telephone numbers and addresses out of what others wrote, before people outside read it."""
    redaction = Redaction(secrets_of(configuration))
    return lambda text: _BARE_PHONE.sub(REDACTED, redaction.text(text))


class NotifyMeter:
    """What the notifier has sent, what waits, which channels are paused, and how far it is behind."""

    def __init__(self, metrics: Metrics, notifier: Notifier, bootstrap: str, prefix: str) -> None:
        self._metrics = metrics
        self._notifier = notifier
        self._backlog = BacklogReader(bootstrap, prefix)
        self._sent = Raised(metrics.notifications)

    def look(self) -> None:
        """What is counted in memory."""
        for labels, count in self._notifier.counts.items():
            self._sent.to(labels, count)
        for channel, waiting in self._notifier.waiting().items():
            self._metrics.notifications_waiting.labels(*channel).set(waiting)
        for channel, reason in self._notifier.paused().items():
            self._metrics.channel_paused.labels(*channel).set(reason is not None)

    async def lag(self) -> None:
        """What the log holds beyond what has been read. Raises Unreachable."""
        backlog = await self._backlog.of(self._notifier.positions())
        now_ms = time.time() * 1000
        self._metrics.sink_lag.labels(NAME).set(sum(left.records for left in backlog.values()))
        ages = [left.age_seconds(now_ms) for left in backlog.values()]
        self._metrics.sink_oldest_unread.labels(NAME).set(max(ages, default=0.0))


async def notify_test(configuration: Configuration, *, org: str) -> Sequence[Tried]:
    """Send a test message to every channel of the org. The outcome is kept in `deliveries` where Kafka answers."""
    audience = _audience(configuration, org)
    try:
        entries = await try_channels(audience)
    finally:
        for channel in audience.channels:
            await channel.close()
    with contextlib.suppress(Unreachable):
        bootstrap = kafka_of(configuration)
        async with KafkaPublisher(
            bootstrap, configuration.kafka.prefix, client_id="cli", patience_seconds=RECORD_SECONDS
        ) as publisher:
            await record(publisher, entries)
    return told(audience, entries)


async def notify_resend(
    configuration: Configuration, *, org: str, message: str, channel: str | None
) -> Sequence[Asked]:
    """Ask the notifier to send a message once more. A paused channel goes on with it."""
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    async with KafkaPublisher(bootstrap, prefix, client_id="cli") as publisher:
        return await resend(bootstrap, prefix, publisher, org=org, message=message, channel=channel)


def _audience(configuration: Configuration, org: str) -> Audience:
    for audience in _audiences(configuration):
        if audience.org == org and audience.listeners:
            return audience
    raise ConfigurationError(f"org {org!r} has no channel: give one under [org.notify]; loyalty.example.toml shows how")


def _audiences(configuration: Configuration) -> list[Audience]:
    folder, given = folder_of(configuration), configuration.web.public_url

    def public_url() -> str | None:
        return str(given) if given is not None else folder.endpoints().get("web")

    return audiences_of(configuration, public_url, cleaner_of(configuration), Clock())
