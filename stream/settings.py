"""The configuration: what `loyalty.toml` and the environment may say, with defaults, and nothing else.

`stream.configuration.load` reads it. In a file secrets are references, `env:NAME` or `file:PATH`, resolved once
while loading; what is validated without a `SecretSource` as context (a brand document, a test) holds them as they
are. `loyalty.example.toml` explains every key.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Protocol, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationInfo,
    model_validator,
)

from stream.contracts.alerts import AlertKind
from stream.contracts.settings import Basis, Compare, Mode, OrderStatus, RoundingMode, RoundingPer


class SecretSource(Protocol):
    """Turns a reference into the secret. Raises ValueError saying what a reference looks like, or what is missing."""

    def resolve(self, reference: object) -> str:
        """The secret that `reference` names."""


def _resolved(value: object, info: ValidationInfo) -> object:
    source: SecretSource | None = info.context
    return value if source is None or isinstance(value, SecretStr) else source.resolve(value)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as America/New_York") from None
    return name


def _time_of_day(value: object) -> object:
    """TOML has times of its own; `02:00:00` without quotes is one."""
    text = value.isoformat("minutes") if isinstance(value, time) else value
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|never", text):
        raise ValueError('must be a time of day such as "02:00", or "never"')
    return text


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str | int) else value


Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
"""`HH:MM` by the org's clocks, or `never`."""
Listed = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""A list of texts; one text alone is a list of one (the brief's `locationId`)."""
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors, because a mistyped key must not be ignored."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, populate_by_name=True, coerce_numbers_to_str=True
    )


class KafkaSettings(Section):
    """Where the log is. Without `bootstrap` an embedded broker is started."""

    bootstrap: str | None = None
    prefix: str = "loyalty."
    partitions: PositiveInt = 8
    replication: PositiveInt | None = None
    """None: 1 with the embedded broker, 3 otherwise (with min.insync.replicas 2)."""

    @property
    def replicas(self) -> int:
        """The replication factor to create topics with."""
        return self.replication or (3 if self.bootstrap else 1)


class FirestoreSettings(Section):
    """The export. Without `project` nothing is exported."""

    project: str | None = None
    database: str = "(default)"
    entries: bool = False
    """Also write each points entry under its customer (Firestore bills every write)."""


class WebSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: HttpUrl | None = None
    """How people reach the pages, for links in messages."""
    calls_a_minute: PositiveInt = 600
    """What one API key or person may ask."""
    key: Secret | None = None
    """An API key that may everything, besides those that were created: for the first start where others reach it."""


class SmtpSettings(Section):
    """The mail server. Without `host` no mail can be sent."""

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`tls` from the first byte on (port 465), `starttls` after a greeting, `none` only on this machine."""
    username: str | None = None
    password: Secret | None = None
    sender: str | None = Field(None, pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    timeout_seconds: PositiveFloat = 30
    """For one attempt as a whole, from connecting to the last answer."""
    ca_file: Path | None = None
    """Whom to trust besides the well-known authorities."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.host is None:
            return self
        if self.sender is None:
            raise ValueError("give sender, the address that mails come from")
        if self.security == "none" and not _is_loopback(self.host):
            raise ValueError("security none is for a mail server on this machine only")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OpsSettings(Section):
    """Where a role answers `/healthz`, `/readyz` and `/metrics`. The web role answers them beside its own pages."""

    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    """0: any free port."""


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


def _repeated(values: Iterable[str | int]) -> list[str | int]:
    return [value for value, count in Counter(values).items() if count > 1]


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
            if repeated := _repeated(values):
                raise ValueError(f"two tiers have the same {what}: {repeated[0]}")
        return self


class QuietHours(NamedTuple):
    """From `begins` to `ends` by the wall clock, over midnight where it ends earlier than it begins."""

    begins: time
    ends: time

    def holds(self, wall: time) -> bool:
        """Whether it is quiet at that time of day."""
        if self.begins < self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends


def _quiet_hours(value: object) -> object:
    if not isinstance(value, str):
        return value
    begins, _, ends = value.partition("-")
    try:
        hours = QuietHours(time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip()))
    except ValueError:
        raise ValueError("must be two times of day such as 22:00-07:00") from None
    if hours.begins == hours.ends:
        raise ValueError("must begin and end at different times")
    return hours


def _signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text.startswith(("env:", "file:")):  # validated without a source of secrets: still a reference
        return secret
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64 (Standard Webhooks)")
    return secret


class ChannelSettings(Section):
    """What every channel has. `kinds` empty: all; `minimum_points`: of a customer's difference, either way."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    kinds: tuple[AlertKind, ...] = ()
    minimum_points: int = Field(0, ge=0)
    quiet_hours: Annotated[QuietHours | None, BeforeValidator(_quiet_hours)] = None
    digest: bool = True


class DiscordSettings(ChannelSettings):
    """A Discord channel. The address of its webhook is a secret: who has it can write there."""

    name: str = Field("discord", pattern=r"^[a-z0-9_-]{1,40}$")
    url: Secret
    timeout_seconds: PositiveFloat = 10


class EmailSettings(ChannelSettings):
    """Addresses that get one mail together."""

    name: str = Field("email", pattern=r"^[a-z0-9_-]{1,40}$")
    to: Annotated[Listed, Field(min_length=1)]


class WebhookSettings(ChannelSettings):
    """An address of one's own, signed by Standard Webhooks. Two secrets while one replaces the other."""

    name: str = Field("webhook", pattern=r"^[a-z0-9_-]{1,40}$")
    url: HttpUrl
    secrets: Annotated[
        tuple[Annotated[Secret, AfterValidator(_signing_secret)], ...],
        BeforeValidator(_as_list),
        Field(min_length=1, max_length=2),
    ]
    timeout_seconds: PositiveFloat = 10


class NotifySettings(Section):
    """`[org.notify]`: who hears of alerts, how."""

    window_seconds: PositiveFloat = 60
    give_up_hours: PositiveFloat = 24
    heartbeat: HttpUrl | None = None
    discord: tuple[DiscordSettings, ...] = ()
    email: tuple[EmailSettings, ...] = ()
    webhook: tuple[WebhookSettings, ...] = ()

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        """All channels of the org."""
        return (*self.discord, *self.email, *self.webhook)

    @property
    def configured(self) -> bool:
        """Whether there is anybody to tell anything."""
        return bool(self.channels) or self.heartbeat is not None

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        if repeated := _repeated([*(channel.name for channel in self.channels), "heartbeat"]):
            raise ValueError(f"two channels have the name {repeated[0]!r}: give one another name")
        return self


class OrgConfiguration(Section):
    """`[[org]]`: one brand."""

    id: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    name: str | None = None
    mode: Mode = Mode.OBSERVE
    time_zone: TimeZone = "America/New_York"
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    brand_document: str | None = Field(None, pattern=r"^[^/]+/[^/]+(/[^/]+/[^/]+)*$")
    """Firestore path of the brand document to read `posConfig` from, e.g. `brands/brand_example`."""
    alleaves: AlleavesSettings | None = Field(
        None, validation_alias=AliasChoices("alleaves", "posConfig", "pos_config")
    )
    alpine_iq: AlpineIQSettings | None = None
    settings: RulesSettings = RulesSettings()
    equity: EquitySettings = EquitySettings()
    notify: NotifySettings = NotifySettings()


class Configuration(Section):
    """All of `loyalty.toml`."""

    data_dir: Path = Path(".loyalty")
    kafka: KafkaSettings = KafkaSettings()
    firestore: FirestoreSettings = FirestoreSettings()
    web: WebSettings = WebSettings()
    smtp: SmtpSettings = SmtpSettings()
    ops: OpsSettings = OpsSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    orgs: tuple[OrgConfiguration, ...] = Field((), validation_alias=AliasChoices("org", "orgs"))

    @model_validator(mode="after")
    def _orgs_are_distinct(self) -> Self:
        if repeated := _repeated(org.id for org in self.orgs):
            raise ValueError(f"two orgs have the id {repeated[0]!r}")
        return self

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Self:
        if self.smtp.host is None and (lacking := next((org.id for org in self.orgs if org.notify.email), None)):
            raise ValueError(f"org {lacking!r} wants mail: give smtp.host and smtp.sender")
        return self
