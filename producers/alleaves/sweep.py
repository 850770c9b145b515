"""The complete walk: every order of the history and every customer, for a run. The first one is the backfill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple

from producers.alleaves.client import AlleavesClient
from producers.alleaves.listing import Listing, read
from producers.alleaves.pages import Item, Page
from producers.alleaves.plan import BIG_PAGES, Plan, Resumption, plan
from producers.alleaves.records import (
    customer_records,
    dead_letter_records,
    order_records,
    snapshot_records,
    swept_record,
)
from producers.alleaves.times import DAY_MS, midnight
from producers.alleaves.translate import DeadLetter, Translator
from producers.alleaves.walked import UNREADABLE, Walked
from producers.alleaves.walks import Walks
from producers.cursors import Cursors
from producers.http import UnreadableAnswer
from producers.redaction import redacted
from stream.contracts.cursors import Cursor
from stream.contracts.facts import OrdersSwept
from stream.contracts.names import Millis, OrderId, OrgId
from stream.engine.ports import Output, Publisher
from stream.errors import VendorError
from stream.settings import AlleavesSettings

SOURCE = "alleaves.walk"
"""Of the cursor that says how far a walk has come, and how long the lists were last time."""
PAGES_WAITING = 32
"""Pages read and not yet published: a slow log slows the reading down instead of filling the memory."""
RECORDS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Progress:
    """How far a walk is. `done` customers or orders; `total`: how many there are, once that is known."""

    phase: Literal["customers", "orders", "snapshots"]
    done: int
    total: int | None = None


@dataclass(frozen=True)
class WalkResult:
    """What a walk saw. An incomplete one says why, and has published neither snapshots nor OrdersSwept.

    `calls`: requests to the vendor meanwhile, the poller's included; `errors`: how many of them failed, by kind.
    `started_at`: UTC ms by the vendor's clock.
    """

    complete: bool
    orders: int
    customers: int
    unreadable: int
    calls: int
    started_at: Millis
    reason: str | None = None
    errors: dict[str, int] = field(default_factory=dict)


class OrderSweep:
    """Walks of one org."""

    def __init__(
        self,
        *,
        org: OrgId,
        client: AlleavesClient,
        translator: Translator,
        publisher: Publisher,
        cursors: Cursors,
        settings: AlleavesSettings,
        walks: Walks | None = None,
    ) -> None:
        self.walks = walks or Walks()
        self.org = org
        self.client = client
        self.translator = translator
        self.publisher = publisher
        self.cursors = cursors
        self.settings = settings

    async def walk(
        self, run: str, attempt: int, on_progress: Callable[[Progress], None] = lambda progress: None
    ) -> WalkResult:
        """Read and publish everything, then say so. Never raises `VendorError`: that is an incomplete walk.

        A walk of the same run that was cut off is resumed where months of a big history were finished; it then
        answers only for its own, shorter window.
        """
        budget = self.client.http.budget
        calls, errors = budget.calls, budget.errors.copy()
        last = Resumption.of(await self.cursors.load(self.org, SOURCE))
        walk = _Walk(self, run, attempt, last, on_progress)
        self.walks.mark()
        try:
            await self.client.http.until_admitted()
            await walk.read()
            await walk.finish()
        except VendorError as error:
            if isinstance(error, UnreadableAnswer):
                await walk.bury(error)
            return walk.result(budget.calls - calls, dict(budget.errors - errors), reason=redacted(str(error)))
        finally:
            self.walks.mark()
        return walk.result(budget.calls - calls, dict(budget.errors - errors))


class _Walk:
    """One walk: pages go from the reader through a queue to the publisher, so that neither waits for the other."""

    def __init__(
        self, sweep: OrderSweep, run: str, attempt: int, last: Resumption, on_progress: Callable[[Progress], None]
    ) -> None:
        self._sweep = sweep
        self._run = run
        self._attempt = attempt
        self._last = last if last.run == run else replace(last, run=run, before=None)
        self._on_progress = on_progress
        self._walked = Walked()
        self._planned_at = sweep.client.now()
        self._earliest: Millis | None = None
        history_from = Millis(self._planned_at - sweep.settings.history_days * DAY_MS)
        self._from = history_from if self._last.before is None else max(history_from, midnight(self._last.before))
        self._plan = self._planned(big=last.order_pages > BIG_PAGES or self._last.before is not None)

    @property
    def _started_at(self) -> Millis:
        """Start of the first request, by the vendor's clock as it was known after the answer."""
        return self._earliest or self._planned_at

    async def read(self) -> None:
        """Read and publish all lists. Raises what the reader or the publisher raised first."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    pages: asyncio.Queue[_Arrived | None] = asyncio.Queue(PAGES_WAITING)
                    group.create_task(self._publish_from(pages))
                    await self._read_into(pages)
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            if not self._plan.too_big:
                return
            self._plan = self._planned(big=True)

    async def finish(self) -> None:
        """Only after everything was read and published: snapshots, then OrdersSwept, then the cursor."""
        sweep = self._sweep
        swept = self._swept()
        for records in self._snapshots(swept):
            await sweep.publisher.publish(records)
        await sweep.publisher.publish_everywhere(swept_record(sweep.org, swept, sweep.client.own_now()))
        order_pages, customer_pages = self._plan.pages()
        done = Resumption(order_pages=order_pages, customer_pages=customer_pages)
        await sweep.cursors.save(sweep.org, SOURCE, Cursor(swept.started_at, done.detail()))

    async def bury(self, error: UnreadableAnswer) -> None:
        """A page that is no page: its bytes are kept."""
        letter = DeadLetter(error.body, str(error), type(error).__name__, self._sweep.client.now())
        self._walked.add_unreadable(error.body)
        await self._sweep.publisher.publish(dead_letter_records(self._sweep.org, letter))

    def result(self, calls: int, errors: dict[str, int], reason: str | None = None) -> WalkResult:
        walked = self._walked
        counts = (walked.orders, walked.customers, walked.unreadable, calls)
        return WalkResult(reason is None, *counts, self._started_at, reason, errors)

    def _planned(self, *, big: bool) -> Plan:
        window = (self._from, self._planned_at)
        return plan(self._sweep.client, window, self._sweep.settings.requests_at_once, self._last, big=big)

    async def _read_into(self, pages: asyncio.Queue[_Arrived | None]) -> None:
        at_once = self._sweep.settings.requests_at_once
        async with aclosing(read(self._plan.listings, at_once)) as arriving:
            async for listing, _, page in arriving:
                await pages.put(_Arrived(listing, page))
                if self._plan.too_big:
                    break
        await pages.put(None)

    async def _publish_from(self, pages: asyncio.Queue[_Arrived | None]) -> None:
        while (arrived := await pages.get()) is not None:
            listing, page = arrived
            self._earliest = min(self._earliest or page.started_at, page.started_at)
            is_customers = listing is self._plan.customers
            records = [record for item in page.items for record in self._records(item, page, is_customers)]
            if records:
                await self._sweep.publisher.publish(records)
            self._plan.published[listing] += 1
            self._tell(listing)
            await self._save_progress()

    def _records(self, item: Item, page: Page, is_customers: bool) -> Iterator[Output]:
        return self._customer(item, page) if is_customers else self._order(item, page)

    def _customer(self, item: Item, page: Page) -> Iterator[Output]:
        seen = self._sweep.translator.customer(item, page.started_at)
        if isinstance(seen, DeadLetter):
            yield from self._dead(seen)
            return
        self._walked.add_customer(seen.customer)
        yield from customer_records(self._sweep.org, seen)

    def _order(self, item: Item, page: Page) -> Iterator[Output]:
        seen = self._sweep.translator.order(item, page.started_at)
        if seen is None:
            return
        if isinstance(seen, DeadLetter):
            if seen.order is not None and seen.customer is not None:
                self._walked.add_order(seen.order, seen.customer, UNREADABLE, seen.observed_at)
            yield from self._dead(seen)
        elif self._walked.add_order(OrderId(seen.fact.order), seen.customer, seen.fact.content_hash, page.started_at):
            yield from order_records(self._sweep.org, seen)

    def _dead(self, letter: DeadLetter) -> Iterator[Output]:
        if self._walked.add_unreadable(letter.raw):
            yield from dead_letter_records(self._sweep.org, letter)

    async def _save_progress(self) -> None:
        """After a month of a big history: what was published need not be read again should this walk be cut off."""
        before = self._plan.finished_before
        if before is not None and before > (self._last.before or date.min):
            self._last = replace(self._last, before=before)
            await self._sweep.cursors.save(self._sweep.org, SOURCE, Cursor(midnight(before), self._last.detail()))

    def _swept(self) -> OrdersSwept:
        walk = f"{self._run}:{self._attempt}"
        return OrdersSwept(self._run, self._attempt, walk, True, self._from, self._started_at, self._started_at)

    def _snapshots(self, swept: OrdersSwept) -> Iterator[list[Output]]:
        """In lots that one call of the publisher takes."""
        records: list[Output] = []
        for done, (customer, orders) in enumerate(self._walked.by_customer(), 1):
            records += snapshot_records(self._sweep.org, customer, orders, swept)
            if len(records) >= RECORDS_AT_ONCE:
                yield records
                records = []
                self._on_progress(Progress("snapshots", done))
        yield records

    def _tell(self, listing: Listing) -> None:
        if listing is self._plan.customers:
            total = self._walked.customers if listing.complete else None
            self._on_progress(Progress("customers", self._walked.customers, total))
        else:
            total = self._walked.orders if all(each.complete for each in self._plan.orders) else None
            self._on_progress(Progress("orders", self._walked.orders, total))


class _Arrived(NamedTuple):
    listing: Listing
    page: Page
