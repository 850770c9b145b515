"""The export against a server that answers as told: outages, refusals and what they must not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from stream.contracts.settings import OrgSettings
from stream.errors import BadRecord, ConfigurationError, LoyaltyError, PartitionStopped, Refused
from stream.sinks.firestore.connection import SERVICE, Connection, connect
from stream.sinks.firestore.dead import ALLOWED, WINDOW_RECORDS, DeadLetters
from stream.sinks.firestore.encode import (
    BatchGetRequest,
    BatchGetResponse,
    BatchWriteRequest,
    BatchWriteResponse,
    Message,
)
from stream.sinks.firestore.translate import write_of
from stream.sinks.firestore.write import DocumentWrite
from stream.sinks.firestore.writer import DocumentWriter
from tests.sinks.records import a_profile, profile_record, settings_record
from tests.sinks.sinks_under_test import NoPublisher

Answer = Any  # a grpc.StatusCode, statuses per write, or None


class ScriptedFirestore:
    """Answers each BatchWrite with the next of `answers`: a call's status, statuses per write, or None for success."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.calls: list[int] = []

    async def batch_write(self, request: Message, context: grpc.aio.ServicerContext) -> Message:
        self.calls.append(len(request.writes))
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "as told")
        response = BatchWriteResponse()
        for position in range(len(request.writes)):
            response.write_results.add()
            response.status.add().code = answer[position] if answer else 0
        return response

    async def batch_get(self, request: Message, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        for name in request.documents:
            yield BatchGetResponse(missing=name)


@asynccontextmanager
async def serving(firestore: ScriptedFirestore) -> AsyncIterator[Connection]:
    write = grpc.unary_unary_rpc_method_handler(
        firestore.batch_write, BatchWriteRequest.FromString, BatchWriteResponse.SerializeToString
    )
    get = grpc.unary_stream_rpc_method_handler(
        firestore.batch_get, BatchGetRequest.FromString, BatchGetResponse.SerializeToString
    )
    server = grpc.aio.server()
    service = SERVICE.strip("/")
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"BatchWrite": write, "BatchGetDocuments": get})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    connection = await connect("p", emulator_host=f"127.0.0.1:{port}")
    try:
        yield connection
    finally:
        await connection.close()
        await server.stop(None)


def writes(number: int) -> list[DocumentWrite]:
    found = [write_of(profile_record(str(n), a_profile(n))) for n in range(number)]
    return [write for write in found if write is not None]


def writer_to(connection: Connection) -> DocumentWriter:
    return DocumentWriter(connection, lanes=1, first_wait_seconds=0.001)


@pytest.mark.parametrize("code", [4, 8, 10, 13, 14])
@pytest.mark.parametrize("whole_call", [True, False])
async def test_a_busy_server_is_asked_again_until_everything_is_written(code: int, whole_call: bool) -> None:
    busy: Answer = next(c for c in grpc.StatusCode if c.value[0] == code) if whole_call else (0, code, 0)
    again = 3 if whole_call else 1
    firestore = ScriptedFirestore([busy, grpc.StatusCode.UNAVAILABLE])
    async with serving(firestore) as connection:
        writer = writer_to(connection)
        assert await writer.write(writes(3)) == []
    assert writer.counts.written == 3
    assert firestore.calls == [3, again, again]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, Refused, "roles/datastore.user"),
        (grpc.StatusCode.UNAUTHENTICATED, Refused, "GOOGLE_APPLICATION_CREDENTIALS"),
        ((0, 7, 0), Refused, "roles/datastore.user"),
        (grpc.StatusCode.NOT_FOUND, ConfigurationError, "firestore.project"),
    ],
)
async def test_what_only_a_person_can_mend_stops_the_export(
    answer: Answer, error: type[LoyaltyError], says: str
) -> None:
    firestore = ScriptedFirestore([answer])
    async with serving(firestore) as connection:
        with pytest.raises(error, match=says):
            await writer_to(connection).write(writes(3))
    assert firestore.calls == [3], "it is not tried again"


async def test_a_document_that_firestore_refuses_by_itself_is_poison() -> None:
    async with serving(ScriptedFirestore([(0, 3, 0)])) as connection:
        poison = await writer_to(connection).write(writes(3))
    assert [entry.write.path for entry in poison] == ["customers/brand_example_1"]


FAILED = (profile_record("1", a_profile(1)), "impossible")


async def test_a_poison_record_becomes_a_dead_letter_with_its_bytes_and_its_place() -> None:
    publisher = NoPublisher()
    await DeadLetters(publisher).give_up([FAILED])
    (letter,) = publisher.published
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("dead-letters", FAILED[0].key, FAILED[0].value)
    assert headers["__dlq.errors.topic"] == b"profiles"
    assert headers["__dlq.errors.offset"] == str(FAILED[0].offset).encode()
    assert headers["loyalty.org"] == b"brand_example"


@pytest.mark.parametrize(
    ("between", "stops", "because"),
    [
        (0, True, "a bad deploy spoils every record"),
        (WINDOW_RECORDS, False, "what happened long ago does not count"),
    ],
)
async def test_too_many_dead_letters_stop_the_export(between: int, stops: bool, because: str) -> None:
    publisher = NoPublisher()
    letters = DeadLetters(publisher)
    letters.passed(ALLOWED)
    await letters.give_up([FAILED] * ALLOWED)
    letters.passed(between)
    attempt: Callable[[], object] = lambda: letters.give_up([FAILED])  # noqa: E731
    if stops:
        with pytest.raises(PartitionStopped):
            await attempt()  # type: ignore[misc]
    else:
        await attempt()  # type: ignore[misc]
    assert len(publisher.published) == ALLOWED + (not stops), because


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN])
async def test_a_call_that_was_cut_off_on_the_way_is_asked_again(code: grpc.StatusCode) -> None:
    """Proxies end calls so. Taken for a wrong configuration, it would end the export, and the tree with it."""
    firestore = ScriptedFirestore([code, code])
    async with serving(firestore) as connection:
        assert await writer_to(connection).write(writes(3)) == []
    assert firestore.calls == [3, 3, 3]


def test_an_org_whose_name_firestore_keeps_for_itself_is_the_records_fault() -> None:
    with pytest.raises(BadRecord):
        write_of(settings_record(1, OrgSettings(), org="__shop__"))


def test_a_time_that_no_calendar_has_is_the_records_fault() -> None:
    with pytest.raises(BadRecord):
        write_of(profile_record("1", a_profile(calculated_at=10**30)))
