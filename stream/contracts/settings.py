"""The numbered settings of an org: what its points and discrepancies are computed with.

Key `org` in topic `settings`. The defaults are the brief's. Every field is written out, defaults too: a default
that changes later must not change what was in force before.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class Basis(StrEnum):
    """Which amount of an order counts. Evidence (a live 39.55 order, 40 points) says the total with tax."""

    TOTAL = "total"
    TOTAL_LESS_TAX = "total_less_tax"
    SUBTOTAL = "subtotal"


class RoundingMode(StrEnum):
    """`none` keeps fractions until the end; points are integers, so the rest is cut off there."""

    HALF_UP = "half_up"
    FLOOR = "floor"
    NONE = "none"


class RoundingPer(StrEnum):
    """Round once on the lifetime total, or each order by itself."""

    TOTAL = "total"
    ORDER = "order"


class Compare(StrEnum):
    """What the provider's balance is compared with: orders alone, or orders and known movements."""

    RAW = "raw"
    EXPECTED = "expected"


class Mode(StrEnum):
    """`observe` computes and shows everything but exports and alerts nothing; `live` does both."""

    OBSERVE = "observe"
    LIVE = "live"


class OrderStatus(StrEnum):
    """What a status string of the point of sale means for points."""

    COMPLETED = "completed"
    PENDING = "pending"
    CANCELLED = "cancelled"


class Tier(msgspec.Struct, frozen=True):
    """A tier begins at `threshold` points, inclusive."""

    id: str
    name: str
    threshold: int
    color: str
    benefits: tuple[str, ...] = ()


class Accrual(msgspec.Struct, frozen=True):
    """Points per major unit for orders created at or after `effective_from` (UTC ms)."""

    points_per_dollar: Decimal = Decimal(1)
    equity_multiplier: Decimal = Decimal("1.2")
    effective_from: int = 0


class Tolerance(msgspec.Struct, frozen=True):
    """Difference that is still agreement.

    `percent` of the provider's balance; at or below `floor_points` never a discrepancy, above `cap_points`
    always one (None: no cap).
    """

    percent: Decimal = Decimal(10)
    floor_points: int = 0
    cap_points: int | None = None


class CaseRules(msgspec.Struct, frozen=True):
    """When a case opens, closes and speaks again.

    `opens_after` observations in a row; closes at or below `closes_percent` (None: the tolerance); alerts
    again when the difference grows by `worsens_percent` of what was last alerted and at least
    `worsens_points`, or when it still stands `reminds_after_hours` after that (0: never).
    """

    opens_after: int = 1
    closes_percent: Decimal | None = None
    worsens_percent: Decimal = Decimal(25)
    worsens_points: int = 10
    reminds_after_hours: int = 0


class Schedule(msgspec.Struct, frozen=True):
    """When an org is reconciled by itself.

    `daily_at`: wall-clock time (`HH:MM`) in the org's time zone, None: never. `intraday_minutes`: a `balances` run at
    every UTC minute of the day that is a multiple of it, unless another run is under way then; 0: none.
    `deadline_minutes`: a run that takes longer, from its start and not from its request, has failed.
    """

    daily_at: str | None = "02:00"
    intraday_minutes: int = 0
    deadline_minutes: int = 120


BRIEF_TIERS = (
    Tier("bronze", "Bronze", 0, "#CD7F32"),
    Tier("silver", "Silver", 500, "#C0C0C0"),
    Tier("gold", "Gold", 1000, "#FFD700"),
)

CAUTIOUS_STATUSES = {
    "complete": OrderStatus.COMPLETED,
    "completed": OrderStatus.COMPLETED,
    "cancelled": OrderStatus.CANCELLED,
    "canceled": OrderStatus.CANCELLED,
    "void": OrderStatus.CANCELLED,
    "voided": OrderStatus.CANCELLED,
    "refunded": OrderStatus.CANCELLED,
}
"""Lower-cased status strings; anything else is pending: it earns nothing, is counted and shown."""


class OrgSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the rules need to know of an org. `accruals` are in order of `effective_from`."""

    accruals: tuple[Accrual, ...] = (Accrual(),)
    tiers: tuple[Tier, ...] = BRIEF_TIERS
    rounding: RoundingMode = RoundingMode.HALF_UP
    rounding_per: RoundingPer = RoundingPer.TOTAL
    basis: Basis = Basis.TOTAL
    tolerance: Tolerance = Tolerance()
    cases: CaseRules = CaseRules()
    compare: Compare = Compare.RAW
    mode: Mode = Mode.OBSERVE
    currency: str = "USD"
    time_zone: str = "UTC"
    settle_seconds: int = 86_400
    statuses: dict[str, OrderStatus] = msgspec.field(default_factory=lambda: dict(CAUTIOUS_STATUSES))
    equity_customers: tuple[str, ...] = ()
    schedule: Schedule = Schedule()


class SettingsInForce(msgspec.Struct, frozen=True):
    """The record in topic `settings`."""

    version: int
    settings: OrgSettings


SETTINGS = Vocabulary(SettingsInForce)
