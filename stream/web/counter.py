"""At the counter: whose points they are, what to say, and what lies behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import TypedDict

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.names import customer_id
from stream.contracts.profiles import Profile, Verdict
from stream.contracts.settings import Tier
from stream.errors import BadRecord
from stream.loyalty.tiers import tier_of
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerCase
from stream.web.phones import e164
from stream.web.shapes.cases import CauseShown, cause_shown
from stream.web.shapes.status import as_of
from stream.web.shapes.times import time_shown

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


class SidePoints(TypedDict):
    """`tier`: by name. `source`: `alpine_iq` or `orders`."""

    points: int
    tier: str
    source: str


class Agreement(TypedDict):
    reconciled: bool
    discrepancy: int | None
    needsReview: bool


class PointsAnswer(TypedDict):
    """The brief's answer: `primary`, `calculated`, `reconciliation`, null where `found` is false."""

    found: bool
    reason: str | None
    message: str
    customerId: str | None
    primary: SidePoints | None
    calculated: SidePoints | None
    reconciliation: Agreement | None
    asOf: dict[str, str | None]


class Explanation(TypedDict):
    """`sayToCustomer`: to say aloud. `staffOnly`: sentences for staff alone. `causes`: of a difference, in points."""

    found: bool
    reason: str | None
    customerId: str | None
    sayToCustomer: str
    staffOnly: list[str]
    points: int | None
    tier: str | None
    nextTier: str | None
    pointsToNextTier: int | None
    benefits: list[str]
    verdict: str | None
    discrepancy: int | None
    unexplained: int | None
    causes: list[CauseShown]
    caseId: str | None
    asOf: dict[str, str | None]


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


def points_answer(views: Views, org: str, found: Found) -> PointsAnswer:
    """The brief's answer."""
    profile = views.profile(org, found.customer) if found.customer is not None else None
    if profile is None or found.customer is None:
        why = found.why or Why.NO_PROFILE
        return {
            "found": False,
            "reason": why.value,
            "message": _nobody(found),
            "customerId": found.customer,
            "primary": None,
            "calculated": None,
            "reconciliation": None,
            "asOf": as_of(views, org),
        }
    tiers = _tiers(views, org)
    source = "orders" if profile.points_from_alpine is None else "alpine_iq"
    calculated = profile.points_from_orders
    return {
        "found": True,
        "reason": None,
        "message": _points_said(profile, tiers),
        "customerId": found.customer,
        "primary": {"points": profile.points, "tier": profile.tier, "source": source},
        "calculated": {
            "points": calculated,
            "tier": tier_of(calculated, tiers).name if tiers else profile.tier,
            "source": "orders",
        },
        "reconciliation": {
            "reconciled": profile.reconciled,
            "discrepancy": profile.discrepancy,
            "needsReview": profile.needs_review,
        },
        "asOf": _ages(views, org, profile),
    }


def explanation(views: Views, org: str, found: Found, *, now: int) -> Explanation:
    """What to say, and what lies behind. `now`: UTC ms."""
    profile = views.profile(org, found.customer) if found.customer is not None else None
    if profile is None or found.customer is None:
        return _unexplainable(views, org, found)
    tiers = _tiers(views, org)
    case = next((each for each in views.cases(org, customer=found.customer) if each.case.resolved_at is None), None)
    reached = tier_of(profile.points, tiers) if tiers else None
    following = _next_tier(profile.points, tiers)
    causes = case.case.causes if case is not None else ()
    return {
        "found": True,
        "reason": None,
        "customerId": found.customer,
        "sayToCustomer": _said(profile, tiers, causes),
        "staffOnly": _for_staff(profile, case, views, org),
        "points": profile.points,
        "tier": profile.tier,
        "nextTier": following.name if following else None,
        "pointsToNextTier": following.threshold - profile.points if following else None,
        "benefits": list(reached.benefits) if reached else [],
        "verdict": profile.verdict.value,
        "discrepancy": profile.discrepancy,
        "unexplained": _unexplained(causes),
        "causes": [cause_shown(cause) for cause in causes],
        "caseId": case.case.id if case is not None else None,
        "asOf": _ages(views, org, profile),
    }


def _unexplainable(views: Views, org: str, found: Found) -> Explanation:
    return {
        "found": False,
        "reason": (found.why or Why.NO_PROFILE).value,
        "customerId": found.customer,
        "sayToCustomer": _nobody(found),
        "staffOnly": [f"These customers share the number: {', '.join(found.several)}."] if found.several else [],
        "points": None,
        "tier": None,
        "nextTier": None,
        "pointsToNextTier": None,
        "benefits": [],
        "verdict": None,
        "discrepancy": None,
        "unexplained": None,
        "causes": [],
        "caseId": None,
        "asOf": as_of(views, org),
    }


def _nobody(found: Found) -> str:
    match found.why:
        case Why.UNREADABLE:
            return "That is not a phone number. Say it with its area code."
        case Why.UNKNOWN:
            return "We have no customer with this number. It may be written otherwise in the point of sale."
        case Why.AMBIGUOUS:
            return f"{len(found.several)} customers share this number. Ask for the name or the customer id."
        case Why.UNKNOWN_CUSTOMER:
            return "There is no customer with this id, and it is not a phone number."
    return "This customer has no points yet."


def _tiers(views: Views, org: str) -> Sequence[Tier]:
    settings = views.settings(org)
    return settings.settings.tiers if settings is not None else ()


def _next_tier(points: int, tiers: Sequence[Tier]) -> Tier | None:
    return next((tier for tier in tiers if tier.threshold > points), None)


def _points_said(profile: Profile, tiers: Sequence[Tier]) -> str:
    following = _next_tier(profile.points, tiers)
    points = f"You have {_count(profile.points)}."
    if following is None:
        return f"{points} You are {profile.tier}."
    return f"{points} {following.threshold - profile.points:,} more and you are {following.name}."


def _said(profile: Profile, tiers: Sequence[Tier], causes: Sequence[Cause]) -> str:
    """What may be said aloud: nothing of the two sides' disagreement but what the customer will notice."""
    said = _points_said(profile, tiers)
    if profile.verdict is Verdict.TIMING or any(cause.kind is CauseKind.PROVIDER_LAG for cause in causes):
        return f"{said} Your latest purchase should show within a day."
    if profile.verdict is Verdict.DISCREPANCY:
        return f"{said} We are checking this number."
    if profile.points_from_alpine is None:
        return f"{said} That is counted from your purchases here."
    return said


_VERDICTS = {
    Verdict.MATCHED: "Both sides agree.",
    Verdict.TIMING: "The sides differ, but agree for orders that the provider may not have booked yet.",
    Verdict.NOT_ENROLLED: "Alpine IQ does not know this customer: points are those of the orders.",
    Verdict.AMBIGUOUS: "Several customers share the contact data, so no balance can be matched.",
    Verdict.UNKNOWN: "Alpine IQ's balance is not known: points are those of the orders.",
    Verdict.MISSING_INTERNAL: "Alpine IQ has a balance, but there is no order of this customer here.",
}
_CAUSES = {
    CauseKind.REDEMPTIONS: "redemptions at Alpine IQ",
    CauseKind.ADJUSTMENTS: "adjustments by hand at Alpine IQ",
    CauseKind.EXPIRY: "points that expired at Alpine IQ",
    CauseKind.OTHER_MOVEMENTS: "other movements at Alpine IQ",
    CauseKind.PROVIDER_LAG: "orders that Alpine IQ has not booked yet",
    CauseKind.REFUNDS_NOT_APPLIED: "refunds that Alpine IQ has not applied",
    CauseKind.REMOVED_ORDERS: "orders that are gone here and still count there",
    CauseKind.PENDING_ORDERS: "orders that do not count here yet",
    CauseKind.TAX_BASIS: "another amount of each order",
    CauseKind.EQUITY_MULTIPLIER: "the equity multiplier",
    CauseKind.ROUNDING: "rounding",
    CauseKind.ORDER_NOT_CREDITED: "one order that Alpine IQ may never have booked",
    CauseKind.UNEXPLAINED: "nothing that is known",
}


def _for_staff(profile: Profile, case: CustomerCase | None, views: Views, org: str) -> list[str]:
    sentences = [_sides(profile)]
    if profile.verdict in _VERDICTS:
        sentences.append(_VERDICTS[profile.verdict])
    if case is not None:
        sentences += [
            f"{_signed(cause.points)} by {_CAUSES[cause.kind]}{_orders(cause)}." for cause in case.case.causes
        ]
        sentences.append(f"Case {case.case.id} is {case.case.state.value}.")
    provider = views.provider(org)
    if provider is not None and not provider.available:
        sentences.append(f"Alpine IQ has not answered since {time_shown(provider.since)}.")
    return sentences


def _sides(profile: Profile) -> str:
    ours = f"Orders give {profile.points_from_orders:,}"
    if profile.points_from_alpine is None:
        return f"{ours}."
    shown = f"Alpine IQ shows {profile.points_from_alpine:,}, {ours.lower()}"
    if not profile.discrepancy:
        return f"{shown}."
    too = "many" if profile.discrepancy > 0 else "few"
    return f"{shown}: {abs(profile.discrepancy):,} too {too}."


def _orders(cause: Cause) -> str:
    if not cause.orders:
        return ""
    named = ", ".join(cause.orders[:3])
    return f" (order {named})" if len(cause.orders) == 1 else f" (orders {named}{' …' if cause.count > 3 else ''})"


def _unexplained(causes: Sequence[Cause]) -> int | None:
    if not causes:
        return None
    return sum(cause.points for cause in causes if cause.kind is CauseKind.UNEXPLAINED)


def _ages(views: Views, org: str, profile: Profile) -> dict[str, str | None]:
    return as_of(views, org) | {
        "balance": time_shown(profile.balance_as_of),
        "points": time_shown(profile.calculated_at),
    }


def _count(points: int) -> str:
    return "1 point" if points == 1 else f"{points:,} points"


def _signed(points: int) -> str:
    return f"{points:+,}"
