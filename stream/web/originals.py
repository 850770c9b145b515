"""The original bytes of dead letters, read from their topic one at a time."""

from __future__ import annotations

from stream.contracts.topics import DEAD_LETTERS
from stream.engine.ports import Input
from stream.sinks import reading
from stream.sinks.reading import Place

WAIT_MS = 250
TRIES = 20


class KafkaOriginals:
    """`bootstrap`, `prefix`: where the log is."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    async def read(self, partition: int, offset: int) -> Input | None:
        """The record at this place; None when it is not kept any more. Raises Unreachable when no broker answers."""
        place = Place(DEAD_LETTERS.name, partition)
        consumer = reading.new_consumer(self._bootstrap)
        await reading.start_consumer(consumer, self._bootstrap)
        try:
            consumer.assign([reading.kafka_partition(self._prefix, place)])
            starts = await reading.starts_of(consumer, self._prefix, [place])
            ends = await reading.ends_of(consumer, self._prefix, [place])
            if not starts[place] <= offset < ends[place]:
                return None
            consumer.seek(reading.kafka_partition(self._prefix, place), offset)
            for _ in range(TRIES):
                batch = await reading.next_batch(consumer, self._prefix, {}, max_records=1, wait_ms=WAIT_MS)
                if batch.records:
                    return batch.records[0] if batch.records[0].offset == offset else None
            return None
        finally:
            await consumer.stop()
