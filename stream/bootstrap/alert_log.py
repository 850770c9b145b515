"""Commands on the topic of alerts: follow it, and publish what it has once more."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer

from stream.bootstrap.places import kafka_of
from stream.bootstrap.serving import require_topics
from stream.contracts.alerts import IS_REPLAY, Alert, AlertKind, decode_alert, replayed
from stream.contracts.topics import ALERTS
from stream.engine.ports import Input, Output
from stream.engine.publisher import KafkaPublisher
from stream.settings import Configuration
from stream.sinks import reading
from stream.sinks.reading import Place, Positions
from stream.web.shapes import Json

log = structlog.get_logger(__name__)

WAIT_MS = 500
READ_AT_ONCE = 1000
ATTRIBUTE = "ce_"


async def tail_alerts(
    configuration: Configuration, *, org: str | None, kinds: Sequence[AlertKind], from_beginning: bool
) -> AsyncIterator[Json]:
    """Committed alerts as they come, in CloudEvents' JSON format; for ever."""
    async with _reader(configuration) as reader:
        if not from_beginning:
            reader.go_to(await reader.ends())
        while True:
            for record, alert in await reader.next():
                if org in (None, alert.org) and (not kinds or alert.kind in kinds):
                    yield cloud_event(record)


async def alerts_since(
    configuration: Configuration, *, since: int, org: str | None, customer: str | None
) -> dict[str, int]:
    """How many there are of each kind."""
    counts = Counter([alert.kind.value async for _, alert in _since(configuration, since, org, customer)])
    return dict(counts.most_common())


async def replay_alerts(configuration: Configuration, *, since: int, org: str | None, customer: str | None) -> int:
    """The same keys, values and ids, marked as replays, each in its own partition again."""
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    await require_topics(bootstrap, configuration.kafka)
    again: list[Output] = []
    count = 0
    async with KafkaPublisher(bootstrap, prefix, client_id="cli") as publisher:
        async for record, _ in _since(configuration, since, org, customer):
            again.append(_again(record))
            if len(again) == READ_AT_ONCE:
                await publisher.publish(again)
                count, again = count + len(again), []
        await publisher.publish(again)
    return count + len(again)


def cloud_event(record: Input) -> Json:
    """An alert's record in CloudEvents' JSON format (structured mode)."""
    event: Json = {name.removeprefix(ATTRIBUTE): value.decode() for name, value in record.headers}
    event["datacontenttype"] = event.pop("content-type", None)
    event["data"] = msgspec.json.decode(record.value or b"null")
    return event


def _again(record: Input) -> Output:
    headers = tuple(replayed(record.headers))
    return Output(record.topic, record.key or b"", record.value, headers, partition=record.partition)


async def _since(
    configuration: Configuration, since: int, org: str | None, customer: str | None
) -> AsyncIterator[tuple[Input, Alert]]:
    """Alerts of that time and later, up to those there are now; what is a replay itself is none of them."""
    async with _reader(configuration) as reader:
        ends = await reader.ends()
        while not reader.reached(ends):
            for record, alert in await reader.next():
                ours = org in (None, alert.org) and customer in (None, alert.customer)
                within = record.offset < ends[Place(record.topic, record.partition)]
                if ours and within and _happened_at(record) >= since and not _is_replay(record):
                    yield record, alert


def _happened_at(record: Input) -> int:
    """UTC ms; 0 where the record does not say."""
    said = dict(record.headers).get("ce_time", b"").decode()
    try:
        return int(datetime.fromisoformat(said).timestamp() * 1000)
    except ValueError:
        return 0


def _is_replay(record: Input) -> bool:
    return dict(record.headers).get(IS_REPLAY) == b"true"


class _Reader:
    """Reads the topic from its beginning, unless it is told to go elsewhere."""

    def __init__(self, consumer: AIOKafkaConsumer, prefix: str, places: Sequence[Place]) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self._places = places
        self._positions: Positions = {}

    async def ends(self) -> Positions:
        """Where committed alerts end now."""
        return await reading.ends_of(self._consumer, self._prefix, self._places)

    def go_to(self, positions: Positions) -> None:
        """Read on from there."""
        for place, offset in positions.items():
            self._consumer.seek(reading.kafka_partition(self._prefix, place), offset)

    def reached(self, ends: Positions) -> bool:
        """Whether everything before `ends` has been read."""
        return all(self._positions.get(place, 0) >= end for place, end in ends.items())

    async def next(self) -> list[tuple[Input, Alert]]:
        """The next alerts; none when there is nothing new."""
        batch = await reading.next_batch(
            self._consumer, self._prefix, self._positions, max_records=READ_AT_ONCE, wait_ms=WAIT_MS
        )
        self._positions.update(batch.positions)
        return [(record, alert) for record in batch.records if (alert := _alert(record)) is not None]


def _alert(record: Input) -> Alert | None:
    try:
        return decode_alert(record.value or b"")
    except msgspec.DecodeError as error:
        log.warning("not an alert, passed over", partition=record.partition, offset=record.offset, error=str(error))
        return None


@contextlib.asynccontextmanager
async def _reader(configuration: Configuration) -> AsyncIterator[_Reader]:
    bootstrap, prefix = kafka_of(configuration), configuration.kafka.prefix
    places = (await reading.describe_cluster(bootstrap)).places(prefix, [ALERTS])
    consumer = reading.new_consumer(bootstrap)
    await reading.start_consumer(consumer, bootstrap)
    try:
        consumer.assign([reading.kafka_partition(prefix, place) for place in places])
        yield _Reader(consumer, prefix, places)
    finally:
        await consumer.stop()
