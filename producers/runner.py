"""The producer role, `loyalty poll`: polls the points of sale and carries out what agents ask of producers.

One producer per org at a time: whoever owns the org's partition of `commands` in the consumer group. A command's
offset is committed when it was worked off, so a producer that was killed repeats it, and its attempt number makes
that harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from producers.cursors import Cursors, PartitionCounts
from producers.http import Clock
from producers.identity import IdentityKey
from producers.role.commands import Command
from producers.role.following import ErasedPeople, Following, OrgsWithSettings
from producers.role.key_check import require_same_key
from producers.role.offsets import Offsets
from producers.role.org import OwnedOrg
from producers.role.parts import OrgProducer
from stream.contracts import dead_letters, topics
from stream.contracts.commands import COMMANDS, LookUpBalance
from stream.contracts.envelope import Event
from stream.contracts.names import OrgId, customer_id
from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.errors import BadRecord, Unreachable

log = structlog.get_logger(__name__)

START_SECONDS = 60.0
POLL_MS = 200
RETRY_SECONDS = 1.0


class Bus(NamedTuple):
    """How the role reaches Kafka. `instance`: a name that survives restarts, so that a restart is no rebalance."""

    bootstrap: str
    prefix: str
    publisher: PartitionCounts
    instance: str | None = None


class ProducerRole:
    """All orgs of the configuration; works for those that it owns. `people` and `settings` are shared with the orgs'
    parts."""

    def __init__(
        self,
        orgs: Sequence[OrgProducer],
        bus: Bus,
        *,
        cursors: Cursors,
        key: IdentityKey,
        people: ErasedPeople | None = None,
        settings: OrgsWithSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._orgs = {producer.org: producer for producer in orgs}
        self._bus = bus
        self._cursors = cursors
        self._key = key
        self._people = people or ErasedPeople()
        self._settings = settings or OrgsWithSettings()
        self._clock = clock or Clock()
        self._offsets: dict[int, Offsets] = {}
        self._committed: dict[int, int] = {}
        self._owned: dict[OrgId, OwnedOrg] = {}
        self._partitions: dict[OrgId, int] = {}
        self._fatal: asyncio.Future[None] | None = None
        apply = {topics.SETTINGS.name: self._settings.apply, topics.PEOPLE.name: self._people.apply}
        self._following = Following(bus.bootstrap, bus.prefix, apply)

    @property
    def owned(self) -> tuple[OrgId, ...]:
        """The orgs that this process works for now."""
        return tuple(sorted(self._owned))

    async def run(self) -> None:
        """Work until cancelled. Raises Unreachable when Kafka is not there at the start, ConfigurationError when
        this process has another identity key than the org was started with.
        """
        self._fatal = asyncio.get_running_loop().create_future()
        count = await self._bus.publisher.partitions_of(topics.COMMANDS.name)
        self._partitions = {org: murmur2_partition(org.encode(), count) for org in self._orgs}
        helpers = [
            asyncio.create_task(self._following.run()),
            asyncio.create_task(self._people.restore(self._bus.publisher)),
        ]
        for helper in helpers:
            helper.add_done_callback(self._helper_ended)
        consumer = self._consumer()
        try:
            await self._started(consumer)
            await self._work(consumer)
        finally:
            for helper in helpers:
                helper.cancel()
            await self._leave(list(self._owned))
            await self._closed(consumer)
            await asyncio.wait(helpers, timeout=RETRY_SECONDS)

    async def rebalanced(self, partitions: set[int]) -> None:
        """These partitions of `commands` are ours now. Orgs that stay ours go on undisturbed."""
        await self._leave([org for org in self._owned if self._partitions[org] not in partitions])
        for partition in self._offsets.keys() - partitions:
            del self._offsets[partition]
            self._committed.pop(partition, None)
        for partition in partitions - self._offsets.keys():
            self._offsets[partition] = Offsets()
        for org, producer in self._orgs.items():
            if org not in self._owned and self._partitions[org] in partitions:
                self._take_over(producer)

    async def commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what was worked off since the last time."""
        positions = {p: o.position for p, o in self._offsets.items()}
        changed = {p: at for p, at in positions.items() if at is not None and self._committed.get(p) != at}
        if not changed:
            return
        try:
            await consumer.commit({TopicPartition(self._topic, p): at for p, at in changed.items()})
        except KafkaError as error:
            log.info("offsets will be committed later", error=str(error))  # a rebalance is under way
        else:
            self._committed |= changed

    def _take_over(self, producer: OrgProducer) -> None:
        async def may_begin() -> None:
            await self._following.caught_up.wait()
            await self._settings.wait_for(producer.org)
            while True:
                try:
                    return await require_same_key(self._key, producer.org, self._cursors)
                except Unreachable as error:
                    log.warning("the org has to wait for kafka", org=producer.org, error=str(error))
                    await self._clock.sleep(RETRY_SECONDS)

        offsets = self._offsets[self._partitions[producer.org]]
        owned = OwnedOrg(producer, self._bus.publisher, may_begin, offsets.finish, self._clock)
        self._owned[producer.org] = owned
        owned.start(self._stop_because)

    async def _leave(self, orgs: Sequence[OrgId]) -> None:
        await asyncio.gather(*(self._owned.pop(org).stop() for org in orgs))

    def _stop_because(self, error: BaseException) -> None:
        if self._fatal is not None and not self._fatal.done():
            self._fatal.set_exception(error)

    def _helper_ended(self, helper: asyncio.Task[None]) -> None:
        """None should: without them orgs would wait for ever, or the erased be written again."""
        if not helper.cancelled():
            self._stop_because(helper.exception() or AssertionError("it runs until it is cancelled"))

    async def _work(self, consumer: AIOKafkaConsumer) -> None:
        assert self._fatal is not None
        while not self._fatal.done():
            try:
                for where, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        await self._take(where.partition, record.offset, record.key, record.value)
                await self.commit(consumer)
            except (KafkaError, Unreachable) as error:
                log.warning("commands cannot be read, trying again", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        await self._fatal

    async def _take(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        offsets = self._offsets.get(partition)
        if offsets is None or not offsets.begin(offset):
            return
        try:
            event = _command(value)
        except BadRecord as error:
            await self._bury(partition, offset, key, value, error)
            offsets.finish(offset)
            return
        owned = self._owned.get(OrgId(event.org))
        if owned is None:
            log.warning("a command for an org that is not configured here is passed over", org=event.org)
            offsets.finish(offset)
            return
        owned.submit(offset, event.data, event.customer)

    async def _bury(
        self, partition: int, offset: int, key: bytes | None, value: bytes | None, error: BadRecord
    ) -> None:
        """Publish a dead letter; repeated until acknowledged, because the offset is passed over afterwards."""
        about = dead_letters.headers(
            org=(key or b"").decode(errors="replace"),  # the key says whose it is, whatever is in it
            at=int(self._clock.wall() * 1000),
            stage="producers.commands",
            reason=str(error),
            exception=type(error).__qualname__,
            topic=topics.COMMANDS.name,
            partition=partition,
            offset=offset,
        )
        log.warning("a command that is none becomes a dead letter", partition=partition, offset=offset)
        while True:
            try:
                await self._bus.publisher.publish([Output(topics.DEAD_LETTERS.name, key or b"", value, tuple(about))])
                return
            except Unreachable:
                await asyncio.sleep(RETRY_SECONDS)

    @property
    def _topic(self) -> str:
        return self._bus.prefix + topics.COMMANDS.name

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bus.bootstrap,
            group_id=f"{self._bus.prefix}producers",
            group_instance_id=self._bus.instance,
            client_id=f"{self._bus.prefix}producers",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
        )

    async def _started(self, consumer: AIOKafkaConsumer) -> None:
        consumer.subscribe([self._topic], listener=_Listener(self, consumer))
        try:
            async with asyncio.timeout(START_SECONDS):
                await connect(consumer)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unreachable(
                f"Kafka at {self._bus.bootstrap} does not answer ({str(error) or type(error).__name__}): "
                "start it, or correct kafka.bootstrap"
            ) from error

    async def _closed(self, consumer: AIOKafkaConsumer) -> None:
        try:
            async with asyncio.timeout(5):
                await self.commit(consumer)
                await consumer.stop()
        except (KafkaError, TimeoutError) as error:
            log.warning("left the consumer group without saying so", error=str(error))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, role: ProducerRole, consumer: AIOKafkaConsumer) -> None:
        self._role = role
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Every rebalance revokes everything for a moment: orgs go on until it is known whose they are."""
        await self._role.commit(self._consumer)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._role.rebalanced({where.partition for where in assigned})


def _command(value: bytes | None) -> Event[Command]:
    event: Event[Command] = COMMANDS.decode(value or b"")
    if isinstance(event.data, LookUpBalance):
        customer_id(event.customer)
    return event
