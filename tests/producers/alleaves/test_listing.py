"""Reading lists of unknown length, many pages at once: in virtual rounds, so that waste can be counted."""

from __future__ import annotations

import asyncio

import pytest

from producers.alleaves.listing import FullPage, Listing, read
from producers.alleaves.pages import Item, Page
from stream.contracts.names import Millis
from stream.errors import Unavailable, Unreadable


class Rounds:
    """Answers all requests in flight together, one round after another, in the order in which they came."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._ticking: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answered)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        await answered

    async def _tick(self) -> None:
        while self._waiting:
            for _ in range(20):  # until nobody adds anything
                await asyncio.sleep(0)
            waiting, self._waiting = self._waiting, []
            self.sizes.append(len(waiting))
            for answered in waiting:
                if not answered.done():
                    answered.set_result(None)
                await asyncio.sleep(0)


class Rows:
    """A list of so many rows, `size` a page; `pages` overrides how many rows single pages have."""

    def __init__(self, rows: int, rounds: Rounds, size: int = 100, **pages: int) -> None:
        self.asked: list[int] = []
        self._rows, self._rounds, self._size = rows, rounds, size
        self._pages = {int(name.removeprefix("page")): count for name, count in pages.items()}

    async def fetch(self, number: int) -> Page:
        self.asked.append(number)
        await self._rounds.wait()
        left = max(0, min(self._size, self._rows - (number - 1) * self._size))
        count = self._pages.get(number, left)
        items = tuple(Item((number, row), b"") for row in range(count))
        return Page(items, Millis(0), f"{number}".encode() if items else b"[]")


async def read_all(*listings: Listing, at_once: int = 10) -> list[int]:
    """Rows of each page, in order of arrival."""
    return [len(page.items) async for _, _, page in read(listings, at_once)]


async def test_the_first_walk_of_a_shop_takes_as_few_rounds_as_it_can() -> None:
    rounds = Rounds()
    orders, customers = Rows(2_689, rounds), Rows(1_641, rounds)
    listings = [Listing(rows.fetch, FullPage(), at_once=10, confirm=True) for rows in (customers, orders)]
    assert sum(await read_all(*listings)) == 2_689 + 1_641
    assert len(rounds.sizes) == 5, "46 pages, 10 at once"
    assert max(rounds.sizes) == 10


async def test_a_walk_that_knows_the_lengths_asks_for_no_page_in_vain() -> None:
    rounds = Rounds()
    orders, customers = Rows(2_689, rounds), Rows(1_641, rounds)
    listings = [
        Listing(orders.fetch, FullPage(), at_once=10, confirm=True, expected=28),
        Listing(customers.fetch, FullPage(), at_once=10, confirm=True, expected=18),
    ]
    assert sum(await read_all(*listings)) == 2_689 + 1_641
    assert (sorted(orders.asked), sorted(customers.asked)) == (list(range(1, 29)), list(range(1, 19)))


@pytest.mark.parametrize("expected", [0, 1, 2, 5, 9, 50])
@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 250, 400])
@pytest.mark.parametrize("confirm", [True, False])
async def test_every_row_is_read_whatever_was_expected(rows: int, expected: int, confirm: bool) -> None:
    full = FullPage()
    full.seen(100)
    listing = Listing(Rows(rows, Rounds()).fetch, full, at_once=3, confirm=confirm, expected=expected)
    assert sum(await read_all(listing)) == rows
    assert listing.complete


@pytest.mark.parametrize(
    ("rows", "asked"),
    [(0, 1), (42, 1), (99, 1), (100, 5), (130, 5)],
)
async def test_a_poll_reads_on_only_when_the_first_page_is_full(rows: int, asked: int) -> None:
    full = FullPage()
    full.seen(100)
    source = Rows(rows, Rounds())
    listing = Listing(source.fetch, full, at_once=4, first_alone=True)
    assert sum(await read_all(listing)) == rows
    assert len(source.asked) == asked


async def test_a_vendor_that_gives_smaller_pages_than_asked_for_is_read_to_its_end() -> None:
    source = Rows(260, Rounds(), size=50)
    listing = Listing(source.fetch, FullPage(), at_once=2, first_alone=True)
    assert sum(await read_all(listing)) == 260


async def test_a_short_page_in_the_middle_does_not_end_a_walk() -> None:
    source = Rows(500, Rounds(), page2=97)
    listing = Listing(source.fetch, FullPage(), at_once=1, confirm=True)
    assert sum(await read_all(listing)) == 497


async def test_a_vendor_that_does_not_page_is_noticed() -> None:
    async def same(number: int) -> Page:
        return Page((Item(1, b"1"),), Millis(0), b"[1]")

    with pytest.raises(Unreadable, match="page 2 of a list with page 1 again"):
        await read_all(Listing(same, FullPage(), at_once=1))


async def test_a_failing_page_ends_the_reading_and_what_is_in_flight() -> None:
    cancelled: list[int] = []

    async def fetch(number: int) -> Page:
        if number == 2:
            raise Unavailable("down")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        raise AssertionError

    with pytest.raises(Unavailable):
        await read_all(Listing(fetch, FullPage(), at_once=4))
    assert sorted(cancelled) == [1, 3, 4]


async def test_lists_of_a_lower_rank_are_served_first() -> None:
    rounds = Rounds()
    months = [Rows(300, rounds), Rows(300, rounds)]
    listings = [Listing(month.fetch, FullPage(), at_once=2, rank=rank) for rank, month in enumerate(months)]
    await read_all(*listings, at_once=2)
    assert months[0].asked[:4] == [1, 2, 3, 4]
    assert rounds.sizes[:2] == [2, 2]


@pytest.mark.parametrize("at_once", [5, 10])
async def test_nothing_in_the_middle_of_a_list_is_a_fault_of_the_vendor_and_no_end(at_once: int) -> None:
    """A walk that took it for an answer would be complete without five hundred orders."""
    listing = Listing(Rows(700, Rounds(), page3=0).fetch, FullPage(), at_once=at_once, confirm=True, expected=8)
    with pytest.raises(Unreadable, match="nothing on page 3 of a list, but something on page"):
        await read_all(listing)
