"""`alerts`: CloudEvents 1.0 in Kafka binary mode, for subscribers outside. Key `org:customer` or `org`.

The record's value is the data alone (JSON); the attributes travel as `ce_*` headers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from stream.contracts.cases import Cause


class AlertKind(StrEnum):
    """What happened, as the last part of `ce_type`."""

    DISCREPANCY_OPENED = "discrepancy.opened"
    DISCREPANCY_WORSENED = "discrepancy.worsened"
    DISCREPANCY_STANDING = "discrepancy.standing"
    DISCREPANCY_RESOLVED = "discrepancy.resolved"
    PROVIDER_UNAVAILABLE = "provider.unavailable"
    PROVIDER_RECOVERED = "provider.recovered"
    RUN_FAILED = "run.failed"
    ORDER_STATUS_UNKNOWN = "order_status.unknown"
    REMOVAL_WITHHELD = "removal.withheld"
    PARTITION_STOPPED = "partition.stopped"


class Alert(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an alert says. Points are integers; `difference` = provider − ours.

    `sequence` rises with every alert of a `case`, with gaps. `causes`: what likely explains the difference, in points
    that add up to it. `reason`: in words; of a case that is resolved, how (`agreed`, `accepted`, `closed`,
    `not_comparable`); of one that opens again, why.
    """

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
    causes: tuple[Cause, ...] = ()
    reason: str | None = None
    run: str | None = None


TYPE_PREFIX = "com.loyaltystream."
SCHEMA_VERSION = 1
"""The major version of the data. Fields, and words in a list, may be added under it; any other change ends it."""
IS_REPLAY = "ce_isreplay"

Headers = list[tuple[str, bytes]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Alert).decode


def schema_address(kind: AlertKind) -> str:
    """`ce_dataschema` of a kind: the `$id` of its schema in `docs/asyncapi.yaml`."""
    return f"urn:loyalty-stream:alert:{kind}:{SCHEMA_VERSION}"


def encode_alert(alert: Alert, *, alert_id: str, at: int) -> tuple[bytes, Headers]:
    """Value and headers of the record. `alert_id` must be the same whenever the same alert is made again.

    `at`: UTC ms. Names of attributes are lower-case letters and digits (CloudEvents 1.0, 3.1): `caseId` is `caseid`.
    `ce_sequence` has ten digits, because its values are to be ordered as text (CloudEvents, extension `sequence`).
    """
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": alert_id,
        "ce_source": f"/loyalty-stream/{alert.org}",
        "ce_type": TYPE_PREFIX + alert.kind,
        "ce_subject": f"customer/{alert.customer}" if alert.customer else f"org/{alert.org}",
        "ce_time": time,
        "ce_dataschema": schema_address(alert.kind),
        IS_REPLAY: "false",
        "content-type": "application/json",
    }
    if alert.case is not None:
        attributes |= {"ce_caseid": alert.case, "ce_sequence": f"{alert.sequence:010}"}
    return _encode(alert), [(name, value.encode()) for name, value in attributes.items()]


def replayed(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """The headers of an alert that is published once more, on request. Value, key and all other headers, the id among
    them, stay as they were: it is the same alert, and who has it already passes over it."""
    return [*((name, value) for name, value in headers if name != IS_REPLAY), (IS_REPLAY, b"true")]


def decode_alert(value: bytes) -> Alert:
    """The data of an alert record. Raises `msgspec.DecodeError` when it is none."""
    return _decode(value)
