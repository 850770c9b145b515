"""Who is to be told, as the configuration says: per org its channels, and the address that hears of good runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream.settings import (
    ChannelSettings,
    Configuration,
    DiscordSettings,
    EmailSettings,
    OrgConfiguration,
    SmtpSettings,
    WebhookSettings,
)
from stream.sinks.notify.channel import Channel
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.discord import DiscordChannel
from stream.sinks.notify.heartbeat import HeartbeatChannel
from stream.sinks.notify.links import cases_page
from stream.sinks.notify.mail import EmailChannel
from stream.sinks.notify.routing import Route, route_of
from stream.sinks.notify.webhook import WebhookChannel

Clean = Callable[[str], str]
"""Takes secrets and personal data out of a text."""

HEARTBEAT_GIVE_UP_SECONDS = 3600.0


@dataclass(frozen=True)
class Listener:
    """A channel and what it is to get. `kind`: `discord`, `email` or `webhook`."""

    channel: Channel
    route: Route
    kind: str


@dataclass(frozen=True)
class Audience:
    """Everyone who hears of one org. `name`: the org's, for people; `zone`: its clocks (IANA); `link`: where they can
    look."""

    org: str
    name: str
    zone: str
    link: Callable[[], str | None]
    listeners: Sequence[Listener]
    heartbeat: Channel | None
    window_seconds: float
    give_up_seconds: float

    @property
    def channels(self) -> list[Channel]:
        """All channels, the heartbeat's among them."""
        return [*(each.channel for each in self.listeners), *([self.heartbeat] if self.heartbeat else [])]


PublicUrl = Callable[[], str | None]
"""How people reach the pages, as far as that is known by now."""


def audiences_of(configuration: Configuration, public_url: PublicUrl, clean: Clean, clock: Clock) -> list[Audience]:
    """The audience of every org that has one. Raises ConfigurationError."""
    return [
        _audience(org, configuration.smtp, public_url, clean, clock)
        for org in configuration.orgs
        if org.notify.configured
    ]


def _audience(org: OrgConfiguration, smtp: SmtpSettings, public_url: PublicUrl, clean: Clean, clock: Clock) -> Audience:
    notify = org.notify

    def link() -> str | None:
        pages = public_url()
        return cases_page(pages, org.id) if pages else None

    return Audience(
        org=org.id,
        name=org.name or org.id,
        zone=org.time_zone,
        link=link,
        listeners=[_listener(channel, org, smtp, clean, clock) for channel in notify.channels],
        heartbeat=HeartbeatChannel(str(notify.heartbeat), clean) if notify.heartbeat else None,
        window_seconds=notify.window_seconds,
        give_up_seconds=notify.give_up_hours * 3600,
    )


def _listener(
    settings: ChannelSettings, org: OrgConfiguration, smtp: SmtpSettings, clean: Clean, clock: Clock
) -> Listener:
    route = route_of(settings, org)
    match settings:
        case DiscordSettings():
            return Listener(DiscordChannel(settings, clean), route, "discord")
        case EmailSettings():
            return Listener(EmailChannel(settings, smtp, clean), route, "email")
        case WebhookSettings():
            return Listener(WebhookChannel(settings, org.id, clean, clock.wall), route, "webhook")
    raise AssertionError(f"no channel is made of {type(settings).__name__}")
