"""`deliveries`: messages to people, each with how it stands. Key `org:message:channel`, compacted.

A message's record holds all that is needed to make the message, so that it is made once and can be sent, or sent
again, without what it was made from.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary

LISTED_ALERTS = 100
"""So many ids of alerts are named by a message at most; `count` counts them all."""


class Outcome(StrEnum):
    """What became of an attempt. `pending`: written before the remote side is asked. `paused`: the channel refuses
    (401, 403, 410) until somebody puts it right. `given_up`: not tried again by itself."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    PAUSED = "paused"
    GIVEN_UP = "given_up"


class MessageKind(StrEnum):
    """What a message is about. `channel`: another channel of the org refuses messages."""

    ALERTS = "alerts"
    DIGEST = "digest"
    HEARTBEAT = "heartbeat"
    TEST = "test"
    CHANNEL = "channel"


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One customer, by id only. `difference` = provider − ours, in points; what is unknown is absent."""

    customer: str
    kind: str
    ours: int | None = None
    provider: int | None = None
    difference: int | None = None
    cause: str | None = None
    case: str | None = None


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert about the org as a whole: its kind, when (UTC ms), the reason in words, and the run it is about."""

    kind: str
    at: int
    reason: str = ""
    run: str | None = None


class RunFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a completed run counted. `at`: when it ended (UTC ms); `dead_letters`: what its sweeps could not read."""

    run: str
    customers: int
    with_provider: int
    agree: int
    review: int
    milliseconds: int
    at: int = 0
    dead_letters: int = 0


class Content(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a message says, before it is put into a channel's form.

    `name`: the org's, for people. `counts`: alerts by kind. `apart`: customers whose points are apart; `worst`: those
    who are furthest. `cause`: the most frequent one, with how many customers have it. `resolved`: customers whose
    discrepancies are over, the first ones. `link`: where to look. `note`: a line for a person. `time_zone`: in which
    times are shown.
    """

    name: str
    counts: dict[str, int] = {}
    apart: int = 0
    worst: tuple[Row, ...] = ()
    cause: str | None = None
    cause_count: int = 0
    notices: tuple[Notice, ...] = ()
    runs: tuple[RunFigures, ...] = ()
    link: str | None = None
    note: str | None = None
    resolved: tuple[str, ...] = ()
    time_zone: str = "UTC"


class Source(msgspec.Struct, frozen=True):
    """Which records of `alerts` or `runs` a message is about: closed ranges of offsets in one partition.

    What lies in a range and does not concern the channel is no part of the message.
    """

    topic: str
    partition: int
    ranges: tuple[tuple[int, int], ...]


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message to one channel. `message` is its id, the same however often it is tried; `alerts` the ids of the
    alerts that it groups (of `count`, the first ones); `made_at`, `first_at`, `last_at`, `next_at` UTC ms: when the
    message was made, of the first and the last attempt, and when the next is due; `status` the answer's code (HTTP or
    SMTP). A message without `content` is an alert that could not be put into words."""

    message: str
    kind: MessageKind
    channel: str
    outcome: Outcome
    title: str
    alerts: tuple[str, ...] = ()
    count: int = 0
    run: str | None = None
    made_at: int = 0
    attempts: int = 0
    first_at: int | None = None
    last_at: int | None = None
    next_at: int | None = None
    status: int | None = None
    reason: str | None = None
    content: Content | None = None
    sources: tuple[Source, ...] = ()


DELIVERIES = Vocabulary(Delivery)


def delivery_key(org: str, message: str, channel: str) -> bytes:
    """The key of a message's record: `org:message:channel`."""
    return f"{org}:{message}:{channel}".encode()
