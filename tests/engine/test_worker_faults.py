"""Real workers on a real Kafka: killed, paused, cut off and restarted. Totals are exact, entries are there once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from rocksdict import Options, Rdict

from stream.contracts import topics
from stream.engine.faust.store import OFFSET_KEY
from stream.engine.faust.worker import EXIT_FENCED
from stream.engine.state import accounts_of
from stream.sandbox.kafka import EmbeddedKafka
from tests.engine.running import Bench
from tests.engine.shop import ORG, Shop

KILLS = 3


@pytest.fixture
async def bench(kafka: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(kafka, topic_prefix, tmp_path) as bench:
        yield bench


async def test_a_worker_killed_at_random_over_200_000_orders_counts_each_once(bench: Bench) -> None:
    shop, draw = Shop(200_000, 20_000), Random(1)
    await bench.publisher.publish(shop.facts)
    worker = bench.worker()
    await worker.start()
    moments = sorted(draw.randrange(shop.entries * 9 // 10) for _ in range(KILLS))
    for number, moment in enumerate(moments):
        await bench.reader.until_entries(moment)
        await worker.kill()
        if number == 1:
            worker.forget()  # another machine
        await worker.start()
    await bench.reader.until_entries(shop.entries)
    assert await worker.stop() == 0

    await bench.exactly_once(shop)


async def test_a_worker_paused_while_another_takes_over_is_fenced(bench: Bench) -> None:
    shop = Shop(150_000, 15_000)
    await bench.publisher.publish(shop.facts)
    paused, other = bench.worker("w1"), bench.worker("w2")
    await paused.start()
    await bench.reader.until_entries(shop.entries // 50)
    paused.signal(signal.SIGSTOP)  # in the middle of a unit: there is always one
    await other.start()
    await bench.reader.until_entries(shop.entries)
    paused.signal(signal.SIGCONT)

    assert await paused.ended() == EXIT_FENCED
    assert await other.stop() == 0
    await bench.exactly_once(shop)


async def test_a_worker_that_was_stopped_goes_on_whatever_became_of_its_folder(bench: Bench) -> None:
    """Lost, or ahead of the changelog (which lost its tail)."""
    shop = Shop(9_000, 900)
    third = len(shop.facts) // 3
    worker = bench.worker()
    await _commit_offsets_far_ahead(bench, third)
    for number in range(3):
        await bench.publisher.publish(shop.facts[number * third : (number + 1) * third])
        await worker.start()
        await worker.ready()
        await bench.reader.until_entries((number + 1) * third)
        assert await worker.stop() == 0
        if number == 0:
            worker.forget()
        else:
            _get_ahead_of_the_changelog(worker.data_dir)

    assert 3 * third == shop.entries
    await bench.exactly_once(shop)


async def _commit_offsets_far_ahead(bench: Bench, records: int) -> None:
    """As a power cut leaves it that took the changelog's tail, and not that of the group's offsets."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bench.bootstrap, group_id=f"{bench.prefix}worker", enable_auto_commit=False
    )
    await consumer.start()
    everywhere = [TopicPartition(bench.prefix + topics.FACTS.name, number) for number in range(bench.partitions)]
    consumer.assign(everywhere)
    await consumer.commit(dict.fromkeys(everywhere, records // bench.partitions // 2))
    await consumer.stop()


def _get_ahead_of_the_changelog(folder: Path) -> None:
    stores = list(folder.rglob("accounts-?.db"))
    assert len(stores) == 4
    for path in stores:
        database = Rdict(str(path), Options(raw_mode=True))
        database[accounts_of(ORG) + b"never-in-the-changelog"] = b"\x91\x01"
        database[OFFSET_KEY] = b"1000000"
        database.close()


class Trade:
    """A shop's facts, little by little: the next ones are published when the ones before have arrived, until enough."""

    def __init__(self, bench: Bench, shop: Shop) -> None:
        self.published = 0
        self._bench = bench
        self._shop = shop

    async def until(self, enough: asyncio.Event, at_a_time: int = 40) -> None:
        """Trade until `enough` is set, so that there is always something under way."""
        while not enough.is_set() and self.published < self._shop.entries:
            await self.more(at_a_time)
            await self._bench.reader.until_entries(self.published)

    async def more(self, count: int) -> None:
        """Publish so many more facts."""
        facts = self._shop.facts[self.published : self.published + count]
        await self._bench.publisher.publish(facts)
        self.published += len(facts)


async def test_workers_that_join_under_load_share_it_and_one_too_many_waits(bench: Bench) -> None:
    shop, joined = Shop(40_000, 4_000), asyncio.Event()
    trade = Trade(bench, shop)
    workers = [bench.worker(f"w{number}") for number in range(bench.partitions + 1)]
    await workers[0].start()
    await workers[0].ready()
    trading = asyncio.create_task(trade.until(joined))
    traded = [trade.published]
    for worker in workers[1:]:
        await worker.start()
    for worker in workers[1:]:
        await worker.ready()
        traded.append(trade.published)
    joined.set()
    await trading
    before = trade.published
    await trade.more(shop.entries)
    await bench.reader.until_entries(shop.entries)

    assert traded[0] < traded[-1] <= before < shop.entries, "there was trade while they joined, and all the time"
    assert all(worker.runs for worker in workers), [worker.log_end() for worker in workers]
    for worker in workers:
        await worker.kill()
    await bench.exactly_once(shop)


async def test_a_worker_told_to_stop_in_the_middle_of_its_work_ends_well_and_goes_on_later(bench: Bench) -> None:
    shop = Shop(80_000, 8_000)
    await bench.publisher.publish(shop.facts)
    worker = bench.worker()
    for _ in range(2):
        await worker.start()
        await worker.ready()
        await bench.reader.until_entries(bench.reader.entries + 1)
        assert await worker.stop() == 0, worker.log_end()
        assert await bench.reader.end(topics.ENTRIES) < shop.entries, "there was work left"
    await worker.start()
    await bench.reader.until_entries(shop.entries)
    assert await worker.stop() == 0

    await bench.exactly_once(shop)


async def test_a_log_with_a_hole_stops_its_partition_and_no_other(bench: Bench) -> None:
    shop = Shop(4_000, 400)
    await bench.publisher.publish(shop.facts)
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
    await admin.start()
    hole = TopicPartition(bench.prefix + topics.FACTS.name, 2)
    await admin.delete_records({hole: RecordsToDelete(500)})
    await admin.close()
    elsewhere = [output for output in shop.facts if bench.partition_of(output) != hole.partition]
    worker = bench.worker()
    await worker.start()
    await worker.ready()
    await bench.reader.until_entries(len(elsewhere))
    assert await worker.stop() == 0

    assert "records 0 to 500 (exclusive) were deleted before they were applied" in worker.log_text()
    entries = await bench.reader.everything(topics.ENTRIES)
    assert len(entries) == len(elsewhere)
    assert {record.partition for record in entries} == {0, 1, 3}


async def test_nothing_is_lost_while_the_broker_does_not_answer(topic_prefix: str, tmp_path: Path) -> None:
    shop = Shop(20_000, 2_000)
    async with EmbeddedKafka(tmp_path) as broker, Bench(broker.bootstrap, topic_prefix, tmp_path) as bench:
        await bench.publisher.publish(shop.facts)
        worker = bench.worker()
        await worker.start()
        await bench.reader.until_entries(shop.entries // 10)
        broker.pause()
        await asyncio.sleep(3)  # how long it is cut off
        broker.resume()
        await bench.reader.until_entries(shop.entries)
        assert await worker.stop() == 0

        await bench.exactly_once(shop)


async def test_a_worker_that_cannot_go_on_exits(bench: Bench) -> None:
    """Faust would acknowledge what failed, or log it, or stay and do nothing."""
    await bench.publisher.publish(Shop(100, 10).facts)
    worker = bench.worker()
    await worker.start()
    await bench.reader.until_entries(110)
    await worker.kill()
    worker.forget()
    await bench.publisher.publish(Shop(100, 10, seed=2).facts)
    for what, said in {
        "fencing": "no space left",
        "recovery": "state could not be recovered",
        "a unit": "a unit could not be committed",
    }.items():
        failing = bench.worker("w1", fail=what)
        await failing.start()
        assert await failing.ended() == 1, what
        assert said in failing.log_text()
