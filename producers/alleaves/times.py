"""Times as Alleaves writes them. Their format and zone are undocumented."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from stream.contracts.names import Millis
from stream.errors import BadRecord

DAY_MS = 86_400_000
_EARLIEST_MS = 631_152_000_000  # 1990
_LATEST_MS = 4_102_444_800_000  # 2100
_SECONDS_BELOW = 10_000_000_000
"""A number below it counts seconds (until the year 2286), above it milliseconds."""


def utc_millis(value: object, zone: tzinfo = UTC) -> Millis:
    """A time as UTC milliseconds.

    Takes ISO 8601 in its variants (`Z`, an offset, a space for the T, a date alone) and epoch seconds or
    milliseconds. Without an offset the time is one of `zone`. Raises `BadRecord` for anything else, and for
    times before 1990 or after 2100.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRecord(f"a time is text or a whole number, not {type(value).__name__}")
    text = str(value).strip()
    millis = _from_epoch(int(text)) if text.isdecimal() and len(text) in range(9, 15) else _from_iso(text, zone)
    if not _EARLIEST_MS <= millis < _LATEST_MS:
        raise BadRecord(f"time {text[:40]!r} is not between 1990 and 2100")
    return Millis(millis)


def day_of(millis: int) -> date:
    """The UTC date of a time."""
    return datetime.fromtimestamp(millis / 1000, UTC).date()


def midnight(day: date) -> Millis:
    """The start of a day in UTC."""
    return Millis(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000)


def months_between(first: date, last: date) -> list[tuple[date, date]]:
    """The days from `first` to `last` (inclusive) by calendar months, oldest first."""
    months = []
    while first <= last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        months.append((first, min(last, following - timedelta(days=1))))
        first = following
    return months


def _from_epoch(number: int) -> int:
    return number * 1000 if number < _SECONDS_BELOW else number


def _from_iso(text: str, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return round(aware.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadRecord(f"time {text[:40]!r} is not ISO 8601") from error
