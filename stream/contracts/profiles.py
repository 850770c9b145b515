"""`profiles`: the complete, versioned answer about one customer. Key `org:customer`, compacted."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class Verdict(StrEnum):
    """What the comparison with the provider says. Only `discrepancy` alerts; unknown is never agreement."""

    MATCHED = "matched"
    DISCREPANCY = "discrepancy"
    TIMING = "timing"
    NOT_ENROLLED = "not_enrolled"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"
    MISSING_INTERNAL = "missing_internal"


class Profile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One customer. `points` is the provider's balance where known, else `points_from_orders`.

    `discrepancy`: provider − ours in points, where both are known. `version`: (epoch, offset in `facts`);
    the higher one wins. `export` is false while the org only observes.

    `moved_points`: sum of the provider's known movements (signed), None: none is known; `redeemed_points`,
    `adjusted_points`, `expired_points`: its parts, of the newest movements. `equity`: the org's
    social-equity multiplier applies. `tier_differs`: the provider's points give another tier than ours (those that
    `discrepancy` compares). `matched_by`: kind of identity (`IDENTITY_KINDS`) that the provider's contact was found by.
    """

    points: int
    points_from_orders: int
    points_from_alpine: int | None = None
    calculated_at: int
    tier: str
    tier_source: str
    verdict: Verdict
    discrepancy: int | None = None
    alpine_user_id: str | None = None
    total_spent_minor: int
    currency: str
    order_count: int
    balance_as_of: int | None = None
    home_location: str | None = None
    moved_points: int | None = None
    redeemed_points: int | None = None
    adjusted_points: int | None = None
    expired_points: int | None = None
    equity: bool = False
    tier_differs: bool = False
    matched_by: str | None = None
    settings_version: int
    epoch: int
    version: int
    export: bool

    @property
    def reconciled(self) -> bool:
        """The two sides agree."""
        return self.verdict is Verdict.MATCHED

    @property
    def needs_review(self) -> bool:
        """A person should look."""
        return self.verdict is Verdict.DISCREPANCY


PROFILES = Vocabulary(Profile)
