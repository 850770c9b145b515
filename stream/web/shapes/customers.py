"""Customers: document, both sides, how the points came about, contact data."""

from __future__ import annotations

from typing_extensions import TypedDict

from stream.contracts.profiles import Profile
from stream.sinks.document import document_of, json_ready
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerEntry, CustomerRow, Person
from stream.web.phones import masked_email, masked_phone
from stream.web.shapes.cases import CaseShown, case_shown
from stream.web.shapes.times import time_shown

ENTRIES_SHOWN = 50
CustomerDocument = dict[str, str | int | bool | None]


class Side(TypedDict):
    points: int | None
    source: str


class ProviderSide(TypedDict):
    points: int | None
    source: str
    asOf: str | None


class Reconciliation(TypedDict):
    """`discrepancy`: provider − ours; null where one of them is not known."""

    reconciled: bool
    discrepancy: int | None
    needsReview: bool
    verdict: str
    calculated: Side
    provider: ProviderSide


class EntryShown(TypedDict):
    """One step in how the points came about. Amounts in minor units. `whyNot`: why an order counts nothing.
    `orderedAt`: when the order was made at the point of sale; `at`: when that was read."""

    id: str
    at: str | None
    cause: str
    orderId: str | None
    amountMinor: int | None
    whyNot: str | None
    orderedAt: str | None
    deltaMinor: int
    deltaPoints: int
    pointsAfter: int
    tier: str
    settingsVersion: int


class PersonShown(TypedDict):
    """Name and contact data; phones and e-mail addresses are masked for viewers (`masked`)."""

    name: str
    phones: list[str]
    email: str | None
    masked: bool


class CustomerShown(TypedDict):
    """A customer in a list."""

    customer: CustomerDocument
    person: PersonShown | None


class Report(TypedDict):
    """The reconciliation report of a customer."""

    customer: CustomerDocument
    reconciliation: Reconciliation
    cases: list[CaseShown]
    entries: list[EntryShown]


def report(views: Views, org: str, customer: str) -> Report | None:
    """The reconciliation report of a customer; None for one that is not known."""
    profile = views.profile(org, customer)
    if profile is None:
        return None
    return {
        "customer": json_ready(document_of(org, customer, profile)),
        "reconciliation": reconciliation_shown(profile),
        "cases": [case_shown(case) for case in views.cases(org, customer=customer)],
        "entries": [entry_shown(entry) for entry in views.entries(org, customer, limit=ENTRIES_SHOWN)],
    }


def reconciliation_shown(profile: Profile) -> Reconciliation:
    """Both sides and what the last comparison said; what is unknown is null, never 0."""
    return {
        "reconciled": profile.reconciled,
        "discrepancy": profile.discrepancy,
        "needsReview": profile.needs_review,
        "verdict": profile.verdict.value,
        "calculated": {"points": profile.points_from_orders, "source": "orders"},
        "provider": {
            "points": profile.points_from_alpine,
            "source": "alpine_iq",
            "asOf": time_shown(profile.balance_as_of),
        },
    }


def entry_shown(shown: CustomerEntry) -> EntryShown:
    """One step in how the points came about."""
    entry = shown.entry
    return {
        "id": entry.id,
        "at": time_shown(shown.at),
        "cause": entry.cause.value,
        "orderId": entry.order,
        "amountMinor": entry.amount_minor,
        "whyNot": entry.why_not,
        "orderedAt": time_shown(entry.ordered_at),
        "deltaMinor": entry.delta_minor,
        "deltaPoints": entry.delta_points,
        "pointsAfter": entry.points_after,
        "tier": entry.tier,
        "settingsVersion": entry.settings_version,
    }


def person_shown(person: Person | None, *, contacts: bool) -> PersonShown | None:
    """Name and contact data, masked unless `contacts`; None when nothing is known or all was erased."""
    if person is None or person.erased_at is not None:
        return None
    email = person.email
    if not contacts:
        email = masked_email(email) if email else None
    return {
        "name": person.name,
        "phones": list(person.phones) if contacts else [masked_phone(phone) for phone in person.phones],
        "email": email,
        "masked": not contacts,
    }


def customer_shown(row: CustomerRow, *, contacts: bool) -> CustomerShown:
    """A customer in a list."""
    return {
        "customer": json_ready(document_of(row.org, row.customer, row.profile)),
        "person": person_shown(row.person, contacts=contacts),
    }
