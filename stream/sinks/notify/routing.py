"""Which of an org's news a channel gets, and when it may be disturbed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from stream.contracts.alerts import Alert
from stream.settings import ChannelSettings, OrgConfiguration, QuietHours
from stream.sinks.notify.items import Item

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Route:
    """A channel's part of an org's news. `zone`: where its quiet hours are meant."""

    wants: Callable[[Item], bool]
    quiet_hours: QuietHours | None = None
    zone: ZoneInfo | None = None

    def quiet_until(self, at: int) -> int:
        """From when on people may be disturbed, at `at` or later (UTC ms)."""
        while self.quiet(at):
            at += MINUTE_MS - at % MINUTE_MS
        return at

    def quiet(self, at: int) -> bool:
        """Whether nobody is to be disturbed at `at` (UTC ms)."""
        if self.quiet_hours is None:
            return False
        return self.quiet_hours.holds(datetime.fromtimestamp(at / 1000, UTC).astimezone(self.zone).time())


def route_of(channel: ChannelSettings, org: OrgConfiguration) -> Route:
    """The route that the configuration gives a channel."""
    return Route(lambda item: wanted(channel, item), channel.quiet_hours, ZoneInfo(org.time_zone))


def wanted(channel: ChannelSettings, item: Item) -> bool:
    """Whether the channel is to hear of it: the kind is among its kinds, the points are enough.

    What has no difference in points passes any minimum.
    """
    if not isinstance(item.body, Alert):
        return channel.digest
    alert = item.body
    if channel.kinds and alert.kind not in channel.kinds:
        return False
    return alert.difference is None or abs(alert.difference) >= channel.minimum_points
