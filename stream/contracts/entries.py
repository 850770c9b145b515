"""`entries`: one per fact that touched an order line or the points. Key `org:customer`, kept for ever."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class Cause(StrEnum):
    """Why a customer's points are what they are now."""

    ORDER_ADDED = "order_added"
    ORDER_CHANGED = "order_changed"
    ORDER_REMOVED = "order_removed"
    ORDER_MOVED_AWAY = "order_moved_away"
    EQUITY_CHANGED = "equity_changed"
    SETTINGS_CHANGED = "settings_changed"


class PointsEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One step in how the points came about.

    `id` is deterministic. `why_not` says why an order counts nothing (`cancelled`, `unpaid`, `pending`,
    `walk_in`, `other_currency`); None when it counts. `amount_minor`: what the order counts now. `ordered_at`: when it
    was made at the point of sale (UTC ms), which may be long before it was read.
    """

    id: str
    cause: Cause
    delta_minor: int
    delta_points: int
    points_after: int
    tier: str
    settings_version: int
    order: str | None = None
    amount_minor: int | None = None
    why_not: str | None = None
    ordered_at: int | None = None
    epoch: int
    version: int


ENTRIES = Vocabulary(PointsEntry)
