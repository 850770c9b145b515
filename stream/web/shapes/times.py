"""Times in JSON."""

from __future__ import annotations

from stream.sinks.document import iso, iso_millis, utc

Json = dict[str, object]


def time_shown(millis: int | None) -> str | None:
    """ISO 8601 in milliseconds and `Z`."""
    return None if millis is None else iso(utc(millis))


def time_given(text: str) -> int:
    """UTC milliseconds of an ISO 8601 time. Raises ValueError when it is none, or says no zone."""
    if not text.endswith("Z") and "+" not in text[10:] and "-" not in text[10:]:
        raise ValueError("say the time zone: Z, or an offset such as -05:00")
    return iso_millis(text)
