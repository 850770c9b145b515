"""What every sink of profiles must do, whatever it writes to."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from stream.engine.ports import Input
from tests.sinks.kafka_log import KafkaLog, kafka_log
from tests.sinks.records import ORG, a_profile, profile_record
from tests.sinks.sinks_under_test import FirestoreUnderTest, Shown, SinkUnderTest, ViewsUnderTest


@pytest.fixture
async def log(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka, topic_prefix) as log:
        yield log


@pytest.fixture(params=["views", "firestore"])
def new_sink(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[KafkaLog], SinkUnderTest]:
    if request.param == "views":
        return lambda log: ViewsUnderTest(log, tmp_path / "views.db")
    host, project = request.getfixturevalue("firestore_emulator"), request.getfixturevalue("firestore_project")
    return lambda log: FirestoreUnderTest(log, project, host)


@pytest.fixture
async def sink(new_sink: Callable[[KafkaLog], SinkUnderTest], log: KafkaLog) -> AsyncIterator[SinkUnderTest]:
    sink = new_sink(log)
    yield sink
    await sink.stop()


def history(seed: int, customers: int, records: int) -> tuple[list[Input], dict[str, Shown]]:
    """Records in which versions and epochs rise, fall and repeat; and what must be shown in the end."""
    rng = random.Random(seed)
    newest: dict[str, Shown] = {}
    published: list[Input] = []
    for _ in range(records):
        customer = str(rng.randrange(customers))
        version = (rng.randrange(3), rng.randrange(20))
        points = version[0] * 1000 + version[1] * 10  # equal versions have equal content
        published.append(profile_record(customer, a_profile(points, version)))
        newest[customer] = max(
            newest.get(customer, Shown(0, (-1, -1))), Shown(points, version), key=lambda s: s.version
        )
    return published, newest


VERSIONS = [
    ([(0, 1), (0, 2)], (0, 2), "the newer one wins"),
    ([(0, 2), (0, 1)], (0, 2), "an older one is refused"),
    ([(0, 2), (0, 2)], (0, 2), "an equal one is the same content"),
    ([(0, 9), (1, 1)], (1, 1), "a higher epoch wins whatever its offset"),
    ([(1, 1), (0, 9)], (1, 1), "a lower epoch is refused whatever its offset"),
    ([(1, 5), (0, 9), (1, 4), (1, 6)], (1, 6), "epochs and offsets in any order"),
]


async def test_the_highest_epoch_and_version_is_shown(sink: SinkUnderTest, log: KafkaLog) -> None:
    """Published at once, so that a batch holds several; then one by one, so that each meets what is stored."""
    await sink.start()
    for customer, (versions, _, _) in enumerate(VERSIONS):
        await log.publish(profile_record(f"A{customer}", a_profile(v[0] * 100 + v[1], v)) for v in versions)
    for step in range(4):
        await log.publish(
            profile_record(f"B{customer}", a_profile(versions[step][0] * 100 + versions[step][1], versions[step]))
            for customer, (versions, _, _) in enumerate(VERSIONS)
            if step < len(versions)
        )
        await sink.level()
    for customer, (_, (epoch, version), because) in enumerate(VERSIONS):
        expected = Shown(epoch * 100 + version, (epoch, version))
        assert await sink.shown(ORG, f"A{customer}") == expected, f"at once: {because}"
        assert await sink.shown(ORG, f"B{customer}") == expected, f"one by one: {because}"


async def test_an_older_version_is_refused_after_a_newer_one_with_the_same_content(
    sink: SinkUnderTest, log: KafkaLog
) -> None:
    """The newer one may be skipped as unchanged: its version counts all the same."""
    await sink.start()
    for points, version in ((40, (0, 5)), (40, (0, 9)), (77, (0, 7))):
        await log.publish([profile_record("1", a_profile(points, version))])
        await sink.level()
    shown = await sink.shown(ORG, "1")
    assert shown is not None
    assert shown.points == 40


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_sink_stopped_anywhere_goes_on_where_it_was(sink: SinkUnderTest, log: KafkaLog, seed: int) -> None:
    published, newest = history(seed, customers=25, records=300)
    for start in range(0, len(published), 50):
        await log.publish(published[start : start + 50])
    rng = random.Random(seed)
    for offsets in sorted(rng.sample(range(20, 280), 3)):
        await sink.start()
        await sink.progressed(offsets)
        await sink.stop()
    await sink.start()
    await sink.level()
    assert {customer: await sink.shown(ORG, customer) for customer in newest} == newest


async def test_reading_everything_again_changes_nothing(sink: SinkUnderTest, log: KafkaLog) -> None:
    published, newest = history(3, customers=10, records=60)
    await log.publish(published)
    await sink.start()
    await sink.level()
    await sink.stop()
    await sink.lose_position()
    await log.publish(reversed(published))
    await sink.start()
    await sink.level()
    assert {customer: await sink.shown(ORG, customer) for customer in newest} == newest


async def test_what_was_aborted_is_never_shown_and_does_not_hold_up(sink: SinkUnderTest, log: KafkaLog) -> None:
    await sink.start()
    await log.publish([profile_record("1", a_profile(40, (0, 1)))])
    await log.publish([profile_record("1", a_profile(99, (0, 2))), profile_record("2", a_profile(99))], abort=True)
    await sink.level()
    assert await sink.shown(ORG, "1") == Shown(40, (0, 1))
    assert await sink.shown(ORG, "2") is None
