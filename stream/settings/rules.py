"""The rules of an org, as the configuration seeds them."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import AliasChoices, Field, model_validator

from stream.contracts.settings import Basis, Compare, OrderStatus, RoundingMode, RoundingPer
from stream.settings.fields import PositiveInt, Section, TimeOfDay, repeated_in


class TierSettings(Section):
    id: str
    name: str
    threshold: int = Field(ge=0)
    color: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")
    benefits: tuple[str, ...] = ()


class RulesSettings(Section):
    """`[org.settings]`: seeds version 1 of the org's numbered settings. Brief names are accepted as aliases."""

    points_per_dollar: Decimal = Field(
        Decimal(1), ge=0, validation_alias=AliasChoices("points_per_dollar", "pointsPerDollar")
    )
    equity_multiplier: Decimal = Field(
        Decimal("1.2"), ge=0, validation_alias=AliasChoices("equity_multiplier", "equityMultiplier")
    )
    tiers: tuple[TierSettings, ...] = (
        TierSettings(id="bronze", name="Bronze", threshold=0, color="#CD7F32"),
        TierSettings(id="silver", name="Silver", threshold=500, color="#C0C0C0"),
        TierSettings(id="gold", name="Gold", threshold=1000, color="#FFD700"),
    )
    rounding: RoundingMode = RoundingMode.HALF_UP
    rounding_per: RoundingPer = RoundingPer.TOTAL
    basis: Basis = Basis.TOTAL
    tolerance_percent: Decimal = Field(Decimal(10), ge=0)
    tolerance_floor_points: int = Field(0, ge=0)
    tolerance_cap_points: int | None = Field(None, ge=0)
    case_opens_after: PositiveInt = 1
    case_closes_percent: Decimal | None = Field(None, ge=0)
    case_worsens_percent: Decimal = Field(Decimal(25), ge=0)
    case_worsens_points: int = Field(10, ge=0)
    case_reminds_after_hours: int = Field(0, ge=0)
    daily_at: TimeOfDay = "02:00"
    intraday_minutes: int = Field(0, ge=0, le=1440)
    deadline_minutes: int = Field(120, ge=1, le=10_080)
    settle_seconds: int = Field(86_400, ge=0)
    compare: Compare = Compare.RAW
    statuses: dict[str, OrderStatus] | None = None
    """Added to the cautious ones: what a status of the point of sale means. Unknown ones are pending."""

    @model_validator(mode="after")
    def _tiers_are_distinct(self) -> Self:
        if not self.tiers:
            raise ValueError("tiers must not be empty")
        for what, values in (("id", [t.id for t in self.tiers]), ("threshold", [t.threshold for t in self.tiers])):
            if repeated := repeated_in(values):
                raise ValueError(f"two tiers have the same {what}: {repeated[0]}")
        return self
