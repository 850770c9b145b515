"""The log lines and the metrics of runs: sync start, batch completion, sync completion (the brief)."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from stream.bootstrap.run_changes import RunChange
from stream.contracts.profiles import Verdict
from stream.contracts.runs import ALPINE_IQ
from stream.ops.metrics import Metrics
from stream.sinks.views.shown import Run

log = structlog.get_logger(__name__)


class Journal:
    """Logs and measures what happens to runs."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def note_all(self, changes: Iterable[RunChange]) -> None:
        """Write down what has changed."""
        for change in changes:
            self.note(change)

    def note(self, change: RunChange) -> None:
        """Write down one change."""
        run = change.now
        if change.started:
            log.info("sync started", org=run.org, run=run.run, kind=run.kind, by=run.requested_by)
        if change.orders_read:
            unreadable = run.orders_unreadable or 0
            _batch(run, "orders", (run.orders or 0) + unreadable, unreadable)
        if change.ended:
            _balances(run)
            self._ended(run)

    def _ended(self, run: Run) -> None:
        seconds = ((run.ended_at or 0) - (run.started_at or run.ended_at or 0)) / 1000
        self._metrics.runs.labels(run.org, run.kind, run.outcome).inc()
        self._metrics.run_seconds.labels(run.org, run.kind).observe(seconds)
        about = {"org": run.org, "run": run.run, "kind": run.kind, "duration_seconds": round(seconds, 3)}
        if run.outcome != "completed":
            log.error("sync failed", **about, phase=run.phase, reason=run.reason)
        elif run.customer is not None:
            log.info("sync completed", **about, customer=run.customer, verdict=run.answer)
            self._metrics.customers_synced.labels(run.org, run.answer or "unknown").inc()
        elif (tally := run.tally) is not None:
            log.info(
                "sync completed",
                **about,
                calculated=tally.customers,
                provider=tally.with_provider,
                reconciled=tally.matched,
                needs_review=tally.discrepancy,
                dead_letters=tally.dead_letters,
            )
            for verdict in Verdict:
                self._metrics.customers_synced.labels(run.org, verdict.value).inc(getattr(tally, verdict.value))
            if tally.compared:
                average = tally.abs_difference_points / tally.compared
                self._metrics.average_discrepancy.labels(run.org).set(average)


def _balances(run: Run) -> None:
    """At the run's end, because only that says how many records of the provider nobody could read."""
    if run.alpine_calls is None:
        return
    use = run.vendors.get(ALPINE_IQ)
    total = run.balances or 0  # those that cannot be read among them
    _batch(run, "balances", total, min(use.unreadable, total) if use else 0)


def _batch(run: Run, what: str, total: int, failed: int) -> None:
    log.info(
        "batch completed", org=run.org, run=run.run, what=what, total=total, successful=total - failed, failed=failed
    )
