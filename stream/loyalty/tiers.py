"""Tiers by threshold."""

from __future__ import annotations

from collections.abc import Sequence

from stream.contracts.settings import Tier


def tier_of(points: int, tiers: Sequence[Tier]) -> Tier:
    """The tier that `points` reach; thresholds are inclusive (499 is Bronze, 500 is Silver).

    `tiers` ascend from 0; points below 0, which only a provider can say, are in the first.
    """
    reached = tiers[0]
    for tier in tiers:  # a handful: quicker than a search
        if tier.threshold > points:
            break
        reached = tier
    return reached
