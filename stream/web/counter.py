"""At the counter: whose points they are, what to say, and what lies behind."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.profiles import Profile
from stream.contracts.settings import Tier
from stream.loyalty.tiers import tier_of
from stream.sinks.views.read import Views
from stream.web.finding import Found, Why
from stream.web.sayings import aloud, for_staff, next_tier, of_nobody, of_points
from stream.web.shapes.cases import CauseShown, cause_shown
from stream.web.shapes.status import as_of
from stream.web.shapes.times import time_shown


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


def points_answer(views: Views, org: str, found: Found) -> PointsAnswer:
    """The brief's answer."""
    profile = views.profile(org, found.customer) if found.customer is not None else None
    if profile is None or found.customer is None:
        why = found.why or Why.NO_PROFILE
        return {
            "found": False,
            "reason": why.value,
            "message": of_nobody(found),
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
        "message": of_points(profile, tiers),
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
    following = next_tier(profile.points, tiers)
    causes = case.case.causes if case is not None else ()
    return {
        "found": True,
        "reason": None,
        "customerId": found.customer,
        "sayToCustomer": aloud(profile, tiers, causes),
        "staffOnly": for_staff(profile, case, views.provider(org)),
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
        "sayToCustomer": of_nobody(found),
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


def _tiers(views: Views, org: str) -> Sequence[Tier]:
    settings = views.settings(org)
    return settings.settings.tiers if settings is not None else ()


def _unexplained(causes: Sequence[Cause]) -> int | None:
    if not causes:
        return None
    return sum(cause.points for cause in causes if cause.kind is CauseKind.UNEXPLAINED)


def _ages(views: Views, org: str, profile: Profile) -> dict[str, str | None]:
    return as_of(views, org) | {
        "balance": time_shown(profile.balance_as_of),
        "points": time_shown(profile.calculated_at),
    }
