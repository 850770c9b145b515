"""`identities`: who is linked to what, and what the provider says of it. Key `org:kind:hash`."""

from __future__ import annotations

import msgspec

from stream.contracts.envelope import Vocabulary


class ContactLinked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The customer of the envelope holds this identity since `linked_at`, at this link version."""

    identity: str
    link_version: tuple[int, int]
    linked_at: int


class ContactUnlinked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The customer of the envelope no longer holds this identity."""

    identity: str
    link_version: tuple[int, int]


class LinksComplete(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* Accounts partition `partition` of `partitions` holds `count` links into *this*
    partition; `digest` is the sum of their hashes, so order does not matter."""

    run: str
    attempt: int
    partition: int
    partitions: int
    count: int
    digest: int


class SweepStarted(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* The bulk sweep of the provider's members begins."""

    run: str
    attempt: int
    started_at: int


class BalanceObserved(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of the provider under one of its identities. `points` None: hidden, unknown.

    `attempt` is 0 and `customer` set when a one-customer look-up found it.
    """

    identity: str
    contact: str
    points: int | None
    observed_at: int
    run: str
    attempt: int
    tier: str | None = None
    customer: str | None = None


class MovementObserved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A redemption, adjustment or expiry that the provider lists for an identity."""

    identity: str
    contact: str
    movement: str
    kind: str
    points: int
    moved_at: int
    note: str | None = None


class SweepCompleted(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* Every page of the sweep was read; `rows` members in all."""

    run: str
    attempt: int
    started_at: int
    rows: int


IDENTITIES = Vocabulary(
    ContactLinked, ContactUnlinked, LinksComplete, SweepStarted, BalanceObserved, MovementObserved, SweepCompleted
)
