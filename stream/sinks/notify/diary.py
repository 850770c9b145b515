"""Of which days a channel has had a report: all is well is said once a day, however often somebody asks for a run.

Pure. What was told before a restart is known from the messages themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from stream.contracts.runs import RunCompleted
from stream.sinks.notify.delivery_reader import Entry
from stream.sinks.notify.gathering import Group


class Diary:
    """`told`: the messages there are; `zones`: org → the time zone (IANA) in which its days begin."""

    def __init__(self, told: Iterable[Entry], zones: Mapping[str, str]) -> None:
        self._zones = {org: ZoneInfo(zone) for org, zone in zones.items()}
        self._reported: set[tuple[str, str, date]] = {
            (org, delivery.channel, self._day(org, run.at))
            for org, delivery in told
            if org in self._zones and delivery.content is not None
            for run in delivery.content.runs
        }

    def is_news(self, org: str, channel: str, group: Group) -> bool:
        """Whether the channel is to hear of this group; it counts as told then. It is not, when there is nothing in it
        but good runs of days that have been reported on: whoever asked for one sees it where they asked."""
        runs = [item for item in group.items if isinstance(item.body, RunCompleted)]
        days = {(org, channel, self._day(org, item.at)) for item in runs}
        news = len(runs) < len(group.items) or not days <= self._reported
        self._reported |= days
        return news

    def _day(self, org: str, at: int) -> date:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zones[org]).date()
