"""Tiers by threshold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from stream.contracts.settings import Tier


def tier_of(points: int, tiers: Sequence[Tier]) -> Tier:
    """The tier that `points` reach; thresholds are inclusive (499 is Bronze, 500 is Silver).

    `tiers` ascend from 0; points below 0, which only a provider can say, are in the first.
    """
    return tiers[max(bisect_right(tiers, points, key=_threshold) - 1, 0)]


def _threshold(tier: Tier) -> int:
    return tier.threshold
