"""Profiles in the views against the sandbox's oracle, one by one."""

from __future__ import annotations

from typing import NamedTuple

from stream.contracts.profiles import Profile, Verdict
from stream.sandbox.oracle import Expected, expected
from stream.sandbox.world.model import World
from stream.sinks.views.read import Views


class Difference(NamedTuple):
    """A field of a customer's profile that is not what the oracle says."""

    customer: str
    field: str
    oracle: object
    profile: object

    def __str__(self) -> str:
        return f"customer {self.customer}: {self.field} should be {self.oracle!r} and is {self.profile!r}"


def differences(world: World, views: Views, org: str) -> tuple[int, list[Difference]]:
    """How many customers were compared, and every difference."""
    outcome = expected(world)
    wrong: list[Difference] = []
    compared = 0
    for number, wanted in outcome.customers.items():
        profile = views.profile(org, str(number))
        if profile is None:
            if wanted.known and not wanted.walk_in:
                wrong.append(Difference(str(number), "profile", "there", "missing"))
            continue
        compared += 1
        wrong += _of(str(number), wanted, profile)
    return compared, wrong


def _of(customer: str, wanted: Expected, profile: Profile) -> list[Difference]:
    pairs: list[tuple[str, object, object]] = [
        ("pointsFromOrders", wanted.points_from_orders, profile.points_from_orders),
        ("totalSpent", wanted.total_spent_minor, profile.total_spent_minor),
        ("orderCount", wanted.order_count, profile.order_count),
        ("pointsFromAlpine", wanted.provider_points, profile.points_from_alpine),
        ("points", wanted.points, profile.points),
        ("tier", wanted.tier, profile.tier),
        ("agreed", wanted.verdict == "matched", profile.verdict is Verdict.MATCHED),
        ("discrepancy", wanted.verdict == "discrepancy", profile.verdict is Verdict.DISCREPANCY),
    ]
    return [Difference(customer, name, oracle, ours) for name, oracle, ours in pairs if oracle != ours]
