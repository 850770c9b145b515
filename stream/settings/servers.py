"""Servers that this program talks to, and where it answers itself."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, HttpUrl, model_validator

from stream.settings.fields import PositiveFloat, PositiveInt, Secret, Section


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
