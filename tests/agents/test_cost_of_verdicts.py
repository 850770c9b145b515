"""What discrepancies may cost a run, counted: lines are read once and only of who disagrees, and transactions stay of
one size. The time is `python -m bench verdicts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from stream.contracts import topics
from stream.engine import unit
from stream.engine.memory.log import MemoryStore
from tests.agents.builders import FIRST, ORG, Shop, member, settings

CUSTOMERS = 40
APART = 25
AGREED = [member(f"c{number:02}", 100) for number in range(CUSTOMERS)]
WRONG = [member(f"c{number:02}", 400 if number < APART else 100) for number in range(CUSTOMERS)]


class WatchedStore(MemoryStore):
    """Counts whose lines are scanned."""

    def __init__(self) -> None:
        super().__init__()
        self.scanned: Counter[bytes] = Counter()

    def scan(self, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        if prefix.startswith(b"o|"):
            self.scanned[prefix] += 1
        return super().scan(prefix, after)


async def reconciled_once() -> tuple[Shop, WatchedStore]:
    """A shop of one partition in which all agree."""
    store = WatchedStore()
    shop = await Shop(partitions=1, stores={("accounts", 0): store}).open(settings())
    for number in range(CUSTOMERS):
        shop.enrol(f"c{number:02}", 10_000)
    await shop.settle()
    shop.walk(FIRST)
    await shop.settle()
    shop.sweep(FIRST, AGREED)
    await shop.settle()
    return shop, store


async def walked(shop: Shop) -> str:
    """The next run, up to where only the balances are missing."""
    run = shop.request()
    await shop.settle()
    shop.walk(run)
    await shop.settle()
    return run


async def test_lines_are_read_once_of_who_disagrees_and_of_nobody_else() -> None:
    shop, store = await reconciled_once()
    run = await walked(shop)
    store.scanned.clear()
    shop.sweep(run, AGREED)
    await shop.settle()
    assert store.scanned == {}

    run = await walked(shop)
    store.scanned.clear()
    shop.sweep(run, WRONG)
    await shop.settle()
    assert len(shop.cases()) == APART
    assert store.scanned == {f"o|{ORG}:c{number:02}|".encode(): 1 for number in range(APART)}


@pytest.mark.parametrize(("outputs", "transactions"), [(1_000, 1), (30, 3), (3, APART)])
async def test_cases_are_committed_in_transactions_of_a_size(
    outputs: int, transactions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile, case and alert of each: 30 outputs are 10 customers who disagree, however many agree between them."""
    shop, _ = await reconciled_once()
    run = await walked(shop)
    monkeypatch.setattr(unit, "CHUNK_OUTPUTS", outputs)
    before = shop.broker.end(topics.CASES.name, 0)
    shop.sweep(run, WRONG)
    await shop.settle()
    said = shop.broker.read(topics.CASES.name, 0, before)
    assert len(said) == APART
    assert 1 + sum(later.offset != one.offset + 1 for one, later in pairwise(said)) == transactions
    assert shop.said("RunCompleted")[-1].tally.discrepancy == APART
