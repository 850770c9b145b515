"""The export as a whole: from Kafka to the Firestore emulator."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from stream.contracts import topics
from stream.contracts.settings import OrgSettings
from stream.engine.publisher import KafkaPublisher
from stream.errors import ConfigurationError
from stream.sinks.firestore.connection import connect
from stream.sinks.firestore.sink import FirestoreSink
from stream.sinks.reading import end_positions
from tests.sinks.kafka_log import KafkaLog, kafka_log
from tests.sinks.records import ORG, a_profile, profile_record, settings_record
from tests.sinks.sinks_under_test import NoPublisher, stored_fields

PATIENCE = 30.0


@pytest.fixture
async def log(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka, topic_prefix) as log:
        yield log


@contextlib.asynccontextmanager
async def running(sink: FirestoreSink) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(sink.run())
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def points_of(project: str, host: str, customers: list[str]) -> dict[str, object]:
    connection = await connect(project, emulator_host=host)
    try:
        found = await connection.read({f"customers/{ORG}_{customer}": None for customer in customers}, None)
    finally:
        await connection.close()
    return {path.rsplit("_", 1)[1]: document.fields.get("points") for path, document in found.items()}


async def test_a_record_that_cannot_be_read_becomes_a_dead_letter_and_the_others_go_on(
    log: KafkaLog, firestore_emulator: str, firestore_project: str
) -> None:
    bad = profile_record("2", a_profile())._replace(value=b'{"type":"Nonsense"}')
    await log.publish([profile_record("1", a_profile(1)), bad, profile_record("3", a_profile(3))])
    async with KafkaPublisher(log.bootstrap, log.prefix, client_id="test") as publisher:
        sink = FirestoreSink(
            log.bootstrap, log.prefix, publisher, project=firestore_project, emulator_host=firestore_emulator
        )
        async with running(sink):
            await sink.wait_for(await log.ends(), timeout=PATIENCE)
    assert await points_of(firestore_project, firestore_emulator, ["1", "2", "3"]) == {"1": 1, "2": None, "3": 3}
    ends = await end_positions(log.bootstrap, log.prefix, [topics.DEAD_LETTERS])
    assert sum(ends.values()) == sink.dead_letters == 1


async def test_an_orgs_settings_are_exported(log: KafkaLog, firestore_emulator: str, firestore_project: str) -> None:
    await log.publish([settings_record(1, OrgSettings()), settings_record(2, OrgSettings(currency="CAD"))])
    sink = FirestoreSink(
        log.bootstrap, log.prefix, NoPublisher(), project=firestore_project, emulator_host=firestore_emulator
    )
    async with running(sink):
        await sink.wait_for(await log.ends(), timeout=PATIENCE)
    fields = await stored_fields(firestore_project, firestore_emulator, f"loyaltyOrgs/{ORG}")
    assert (fields["currency"], fields["settingsVersion"]) == ("CAD", 2)


async def test_a_member_that_joins_and_one_that_leaves_lose_nothing(
    log: KafkaLog, firestore_emulator: str, firestore_project: str
) -> None:
    def member() -> FirestoreSink:
        return FirestoreSink(
            log.bootstrap,
            log.prefix,
            NoPublisher(),
            project=firestore_project,
            emulator_host=firestore_emulator,
            batch_records=10,
        )

    customers = [str(number) for number in range(20)]
    first, second = member(), member()
    async with running(second) as task:
        async with running(first):
            for version in range(1, 11):
                await log.publish(profile_record(customer, a_profile(version, (0, version))) for customer in customers)
        for version in range(11, 16):
            await log.publish(profile_record(customer, a_profile(version, (0, version))) for customer in customers)
        await second.wait_for(await log.ends(), timeout=PATIENCE)
        assert not task.done()
    assert await points_of(firestore_project, firestore_emulator, customers) == dict.fromkeys(customers, 15)


async def test_a_missing_topic_is_named_before_anything_is_written(kafka: str, topic_prefix: str) -> None:
    sink = FirestoreSink(kafka, topic_prefix, NoPublisher(), project="p", emulator_host="127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="loyalty topics apply"):
        await sink.run()
