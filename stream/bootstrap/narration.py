"""What happens, in plain words, for whoever sits before `loyalty demo` and `loyalty up`."""

from __future__ import annotations

from collections.abc import Iterator

from stream.bootstrap.run_changes import RunChange, RunWatch
from stream.ops.progress import Progress
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerProfile, Run

DISCREPANCIES_SHOWN = 5
_DOING = {"orders": "reading the orders", "balances": "reading the balances", "verdicts": "comparing"}


class Narrator:
    """Tells `progress` what happens to runs. `several`: there is more than one org, so each line names its own."""

    def __init__(self, views: Views, progress: Progress, *, several: bool = False) -> None:
        self._views = views
        self._progress = progress
        self._several = several
        self._watch = RunWatch(views)

    def look(self) -> None:
        """Tell what is new."""
        for change in self._watch.changes():
            if change.reading_orders:
                self._progress("orders read", change.now.orders or 0, None)
            for line in [*told(change), *self._discrepancies(change)]:
                self._progress.say(f"{change.now.org}: {line}" if self._several else line)

    def _discrepancies(self, change: RunChange) -> Iterator[str]:
        run = change.now
        if not change.ended or run.outcome != "completed" or run.customer is not None:
            return
        found = self._views.needing_review(run.org, limit=DISCREPANCIES_SHOWN)
        for customer in found:
            yield f"  {discrepancy(customer)}"
        more = (run.tally.discrepancy if run.tally else 0) - len(found)
        if more > 0:
            yield f"  and {more:,} more: `loyalty status` counts them, `loyalty profiles export` lists them"


def told(change: RunChange) -> Iterator[str]:
    """One change as sentences."""
    run = change.now
    if change.started:
        yield _begun(run)
    if change.orders_read and run.reason is None:
        unreadable = run.orders_unreadable or 0
        dead = f"; {unreadable:,} records could not be read and are kept as dead letters" if unreadable else ""
        yield (
            f"read {run.orders or 0:,} orders of {run.order_customers or 0:,} customers from Alleaves "
            f"({run.alleaves_calls or 0:,} calls){dead}"
        )
    if change.balances_read and run.reason is None:
        yield f"read {run.balances or 0:,} balances from Alpine IQ ({run.alpine_calls or 0:,} calls)"
    if change.ended:
        yield _ended(run)


def discrepancy(found: CustomerProfile) -> str:
    """Who disagrees, and by how much."""
    profile = found.profile
    provider, ours = profile.points_from_alpine or 0, profile.points_from_orders
    which = "more" if provider > ours else "fewer"
    return (
        f"customer {found.customer}: Alpine IQ shows {provider:,}, orders give {ours:,} "
        f"({abs(provider - ours):,} {which} than earned)"
    )


def _begun(run: Run) -> str:
    if run.customer is not None:
        return f"comparing customer {run.customer} with Alpine IQ"
    if run.kind == "daily":
        return "reading the whole history from Alleaves, each order once …"
    return "comparing with Alpine IQ …"


def _ended(run: Run) -> str:
    seconds = ((run.ended_at or 0) - (run.started_at or 0)) / 1000
    if run.outcome != "completed":
        return f"the run failed while {_DOING.get(run.phase, run.phase)}: {run.reason}"
    if run.customer is not None:
        return f"customer {run.customer}: {run.answer}"
    tally = run.tally
    if tally is None:
        return f"compared, in {seconds:.1f} s"
    return (
        f"{tally.customers:,} customers have points, {tally.with_provider:,} of them a balance at Alpine IQ: "
        f"{tally.matched:,} agree, {tally.discrepancy:,} need review"
    )
