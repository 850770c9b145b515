"""Whose points are asked for: by customer id, or by a phone number in any usual form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stream.contracts.names import customer_id
from stream.errors import BadRecord
from stream.sinks.views.read import Views
from stream.web.phones import e164

SEVERAL_SHOWN = 10


class Why(StrEnum):
    """Why nobody in particular was found."""

    UNREADABLE = "unreadable_phone"
    UNKNOWN = "unknown_phone"
    AMBIGUOUS = "ambiguous_phone"
    UNKNOWN_CUSTOMER = "unknown_customer"
    NO_PROFILE = "no_points_yet"


@dataclass(frozen=True)
class Found:
    """A customer, or why none: `several` are those who share a number."""

    customer: str | None = None
    why: Why | None = None
    several: tuple[str, ...] = ()


def at_phone(views: Views, org: str, phone: str, region: str) -> Found:
    """Who answers this number."""
    number = e164(phone, region)
    if number is None:
        return Found(why=Why.UNREADABLE)
    customers = views.customers_at_phone(org, number, limit=SEVERAL_SHOWN)
    if len(customers) > 1:
        return Found(why=Why.AMBIGUOUS, several=tuple(customers))
    return Found(customers[0]) if customers else Found(why=Why.UNKNOWN)


def whoever(views: Views, org: str, who: str, region: str) -> Found:
    """The customer with this id, else whoever answers this number."""
    try:
        known = views.profile(org, customer_id(who)) is not None
    except BadRecord:
        known = False
    if known:
        return Found(who)
    found = at_phone(views, org, who, region)
    return Found(why=Why.UNKNOWN_CUSTOMER) if found.why is Why.UNREADABLE else found
