"""Which lists a walk reads, and how far a big one has come.

A usual history is one list of orders. A big one is read by calendar months, oldest first, so that a walk that was
cut off goes on at the first month that it had not finished.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from producers.alleaves.client import AlleavesClient
from producers.alleaves.listing import Listing
from producers.alleaves.times import day_of, months_between
from stream.contracts.cursors import Cursor
from stream.contracts.names import Millis

BIG_PAGES = 50
"""A history of more pages is read by months."""
PAGES_AHEAD_PER_MONTH = 3
DAYS_BEYOND = 2
"""How far the dates asked for go beyond a window, on both sides: their zone and inclusivity are unknown."""


@dataclass(frozen=True)
class Resumption:
    """What the cursor remembers: of an unfinished walk of `run` everything before `before` is published; and which
    page ended each list last time (0: unknown)."""

    run: str = ""
    before: date | None = None
    order_pages: int = 0
    customer_pages: int = 0

    @classmethod
    def of(cls, cursor: Cursor | None) -> Resumption:
        detail = {} if cursor is None else cursor.detail
        before = detail.get("before")
        return cls(
            detail.get("run", ""),
            date.fromisoformat(before) if before else None,
            int(detail.get("order_pages", 0)),
            int(detail.get("customer_pages", 0)),
        )

    def detail(self) -> dict[str, str]:
        """For the cursor."""
        pages = {"order_pages": str(self.order_pages), "customer_pages": str(self.customer_pages)}
        return pages if self.before is None else {"run": self.run, "before": self.before.isoformat(), **pages}


@dataclass
class Plan:
    """The lists of one walk. `months`: the first day of each list of `orders`, or empty for one whole list.
    `published`: pages of each list whose content has been acknowledged."""

    customers: Listing
    orders: list[Listing]
    months: list[date]
    published: Counter[Listing] = field(default_factory=Counter)

    @property
    def listings(self) -> list[Listing]:
        """All of them."""
        return [self.customers, *self.orders]

    @property
    def too_big(self) -> bool:
        """A whole list that should be read by months."""
        return not self.months and self.orders[0].last >= BIG_PAGES

    @property
    def finished_before(self) -> date | None:
        """The first day of the oldest month that is not published entirely; None when no month is."""
        finished = 0
        for listing in self.orders:
            if not listing.complete or self.published[listing] < listing.taken:
                break
            finished += 1
        return self.months[finished] if 0 < finished < len(self.months) else None

    def pages(self) -> tuple[int, int]:
        """The pages that ended the list of orders and that of customers."""
        return sum(listing.last for listing in self.orders) + 1, self.customers.last + 1


def plan(client: AlleavesClient, window: tuple[Millis, Millis], at_once: int, last: Resumption, *, big: bool) -> Plan:
    """The lists for a window on `created_at`; `big`: by months."""
    customers = Listing(
        client.customers, client.full_customers, at_once=at_once, confirm=True, expected=last.customer_pages
    )
    first, end = day_of(window[0]), day_of(window[1])
    if big:
        months = months_between(first, end)
        ahead = min(at_once, PAGES_AHEAD_PER_MONTH)
        lists = [_orders(client, month, ahead, rank=rank) for rank, month in enumerate(months)]
        return Plan(customers, lists, [day for day, _ in months])
    return Plan(customers, [_orders(client, (first, end), at_once, expected=last.order_pages)], [])


def _orders(
    client: AlleavesClient, days: tuple[date, date], at_once: int, *, expected: int = 0, rank: int = 0
) -> Listing:
    start, end = days[0] - timedelta(days=DAYS_BEYOND), days[1] + timedelta(days=DAYS_BEYOND)
    return Listing(
        lambda page: client.orders(page, start, end),
        client.full_orders,
        at_once=at_once,
        confirm=True,
        expected=expected,
        rank=rank,
    )
