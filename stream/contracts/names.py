"""Names for the plain values that travel, so that a customer is never passed where an order is meant."""

from __future__ import annotations

import re
from typing import NewType

from stream.errors import BadRecord

OrgId = NewType("OrgId", str)
"""`[a-z0-9_-]{1,64}`"""
CustomerId = NewType("CustomerId", str)
"""`[0-9A-Za-z-]{1,64}`: no underscore, so that `{org}_{customer}` splits at its last one."""
OrderId = NewType("OrderId", str)
"""`[0-9A-Za-z-]{1,64}`"""
Identity = NewType("Identity", str)
"""`kind:hash`, kind one of `code`, `phone`, `email`; the hash is keyed (see `producers.identity`)."""
RunId = NewType("RunId", str)
"""`org:kind:slot`; slot is the scheduled time or the caller's idempotency key."""
Millis = NewType("Millis", int)
"""UTC milliseconds since the epoch."""
Minor = NewType("Minor", int)
"""Minor units (cents) of a currency."""
Points = NewType("Points", int)

IDENTITY_KINDS = ("code", "phone", "email")
"""From the best evidence to the weakest: the order in which a balance is believed."""

_ORG = re.compile(r"[a-z0-9_-]{1,64}")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def org_id(text: str) -> OrgId:
    """`text` as an org id. Raises `BadRecord` when it is not `[a-z0-9_-]{1,64}`."""
    if not _ORG.fullmatch(text):
        raise BadRecord(f"org id {text[:80]!r} is not 1 to 64 of a-z, 0-9, _ and -")
    return OrgId(text)


def customer_id(text: str) -> CustomerId:
    """`text` as a customer id. Raises `BadRecord` when it is not `[0-9A-Za-z-]{1,64}`."""
    if not _ID.fullmatch(text):
        raise BadRecord(f"customer id {text[:80]!r} is not 1 to 64 of 0-9, A-Z, a-z and -")
    return CustomerId(text)


def order_id(text: str) -> OrderId:
    """`text` as an order id. Raises `BadRecord` when it is not `[0-9A-Za-z-]{1,64}`."""
    if not _ID.fullmatch(text):
        raise BadRecord(f"order id {text[:80]!r} is not 1 to 64 of 0-9, A-Z, a-z and -")
    return OrderId(text)


def account_key(org: str, customer: str) -> bytes:
    """The key of everything about one customer: `org:customer`."""
    return f"{org}:{customer}".encode()


def identity_key(org: str, identity: str) -> bytes:
    """The key of everything about one identity: `org:kind:hash`."""
    return f"{org}:{identity}".encode()
