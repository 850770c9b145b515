"""Times as people write them: `2026-03-01`, `2026-03-01T09:30-05:00`, `3d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str) -> int:
    """A date or time as UTC ms. One without an offset is UTC; a date is its first moment. Raises BadParameter."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time: write a date such as 2026-03-01, or a time such as 2026-03-01T09:30Z"
        ) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def span(text: str) -> int:
    """A length of time as ms. Raises BadParameter."""
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a length of time: write 90m, 12h, 3d or 2w")
    return int(match[1]) * _SECONDS[match[2]] * 1000


def moment_or_ago(text: str, now: int) -> int:
    """A time, or how long before `now` (UTC ms) it was."""
    return now - span(text) if re.fullmatch(r"[0-9]+[smhdw]", text) else moment(text)
