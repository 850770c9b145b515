"""An org's access to its point of sale and its loyalty provider."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AliasChoices, Field, HttpUrl, model_validator

from stream.settings.fields import Listed, PositiveFloat, PositiveInt, Secret, Section


class EquitySettings(Section):
    """Where social equity comes from: a customer field whose value is one of `values`, and a list of ids."""

    field: str | None = None
    values: tuple[str, ...] = ("true", "yes", "1", "equity")
    customers: tuple[str, ...] = ()


class AlleavesSettings(Section):
    """One org's access to the point of sale. Takes the brief's `posConfig` spelling (`storeId`, `locationId`) too."""

    provider: Literal["alleaves"] = "alleaves"
    environment: str = "production"
    """As in the brief's `posConfig`. Anything else needs its own `base_url`: nothing else is known of it."""
    base_url: HttpUrl = Field(
        HttpUrl("https://app.alleaves.com/api"), validation_alias=AliasChoices("base_url", "baseUrl")
    )
    username: str
    password: Secret
    pin: Secret | None = None
    auth: Literal["json", "basic"] = "json"
    store_id: str | None = Field(None, validation_alias=AliasChoices("store_id", "storeId"))
    location_ids: Listed = Field((), validation_alias=AliasChoices("location_ids", "locationIds", "locationId"))
    """Only orders of these locations; empty: all."""
    page_size: int = Field(100, ge=1, le=1000)
    """Orders a page. A vendor that caps it is noticed: the longest page seen is a full one."""
    customers_page_size: int = Field(500, ge=1, le=1000)
    """Customers a page, likewise."""
    poll_seconds: PositiveFloat = 5
    overlap_seconds: PositiveFloat = 900
    history_days: PositiveInt = 400
    requests_at_once: PositiveInt = 10
    requests_per_second: PositiveFloat = 10
    timeout_seconds: PositiveFloat = 30
    phone_region: str = Field("US", pattern=r"^[A-Z]{2}$")
    refunded_fields: tuple[str, ...] = ("refunded_amount", "refund_amount", "amount_refunded", "total_refunded")
    walk_in_names: tuple[str, ...] = ("Guest",)

    @model_validator(mode="after")
    def _environment_is_reachable(self) -> Self:
        if self.environment != "production" and "base_url" not in self.model_fields_set:
            raise ValueError(
                f"environment is {self.environment!r}: give its base_url as well, "
                "because only production's address is known"
            )
        return self


class AlpineIQSettings(Section):
    """One org's access to the loyalty provider."""

    base_url: HttpUrl = Field(
        HttpUrl("https://lab.alpineiq.com/api"), validation_alias=AliasChoices("base_url", "baseUrl")
    )
    uid: str
    api_key: Secret = Field(validation_alias=AliasChoices("api_key", "apiKey"))
    page_size: int = Field(2000, ge=100, le=2000)
    per_second: PositiveInt = 5
    per_minute: PositiveInt = 120
    per_hour: PositiveInt = 2000
    requests_at_once: PositiveInt = 4
    timeout_seconds: PositiveFloat = 30
