"""All of `loyalty.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator

from stream.contracts.settings import Mode
from stream.settings.fields import Section, TimeZone, repeated_in
from stream.settings.notifying import NotifySettings
from stream.settings.rules import RulesSettings
from stream.settings.servers import FirestoreSettings, KafkaSettings, OpsSettings, SmtpSettings, WebSettings
from stream.settings.vendors import AlleavesSettings, AlpineIQSettings, EquitySettings


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
        if repeated := repeated_in(org.id for org in self.orgs):
            raise ValueError(f"two orgs have the id {repeated[0]!r}")
        return self

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Self:
        if self.smtp.host is None and (lacking := next((org.id for org in self.orgs if org.notify.email), None)):
            raise ValueError(f"org {lacking!r} wants mail: give smtp.host and smtp.sender")
        return self
