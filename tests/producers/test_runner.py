"""The producer role on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from producers.cursors import KafkaCursors
from producers.identity import IdentityKey
from producers.role.following import ErasedPeople
from producers.role.parts import OrgProducer
from producers.runner import Bus, ProducerRole
from stream.contracts import dead_letters
from stream.contracts.commands import COMMANDS, LookUpBalance, SweepBalances, SweepOrders
from stream.contracts.names import OrgId, account_key
from stream.contracts.people import PEOPLE, Person, PersonErased
from stream.contracts.runs import BalanceSweepEnded, OrdersSweepEnded
from stream.contracts.settings import SETTINGS, OrgSettings, SettingsInForce
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.errors import ConfigurationError, Unreachable
from tests.producers.org_parts import Parts
from tests.producers.waiting import until
from tests.recording import VOCABULARIES

PARTITIONS = 4
ORG = OrgId("brand_example")
ORGS = [OrgId(f"brand_{number}") for number in range(8)]
KEY = IdentityKey(bytes(32))


@dataclass
class Site:
    """A Kafka with topics, and a publisher beside the role."""

    kafka: str
    prefix: str
    publisher: KafkaPublisher

    def role(self, *orgs: OrgProducer, key: IdentityKey = KEY, people: ErasedPeople | None = None) -> ProducerRole:
        cursors = KafkaCursors(self.publisher, self.kafka, self.prefix)
        return ProducerRole(orgs, Bus(self.kafka, self.prefix, self.publisher), cursors=cursors, key=key, people=people)

    async def settings(self, *orgs: OrgId) -> None:
        for org in orgs:
            value = SETTINGS.encode(SettingsInForce(1, OrgSettings()), org=org, at=1, source="runs")
            await self.publisher.publish([Output("settings", org.encode(), value)])

    async def command(self, body: msgspec.Struct, org: OrgId = ORG, customer: str = "") -> None:
        value = COMMANDS.encode(body, org=org, at=1, source="runs", customer=customer)
        await self.publisher.publish([Output("commands", org.encode(), value)])

    async def records(self, topic: str) -> list[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            where = [TopicPartition(self.prefix + topic, partition) for partition in range(PARTITIONS)]
            consumer.assign(where)
            ends = await consumer.end_offsets(where)
            found = []
            for tp in where:
                while await consumer.position(tp) < ends[tp]:
                    found += (await consumer.getmany(tp, timeout_ms=500)).get(tp, [])
            return found
        finally:
            await consumer.stop()

    async def bodies(self, topic: str) -> list[Any]:
        return [VOCABULARIES[topic].decode(record.value).data for record in await self.records(topic)]

    async def committed(self) -> int:
        """How many commands are committed as worked off, over all partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(f"{self.prefix}producers")
            return sum(position.offset for position in offsets.values() if position.offset > 0)
        finally:
            await admin.close()


@pytest.fixture
async def site(kafka: str, topic_prefix: str) -> AsyncIterator[Site]:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    async with KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher:
        yield Site(kafka, topic_prefix, publisher)


@asynccontextmanager
async def running(role: ProducerRole) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(role.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ConfigurationError):
            await task


async def eventually(condition: Callable[[], Any]) -> None:
    """Like `until`, for conditions that must be awaited."""
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_an_org_begins_when_its_settings_are_there(site: Site) -> None:
    parts, other = Parts(ORG), Parts(OrgId("other"))
    await site.settings(other.org)
    await site.command(SweepOrders("r", 1))
    await site.command(SweepOrders("r", 1), org=other.org)
    async with running(site.role(parts.producer(), other.producer())):
        await until(lambda: other.polls > 3 and other.calls)
        assert (parts.calls, parts.pollers) == ([], 0)
        await site.settings(ORG)
        await until(lambda: parts.polls > 3 and parts.calls == ["walk r 1"])


async def test_commands_are_answered_committed_and_not_repeated(site: Site) -> None:
    parts = Parts(ORG)
    await site.settings(ORG)
    await site.command(SweepOrders("r", 1))
    async with running(site.role(parts.producer())):
        await until(lambda: parts.calls == ["walk r 1"])
        await site.command(SweepBalances("r", 1))
        await site.command(LookUpBalance("r2"), customer="3528")
        await until(lambda: len(parts.calls) == 3)
        await eventually(lambda: _equals(site.committed(), 3))
    assert set(parts.calls) == {"walk r 1", "sweep r 1", "look up r2 3528"}
    assert await site.bodies("runs") == [
        OrdersSweepEnded("r", 1, True, orders=3, customers=2, unreadable=1, calls=4),
        BalanceSweepEnded("r", 1, True, rows=7, calls=1),
    ]

    successor = Parts(ORG)
    async with running(site.role(successor.producer())):
        await until(lambda: successor.polls > 3)
        await site.command(LookUpBalance("r3"), customer="1")
        await until(lambda: successor.calls == ["look up r3 1"])


async def test_a_command_that_was_cut_off_is_repeated_and_what_came_after_it_too(site: Site) -> None:
    parts, successor = Parts(ORG), Parts(ORG)
    parts.gate.clear()
    await site.settings(ORG)
    await site.command(SweepBalances("r", 1))
    await site.command(LookUpBalance("r2"), customer="3528")
    async with running(site.role(parts.producer())):
        await until(lambda: len(parts.calls) == 2)
    assert parts.cancelled == ["sweep r 1"]
    async with running(site.role(successor.producer())):
        await until(lambda: len(successor.calls) == 2)
        await eventually(lambda: _equals(site.committed(), 2))
    assert set(successor.calls) == {"sweep r 1", "look up r2 3528"}


async def test_polling_goes_on_while_a_sweep_runs(site: Site) -> None:
    parts = Parts(ORG)
    parts.gate.clear()
    await site.settings(ORG)
    await site.command(SweepBalances("r", 1))
    async with running(site.role(parts.producer())):
        await until(lambda: parts.calls == ["sweep r 1"])
        polls = parts.polls
        await until(lambda: parts.polls > polls + 5)


@pytest.mark.parametrize(
    "value",
    [
        b"not json",
        b'{"type":"SweepEverything","org":"brand_example","at":1,"source":"x","data":{}}',
        COMMANDS.encode(LookUpBalance("r"), org=ORG, at=1, source="x", customer=""),
    ],
)
async def test_a_command_that_is_none_is_a_dead_letter_and_the_next_one_is_carried_out(
    site: Site, value: bytes
) -> None:
    parts = Parts(ORG)
    await site.settings(ORG)
    await site.publisher.publish([Output("commands", ORG.encode(), value)])
    await site.command(SweepOrders("r", 1), org=OrgId("nobody"))
    await site.command(SweepBalances("r", 1))
    async with running(site.role(parts.producer())):
        await until(lambda: parts.calls == ["sweep r 1"])
        await eventually(lambda: _equals(site.committed(), 3))
    (letter,) = await site.records("dead-letters")
    assert letter.value == value
    assert dict(letter.headers)[dead_letters.TOPIC] == b"commands"
    assert dict(letter.headers)[dead_letters.OFFSET] == b"0"
    assert dict(letter.headers)[dead_letters.ORG] == ORG.encode(), "who looks after the org is shown it"


async def test_each_org_has_one_producer_and_another_one_takes_over(site: Site) -> None:
    await site.settings(*ORGS)
    first, second = [Parts(org) for org in ORGS], [Parts(org) for org in ORGS]
    role = site.role(*(parts.producer() for parts in first))
    async with running(role):
        await until(lambda: len(role.owned) == len(ORGS) and all(parts.polls for parts in first))
        other = site.role(*(parts.producer() for parts in second))
        async with running(other):
            await until(lambda: other.owned and len(role.owned) + len(other.owned) == len(ORGS))
            assert set(role.owned) | set(other.owned) == set(ORGS)
            mine = [parts for parts in first if parts.org in role.owned]
            theirs = [parts for parts in second if parts.org in other.owned]
            await until(lambda: all(parts.polls > 3 for parts in theirs))
            left = [parts for parts in first if parts.org in other.owned]
            polls = [parts.polls for parts in left]
            await until(lambda: all(parts.polls > 10 for parts in theirs))
            assert [parts.polls for parts in left] == polls, "the former owner has stopped"
            assert all(parts.pollers == 1 for parts in mine), "what stays is not disturbed"
        await until(lambda: all(parts.pollers == 2 for parts in left))
        assert set(role.owned) == set(ORGS)


async def test_who_asked_to_be_forgotten_is_known_before_an_org_begins(site: Site) -> None:
    erased = PEOPLE.encode(PersonErased(5), org=ORG, at=5, source="api", customer="7")
    written = PEOPLE.encode(Person("A"), org=ORG, at=5, source="alleaves", customer="8")
    people, seen = ErasedPeople(), []
    await site.publisher.publish(
        [Output("people", account_key(ORG, "7"), erased), Output("people", account_key(ORG, "8"), written)]
    )
    await site.settings(ORG)

    def new_poller() -> Parts:
        seen.append(set(people.of(ORG)))
        return Parts(ORG)

    async with running(site.role(OrgProducer(ORG, new_poller), people=people)):
        await until(lambda: seen)
        assert seen == [{"7"}]
        again = PEOPLE.encode(Person("A"), org=ORG, at=6, source="alleaves", customer="7")
        await site.publisher.publish([Output("people", account_key(ORG, "7"), again)])

        async def erased_again() -> bool:
            of_7 = [record.value for record in await site.records("people") if record.key == account_key(ORG, "7")]
            return of_7 == [erased, again, erased]

        await eventually(erased_again)


async def test_another_identity_key_ends_the_role_before_the_first_fact(site: Site) -> None:
    await site.settings(ORG)
    async with running(site.role(Parts(ORG).producer())) as task:
        cursors = KafkaCursors(site.publisher, site.kafka, site.prefix)
        await eventually(lambda: cursors.load(ORG, "identity-key"))
        assert not task.done()
    stranger = Parts(ORG)
    with pytest.raises(ConfigurationError, match="Changing the identity key is a rebuild"):
        async with asyncio.timeout(20):
            await site.role(stranger.producer(), key=IdentityKey(b"x" * 32)).run()
    assert stranger.pollers == 0


async def test_a_poller_that_breaks_begins_anew(site: Site) -> None:
    parts = Parts(ORG)
    parts.poll_errors.append(Unreachable("kafka was away"))
    await site.settings(ORG)
    async with running(site.role(parts.producer())):
        await until(lambda: parts.polls > 3)


async def _equals(counted: Any, expected: int) -> bool:
    return bool(await counted == expected)
