"""`deliveries`: attempts to notify people. Key `org:message:channel`, compacted: the last attempt says how it stands."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class Outcome(StrEnum):
    """What became of an attempt. `pending`: written before the remote side is asked. `paused`: the channel refuses
    (401, 410) until somebody puts it right. `given_up`: not tried again by itself."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    PAUSED = "paused"
    GIVEN_UP = "given_up"


class MessageKind(StrEnum):
    """What a message is about."""

    ALERTS = "alerts"
    DIGEST = "digest"
    HEARTBEAT = "heartbeat"
    TEST = "test"


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message to one channel. `message` is its id, the same however often it is tried; `alerts` the ids of the
    alerts that it groups; `first_at`, `last_at` UTC ms of the first and the last attempt; `status` the answer's code
    (HTTP or SMTP)."""

    message: str
    kind: MessageKind
    channel: str
    outcome: Outcome
    title: str
    alerts: tuple[str, ...] = ()
    run: str | None = None
    attempts: int = 0
    first_at: int | None = None
    last_at: int | None = None
    next_at: int | None = None
    status: int | None = None
    reason: str | None = None


DELIVERIES = Vocabulary(Delivery)
