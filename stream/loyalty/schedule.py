"""When an org's scheduled runs are due: pure functions of its settings and of a minute."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stream.contracts.names import Millis
from stream.contracts.settings import OrgSettings
from stream.errors import BadRecord

MINUTE_MS = 60_000
DAY_MINUTES = 1_440
_MAX_DEADLINE_MINUTES = 7 * DAY_MINUTES
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Slot(NamedTuple):
    """A time at which a run is due. `name`: the last part of the run's id; `at`: UTC ms."""

    name: str
    at: Millis


def daily_slot(settings: OrgSettings, now: int) -> Slot | None:
    """The newest daily slot that is not after `now` (UTC ms), named by its local date; None: there is no daily run.

    Every local date has one: a time that the clocks skip is as long after midnight as it would be without the change
    (02:00 is then 03:00), of a time that they repeat the first one counts.
    """
    if settings.schedule.daily_at is None:
        return None
    zone, wall = ZoneInfo(settings.time_zone), time.fromisoformat(settings.schedule.daily_at)
    today = datetime.fromtimestamp(now // 1000, zone).date()
    for days in (1, 0, -1):  # a zone may change its date by a whole day
        day = today + timedelta(days)
        # Without `fold` Python takes the offset before the change: what the docstring promises of both.
        at = Millis(int(datetime.combine(day, wall, zone).timestamp()) * 1000)
        if at <= now:
            return Slot(day.isoformat(), at)
    return None


def intraday_slot(settings: OrgSettings, now: int) -> Slot | None:
    """The newest intraday slot that is not after `now` (UTC ms), named by its UTC minute; None: there are none.

    Slots lie `intraday_minutes` apart, counted from midnight UTC; the last one of a day may be shorter.
    """
    every = settings.schedule.intraday_minutes
    if not every:
        return None
    minutes = now // MINUTE_MS
    at = Millis((minutes - minutes % DAY_MINUTES % every) * MINUTE_MS)
    return Slot(datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%MZ"), at)


def check_schedule(settings: OrgSettings) -> None:
    """Raises `BadRecord` that names the key, its value and what is allowed."""
    schedule = settings.schedule
    if schedule.daily_at is not None and not _CLOCK.fullmatch(schedule.daily_at):
        raise _wrong("schedule.daily_at", schedule.daily_at, "a time of day such as 02:00, or none")
    if not 0 <= schedule.intraday_minutes <= DAY_MINUTES:
        raise _wrong("schedule.intraday_minutes", schedule.intraday_minutes, f"0 (never) to {DAY_MINUTES}")
    if not 1 <= schedule.deadline_minutes <= _MAX_DEADLINE_MINUTES:
        raise _wrong("schedule.deadline_minutes", schedule.deadline_minutes, f"1 to {_MAX_DEADLINE_MINUTES}")
    try:
        ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong("time_zone", settings.time_zone, "a name of the IANA time zone database") from None


def _wrong(key: str, value: object, allowed: str) -> BadRecord:
    return BadRecord(f"settings: {key} is {str(value)[:80]}, allowed: {allowed}")
