"""What people's commands publish, on a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from stream.bootstrap import asking, deciding
from stream.bootstrap.alert_log import alerts_since, replay_alerts, tail_alerts
from stream.bootstrap.deciding import decide_case, erase_customer, retry_letters
from stream.bootstrap.library import loyalty_sync
from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind, decode_alert, encode_alert
from stream.contracts.audit import AUDIT
from stream.contracts.cases import CaseState, CaseStep, Step
from stream.contracts.facts import FACTS, AcknowledgeCase, CustomerErased
from stream.contracts.people import PEOPLE, PersonErased
from stream.contracts.runs import RUNS
from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Input, Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.errors import ConfigurationError, LoyaltyError
from stream.ops.progress import silent
from stream.settings import Configuration
from stream.sinks import reading
from tests.sinks.records import AT, ORG, case_record
from tests.sinks.views_file import views_of
from tests.web.world import CASE, world_of

PARTITIONS = 2
OPENED = Alert(kind=AlertKind.DISCREPANCY_OPENED, org=ORG, customer="7", case=CASE.id, ours=449, provider=500)
FAILED = Alert(kind=AlertKind.RUN_FAILED, org="other", reason="HTTP 503")


@pytest.fixture
async def configuration(kafka: str, topic_prefix: str, tmp_path: Path) -> Configuration:
    world_of(tmp_path)
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    given = {"bootstrap": kafka, "prefix": topic_prefix, "partitions": PARTITIONS}
    return Configuration.model_validate({"data_dir": tmp_path, "kafka": given, "org": [{"id": ORG}]})


async def written(configuration: Configuration, topic: topics.Topic, least: int = 1) -> list[Input]:
    """What is in a topic, once it has so many records."""
    bootstrap, prefix = str(configuration.kafka.bootstrap), configuration.kafka.prefix
    consumer = reading.new_consumer(bootstrap)
    await reading.start_consumer(consumer, bootstrap)
    try:
        places = [reading.Place(topic.name, partition) for partition in range(PARTITIONS)]
        consumer.assign([reading.kafka_partition(prefix, place) for place in places])
        found: list[Input] = []
        async with asyncio.timeout(20):
            while len(found) < least:
                found += (await reading.next_batch(consumer, prefix, {}, max_records=100, wait_ms=100)).records
        return found
    finally:
        await consumer.stop()


def an_alert(alert: Alert, name: str, at: int = AT) -> Output:
    value, headers = encode_alert(alert, alert_id=name, at=at)
    return Output(topics.ALERTS.name, f"{alert.org}:{alert.customer}".encode(), value, tuple(headers))


async def publish(configuration: Configuration, *outputs: Output) -> None:
    bootstrap, prefix = str(configuration.kafka.bootstrap), configuration.kafka.prefix
    async with KafkaPublisher(bootstrap, prefix, client_id="test") as publisher:
        await publisher.publish(outputs)


# Cases


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (CaseStep(Step.ACKNOWLEDGED, AT, "cli:jane", note="n"), CaseState.ACKNOWLEDGED),
        (CaseStep(Step.DECLINED, AT, "cli:jane", note="acknowledged: the case is resolved"), CaseState.RESOLVED),
    ],
)
async def test_a_decision_is_a_fact_and_answers_with_what_became_of_it(
    configuration: Configuration, step: CaseStep, state: CaseState
) -> None:
    async def worker() -> list[Input]:
        facts = await written(configuration, topics.FACTS)
        case = msgspec.structs.replace(CASE, version=2, state=state, history=(*CASE.history, step))
        views_of(configuration.data_dir / "views.db", [case_record("7", case)]).close()
        return facts

    decision = AcknowledgeCase(CASE.id, "cli:jane", "n")
    working = asyncio.create_task(worker())
    if step.what == Step.DECLINED:
        with pytest.raises(LoyaltyError, match="was declined: acknowledged: the case is resolved"):
            await decide_case(configuration, decision)
    else:
        answer: Any = await decide_case(configuration, decision)
        assert (answer["inEffect"], answer["case"]["state"]) == (True, "acknowledged")
    assert [FACTS.decode(record.value or b"").data for record in await working] == [decision]
    (entry,) = await written(configuration, topics.AUDIT)
    assert AUDIT.decode(entry.value or b"").data.actor == "cli:jane"


async def test_a_person_is_forgotten_by_a_record_that_producers_respect_and_one_that_cuts_links(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "ERASED_SECONDS", 0.05)  # nobody follows the log here
    with pytest.raises(LoyaltyError, match="no customer 999 is known"):
        await erase_customer(configuration, org=ORG, customer="999", by="cli:jane", because="a letter")
    answer = await erase_customer(configuration, org=ORG, customer="7", by="cli:jane", because="a letter")
    assert answer == {"orgId": ORG, "customerId": "7", "inViews": False}

    (person,) = await written(configuration, topics.PEOPLE)
    (account,) = await written(configuration, topics.FACTS)
    (entry,) = await written(configuration, topics.AUDIT)
    assert person.key == account.key == f"{ORG}:7".encode()
    assert isinstance(PEOPLE.decode(person.value or b"").data, PersonErased)
    assert isinstance(FACTS.decode(account.value or b"").data, CustomerErased)
    audited = AUDIT.decode(entry.value or b"").data
    assert (audited.action, audited.actor, audited.target, audited.reason) == (
        "customer.erase",
        "cli:jane",
        "7",
        "a letter",
    )


async def test_a_dead_letter_that_is_not_known_is_said_and_holds_up_no_other(configuration: Configuration) -> None:
    letters = [(ORG, "1:999999"), ("no_such_org", "0:0")]
    answers = await retry_letters(configuration, letters=letters, by="cli:jane", because=None)
    assert [answer["error"] for answer in answers] == [
        "dead letter '1:999999' is not known",
        "dead letter '0:0' is not known",
    ]


# Runs


async def test_a_sync_asks_the_service_and_the_same_key_for_the_same_run(configuration: Configuration) -> None:
    for _ in range(2):
        asked = await asking.sync(
            configuration, org=ORG, customer="3528", wait=False, key="k", progress=silent, by="cli:jane"
        )
        assert (asked.run, asked.status) == (f"{ORG}:customer:3528:k", "requested")
    bodies = [RUNS.decode(record.value or b"").data for record in await written(configuration, topics.RUNS, 2)]
    assert [(body.run, body.by) for body in bodies] == [(asked.run, "cli:jane")] * 2


@pytest.mark.parametrize(
    ("customer", "error", "said"),
    [
        ("4711", LoyaltyError, "customer '4711' of org 'brand_example' is not known"),
        ("a/b", ConfigurationError, "a/b"),
    ],
)
async def test_a_sync_of_nobody_is_refused(
    configuration: Configuration, customer: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await asking.sync(configuration, org=ORG, customer=customer, wait=False, key=None, progress=silent)


async def test_a_machine_without_views_can_ask_for_a_run(configuration: Configuration, tmp_path: Path) -> None:
    elsewhere = configuration.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    asked = await asking.sync(elsewhere, org=ORG, customer=None, wait=False, key="nightly", progress=silent)
    assert asked.run == f"{ORG}:daily:nightly"
    (record,) = await written(configuration, topics.RUNS)
    assert RUNS.decode(record.value or b"").data.run == asked.run


async def test_the_service_is_a_library(configuration: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    (configuration.data_dir / "loyalty.toml").write_text(
        f"""
        data_dir = "{configuration.data_dir}"
        [kafka]
        bootstrap = "{configuration.kafka.bootstrap}"
        prefix = "{configuration.kafka.prefix}"
        partitions = {PARTITIONS}
        """
    )
    monkeypatch.delenv("LOYALTY_CONFIG", raising=False)
    async with loyalty_sync(configuration.data_dir / "loyalty.toml") as service:
        points = await service.check_points("(555) 123-4567", ORG)
        answer = await service.sync_customer("3528", ORG, key="k")
    assert points["primary"] == {"points": 475, "tier": "Bronze", "source": "alpine_iq"}
    (record,) = await written(configuration, topics.RUNS)
    assert RUNS.decode(record.value or b"").data.run == answer["runId"]


# Alerts


async def test_alerts_are_followed_once_committed_in_the_json_of_cloud_events(configuration: Configuration) -> None:
    await publish(configuration, an_alert(OPENED, "a-1"), an_alert(FAILED, "a-2"))
    await aborted(configuration, an_alert(OPENED, "never"))
    tail = tail_alerts(configuration, org=ORG, kinds=[], from_beginning=True)
    async with asyncio.timeout(20), contextlib.aclosing(tail):
        event = await anext(tail)
        assert (event["id"], event["type"], event["caseid"], event["time"]) == (
            "a-1", "com.loyaltystream.discrepancy.opened", CASE.id, "2026-01-30T20:21:58.003Z",
        )  # fmt: skip
        assert event["data"] == msgspec.json.decode(an_alert(OPENED, "a-1").value or b"")
        await publish(configuration, an_alert(FAILED, "a-3"), an_alert(OPENED, "a-4"))
        assert (await anext(tail))["id"] == "a-4"


async def aborted(configuration: Configuration, output: Output) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=str(configuration.kafka.bootstrap), transactional_id=f"{configuration.kafka.prefix}t"
    )
    try:
        await connect(producer)
        await producer.begin_transaction()
        topic = configuration.kafka.prefix + output.topic
        await producer.send_and_wait(topic, output.value, output.key, headers=list(output.headers))
        await producer.abort_transaction()
    finally:
        await producer.stop()


async def ids_after(tail: AsyncIterator[Any], count: int) -> list[str]:
    return [(await anext(tail))["id"] for _ in range(count)]


async def test_who_follows_from_now_on_gets_the_kinds_they_want(configuration: Configuration) -> None:
    await publish(configuration, an_alert(OPENED, "before"))
    tail = tail_alerts(configuration, org=None, kinds=[AlertKind.RUN_FAILED], from_beginning=False)
    async with asyncio.timeout(20), contextlib.aclosing(tail):
        coming = asyncio.create_task(ids_after(tail, 1))
        while not coming.done():  # until the tail has begun, which nobody is told
            await publish(configuration, an_alert(OPENED, "other"), an_alert(FAILED, "after"))
            await asyncio.wait([coming], timeout=0.3)
        assert await coming == ["after"]


def elsewhere(output: Output) -> Output:
    """In another partition than its key's, as after the topic has grown."""
    return output._replace(partition=1 - murmur2_partition(output.key, PARTITIONS))


async def test_a_replay_is_the_same_alert_marked_as_one_and_is_not_replayed_itself(
    configuration: Configuration,
) -> None:
    await publish(
        configuration,
        an_alert(OPENED, "old", AT - 1),
        elsewhere(an_alert(OPENED, "a-1")),
        an_alert(FAILED, "a-2", AT + 5),
    )
    about: dict[str, Any] = {"since": AT, "org": None, "customer": None}
    assert await alerts_since(configuration, **about) == {"discrepancy.opened": 1, "run.failed": 1}
    assert await alerts_since(configuration, **about | {"customer": "7"}) == {"discrepancy.opened": 1}
    for _ in range(2):
        assert await replay_alerts(configuration, **about | {"org": ORG}) == 1
    records = await written(configuration, topics.ALERTS, 5)
    again = [record for record in records if dict(record.headers)["ce_isreplay"] == b"true"]
    original = next(each for each in records if each not in again and dict(each.headers)["ce_id"] == b"a-1")
    assert len(again) == 2
    for record in again:
        assert (record.key, record.value, record.partition) == (original.key, original.value, original.partition)
        assert decode_alert(record.value or b"") == OPENED
        assert dict(record.headers) == dict(original.headers) | {"ce_isreplay": b"true"}


async def test_where_there_are_no_alerts_there_is_nothing_to_replay(configuration: Configuration) -> None:
    assert await alerts_since(configuration, since=0, org=None, customer=None) == {}
    assert await replay_alerts(configuration, since=0, org=None, customer=None) == 0
