"""The views file and a log that is not the one it was built from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream.contracts.topics import PROFILES
from stream.engine.topics_admin import apply_topics
from stream.errors import ConfigurationError, Unreachable
from stream.sinks.views.file import open_for_writing
from stream.sinks.views.follower import ViewsFollower
from stream.sinks.views.read import Views
from tests.sinks.kafka_log import PARTITIONS, KafkaLog, kafka_log
from tests.sinks.records import ORG, a_profile, dead_letter_record, profile_record
from tests.sinks.sinks_under_test import ViewsUnderTest

PATIENCE = 30.0
BY_AGE = ("runs", "alerts", "dead-letters")


@pytest.fixture
async def log(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka, topic_prefix) as log:
        yield log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views.db"


async def build(log: KafkaLog, path: Path) -> Views:
    """Follow until level, then stop."""
    follower = ViewsUnderTest(log, path)
    await follower.start()
    await follower.level()
    await follower.stop()
    return follower.views


async def make_topics_anew(log: KafkaLog) -> None:
    """The same topics, empty: their offsets begin again."""
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    names = [name for name in await admin.list_topics() if name.startswith(log.prefix)]
    await admin.delete_topics(names)
    while set(names) & set(await admin.list_topics()):
        await asyncio.sleep(0.05)
    await admin.close()
    await apply_topics(log.bootstrap, log.prefix, PARTITIONS, 1)


@pytest.mark.parametrize(
    ("new", "because"),
    [(1, "the log ends before what was read"), (8, "the log is longer, but other records are in it")],
)
async def test_topics_made_anew_are_read_from_their_beginning(
    log: KafkaLog, path: Path, new: int, because: str
) -> None:
    await log.publish(profile_record("old", a_profile(9, (5, n))) for n in range(4))
    await build(log, path)
    await make_topics_anew(log)
    async with kafka_log(log.bootstrap, log.prefix) as fresh:
        await fresh.publish(profile_record("old" if new > 1 else "new", a_profile(1, (0, n))) for n in range(new))
        views = await build(fresh, path)
    assert [document["points"] for document in views.profiles(ORG)] == [1], because


async def test_another_cluster_is_read_from_its_beginning(log: KafkaLog, path: Path) -> None:
    await log.publish([profile_record("1", a_profile())])
    await build(log, path)
    connection = open_for_writing(path)
    connection.execute("UPDATE meta SET value = 'another' WHERE name = 'cluster'")
    connection.execute("UPDATE profiles SET points = 99")
    connection.close()
    assert (await build(log, path)).stats(ORG).total_customers == 1
    profile = Views(path).profile(ORG, "1")
    assert profile is not None
    assert profile.points == 40


async def test_records_that_are_gone_from_the_log_are_no_reason_to_start_over(log: KafkaLog, path: Path) -> None:
    await log.publish([profile_record(str(n), a_profile()) for n in range(20)])
    await log.publish([dead_letter_record(b"{}", "unknown type")])
    await build(log, path)
    await forget(log)
    await log.publish([profile_record("21", a_profile())])
    views = await build(log, path)
    assert views.stats(ORG).total_customers == 21
    assert views.dead_letters() == [], "dead letters are kept as long as in their topic"


async def test_dead_letters_are_forgotten_with_their_topic_while_the_views_are_followed(
    log: KafkaLog, path: Path
) -> None:
    follower = ViewsFollower(log.bootstrap, log.prefix, path, forget_seconds=0.1)
    following = asyncio.create_task(follower.run())
    await follower.opened()
    with contextlib.closing(Views(path)) as views:
        await log.publish([dead_letter_record(b"{}", "unknown type")])
        await views.wait_for(lambda views: len(views.dead_letters()) == 1, timeout=PATIENCE)
        await forget(log)
        await views.wait_for(lambda views: views.dead_letters() == [], timeout=PATIENCE)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def forget(log: KafkaLog) -> None:
    """What is kept by age is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=log.bootstrap)
    await admin.start()
    ends = await log.ends()
    by_age = {TopicPartition(log.prefix + p.topic, p.partition): end for p, end in ends.items() if p.topic in BY_AGE}
    await admin.delete_records({partition: RecordsToDelete(end) for partition, end in by_age.items()})
    await admin.close()


async def test_waiting_ends_when_the_views_have_what_was_asked_for(log: KafkaLog, path: Path) -> None:
    follower = ViewsUnderTest(log, path)
    await follower.start()
    await log.publish([profile_record("1", a_profile())])
    await follower.views.wait_for(await log.ends(), timeout=PATIENCE)
    assert follower.views.stats(ORG).total_customers == 1
    waiting = asyncio.create_task(
        follower.views.wait_for(lambda views: views.profile(ORG, "2") is not None, timeout=PATIENCE)
    )
    await log.publish([profile_record("2", a_profile())])
    await waiting
    with pytest.raises(TimeoutError):
        await follower.views.wait_for(lambda views: views.profile(ORG, "3") is not None, timeout=0.05)
    await follower.stop()


async def test_a_second_writer_is_refused(log: KafkaLog, path: Path) -> None:
    first = ViewsUnderTest(log, path)
    await first.start()
    with pytest.raises(ConfigurationError, match="being written by another process"):
        await ViewsFollower(log.bootstrap, log.prefix, path).run()
    await first.stop()


async def test_readiness_waits_for_what_was_in_the_log(log: KafkaLog, path: Path) -> None:
    await log.publish(profile_record(str(n), a_profile()) for n in range(100))
    follower = ViewsFollower(log.bootstrap, log.prefix, path)
    task = asyncio.create_task(follower.run())
    assert not follower.ready
    await asyncio.wait_for(follower.caught_up(), PATIENCE)
    assert Views(path).stats(ORG).total_customers == 100
    assert await follower.lag() == 0
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_is_missing_is_named(kafka: str, topic_prefix: str, path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{topic_prefix}{PROFILES.name}.*loyalty topics apply"):
        await ViewsFollower(kafka, topic_prefix, path).run()
    with pytest.raises(Unreachable, match=r"does not answer at 127\.0\.0\.1:1"):
        await ViewsFollower("127.0.0.1:1", topic_prefix, path).run()
