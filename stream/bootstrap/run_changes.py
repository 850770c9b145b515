"""What happens to runs, as the views show it: for those who tell people, log or measure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from stream.sinks.views.read import Views
from stream.sinks.views.shown import Run

LOOKED_AT = 200


class RunChange(NamedTuple):
    """A run before (None: not known yet) and now."""

    before: Run | None
    now: Run

    @property
    def started(self) -> bool:
        """It is under way, and was not."""
        return _under_way(self.now) and (self.before is None or not _under_way(self.before))

    @property
    def orders_read(self) -> bool:
        """The walk of the orders has ended; until then `orders` is how far it got."""
        return self.now.alleaves_calls is not None and (self.before is None or self.before.alleaves_calls is None)

    @property
    def reading_orders(self) -> bool:
        """The walk is further than it was, and not at its end."""
        return self.now.alleaves_calls is None and bool(self.now.orders)

    @property
    def balances_read(self) -> bool:
        """The sweep of the balances has ended."""
        return self.now.alpine_calls is not None and (self.before is None or self.before.alpine_calls is None)

    @property
    def ended(self) -> bool:
        """It is completed or has failed."""
        return self.now.outcome is not None and (self.before is None or self.before.outcome is None)


class RunWatch:
    """Changes of all runs since the last look. What had ended before the first look is no news."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._known = {run.run: run for run in views.runs(limit=LOOKED_AT) if run.outcome is not None}

    def changes(self) -> Iterator[RunChange]:
        """Oldest first."""
        for run in reversed(self._views.runs(limit=LOOKED_AT)):
            before = self._known.get(run.run)
            if before != run:
                self._known[run.run] = run
                yield RunChange(before, run)


def _under_way(run: Run) -> bool:
    return run.started_at is not None
