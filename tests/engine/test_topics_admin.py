"""Topics are created and corrected from one list, on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.contracts import topics
from stream.engine.topics_admin import ProblemKind, apply_topics, check_topics, desired_config
from stream.errors import ConfigurationError, Unreachable

PARTITIONS = 2
DAY_MS = 86_400_000


@pytest.fixture
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    yield client
    await client.close()


async def config_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def partitions_of(admin: AIOKafkaAdminClient, prefix: str) -> dict[str, int]:
    return {
        topic["topic"].removeprefix(prefix): len(topic["partitions"])
        for topic in await admin.describe_topics()
        if topic["topic"].startswith(prefix)
    }


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Brokers answer a change before they show it."""
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_every_topic_of_the_list_is_missing_at_first_and_checking_creates_none(
    kafka: str, topic_prefix: str, admin: AIOKafkaAdminClient
) -> None:
    problems = await check_topics(kafka, topic_prefix, PARTITIONS)
    assert [(p.topic, p.kind) for p in problems] == [(topic_prefix + t.name, ProblemKind.MISSING) for t in topics.ALL]
    assert await partitions_of(admin, topic_prefix) == {}


async def test_applying_creates_every_topic_as_it_should_be_and_again_changes_nothing(
    kafka: str, topic_prefix: str, admin: AIOKafkaAdminClient
) -> None:
    changes = await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    assert [str(change) for change in changes] == [f"{topic_prefix}{topic.name}: created" for topic in topics.ALL]
    assert await partitions_of(admin, topic_prefix) == {topic.name: PARTITIONS for topic in topics.ALL}
    for topic in topics.ALL:
        assert desired_config(topic, 1).items() <= (await config_of(admin, topic_prefix + topic.name)).items()
    assert await check_topics(kafka, topic_prefix, PARTITIONS, 1) == []
    assert await apply_topics(kafka, topic_prefix, PARTITIONS, 1) == []


async def test_a_configuration_that_differs_is_corrected_and_what_an_operator_set_besides_stays(
    kafka: str, topic_prefix: str, admin: AIOKafkaAdminClient
) -> None:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    name = topic_prefix + topics.ALERTS.name
    tampered = desired_config(topics.ALERTS, 1) | {"retention.ms": "1000", "compression.type": "lz4"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, tampered)])

    async def tampered_with() -> bool:
        return tampered.items() <= (await config_of(admin, name)).items()

    await until(tampered_with)
    [problem] = await check_topics(kafka, topic_prefix, PARTITIONS, 1)
    assert str(problem) == f"{name}: retention.ms should be {30 * DAY_MS}, is 1000"
    [change] = await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    assert str(change) == f"{name}: retention.ms 1000 → {30 * DAY_MS}"
    now = await config_of(admin, name)
    assert (now["retention.ms"], now["compression.type"]) == (str(30 * DAY_MS), "lz4")


async def test_another_number_of_partitions_is_refused_before_anything_is_changed(
    kafka: str, topic_prefix: str, admin: AIOKafkaAdminClient
) -> None:
    await admin.create_topics([NewTopic(topic_prefix + topics.FACTS.name, PARTITIONS + 1, 1)])

    async def there() -> bool:
        return topics.FACTS.name in await partitions_of(admin, topic_prefix)

    await until(there)
    with pytest.raises(ConfigurationError, match=f"facts: partitions should be {PARTITIONS}, is {PARTITIONS + 1}"):
        await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    assert await partitions_of(admin, topic_prefix) == {topics.FACTS.name: PARTITIONS + 1}


async def test_fewer_replicas_than_asked_for_are_refused(kafka: str, topic_prefix: str) -> None:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    with pytest.raises(ConfigurationError, match="facts: replication should be 3, is 1"):
        await apply_topics(kafka, topic_prefix, PARTITIONS, 3)


async def test_more_replicas_than_there_are_brokers_says_which_key_to_correct(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(ConfigurationError, match=r"refused to create topic .* Correct kafka\.partitions"):
        await apply_topics(kafka, topic_prefix, PARTITIONS, 3)


async def test_a_broker_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1.* correct kafka\.bootstrap"):
        await check_topics("127.0.0.1:1", "x.", PARTITIONS)


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_two_replicas_must_acknowledge_where_there_are_three(replication: int, in_sync: str) -> None:
    assert all(desired_config(topic, replication)["min.insync.replicas"] == in_sync for topic in topics.ALL)


def test_changelogs_are_compacted_soon_because_recovery_reads_all_of_them() -> None:
    changelogs = [topic for topic in topics.ALL if topic.name.endswith("-changelog")]
    assert len(changelogs) == 3
    for topic in changelogs:
        config = desired_config(topic, 1)
        assert config["cleanup.policy"] == "compact"
        assert int(config["segment.bytes"]) <= 64 << 20


def test_erased_personal_data_leaves_the_disk_within_a_day() -> None:
    assert desired_config(topics.PEOPLE, 1)["max.compaction.lag.ms"] == str(DAY_MS)
