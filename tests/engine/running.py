"""Worker processes in tests, and what a `read_committed` reader sees of their work."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.contracts import topics
from stream.contracts.entries import ENTRIES
from stream.contracts.profiles import PROFILES
from stream.contracts.topics import Topic
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.state import accounts_of, decoder
from stream.engine.topics_admin import apply_topics
from stream.loyalty.account import Account
from tests.engine.shop import ORG, Shop, settings_fact
from tests.engine.worker_process import READY, VARIABLE, Options

START_SECONDS = 40.0


class WorkerProcess:
    """One worker under `root`; start it again as often as wanted."""

    def __init__(self, root: Path, options: Options) -> None:
        self.data_dir = Path(options.data_dir)
        self.log = root / f"{options.name}.log"
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process; see `ready`."""
        environment = os.environ | {VARIABLE: msgspec.json.encode(self._options).decode()}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.engine.worker_process", stdout=asyncio.subprocess.PIPE, stderr=log,
                env=environment,
            )  # fmt: skip

    async def ready(self) -> None:
        """Wait until it says so; fails with the end of its log when it does not."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = await self._process.stdout.readline()
        assert line.decode().strip() == READY, f"the worker ended: {self.log_end()}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, seconds: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    def forget(self) -> None:
        """Wipe its folder, as a new machine would have it."""
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def log_end(self) -> str:
        """The end of what it logged."""
        return self.log_text()[-4000:]

    def log_text(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Reader:
    """Reads topics as a subscriber would, `read_committed`. `entries`: how many have been read so far."""

    def __init__(self, bootstrap: str, prefix: str, partitions: int) -> None:
        self._prefix = prefix
        self._partitions = partitions
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 << 20,
        )
        self.entries = 0

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._of(topics.ENTRIES))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def until(self, enough: Callable[[], bool], seconds: float = 90.0) -> None:
        """Read entries until there are `enough` of them."""
        try:
            async with asyncio.timeout(seconds):
                while not enough():
                    for records in (await self._consumer.getmany(timeout_ms=50)).values():
                        self.entries += len(records)
        except TimeoutError:
            raise AssertionError(f"only {self.entries} entries after {seconds:.0f} s") from None

    async def until_entries(self, count: int, seconds: float = 90.0) -> None:
        """Read until there are `count` entries."""
        await self.until(lambda: self.entries >= count, seconds)

    async def everything(self, topic: Topic) -> list[ConsumerRecord[Any, Any]]:
        """Every record of a topic, partition by partition."""
        assigned = self._of(topic)
        self._consumer.assign(assigned)
        await self._consumer.seek_to_beginning(*assigned)
        ends = await self._consumer.end_offsets(assigned)
        found: list[ConsumerRecord[Any, Any]] = []
        for tp in assigned:
            while await self._consumer.position(tp) < ends[tp]:
                found += (await self._consumer.getmany(tp, timeout_ms=500)).get(tp, [])
        return found

    async def end(self, topic: Topic) -> int:
        """Offsets of a topic that are taken: its records, and the markers between them."""
        return sum((await self._consumer.end_offsets(self._of(topic))).values())

    def _of(self, topic: Topic) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic.name, number) for number in range(self._partitions)]


class Bench:
    """A shop's facts in Kafka and workers to apply them. Leaves no process behind."""

    def __init__(self, bootstrap: str, prefix: str, root: Path, partitions: int = 4) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.partitions = partitions
        self._root = root
        self._workers: list[WorkerProcess] = []
        self.reader = Reader(bootstrap, prefix, partitions)
        self.publisher = KafkaPublisher(bootstrap, prefix, client_id="test", patience_seconds=60)

    async def __aenter__(self) -> Self:
        await apply_topics(self.bootstrap, self.prefix, self.partitions, 1)
        await self.publisher.start()
        await self.publisher.publish_everywhere(settings_fact())
        await self.reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            await worker.kill()
        await self.reader.__aexit__(None, None, None)
        await self.publisher.stop()

    def worker(self, name: str = "w1", die: float = 0.0, fail: str = "") -> WorkerProcess:
        """A worker that is not started yet."""
        folder = str(self._root / name)
        worker = WorkerProcess(
            self._root, Options(self.bootstrap, self.prefix, self.partitions, folder, name, die, fail)
        )
        self._workers.append(worker)
        return worker

    def partition_of(self, output: Output) -> int:
        """Where a record goes."""
        return murmur2_partition(output.key, self.partitions)

    async def exactly_once(self, shop: Shop) -> None:
        """Entries exactly once, and state and last profiles equal to the batch sum. Stop the workers first."""
        entries = [ENTRIES.decode(record.value).data for record in await self.reader.everything(topics.ENTRIES)]
        assert len(entries) == shop.entries
        assert len({entry.id for entry in entries}) == shop.entries
        accounts = await self.accounts()
        assert {customer: account.spend_minor for customer, account in accounts.items()} == shop.spend
        assert {customer: account.line_count for customer, account in accounts.items()} == shop.lines
        profiles = {
            event.customer: event.data.total_spent_minor
            for event in (PROFILES.decode(record.value) for record in await self.reader.everything(topics.PROFILES))
        }
        assert profiles == shop.spend
        assert await self.reader.everything(topics.DEAD_LETTERS) == []

    async def accounts(self) -> dict[str, Account]:
        """Every account, as the changelog has it."""
        last = {record.key: record.value for record in await self.reader.everything(topics.ACCOUNTS_CHANGELOG)}
        prefix = accounts_of(ORG)
        return {
            key[len(prefix) :].decode(): decoder(Account).decode(value)
            for key, value in last.items()
            if key.startswith(prefix) and value is not None
        }
