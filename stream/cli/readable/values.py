"""Parts of answers, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from stream.cli.output import plain

Fields = dict[str, object]


def rows(value: object) -> list[Fields]:
    """A list of objects; empty for anything else."""
    found = plain(value)
    return [fields(row) for row in found] if isinstance(found, list) else []


def fields(value: object) -> Fields:
    """An object; empty for anything else."""
    found = plain(value)
    return dict(found) if isinstance(found, Mapping) else {}


def listed(value: object) -> list[object]:
    """A list; empty for anything else."""
    return value if isinstance(value, list) else []


def count(value: object) -> str:
    """With thousands separators."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def known(value: object) -> str:
    """A count, or a dash."""
    return "–" if value is None else count(value)


def signed(value: object) -> str:
    """Points with their sign, or a dash."""
    if not isinstance(value, int):
        return "–"
    return f"{value:+,}" if value else "0"


def money(minor: object) -> str:
    """Minor units as the currency's major ones, two decimals."""
    return f"{Decimal(minor) / 100:,.2f}" if isinstance(minor, int) else "–"


def in_seconds(ms: object) -> str:
    """Milliseconds as seconds, one decimal."""
    return f"{Decimal(str(ms)) / 1000:.1f}"
