"""Polling: what changed at the point of sale in the last hours, every few seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, NoReturn

import structlog

from producers.alleaves.client import AlleavesClient
from producers.alleaves.listing import Listing, read
from producers.alleaves.pages import Page
from producers.alleaves.records import SOURCE, dead_letter_records, order_records, reassigned_record
from producers.alleaves.times import DAY_MS, day_of
from producers.alleaves.translate import DeadLetter, OrderSeen, Translator
from producers.alleaves.walks import Walks
from producers.cursors import Cursors
from producers.http import Clock, UnreadableAnswer
from producers.redaction import redacted
from stream.contracts.cursors import Cursor
from stream.contracts.names import CustomerId, Millis, OrgId
from stream.engine.ports import Output, Publisher
from stream.errors import Unavailable, VendorError
from stream.settings import AlleavesSettings

BUSY_SECONDS = 1.0
"""The shortest interval, while every poll finds something new."""
BACKOFF_MAX_SECONDS = 60.0
SAVE_EVERY_MS = 60_000
DAYS_BEFORE, DAYS_AFTER = 1, 2
"""How far the dates asked for go beyond the window: their zone may be up to a day from UTC, the last excluded."""


class Known(NamedTuple):
    """What was last published of an order: whose it was, its content's hash and when it was created."""

    customer: CustomerId
    content_hash: str
    created_at: int


@dataclass(frozen=True)
class PollResult:
    """Counts of one poll: distinct `orders` listed, facts `published`, new `unreadable` ones, `pages` read."""

    orders: int
    published: int
    unreadable: int
    pages: int


@dataclass
class PollerStatus:
    """For metrics and health: UTC ms of the last success; since when it fails, in a row, and why."""

    last_success_at: Millis | None = None
    failing_since: Millis | None = None
    failures_in_a_row: int = 0
    reason: str | None = None


class Poller:
    """One org's orders, as they change.

    Windows overlap, what was published before is recognised by its content's hash (in memory), and the cursor goes
    on only when all of a poll has been acknowledged: so a crash repeats facts and never loses one.
    """

    def __init__(
        self,
        *,
        org: OrgId,
        client: AlleavesClient,
        translator: Translator,
        publisher: Publisher,
        cursors: Cursors,
        settings: AlleavesSettings,
        clock: Clock | None = None,
        on_poll: Callable[[PollResult], None] = lambda result: None,
        walks: Walks | None = None,
    ) -> None:
        self.status = PollerStatus()
        self._org = org
        self._client = client
        self._translator = translator
        self._publisher = publisher
        self._cursors = cursors
        self._settings = settings
        self._clock = clock or Clock()
        self._on_poll = on_poll
        self._walks = walks or Walks()
        self._context = self._seen_context()
        self._through: Millis | None = None
        self._saved_at = Millis(0)
        self._known: dict[str, Known] = {}
        self._dead: set[bytes] = set()
        self._log = structlog.get_logger("alleaves.poller").bind(org=org)

    async def run(self) -> NoReturn:
        """Poll for ever: every `poll_seconds` from start to start; sooner while orders come in, half as long after
        each poll that found some, down to a second; after a failure later and later, up to a minute.

        Vendor errors end in `status`; what the publisher or the cursors raise is the caller's.
        """
        interval = self._settings.poll_seconds
        while True:
            began = self._clock.monotonic()
            try:
                result = await self.poll()
            except VendorError as error:
                await self._clock.sleep(self._failed(error))
                continue
            self._on_poll(result)
            interval = self._next_interval(interval, result)
            await self._clock.sleep(max(0.0, interval - (self._clock.monotonic() - began)))

    def _next_interval(self, interval: float, result: PollResult) -> float:
        """Orders come in bursts: after one, the next is likely. `poll_seconds` is never exceeded."""
        longest = self._settings.poll_seconds
        return max(interval / 2, min(BUSY_SECONDS, longest)) if result.published else longest

    async def poll(self) -> PollResult:
        """One poll. Raises `VendorError` when a page could not be read: then nothing of it was published."""
        window_from = await self._window_from()
        try:
            pages = await self._pages(window_from)
        except UnreadableAnswer as error:
            await self._bury(error)
            raise
        orders, letters = self._translated(pages)
        self._forget_when_others_spoke()
        changed = [seen for seen in orders.values() if self._is_new(seen)]
        fresh = {_digest(letter.raw): letter for letter in letters}
        unseen = [letter for digest, letter in fresh.items() if digest not in self._dead]
        outputs = list(self._changes(changed))
        for letter in unseen:
            outputs += dead_letter_records(self._org, letter)
        if outputs:
            await self._publisher.publish(outputs)
        self._remember(changed, orders.keys(), set(fresh), window_from)
        await self._advance(Millis(min(page.started_at for page in pages)), bool(outputs))
        return PollResult(len(orders), len(outputs), len(unseen), len(pages))

    async def _window_from(self) -> Millis:
        """Where to read from: the overlap before the cursor, never before the history."""
        now = self._client.now()
        if self._through is None:
            cursor = await self._cursors.load(self._org, SOURCE)
            self._through = now if cursor is None else Millis(cursor.through)
        through = min(self._through, now)
        start = through - round(self._settings.overlap_seconds * 1000)
        return Millis(max(start, now - self._settings.history_days * DAY_MS))

    async def _pages(self, window_from: Millis) -> list[Page]:
        start = day_of(window_from) - timedelta(days=DAYS_BEFORE)
        end = day_of(self._client.now()) + timedelta(days=DAYS_AFTER)
        at_once = self._settings.requests_at_once
        listing = Listing(
            lambda number: self._client.orders(number, start, end),
            self._client.full_orders,
            at_once=at_once,
            first_alone=True,
        )
        async with aclosing(read([listing], at_once)) as arriving:
            return [page async for _, _, page in arriving]

    def _translated(self, pages: list[Page]) -> tuple[dict[str, OrderSeen], list[DeadLetter]]:
        """Each order once, as it was seen last: rows shift between pages."""
        orders: dict[str, OrderSeen] = {}
        letters = []
        for page in sorted(pages, key=lambda page: page.started_at):
            for item in page.items:
                result = self._translator.order(item, page.started_at)
                if isinstance(result, DeadLetter):
                    letters.append(result)
                elif result is not None:
                    orders[result.fact.order] = result
        return orders, letters

    def _seen_context(self) -> tuple[int, float]:
        return self._walks.marks, self._client.http.vendor_offset_seconds

    def _forget_when_others_spoke(self) -> None:
        """What was published is no longer what is known, when a walk has published the same orders meanwhile, or the
        vendor's clock was found to be another: then everything in the window is said again. Whose an order was stays
        known."""
        context = self._seen_context()
        if context != self._context:
            self._context = context
            self._known = {order: known._replace(content_hash="") for order, known in self._known.items()}

    def _is_new(self, seen: OrderSeen) -> bool:
        known = self._known.get(seen.fact.order)
        return known is None or (known.customer, known.content_hash) != (seen.customer, seen.fact.content_hash)

    def _changes(self, changed: list[OrderSeen]) -> Iterator[Output]:
        for seen in changed:
            known = self._known.get(seen.fact.order)
            if known is not None and known.customer != seen.customer:
                yield reassigned_record(self._org, known.customer, seen)
            yield from order_records(self._org, seen)

    def _remember(
        self, changed: list[OrderSeen], listed: Collection[str], dead: set[bytes], window_from: Millis
    ) -> None:
        """Of the window, and of whatever else is listed: by what date the vendor chooses is unknown."""
        for seen in changed:
            self._known[seen.fact.order] = Known(seen.customer, seen.fact.content_hash, seen.fact.created_at)
        oldest = window_from - (DAYS_BEFORE + DAYS_AFTER) * DAY_MS
        self._known = {
            order: known for order, known in self._known.items() if known.created_at >= oldest or order in listed
        }
        self._dead = dead

    async def _advance(self, through: Millis, published: bool) -> None:
        """Everything up to here is acknowledged. A cursor that only time has moved is saved now and then."""
        self._through = through
        self.status = PollerStatus(last_success_at=through)
        if published or through - self._saved_at >= SAVE_EVERY_MS:
            await self._cursors.save(self._org, SOURCE, Cursor(through))
            self._saved_at = through

    async def _bury(self, error: UnreadableAnswer) -> None:
        """A page that is no page: its bytes are kept once, however often it is sent."""
        digest = _digest(error.body)
        if digest not in self._dead:
            now = self._client.now()
            letter = DeadLetter(error.body, str(error), type(error).__name__, now)
            await self._publisher.publish(dead_letter_records(self._org, letter))
            self._dead.add(digest)

    def _failed(self, error: VendorError) -> float:
        """Note the failure; the seconds to wait before the next try."""
        failures = self.status.failures_in_a_row + 1
        now = Millis(round(self._clock.wall() * 1000))
        since = self.status.failing_since or now
        reason = redacted(str(error))
        self.status = PollerStatus(self.status.last_success_at, since, failures, reason)
        self._log.warning("poll failed", reason=reason, failures_in_a_row=failures)
        backoff = min(self._settings.poll_seconds * 2.0 ** min(failures, 10), BACKOFF_MAX_SECONDS)
        asked = error.retry_after if isinstance(error, Unavailable) else None
        return max(backoff, min(asked or 0.0, BACKOFF_MAX_SECONDS))


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()
