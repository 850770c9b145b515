"""Compacted topics that producers follow: settings (may an org begin?) and people (who must be forgotten?)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from producers.cursors import PartitionCounts
from producers.reading import last_value
from stream.contracts import topics
from stream.contracts.names import CustomerId, OrgId, account_key
from stream.contracts.people import PEOPLE, Person, PersonErased
from stream.contracts.settings import SETTINGS, Compare, SettingsInForce
from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output, Publisher
from stream.errors import BadRecord, Unreachable

log = structlog.get_logger(__name__)

Apply = Callable[[bytes, bytes | None], None]
"""Takes a key and its value (None: removed)."""
RETRY_SECONDS = 1.0


class Following:
    """Reads compacted topics from their beginning, for ever. `caught_up`: what was there at the start was applied."""

    def __init__(self, bootstrap: str, prefix: str, apply: Mapping[str, Apply]) -> None:
        self.caught_up = asyncio.Event()
        self._bootstrap = bootstrap
        self._apply = {prefix + topic: function for topic, function in apply.items()}

    async def run(self) -> None:
        """Follow until cancelled; begins anew when the broker goes away."""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("cannot follow topics, trying again", topics=sorted(self._apply), error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            await connect(consumer)
            partitions = await _partitions(consumer, self._apply)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while True:
                if not self.caught_up.is_set() and await _reached(consumer, ends):
                    self.caught_up.set()
                for where, records in (await consumer.getmany(timeout_ms=250)).items():
                    for record in records:
                        self._apply[where.topic](record.key, record.value)
        finally:
            await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, names: Mapping[str, Apply]) -> list[TopicPartition]:
    found = []
    for name in names:
        partitions = await consumer._client._wait_on_metadata(name)
        found += [TopicPartition(name, partition) for partition in sorted(partitions)]
    return found


async def _reached(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    for where, end in ends.items():
        if end and await consumer.position(where) < end:
            return False
    return True


class OrgsWithSettings:
    """The settings in force, per org. An org's first fact waits for them."""

    def __init__(self) -> None:
        self._known: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._in_force: dict[str, SettingsInForce] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """A record of topic `settings`."""
        if value is None:
            return
        org = key.decode(errors="replace")
        try:
            self._in_force[org] = SETTINGS.decode(value).data
        except BadRecord as error:
            log.warning("settings that cannot be read are passed over", org=org, error=str(error))
        self._known[org].set()

    def compare(self, org: OrgId) -> Compare:
        """What balances are compared with, as far as this process knows now."""
        in_force = self._in_force.get(org)
        return Compare.RAW if in_force is None else in_force.settings.compare

    async def wait_for(self, org: OrgId) -> None:
        """Returns when the org has settings."""
        if not self._known[org].is_set():
            log.info("waiting for the org's settings before its first fact", org=org)
        await self._known[org].wait()


class ErasedPeople:
    """Who asked to be forgotten, per org. `of` gives a set that grows as erasures arrive."""

    def __init__(self) -> None:
        self._erased: defaultdict[str, set[str]] = defaultdict(set)
        self._records: dict[bytes, bytes] = {}
        self._overwritten: asyncio.Queue[Output] = asyncio.Queue()

    def of(self, org: OrgId) -> set[str]:
        """Ids of the org's erased customers."""
        return self._erased[org]

    def apply(self, key: bytes, value: bytes | None) -> None:
        """A record of topic `people`."""
        if value is None:
            return
        if key in self._records:
            if b'"PersonErased"' not in value:
                self._overwritten.put_nowait(Output(topics.PEOPLE.name, key, self._records[key]))
        elif b'"PersonErased"' in value:  # looked for in bytes: there are many people and few erasures
            self._note(key, value)

    async def restore(self, publisher: Publisher) -> None:
        """Erase again whoever was written again by a producer that did not know yet. Runs until cancelled."""
        while True:
            record = await self._overwritten.get()
            try:
                await publisher.publish([record])
            except Unreachable as error:
                log.warning("an erasure could not be repeated, trying again", error=str(error))
                self._overwritten.put_nowait(record)
                await asyncio.sleep(RETRY_SECONDS)

    def _note(self, key: bytes, value: bytes) -> None:
        try:
            event = PEOPLE.decode(value)
        except BadRecord:
            return
        if isinstance(event.data, PersonErased):
            self._erased[event.org].add(event.customer)
            self._records[key] = value


class People:
    """One person's record, read when it is asked for: producers keep no personal data."""

    def __init__(self, publisher: PartitionCounts, bootstrap: str, prefix: str) -> None:
        self._publisher = publisher
        self._bootstrap = bootstrap
        self._prefix = prefix

    async def person(self, org: OrgId, customer: CustomerId) -> Person | None:
        """None: nobody has written that person, or the person was erased. Reads one whole partition of `people`."""
        key = account_key(org, customer)
        partition = murmur2_partition(key, await self._publisher.partitions_of(topics.PEOPLE.name))
        value = await last_value(self._bootstrap, self._prefix, topics.PEOPLE.name, partition, key)
        body = PEOPLE.decode(value).data if value is not None else None
        return body if isinstance(body, Person) else None
