"""The complete answer about one customer."""

from __future__ import annotations

from stream.contracts.profiles import Profile
from stream.loyalty.account import ADJUSTMENT, EXPIRY, REDEMPTION, Account, Version
from stream.loyalty.reconcile import compared_points
from stream.loyalty.rules import Rules
from stream.loyalty.tiers import tier_of

FROM_PROVIDER = "alpine_iq"
FROM_ORDERS = "calculated"


def profile_of(account: Account, rules: Rules, version: Version, at: int) -> Profile:
    """The account's profile. `version`: (epoch, offset) of the fact that it includes; `at`: UTC ms of that fact.

    `points` is the provider's balance where it is known, however old (`balance_as_of` says), else from orders.
    `tier` is the name the provider gives, else that of `points`. `discrepancy` is today's difference between the two
    sides; the verdict is that of the last run.
    """
    provider = account.provider_points
    points = account.points if provider is None else provider
    compared = account.points if provider is None else compared_points(account, rules)
    balance, attributes, moved = account.balance, account.attributes, account.moved
    alpine_user_id = balance.contact if balance is not None else None
    given = balance.tier if balance is not None and provider is not None else None
    return Profile(
        points=points,
        points_from_orders=account.points,
        points_from_alpine=provider,
        calculated_at=at,
        tier=given or tier_of(points, rules.tiers).name,
        tier_source=FROM_ORDERS if provider is None else FROM_PROVIDER,
        verdict=account.verdict,
        discrepancy=None if provider is None else provider - compared,
        alpine_user_id=alpine_user_id,
        total_spent_minor=account.spend_minor,
        currency=rules.currency,
        order_count=account.order_count,
        balance_as_of=balance.observed_at if balance is not None and provider is not None else None,
        home_location=attributes.home_location if attributes is not None else None,
        moved_points=moved.points if moved is not None else None,
        redeemed_points=moved.points_of(REDEMPTION) if moved is not None else None,
        adjusted_points=moved.points_of(ADJUSTMENT) if moved is not None else None,
        expired_points=moved.points_of(EXPIRY) if moved is not None else None,
        equity=account.equity,
        tier_differs=provider is not None and tier_of(provider, rules.tiers) is not tier_of(compared, rules.tiers),
        matched_by=account.best.partition(":")[0] if account.best and alpine_user_id else None,
        settings_version=account.settings_version,
        epoch=version[0],
        version=version[1],
        export=rules.live,
    )
