"""How an org stands."""

from __future__ import annotations

from typing_extensions import TypedDict

from stream.sinks.views.read import Views
from stream.web.shapes.runs import ProviderShown, RunShown, provider_shown, run_shown
from stream.web.shapes.times import time_shown

RUNS_SHOWN = 3


class StatsShown(TypedDict):
    """The brief's figures."""

    totalCustomers: int
    withAlpineSync: int
    withCalculatedPoints: int
    reconciled: int
    needsReview: int
    lastSyncAt: str | None


class OrgStatus(TypedDict):
    """`asOf`: up to when everything of a source has been observed (`alleaves` by the poller, `orders` and `balances`
    by whole sweeps); a source that was never read is absent. `provider` null: it was never reported away."""

    stats: StatsShown
    verdicts: dict[str, int]
    provider: ProviderShown | None
    mode: str | None
    settingsVersion: int | None
    pointsOutstanding: int
    liveCases: int
    unexplainedPoints: int
    asOf: dict[str, str | None]
    runs: list[RunShown]


def stats_shown(views: Views, org: str) -> StatsShown:
    """The brief's figures of an org."""
    stats = views.stats(org)
    return {
        "totalCustomers": stats.total_customers,
        "withAlpineSync": stats.with_alpine_sync,
        "withCalculatedPoints": stats.with_calculated_points,
        "reconciled": stats.reconciled,
        "needsReview": stats.needs_review,
        "lastSyncAt": time_shown(stats.last_sync_ms),
    }


def status_of(views: Views, org: str) -> OrgStatus:
    """How an org stands."""
    provider, settings, figures = views.provider(org), views.settings(org), views.figures(org)
    return {
        "stats": stats_shown(views, org),
        "verdicts": views.verdicts(org),
        "provider": provider_shown(provider) if provider else None,
        "mode": settings.settings.mode.value if settings else None,
        "settingsVersion": settings.version if settings else None,
        "pointsOutstanding": figures.points_outstanding,
        "liveCases": figures.live_cases,
        "unexplainedPoints": figures.unexplained_points,
        "asOf": as_of(views, org),
        "runs": [run_shown(run) for run in views.runs(org, limit=RUNS_SHOWN)],
    }


def as_of(views: Views, org: str) -> dict[str, str | None]:
    """Up to when the sources have been observed."""
    known = ("alleaves", "orders", "balances")
    return {source: time_shown(at) for source, at in views.freshness(org).items() if source in known}
