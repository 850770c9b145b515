"""The configuration: what `loyalty.toml` and the environment may say, with defaults, and nothing else.

`Configuration.load` (in `stream.configuration`) reads it. Secrets are references, `env:NAME` or `file:PATH`,
and become `SecretStr` only when they are resolved.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from stream.contracts.settings import Basis, Compare, Mode, OrderStatus, RoundingMode, RoundingPer

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors, because a mistyped key must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class KafkaSettings(Section):
    """Where the log is. Without `bootstrap` an embedded broker is started."""

    bootstrap: str | None = None
    prefix: str = "loyalty."
    partitions: PositiveInt = 8
    replication: PositiveInt | None = None
    """None: 1 with the embedded broker, 3 otherwise (with min.insync.replicas 2)."""


class FirestoreSettings(Section):
    """The export. Without `project` nothing is exported."""

    project: str | None = None
    database: str = "(default)"
    entries: bool = False
    """Also write each points entry under its customer (Firestore bills every write)."""


class WebSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)


class EquitySettings(Section):
    """Where social equity comes from: a customer field whose value is one of `values`, and a list of ids."""

    field: str | None = None
    values: tuple[str, ...] = ("true", "yes", "1", "equity")
    customers: tuple[str, ...] = ()


class AlleavesSettings(Section):
    """One org's access to the point of sale."""

    base_url: HttpUrl = HttpUrl("https://app.alleaves.com/api")
    username: str
    password: SecretStr
    pin: SecretStr | None = None
    auth: Literal["json", "basic"] = "json"
    store_id: str | None = None
    location_ids: tuple[str, ...] = ()
    """Only orders of these locations; empty: all."""
    page_size: int = Field(100, ge=1, le=1000)
    poll_seconds: PositiveFloat = 5
    overlap_seconds: PositiveFloat = 900
    history_days: PositiveInt = 400
    requests_at_once: PositiveInt = 10
    requests_per_second: PositiveFloat = 10
    timeout_seconds: PositiveFloat = 30
    phone_region: str = "US"
    refunded_fields: tuple[str, ...] = ("refunded_amount", "refund_amount", "amount_refunded", "total_refunded")
    walk_in_names: tuple[str, ...] = ("Guest",)


class AlpineIQSettings(Section):
    """One org's access to the loyalty provider."""

    base_url: HttpUrl = HttpUrl("https://lab.alpineiq.com/api")
    uid: str
    api_key: SecretStr
    page_size: int = Field(2000, ge=100, le=2000)
    per_second: PositiveInt = 5
    per_minute: PositiveInt = 120
    per_hour: PositiveInt = 2000
    requests_at_once: PositiveInt = 4
    timeout_seconds: PositiveFloat = 30


class TierSettings(Section):
    id: str
    name: str
    threshold: int = Field(ge=0)
    color: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")
    benefits: tuple[str, ...] = ()


class RulesSettings(Section):
    """`[org.settings]`: seeds version 1 of the org's numbered settings. Brief names are accepted as aliases."""

    points_per_dollar: Decimal = Field(Decimal(1), ge=0, validation_alias=AliasChoices("points_per_dollar", "pointsPerDollar"))
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
    settle_seconds: int = Field(86_400, ge=0)
    compare: Compare = Compare.RAW
    statuses: dict[str, OrderStatus] | None = None


class OrgConfiguration(Section):
    """`[[org]]`: one brand."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    name: str | None = None
    mode: Mode = Mode.OBSERVE
    time_zone: str = "America/New_York"
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    brand_document: str | None = None
    """Firestore path of the brand document to read `posConfig` from, e.g. `brands/brand_example`."""
    alleaves: AlleavesSettings | None = None
    alpine_iq: AlpineIQSettings | None = None
    settings: RulesSettings = RulesSettings()
    equity: EquitySettings = EquitySettings()


class Configuration(Section):
    """All of `loyalty.toml`."""

    data_dir: Path = Path(".loyalty")
    kafka: KafkaSettings = KafkaSettings()
    firestore: FirestoreSettings = FirestoreSettings()
    web: WebSettings = WebSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    orgs: tuple[OrgConfiguration, ...] = Field((), validation_alias=AliasChoices("orgs", "org"))
