"""Documents as raw protobuf messages, and back.

The library's own encoder takes about 150 µs a document and holds the event loop for it; this takes about 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.cloud.firestore_v1.types import common, document, firestore, write

from stream.sinks.document import Document, Value

# Protobuf's own classes have no static types: what leaves this module does.
Message = Any
FieldValue = Value | Decimal | Mapping[str, "FieldValue"] | Sequence["FieldValue"]
"""A `Decimal` becomes a double, the nearest there is: for statistics, never for money or points."""

BatchWriteRequest: Message = firestore.BatchWriteRequest.pb()
BatchWriteResponse: Message = firestore.BatchWriteResponse.pb()
BatchGetRequest: Message = firestore.BatchGetDocumentsRequest.pb()
BatchGetResponse: Message = firestore.BatchGetDocumentsResponse.pb()
DocumentMessage: Message = document.Document.pb()
WriteMessage: Message = write.Write.pb()
PreconditionMessage: Message = common.Precondition.pb()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UpdateTime(bytes):
    """When a document last changed, as Firestore's own bytes: compared and handed back, never read."""


def write_message(name: str, fields: Mapping[str, FieldValue], owned: Sequence[str]) -> Message:
    """A merge of `fields` into document `name`: what is in `owned` but not in `fields` is deleted.

    `owned` are plain names. Raises ValueError for an integer beyond 64 bits, TypeError for a type that no document has.
    """
    message = WriteMessage()
    message.update.name = name
    for field, value in fields.items():
        _put(message.update.fields[field], value)
    message.update_mask.field_paths.extend(owned)
    return message


def require(message: Message, update_time: UpdateTime | None) -> None:
    """Let the write happen only if the document is still as it was: unchanged, or (None) not there."""
    if update_time is None:
        message.current_document.exists = False
    else:
        message.current_document.update_time.ParseFromString(update_time)


def update_time_of(message: Message) -> UpdateTime:
    """The `update_time` of a document or of a write's result."""
    return UpdateTime(message.update_time.SerializeToString())


def fields_of(message: Message) -> Document:
    """The plain fields of a stored document; one of a type that is never ours is None."""
    return {name: _value(value) for name, value in message.fields.items()}


def _put(target: Message, value: FieldValue) -> None:
    if isinstance(value, bool):
        target.boolean_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int):
        target.integer_value = value
    elif isinstance(value, Decimal):
        target.double_value = float(value)
    elif isinstance(value, datetime):
        since = value - _EPOCH
        target.timestamp_value.seconds = since.days * 86_400 + since.seconds
        target.timestamp_value.nanos = since.microseconds * 1000
    elif isinstance(value, Mapping):
        target.map_value.SetInParent()
        for name, inner in value.items():
            _put(target.map_value.fields[name], inner)
    elif isinstance(value, Sequence):
        target.array_value.SetInParent()
        for element in value:
            _put(target.array_value.values.add(), element)
    else:
        raise TypeError(f"a document has no values of type {type(value).__name__}")


def _value(message: Message) -> Value:
    kind = message.WhichOneof("value_type")
    if kind == "timestamp_value":
        stamp = message.timestamp_value
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    if kind in ("string_value", "integer_value", "boolean_value"):
        value: Value = getattr(message, kind)
        return value
    return None
