"""The envelope: `{"type", "v", "id", "org", "customer", "at", "source", "data"}` in JSON.

A topic's vocabulary is the closed list of bodies that may travel in it. Unknown *fields* are tolerated,
so that a newer writer does not stop an older reader; an unknown *type* is a `BadRecord`, because
ignoring a fact of an unknown kind would make the account silently wrong.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Generic, TypeVar

import msgspec

from stream.errors import BadRecord

Body = TypeVar("Body")


class Event(msgspec.Struct, Generic[Body], kw_only=True, omit_defaults=True):
    """One event: who it is about, when it was true and who says so.

    `at`: UTC milliseconds at which the content was true (for vendor data: the start of the request).
    `id`: set on partition-wide events, which exist once per partition under one id; empty otherwise.
    `source`: the publisher, e.g. `alleaves` or `contacts/3`.
    """

    org: str
    at: int
    source: str
    data: Body
    customer: str = ""
    id: str = ""
    v: int = 1


class Vocabulary:
    """The bodies that one topic carries, with one decoder for all of them."""

    def __init__(self, *bodies: type[msgspec.Struct]) -> None:
        self.bodies = {body.__name__: body for body in bodies}
        self._envelopes: dict[type[msgspec.Struct], type[Event[Any]]] = {body: _envelope(body) for body in bodies}
        union: Any = reduce(or_, self._envelopes.values())
        self._decode = msgspec.json.Decoder(union).decode
        self._encode = msgspec.json.Encoder(decimal_format="string").encode

    def decode(self, raw: bytes) -> Event[Any]:
        """The event in `raw`. Raises `BadRecord` when it is not one of this vocabulary."""
        try:
            event: Event[Any] = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRecord(f"not an event of this topic: {error}") from error
        return event

    def encode(
        self, body: msgspec.Struct, *, org: str, at: int, source: str, customer: str = "", event_id: str = ""
    ) -> bytes:
        """`body` in its envelope, as JSON."""
        envelope = self._envelopes[type(body)]
        return self._encode(envelope(org=org, at=at, source=source, customer=customer, id=event_id, data=body))


def _envelope(body: type[msgspec.Struct]) -> type[Event[Any]]:
    envelope: Any = msgspec.defstruct(
        f"{body.__name__}Event",
        [("data", body)],
        bases=(Event,),
        tag=body.__name__,
        tag_field="type",
        kw_only=True,
        omit_defaults=True,
        gc=False,  # a tree: nothing for the cycle collector to look for
    )
    return envelope  # type: ignore[no-any-return]  # a struct made at run time has no static type
