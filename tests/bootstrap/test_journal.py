"""The brief's log lines and metrics of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from stream.bootstrap.journal import Journal
from stream.bootstrap.run_changes import RunChange
from stream.contracts.runs import Tally, VendorUse
from stream.ops.metrics import Metrics
from stream.sinks.views.shown import Run
from tests.bootstrap.test_narration import FAILED, HALFWAY, QUEUED, READ, STARTED, SWEPT

ABOUT = {"org": "shop", "run": "shop:daily:first"}
TALLY = Tally(
    customers=1641, with_provider=245, matched=240, discrepancy=5, compared=245, abs_difference_points=490,
    dead_letters=5,
)  # fmt: skip
DONE = replace(
    SWEPT, phase="done", outcome="completed", ended_at=5001, tally=TALLY,
    vendors={"alleaves": VendorUse(40, 40, {}, 2), "alpine_iq": VendorUse(1, 1, {}, 3)},
)  # fmt: skip
ONE = replace(
    STARTED, run="shop:customer:3528:1", kind="customer", customer="3528", outcome="completed", answer="matched",
    ended_at=2, tally=Tally(customers=1, matched=1),
)  # fmt: skip
ORDERS = {"event": "batch completed", **ABOUT, "what": "orders", "total": 2691, "successful": 2689, "failed": 2}
BALANCES = {"event": "batch completed", **ABOUT, "what": "balances", "total": 283, "successful": 280, "failed": 3}
COMPLETED = {
    "event": "sync completed", **ABOUT, "kind": "daily", "duration_seconds": 5.0, "calculated": 1641, "provider": 245,
    "reconciled": 240, "needs_review": 5, "dead_letters": 5,
}  # fmt: skip
ONE_COMPLETED = {
    "event": "sync completed", "org": "shop", "run": "shop:customer:3528:1", "kind": "customer",
    "duration_seconds": 0.001, "customer": "3528", "verdict": "matched",
}  # fmt: skip
SAID_OF_FAILURE = {
    "event": "sync failed", **ABOUT, "kind": "daily", "duration_seconds": 0.001, "phase": "orders",
    "reason": "Alleaves refuses: 401",
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, QUEUED, []),
        (QUEUED, STARTED, [{"event": "sync started", **ABOUT, "kind": "daily", "by": "first start"}]),
        (STARTED, HALFWAY, []),
        (HALFWAY, READ, [ORDERS]),
        (SWEPT, DONE, [BALANCES, COMPLETED]),
        (replace(STARTED, orders=0, alleaves_calls=5), FAILED, [SAID_OF_FAILURE]),
        (replace(ONE, outcome=None), ONE, [ONE_COMPLETED]),
        (DONE, DONE, []),
    ],
)
def test_the_briefs_lines_of_a_run(before: Run | None, now: Run, said: list[dict[str, object]]) -> None:
    with capture_logs() as entries:
        Journal(Metrics()).note(RunChange(before, now))
    assert [{name: value for name, value in entry.items() if name != "log_level"} for entry in entries] == said


def test_the_briefs_metrics_of_runs() -> None:
    metrics = Metrics()
    Journal(metrics).note_all([RunChange(SWEPT, DONE), RunChange(STARTED, FAILED)])
    assert _shown(metrics.registry, "loyalty_customers_synced_total", verdict="matched") == 240
    assert _shown(metrics.registry, "loyalty_runs_total", kind="daily", outcome="completed") == 1
    assert _shown(metrics.registry, "loyalty_runs_total", kind="daily", outcome="failed") == 1
    assert _shown(metrics.registry, "loyalty_run_seconds_count", kind="daily") == 2
    assert _shown(metrics.registry, "loyalty_average_discrepancy_points") == 2


def _shown(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, {"org": "shop", **labels})
