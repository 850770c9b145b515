"""The connection to Firestore: two calls, with raw messages and every setting that an outage asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import google.auth
import grpc
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from stream.errors import ConfigurationError, LoyaltyError, Refused
from stream.sinks.document import Document
from stream.sinks.firestore.encode import (
    BatchGetRequest,
    BatchGetResponse,
    BatchWriteRequest,
    BatchWriteResponse,
    Message,
    UpdateTime,
    fields_of,
    update_time_of,
)

RPC_SECONDS = 10.0
SERVICE = "/google.firestore.v1.Firestore"
SCOPE = "https://www.googleapis.com/auth/datastore"

OPTIONS = (
    # Without it, recovery after an outage takes more than a minute instead of a second.
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Repeating is ours: only we know what a repeated write means.
    ("grpc.enable_retries", 0),
)
EMULATOR_METADATA = (("authorization", "Bearer owner"),)
"""The emulator takes this as the administrator, whatever security rules it was given."""

OK = 0
INVALID_ARGUMENT = 3
INTERNAL = 13
TRANSIENT = frozenset({4, 8, 10, 13, 14})
"""Deadline exceeded, resource exhausted, aborted, internal, unavailable: repeat."""
CUT_OFF = frozenset({1, 2})
"""Cancelled, unknown: how a whole call ends that something on the way has cut off. Repeat it, too."""
CONFLICT = frozenset({5, 6, 9})
"""Not found, already exists, failed precondition: the document is not as it was when we looked."""
DENIED = frozenset({7, 16})
"""Permission denied, unauthenticated: a person must act."""


class Failed(LoyaltyError):
    """A call that failed as a whole, with its gRPC status code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def transient(self) -> bool:
        """Whether repeating can help."""
        return self.code in TRANSIENT | CUT_OFF


class Stored(NamedTuple):
    """A document as it is. `update_time` None: there is none."""

    fields: Document
    update_time: UpdateTime | None


class Written(NamedTuple):
    """What became of one write. `code` 0: it is there."""

    code: int
    message: str
    update_time: UpdateTime


class Connection:
    """Calls to one database. `close` it in the event loop that opened it; do not fork in between."""

    def __init__(
        self, channel: grpc.aio.Channel, project: str, database: str, metadata: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._channel = channel
        self._project = project
        self.database = f"projects/{project}/databases/{database}"
        self._metadata = (("google-cloud-resource-prefix", self.database), *metadata)
        self._write = channel.unary_unary(
            f"{SERVICE}/BatchWrite", BatchWriteRequest.SerializeToString, BatchWriteResponse.FromString
        )
        self._get = channel.unary_stream(
            f"{SERVICE}/BatchGetDocuments", BatchGetRequest.SerializeToString, BatchGetResponse.FromString
        )

    def name(self, path: str) -> str:
        """The full name of a document by its path in the database."""
        return f"{self.database}/documents/{path}"

    async def write(self, writes: Sequence[Message]) -> list[Written]:
        """Each write by itself, all in one call. Raises Failed, or Refused when a person must act."""
        request = BatchWriteRequest(database=self.database, writes=writes)
        try:
            response = await self._write(request, timeout=RPC_SECONDS, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._failure(error) from error
        pairs = zip(response.status, response.write_results, strict=True)
        results = [Written(status.code, status.message, update_time_of(result)) for status, result in pairs]
        for result in results:
            if result.code in DENIED:
                raise self.denied(result.message)
        return results

    async def read(self, paths: Mapping[str, object], fields: Sequence[str] | None) -> dict[str, Stored]:
        """These fields (None: all) of these documents. Raises Failed, or Refused when a person must act."""
        request = BatchGetRequest(database=self.database, documents=[self.name(path) for path in paths])
        if fields is not None:
            request.mask.field_paths.extend(fields)
        prefix, found = len(self.name("")), {}
        try:
            async for answer in self._get(request, timeout=RPC_SECONDS, metadata=self._metadata):
                if answer.WhichOneof("result") == "found":
                    document = answer.found
                    found[document.name[prefix:]] = Stored(fields_of(document), update_time_of(document))
                elif answer.missing:
                    found[answer.missing[prefix:]] = Stored({}, None)
        except grpc.RpcError as error:
            raise self._failure(error) from error
        if len(found) != len(paths):
            raise Failed(INTERNAL, f"{len(found)} of {len(paths)} documents were answered for")
        return found

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)

    def denied(self, message: str) -> Refused:
        """What to tell the person who must act."""
        return Refused(
            f"Firestore project {self._project} refuses the export: {message}. Give the service account the role "
            "roles/datastore.user, or correct GOOGLE_APPLICATION_CREDENTIALS, and restart the sink: nothing is lost."
        )

    def _failure(self, error: grpc.RpcError) -> LoyaltyError:
        code, details = int(error.code().value[0]), str(error.details() or error.code().name)
        if code in DENIED:
            return self.denied(details)
        if code in TRANSIENT | CUT_OFF or code == INVALID_ARGUMENT:
            return Failed(code, details)
        # E.g. no such database, or one in Datastore mode: repeating will not create it.
        return ConfigurationError(
            f"{self.database} cannot be written: {details}. Correct firestore.project or .database."
        )


async def connect(project: str, database: str = "(default)", *, emulator_host: str | None = None) -> Connection:
    """A connection with the machine's Google credentials, or to an emulator (`host:port`) without any.

    Raises ConfigurationError when there are no credentials. Nothing is sent yet.
    """
    if emulator_host:
        channel = grpc.aio.insecure_channel(emulator_host, options=OPTIONS)
        return Connection(channel, project, database, EMULATOR_METADATA)
    try:
        credentials, _ = await asyncio.to_thread(google.auth.default, scopes=[SCOPE])
    except GoogleAuthError as error:
        raise ConfigurationError(
            f"no Google credentials for Firestore project {project}: {error} Set GOOGLE_APPLICATION_CREDENTIALS to a "
            "service account's key file, or FIRESTORE_EMULATOR_HOST to an emulator."
        ) from error
    channel = FirestoreGrpcAsyncIOTransport.create_channel(credentials=credentials, options=OPTIONS)
    return Connection(channel, project, database)
