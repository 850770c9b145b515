"""Times as people read them: how long ago, with the exact one beside it, in the shop's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def zone_of(name: str | None) -> tzinfo:
    """The time zone with this name; UTC where there is none, or none that is known here."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def relative(at: int, now: int, zone: tzinfo) -> str:
    """`just now`, `4 min ago`, `yesterday`, `in 3 h`, and the day where it is longer. Times in UTC ms."""
    apart = abs(now - at)
    if apart < MINUTE_MS:
        return "just now" if at <= now else "in a moment"
    if apart < HOUR_MS:
        return _said(at, now, f"{apart // MINUTE_MS} min")
    days = (_moment(now, zone).date() - _moment(at, zone).date()).days
    if apart < DAY_MS and abs(days) < 2:
        return _said(at, now, f"{apart // HOUR_MS} h")
    if days in (1, -1):
        return "yesterday" if days == 1 else "tomorrow"
    if abs(days) < 7:
        return _said(at, now, f"{abs(days)} days")
    return day(at, now, zone)


def day(at: int, now: int, zone: tzinfo) -> str:
    """`3 Nov`, with the year where it is not this one."""
    moment = _moment(at, zone)
    year = "" if moment.year == _moment(now, zone).year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}"


def clock(at: int, now: int, zone: tzinfo) -> str:
    """`09:12`, with the day where it is not today."""
    moment = _moment(at, zone)
    today = moment.date() == _moment(now, zone).date()
    return f"{moment:%H:%M}" if today else f"{day(at, now, zone)}, {moment:%H:%M}"


def exact(at: int, zone: tzinfo) -> str:
    """`22 Nov 2026, 15:58:32 EST`"""
    moment = _moment(at, zone)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S %Z}"


def iso(at: int) -> str:
    """As a machine reads it."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def length(milliseconds: int) -> str:
    """How long something took: `0.4 s`, `8.6 s`, `2 min 5 s`, `1 h 3 min`."""
    if milliseconds < 10 * SECOND_MS:
        return f"{milliseconds / SECOND_MS:.1f} s"
    if milliseconds < MINUTE_MS:
        return f"{milliseconds // SECOND_MS} s"
    if milliseconds < HOUR_MS:
        return f"{milliseconds // MINUTE_MS} min {milliseconds % MINUTE_MS // SECOND_MS} s"
    return f"{milliseconds // HOUR_MS} h {milliseconds % HOUR_MS // MINUTE_MS} min"


def _said(at: int, now: int, length: str) -> str:
    return f"{length} ago" if at <= now else f"in {length}"


def _moment(at: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, zone)
