"""Who hears of alerts, and how."""

from __future__ import annotations

import base64
import binascii
from datetime import time
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr, model_validator

from stream.contracts.alerts import AlertKind
from stream.settings.fields import Listed, PositiveFloat, Secret, Section, as_list, repeated_in


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
        BeforeValidator(as_list),
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
        if repeated := repeated_in([*(channel.name for channel in self.channels), "heartbeat"]):
            raise ValueError(f"two channels have the name {repeated[0]!r}: give one another name")
        return self
