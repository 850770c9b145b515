"""The Firestore export is ready when it has read what there is and Firestore takes what is written."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc

from stream.sinks.firestore.encode import Message
from stream.sinks.firestore.sink import FirestoreSink
from stream.sinks.firestore.writer import DocumentWriter
from tests.sinks.kafka_log import kafka_log
from tests.sinks.sinks_under_test import NoPublisher
from tests.sinks.test_firestore_faults import ScriptedFirestore, serving, writer_to, writes


async def test_a_fresh_log_read_to_its_end_is_ready(
    kafka: str, topic_prefix: str, firestore_emulator: str, firestore_project: str
) -> None:
    async with kafka_log(kafka, topic_prefix) as log:
        sink = FirestoreSink(
            log.bootstrap, log.prefix, NoPublisher(), project=firestore_project, emulator_host=firestore_emulator
        )
        assert sink.standing() == (False, "0 partitions are exported")
        running = asyncio.create_task(sink.run())
        async with asyncio.timeout(30):
            while sink.standing() != (True, "8 partitions are exported"):
                assert not running.done()
                await asyncio.sleep(0.05)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


class Watched(ScriptedFirestore):
    """Notes what the writer says of itself while it is being called."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(answers)
        self.said: list[str | None] = []
        self.writer: DocumentWriter

    async def batch_write(self, request: Message, context: grpc.aio.ServicerContext) -> Message:
        self.said.append(self.writer.failing)
        return await super().batch_write(request, context)


async def test_a_firestore_that_does_not_answer_is_told_until_it_does() -> None:
    firestore = Watched(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    async with serving(firestore) as connection:
        firestore.writer = writer_to(connection)
        assert await firestore.writer.write(writes(1)) == []
    assert [said is not None for said in firestore.said] == [False, True, True]
    assert firestore.writer.failing is None
