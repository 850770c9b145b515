"""What other settings would change, computed from the views with the rules themselves, before anything is applied.

The views hold sums, not orders: what depends on single orders (another basis, other statuses, rounding each by itself,
a rate for part of the time) cannot be said from them and is named in `not_counted`.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from stream.contracts.profiles import Verdict
from stream.contracts.settings import Mode, OrgSettings, RoundingPer, Schedule
from stream.loyalty.acceptance import check_settings
from stream.loyalty.points import points_for
from stream.loyalty.profile import FROM_PROVIDER
from stream.loyalty.reconcile import compare
from stream.loyalty.rules import Rules, compile_rules
from stream.loyalty.tiers import tier_of
from stream.sinks.views.read import Views

LONGEST_SECONDS = 5.0
LOOK_EVERY = 1000
EXAMPLES = 10
_COMPARED = frozenset({Verdict.MATCHED, Verdict.DISCREPANCY, Verdict.TIMING})


class Row(msgspec.Struct, array_like=True):
    """What `Views.compared` gives of a customer."""

    customer: str
    ours: int
    provider: int | None
    discrepancy: int | None
    tier: str
    tier_source: str
    verdict: Verdict
    spent_minor: int


@dataclass(frozen=True)
class Changed:
    """A customer whose points from orders, tier or agreement would be another."""

    customer: str
    points_before: int
    points_after: int
    tier_before: str
    tier_after: str
    verdict_before: str
    verdict_after: str

    @property
    def moved(self) -> int:
        """By how many points, without sign."""
        return abs(self.points_after - self.points_before)


@dataclass
class Preview:
    """What would change. `customers`: looked at; `complete`: all of them. Points are those from orders. `examples`: of
    those who change, whose points move most."""

    customers: int = 0
    complete: bool = True
    points_before: int = 0
    points_after: int = 0
    points_changed: int = 0
    tiers_changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    opening: int = 0
    closing: int = 0
    examples: list[Changed] = field(default_factory=list)
    not_counted: list[str] = field(default_factory=list)


def preview(
    views: Views,
    org: str,
    before: OrgSettings,
    after: OrgSettings,
    *,
    now: int,
    clock: Callable[[], float] = time.monotonic,
    longest_seconds: float = LONGEST_SECONDS,
) -> Preview:
    """Go over the org's customers, for a bounded time. Raises BadRecord for settings that cannot be. `now`: UTC ms."""
    check_settings(after)
    old, new = compile_rules(before, 1), compile_rules(after, 2)
    answer = Preview(not_counted=_not_counted(before, after, now))
    recount = _recountable(before, after) and _counts_otherwise(before, after)
    deadline = clock() + longest_seconds
    for cells in views.compared(org):
        if answer.customers % LOOK_EVERY == 0 and clock() > deadline:
            answer.complete = False
            break
        _look_at(answer, msgspec.convert(cells, Row), old, new, recount)
    return answer


def concerns_customers(before: OrgSettings, after: OrgSettings) -> bool:
    """Whether the rules differ, and not only when runs begin, in which time zone, or who hears of what."""
    return _without_time_and_mode(before) != _without_time_and_mode(after)


def _without_time_and_mode(settings: OrgSettings) -> OrgSettings:
    return replace(settings, schedule=Schedule(), time_zone="UTC", mode=Mode.OBSERVE)


def _look_at(answer: Preview, row: Row, old: Rules, new: Rules, recount: bool) -> None:
    points = _points(row, old, new) if recount else row.ours
    tier = _tier(row, points, old, new)
    verdict = _verdict(row, points, new)
    answer.customers += 1
    answer.points_before += row.ours
    answer.points_after += points
    answer.points_changed += points != row.ours
    if tier != row.tier:
        answer.tiers_changed[row.tier, tier] += 1
    answer.opening += verdict is Verdict.DISCREPANCY and row.verdict is not Verdict.DISCREPANCY
    answer.closing += row.verdict is Verdict.DISCREPANCY and verdict is not Verdict.DISCREPANCY
    if (points, tier, verdict) != (row.ours, row.tier, row.verdict):
        moved = abs(points - row.ours)
        if len(answer.examples) < EXAMPLES or moved > answer.examples[-1].moved:
            changed = Changed(row.customer, row.ours, points, row.tier, tier, row.verdict.value, verdict.value)
            insort(answer.examples, changed, key=lambda each: -each.moved)
            del answer.examples[EXAMPLES:]


def _points(row: Row, old: Rules, new: Rules) -> int:
    """Points of the same spend under other rules. Whether the multiplier applies is not in the views: it does where
    only that gives the points that there are."""
    spend = (row.spent_minor,)
    plain = points_for(spend, False, old)
    equity = row.ours != plain and row.ours == points_for(spend, True, old)
    if row.ours != plain and not equity:
        return row.ours  # a walk-in, or computed with settings that are no longer in force
    return points_for(spend, equity or row.customer in new.equity_customers, new)


def _tier(row: Row, points: int, old: Rules, new: Rules) -> str:
    """A name that the provider gave stays: it is one where our thresholds give another."""
    if row.tier_source != FROM_PROVIDER or row.provider is None:
        return tier_of(points, new.tiers).name
    ours = tier_of(row.provider, old.tiers).name
    return tier_of(row.provider, new.tiers).name if row.tier == ours else row.tier


def _verdict(row: Row, points: int, new: Rules) -> Verdict:
    if row.provider is None or row.discrepancy is None or row.verdict not in _COMPARED:
        return row.verdict
    moved = row.provider - row.discrepancy - row.ours
    within = compare(points + moved, row.provider, new.tolerance).within
    if within:
        return Verdict.MATCHED
    return Verdict.TIMING if row.verdict is Verdict.TIMING else Verdict.DISCREPANCY


def _recountable(before: OrgSettings, after: OrgSettings) -> bool:
    """Whether points of a sum can be computed anew: one rate for all time, rounded once."""
    single = len(before.accruals) == 1 and len(after.accruals) == 1
    return single and RoundingPer.ORDER not in (before.rounding_per, after.rounding_per)


def _counts_otherwise(before: OrgSettings, after: OrgSettings) -> bool:
    names = ("accruals", "rounding", "rounding_per", "equity_customers")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _not_counted(before: OrgSettings, after: OrgSettings, now: int) -> list[str]:
    names = ("basis", "statuses", "currency", "compare", "settle_seconds", "cases")
    differs = [name for name in names if getattr(before, name) != getattr(after, name)]
    if not _recountable(before, after):
        differs += [name for name in ("rounding", "rounding_per") if getattr(before, name) != getattr(after, name)]
        known = len(before.accruals)
        only_later = after.accruals[:known] == before.accruals and all(
            each.effective_from >= now for each in after.accruals[known:]
        )
        if not only_later:
            differs.append("accruals")
    return differs
