"""Reading a list of unknown length, many pages at once.

No list says how long it is. It ends before an empty page, or, for those who are content with less than proof, with a
short one: shorter than the longest page seen of that list. (The size asked for says nothing: a vendor may cap it.)
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from producers.alleaves.pages import Page
from stream.errors import Unreadable

MAX_PAGES = 100_000


class FullPage:
    """How long a full page of a list is: the longest seen so far."""

    def __init__(self) -> None:
        self.items = 0

    def seen(self, items: int) -> None:
        self.items = max(self.items, items)


class Listing:
    """The pages of one list, requested ahead of their answers.

    `at_once`: pages in flight. `confirm`: only an empty page ends the list, a short one does not. `first_alone`: ask
    for more only when the first page turned out to be full. `expected`: the page that ended the list last time; none
    beyond is asked for before that one has been seen. `rank`: lists of a lower one are served first.
    """

    def __init__(
        self,
        fetch: Callable[[int], Awaitable[Page]],
        full: FullPage,
        *,
        at_once: int,
        confirm: bool = False,
        first_alone: bool = False,
        expected: int = 0,
        rank: int = 0,
    ) -> None:
        self.fetch = fetch
        self.rank = rank
        self._full = full
        self._at_once = at_once
        self._confirm = confirm
        self._first_alone = first_alone
        self._expected = expected
        self._requested: set[int] = set()
        self._items: dict[int, int] = {}
        self._bodies: dict[bytes, int] = {}

    @property
    def last(self) -> int:
        """The last page so far that has anything; 0: none."""
        return max((page for page, items in self._items.items() if items), default=0)

    @property
    def ended(self) -> bool:
        """Whether the list is known to go no further than `last`."""
        last = self.last
        return self._items.get(last + 1) == 0 or (self._short(last) and not self._confirm)

    @property
    def complete(self) -> bool:
        """Whether every page has been taken, those asked for because the list had them last time included: something
        there shows that an empty page before was not the end."""
        asked = {page for page in self._requested if page <= self._expected}
        return self.ended and self._items.keys() >= asked | set(range(1, self.last + 1))

    @property
    def taken(self) -> int:
        """How many pages have been answered."""
        return len(self._items)

    def next_page(self) -> int | None:
        """The page to ask for now, if any."""
        if len(self._requested) - len(self._items) >= self._ahead():
            return None
        page = self._lowest()
        return page if page <= self._bound() else None

    def request(self, page: int) -> Awaitable[Page]:
        """Ask for that page."""
        self._requested.add(page)
        return self.fetch(page)

    def take(self, number: int, page: Page) -> None:
        """Note an answer. Raises `Unreadable` when a page repeats another (the vendor does not page, then), and when
        one has something though an earlier one had nothing (that one is missing)."""
        if page.items:
            digest = hashlib.blake2b(page.body, digest_size=16).digest()
            if (same := self._bodies.setdefault(digest, number)) != number:
                raise Unreadable(f"Alleaves answers page {number} of a list with page {same} again")
        self._items[number] = len(page.items)
        if (hole := min((p for p, items in self._items.items() if not items), default=MAX_PAGES)) < self.last:
            raise Unreadable(f"Alleaves lists nothing on page {hole} of a list, but something on page {self.last}")
        self._full.seen(len(page.items))

    def _short(self, page: int) -> bool:
        return page > 0 and self._items[page] < self._full.items

    def _ahead(self) -> int:
        return 1 if self._first_alone and 1 not in self._items else self._at_once

    def _lowest(self) -> int:
        page = 1
        while page in self._requested:
            page += 1
        return page

    def _bound(self) -> int:
        """The highest page worth asking for."""
        last = self.last
        if self.ended:
            return last
        if self._short(last):
            return last + 1  # very likely the end: one more page proves it
        empty = min((page for page, items in self._items.items() if not items and page > last), default=MAX_PAGES)
        waiting_for_expected = self._expected and self._expected not in self._items
        return min(empty - 1, self._expected) if waiting_for_expected else empty - 1


async def read(listings: Sequence[Listing], at_once: int) -> AsyncGenerator[tuple[Listing, int, Page], None]:
    """Every page of every list, as they arrive, with at most `at_once` in flight.

    Slots go to the lists in order of rank; within a rank to the page that is the least of a guess, the nearest to the
    last page that is known to have something.
    Raises what fetching a page raised. To keep the requests going, the caller must not linger between pages.
    """
    running: dict[asyncio.Task[Page], tuple[Listing, int]] = {}
    try:
        while True:
            _start(listings, running, at_once)
            if all(listing.complete for listing in listings):
                return  # what is still in flight lies beyond the end
            if not running:
                raise Unreadable(f"Alleaves lists more than {MAX_PAGES} pages")
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            arrived = [(*running.pop(task), task.result()) for task in sorted(done, key=lambda task: running[task][1])]
            for listing, number, page in arrived:
                listing.take(number, page)
            _start(listings, running, at_once)
            for each in arrived:
                yield each
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _start(listings: Sequence[Listing], running: dict[asyncio.Task[Page], tuple[Listing, int]], at_once: int) -> None:
    while len(running) < at_once:
        ready = [(listing, page) for listing in listings if (page := listing.next_page()) is not None]
        if not ready:
            return
        listing, page = min(ready, key=lambda each: (each[0].rank, each[1] - each[0].last))
        running[asyncio.ensure_future(listing.request(page))] = (listing, page)
