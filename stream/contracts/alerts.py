"""`alerts`: CloudEvents 1.0 in Kafka binary mode, for subscribers outside. Key `org:customer` or `org`.

The record's value is the data alone (JSON); the attributes travel as `ce_*` headers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import msgspec


class AlertKind(StrEnum):
    """What happened, as the last part of `ce_type`."""

    DISCREPANCY_OPENED = "discrepancy.opened"
    DISCREPANCY_WORSENED = "discrepancy.worsened"
    DISCREPANCY_RESOLVED = "discrepancy.resolved"
    PROVIDER_UNAVAILABLE = "provider.unavailable"
    PROVIDER_RECOVERED = "provider.recovered"
    RUN_FAILED = "run.failed"
    ORDER_STATUS_UNKNOWN = "order_status.unknown"
    REMOVAL_WITHHELD = "removal.withheld"
    PARTITION_STOPPED = "partition.stopped"


class Alert(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an alert says. Points are integers; `difference` = provider − ours."""

    kind: AlertKind
    org: str
    customer: str | None = None
    case: str | None = None
    sequence: int = 0
    ours: int | None = None
    provider: int | None = None
    difference: int | None = None
    tier_ours: str | None = None
    tier_provider: str | None = None
    reason: str | None = None
    run: str | None = None


TYPE_PREFIX = "com.loyaltystream."
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Alert).decode


def encode_alert(alert: Alert, *, alert_id: str, at: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of the record. `alert_id` must be the same whenever the same alert is made again."""
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    subject = f"customer/{alert.customer}" if alert.customer else f"org/{alert.org}"
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": alert_id,
        "ce_source": f"/loyalty-stream/{alert.org}",
        "ce_type": TYPE_PREFIX + alert.kind,
        "ce_subject": subject,
        "ce_time": time,
        "content-type": "application/json",
    }
    return _encode(alert), [(name, value.encode()) for name, value in attributes.items()]


def decode_alert(value: bytes) -> Alert:
    """The data of an alert record. Raises `msgspec.DecodeError` when it is none."""
    return _decode(value)
