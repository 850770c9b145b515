"""Processes killed, paused and cut off, many times, over 200,000 orders (`make chaos`)."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

import pytest

from stream.engine.faust.worker import EXIT_FENCED
from stream.sandbox.kafka import EmbeddedKafka
from tests.engine.running import Bench, WorkerProcess
from tests.engine.shop import Shop

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

KILLS = 20
ORDERS, CUSTOMERS = 200_000, 20_000


@pytest.fixture
async def bench(kafka: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka, topic_prefix, tmp_path) as bench:
        yield bench


async def killed(bench: Bench, shop: Shop, workers: Sequence[WorkerProcess], draw: Random) -> None:
    """Kill one of the workers at each of `KILLS` moments of the run; a third of them lose their disk."""
    published = 0
    for moment in sorted(draw.randrange(shop.entries) for _ in range(KILLS)):
        # What is published runs ahead of the moment, so that there is work to be killed in.
        ahead = min(shop.entries, moment + shop.entries // 10)
        await bench.publisher.publish(shop.facts[published:ahead])
        published = max(published, ahead)
        await bench.reader.until_entries(moment, seconds=180)
        victim = draw.choice(workers)
        await asyncio.sleep(draw.random() / 2)  # anywhere in a unit
        await victim.kill()
        if draw.random() < 1 / 3:
            victim.forget()
        await victim.start()
    await bench.publisher.publish(shop.facts[published:])
    await bench.reader.until_entries(shop.entries, seconds=180)
    for worker in workers:
        await worker.kill()
    await bench.exactly_once(shop)


async def supervised(bench: Bench, worker: WorkerProcess, entries: int) -> int:
    """Start the worker again whenever it has ended, until there are so many entries; how often it was started."""
    starts = 0
    while bench.reader.entries < entries:
        if not worker.runs:
            starts += 1
            if starts % 3 == 0:
                worker.forget()
            await worker.start()
        await bench.reader.until(lambda: bench.reader.entries >= entries or not worker.runs, 180)
    return starts


async def test_one_worker_killed_20_times(bench: Bench) -> None:
    worker = bench.worker()
    await worker.start()
    await killed(bench, Shop(ORDERS, CUSTOMERS), [worker], Random(1))


async def test_two_workers_killed_20_times(bench: Bench) -> None:
    workers = [bench.worker("w1"), bench.worker("w2")]
    for worker in workers:
        await worker.start()
    await killed(bench, Shop(ORDERS, CUSTOMERS), workers, Random(2))


async def test_a_worker_that_dies_between_steps(bench: Bench) -> None:
    """Before begin, send, store, commit, and between the commit and the local store; again and again."""
    shop = Shop(ORDERS, CUSTOMERS)
    worker, starts = bench.worker(die=0.02), 0
    for part in range(20):  # in parts, so that there are many units
        await bench.publisher.publish(shop.facts[part * shop.entries // 20 : (part + 1) * shop.entries // 20])
        starts += await supervised(bench, worker, (part + 1) * shop.entries // 20)
    await worker.kill()

    assert starts > 5
    await bench.exactly_once(shop)


async def test_workers_that_are_paused_in_turn(bench: Bench) -> None:
    """Each time the other one takes over, and the paused one is fenced (or finds that it owns nothing any more)."""
    shop, fenced = Shop(ORDERS, CUSTOMERS), 0
    working, other = bench.worker("w1"), bench.worker("w2")
    await working.start()
    for part in range(4):
        await bench.publisher.publish(shop.facts[part * shop.entries // 4 : (part + 1) * shop.entries // 4])
        await bench.reader.until_entries(part * shop.entries // 4 + shop.entries // 20)
        working.signal(signal.SIGSTOP)
        await other.start()
        await bench.reader.until_entries((part + 1) * shop.entries // 4)
        working.signal(signal.SIGCONT)
        fenced += await working.ended() == EXIT_FENCED
        working, other = other, working
    await working.kill()

    assert fenced == 4
    await bench.exactly_once(shop)


@pytest.mark.parametrize("seconds", [3, 14, 40], ids=["a moment", "beyond the session", "beyond the transaction"])
async def test_a_broker_that_does_not_answer_for_a_while(seconds: int, topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(60_000, 6_000)
    async with EmbeddedKafka(tmp_path) as broker, Bench(broker.bootstrap, topic_prefix, tmp_path) as bench:
        await bench.publisher.publish(shop.facts)
        worker = bench.worker()
        await worker.start()
        await bench.reader.until_entries(shop.entries // 10)
        broker.pause()
        await asyncio.sleep(seconds)  # how long it is cut off
        broker.resume()
        await supervised(bench, worker, shop.entries)
        await worker.kill()
        await bench.exactly_once(shop)


async def test_a_broker_that_is_restarted(topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(60_000, 6_000)
    async with EmbeddedKafka(tmp_path) as broker, Bench(broker.bootstrap, topic_prefix, tmp_path) as bench:
        await bench.publisher.publish(shop.facts)
        worker = bench.worker()
        await worker.start()
        await bench.reader.until_entries(shop.entries // 10)
        await broker.stop()
        await broker.start()
        await supervised(bench, worker, shop.entries)
        await worker.kill()
        await bench.exactly_once(shop)
