"""What is said at the counter: aloud to the customer, and to staff alone. Plain English, made from values."""

from __future__ import annotations

from collections.abc import Sequence

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.profiles import Profile, Verdict
from stream.contracts.settings import Tier
from stream.loyalty.wording import CAUSES, PROVIDER, lowered
from stream.sinks.views.shown import CustomerCase, Provider
from stream.web.finding import Found, Why
from stream.web.shapes.times import time_shown

_VERDICTS = {
    Verdict.MATCHED: "Both sides agree.",
    Verdict.TIMING: "The sides differ, but agree for orders that the provider may not have booked yet.",
    Verdict.NOT_ENROLLED: f"{PROVIDER} does not know this customer: points are those of the orders.",
    Verdict.AMBIGUOUS: "Several customers share the contact data, so no balance can be matched.",
    Verdict.UNKNOWN: f"{PROVIDER}'s balance is not known: points are those of the orders.",
    Verdict.MISSING_INTERNAL: f"{PROVIDER} has a balance, but there is no order of this customer here.",
}


def of_nobody(found: Found) -> str:
    """Why there is no answer, and what to do."""
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


def next_tier(points: int, tiers: Sequence[Tier]) -> Tier | None:
    """The tier that comes next; None at the top."""
    return next((tier for tier in tiers if tier.threshold > points), None)


def of_points(profile: Profile, tiers: Sequence[Tier]) -> str:
    """How many, and how many more for the next tier."""
    following = next_tier(profile.points, tiers)
    points = f"You have {_count(profile.points)}."
    if following is None:
        return f"{points} You are {profile.tier}."
    return f"{points} {following.threshold - profile.points:,} more and you are {following.name}."


def aloud(profile: Profile, tiers: Sequence[Tier], causes: Sequence[Cause]) -> str:
    """What may be said aloud: nothing of the two sides' disagreement but what the customer will notice."""
    said = of_points(profile, tiers)
    if profile.verdict is Verdict.TIMING or any(cause.kind is CauseKind.PROVIDER_LAG for cause in causes):
        return f"{said} Your latest purchase should show within a day."
    if profile.verdict is Verdict.DISCREPANCY:
        return f"{said} We are checking this number."
    if profile.points_from_alpine is None:
        return f"{said} That is counted from your purchases here."
    return said


def for_staff(profile: Profile, case: CustomerCase | None, provider: Provider | None) -> list[str]:
    """What lies behind the number, sentence by sentence; not for the customer's ears."""
    sentences = [_sides(profile)]
    if profile.verdict in _VERDICTS:
        sentences.append(_VERDICTS[profile.verdict])
    if case is not None:
        sentences += [
            f"{cause.points:+,}: {lowered(CAUSES[cause.kind])}{_orders(cause)}." for cause in case.case.causes
        ]
        sentences.append(f"Case {case.case.id} is {case.case.state.value}.")
    if provider is not None and not provider.available:
        sentences.append(f"{PROVIDER} has not answered since {time_shown(provider.since)}.")
    return sentences


def _sides(profile: Profile) -> str:
    ours = f"Orders give {profile.points_from_orders:,}"
    if profile.points_from_alpine is None:
        return f"{ours}."
    shown = f"{PROVIDER} shows {profile.points_from_alpine:,}, {ours.lower()}"
    if not profile.discrepancy:
        return f"{shown}."
    too = "many" if profile.discrepancy > 0 else "few"
    return f"{shown}: {abs(profile.discrepancy):,} too {too}."


def _orders(cause: Cause) -> str:
    if not cause.orders:
        return ""
    named = ", ".join(cause.orders[:3])
    return f" (order {named})" if len(cause.orders) == 1 else f" (orders {named}{' …' if cause.count > 3 else ''})"


def _count(points: int) -> str:
    return "1 point" if points == 1 else f"{points:,} points"
