"""`facts`: everything an account must know, in one order. The log of record, kept for ever.

Key `org:customer`. Events marked *everywhere* are partition-wide: one record with one event id in every
partition.
"""

from __future__ import annotations

import msgspec

from stream.contracts.envelope import Vocabulary
from stream.contracts.settings import OrgSettings


class OrderObserved(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An order as the point of sale showed it at `observed_at`.

    Amounts are minor units and may be negative (a refund as an order of its own). What the vendor did not
    say is None: whether it counts is decided by `stream.loyalty.order`, never by the producer.
    """

    order: str
    total_minor: int
    currency: str
    created_at: int
    observed_at: int
    content_hash: str
    subtotal_minor: int | None = None
    tax_minor: int | None = None
    refunded_minor: int = 0
    completed: bool | None = None
    cancelled: bool = False
    paid: bool | None = None
    status: str | None = None
    location: str | None = None
    walk_in: bool = False


class OrderReassigned(msgspec.Struct, frozen=True, omit_defaults=True):
    """The order now belongs to somebody else; sent to its *former* customer. `to` is the new one."""

    order: str
    to: str
    observed_at: int


class OrderUnreadable(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order that exists but whose amounts cannot be read: a known line keeps its last good value."""

    order: str
    observed_at: int
    reason: str


class OrdersSnapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """Part `part` (1-based) of `parts`: every order of this customer that a complete walk saw.

    `orders`: order id → content hash; an unreadable order has an empty hash.
    `window_from`, `window_to`: the walk's window on `created_at`, inclusive.
    """

    walk: str
    part: int
    parts: int
    orders: dict[str, str]
    window_from: int
    window_to: int
    observed_at: int


class CustomerObserved(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the point of sale says about a customer, without personal data.

    `identities`: `kind:hash`, every one the customer has. `equity`: None when the source has no such field.
    """

    observed_at: int
    content_hash: str
    identities: tuple[str, ...] = ()
    equity: bool | None = None
    walk_in: bool = False
    home_location: str | None = None
    created_at: int | None = None


class CustomerErased(msgspec.Struct, frozen=True, omit_defaults=True):
    """The person asked to be forgotten: links are cut; the order lines stay as anonymous amounts."""

    erased_at: int
    by: str


class OrdersSwept(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* The walk of `run` has published all it found. `complete`: no page failed."""

    run: str
    attempt: int
    walk: str
    complete: bool
    window_from: int
    window_to: int
    started_at: int


class BalanceMatched(msgspec.Struct, frozen=True, omit_defaults=True):
    """The provider's balance for an identity of this customer.

    `points` is None when the provider hides it (unknown, not zero). `observation` orders answers of one
    identity: (epoch, offset) in `identities`. `run` names a one-customer sync that asked for it.
    """

    identity: str
    link_version: tuple[int, int]
    observation: tuple[int, int]
    contact: str
    points: int | None
    observed_at: int
    tier: str | None = None
    run: str | None = None


class BalanceMissed(msgspec.Struct, frozen=True, omit_defaults=True):
    """First sweep in a row that lacked the identity: rows shift between pages, so nothing follows yet."""

    identity: str
    link_version: tuple[int, int]
    observation: tuple[int, int]
    sweep_started_at: int


class BalanceAbsent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Second sweep in a row that lacked the identity: the provider does not know it."""

    identity: str
    link_version: tuple[int, int]
    observation: tuple[int, int]
    sweep_started_at: int


class BalanceAmbiguous(msgspec.Struct, frozen=True, omit_defaults=True):
    """Several customers share the identity (or several contacts answer to it): reported, never guessed."""

    identity: str
    link_version: tuple[int, int]
    observation: tuple[int, int]
    shared_by: int
    run: str | None = None


class MovementMatched(msgspec.Struct, frozen=True, omit_defaults=True):
    """A redemption, adjustment or expiry of a contact at the provider (negative takes points away)."""

    identity: str
    link_version: tuple[int, int]
    observation: tuple[int, int]
    movement: str
    kind: str
    points: int
    moved_at: int
    note: str | None = None
    contact: str = ""


class LookUpEmpty(msgspec.Struct, frozen=True, omit_defaults=True):
    """The provider answered the one-customer look-up: it knows none of the identities."""

    run: str
    observed_at: int


class LookUpFailed(msgspec.Struct, frozen=True, omit_defaults=True):
    """The provider did not answer the one-customer look-up. Nothing is concluded from that."""

    run: str
    observed_at: int
    reason: str


class SweepSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* Contacts partition `partition` of `partitions` has joined the sweep of `run`."""

    run: str
    attempt: int
    partition: int
    partitions: int
    sweep_started_at: int


class LinksRequested(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* Tell contacts how many links there are; with `resend` also each link again."""

    run: str
    attempt: int
    resend: bool = False


class SettingsChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """*Everywhere.* The org's settings from now on. `version` counts up from 1."""

    version: int
    settings: OrgSettings


class SyncCustomer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Someone asks for this customer now: accounts answer by LookUpBalance and, later, CustomerSynced."""

    run: str


class AcknowledgeCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person has seen the case."""

    case: str
    by: str
    note: str | None = None


class AcceptDifference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person says that this signed difference (provider − ours, points) is right, for a reason, until a time (UTC ms;
    None: for good)."""

    case: str
    by: str
    points: int
    reason: str
    until: int | None = None


class SilenceCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """No alerts about the case until `until` (UTC ms)."""

    case: str
    by: str
    until: int
    reason: str | None = None


class NoteCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person writes something down on the case."""

    case: str
    by: str
    note: str


class AssignCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody is to look after the case; `to` None: nobody any more."""

    case: str
    by: str
    to: str | None = None
    reason: str | None = None


class ResolveCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person ends the case, for a reason."""

    case: str
    by: str
    reason: str


FACTS = Vocabulary(
    OrderObserved,
    OrderReassigned,
    OrderUnreadable,
    OrdersSnapshot,
    CustomerObserved,
    CustomerErased,
    OrdersSwept,
    BalanceMatched,
    BalanceMissed,
    BalanceAbsent,
    BalanceAmbiguous,
    MovementMatched,
    LookUpEmpty,
    LookUpFailed,
    SweepSeen,
    LinksRequested,
    SettingsChanged,
    SyncCustomer,
    AcknowledgeCase,
    AcceptDifference,
    SilenceCase,
    NoteCase,
    AssignCase,
    ResolveCase,
)
