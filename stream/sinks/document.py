"""The customer document: what a profile looks like to other systems. Pure.

Firestore, `loyalty profiles export` and the API show the same document. Names and meanings are the brief's, with
the fields that the design adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from stream.contracts.profiles import Profile
from stream.loyalty.money import decimal_string, digits_of

Value = str | int | bool | datetime | None
Document = dict[str, Value]

COLLECTION = "customers"

FIELDS = (
    "orgId",
    "customerId",
    "points",
    "pointsFromOrders",
    "pointsFromAlpine",
    "pointsLastCalculated",
    "tier",
    "tierSource",
    "loyaltyReconciled",
    "loyaltyDiscrepancy",
    "alpineUserId",
    "totalSpent",
    "currency",
    "orderCount",
    "verdict",
    "needsReview",
    "balanceAsOf",
    "homeLocationId",
    "settingsVersion",
    "epoch",
    "version",
)
"""Every field that is ours in a customer document; one that a document lacks is unknown."""

VOLATILE = frozenset({"pointsLastCalculated", "balanceAsOf", "epoch", "version"})
"""Fields whose change alone tells a reader nothing new: times, and the numbers that order versions."""

_encode = msgspec.json.Encoder().encode


def document_id(org: str, customer: str) -> str:
    """`{org}_{customer}`. A customer id has no underscore, so it splits at the last one."""
    return f"{org}_{customer}"


def document_of(org: str, customer: str, profile: Profile) -> Document:
    """The document of a customer. What is unknown is absent; timestamps are aware datetimes in UTC."""
    known: Document = {
        "orgId": org,
        "customerId": customer,
        "points": profile.points,
        "pointsFromOrders": profile.points_from_orders,
        "pointsFromAlpine": profile.points_from_alpine,
        "pointsLastCalculated": utc(profile.calculated_at),
        "tier": profile.tier,
        "tierSource": profile.tier_source,
        "loyaltyReconciled": profile.reconciled,
        "loyaltyDiscrepancy": profile.discrepancy,
        "alpineUserId": profile.alpine_user_id,
        "totalSpent": decimal_string(profile.total_spent_minor, digits_of(profile.currency)),
        "currency": profile.currency,
        "orderCount": profile.order_count,
        "verdict": profile.verdict.value,
        "needsReview": profile.needs_review,
        "balanceAsOf": None if profile.balance_as_of is None else utc(profile.balance_as_of),
        "homeLocationId": profile.home_location,
        "settingsVersion": profile.settings_version,
        "epoch": profile.epoch,
        "version": profile.version,
    }
    return {name: value for name, value in known.items() if value is not None}


def json_ready(document: Mapping[str, Value]) -> dict[str, str | int | bool | None]:
    """The document with its timestamps as ISO 8601 text in milliseconds and `Z`."""
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in document.items()}


def json_line(document: Mapping[str, Value]) -> bytes:
    """The document as one line of JSON, without the line's end."""
    return _encode(json_ready(document))


def utc(millis: int) -> datetime:
    """UTC milliseconds as an aware datetime, exactly (not through a binary float)."""
    seconds, rest = divmod(millis, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def iso(moment: datetime) -> str:
    """`2026-01-30T20:21:58.003Z`"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_millis(text: str) -> int:
    """UTC milliseconds of an ISO 8601 time. Raises ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    seconds = datetime(*moment.astimezone(UTC).timetuple()[:6], tzinfo=UTC)
    return int(seconds.timestamp()) * 1000 + moment.microsecond // 1000
