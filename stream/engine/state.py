"""State of one partition as a unit sees it: what is stored, what the unit has changed, what the record changes.

Keys within a partition (values are msgpack arrays):

| key                        | value |
|----------------------------|-------|
| `a|org:customer`           | Account |
| `o|org:customer|order`     | OrderLine |
| `g|org`                    | settings in force |
| `i|org:identity`           | links of an identity |
| `r|org`, `b|org|run|phase` | runs, barrier counts |
| `c|event`                  | where a long partition-wide event has got to |
| `w`                        | ids of partition-wide events taken lately |
| `d`                        | dead letters in the last source offsets |
| `e`                        | an epoch has begun and not everything has been said again |
| `s`                        | the position that all of it includes |
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from stream.engine.ports import Store
from stream.errors import LoyaltyError

T = TypeVar("T", bound=msgspec.Struct)

POSITION = b"s"
FAULTS = b"d"
TAKEN = b"w"
RENEWING = b"e"

_MISSING: Any = object()
_encode = msgspec.msgpack.Encoder(decimal_format="string").encode


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The last source offset that state includes, and the epoch of the log it belongs to.

    The epoch rises when the input log lost its tail, so that versions (epoch, offset) never go backwards.
    """

    epoch: int = 0
    offset: int = -1


class Faults(msgspec.Struct, frozen=True, array_like=True):
    """Source offsets that became dead letters lately; `stopped_at`: the offset that stopped the partition."""

    offsets: tuple[int, ...] = ()
    stopped_at: int = -1


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """Ids of partition-wide events that were taken, newest last: publishers repeat them until acknowledged."""

    ids: tuple[str, ...] = ()


class Renewing(msgspec.Struct, frozen=True, array_like=True):
    """An epoch that began at `offset`, noticed at `at` (UTC ms), whose outputs have not all been said again."""

    offset: int
    at: int


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Progress of a long partition-wide event: pass, last key visited, and what was gathered so far."""

    number: int = 0
    after: bytes = b""
    gathered: bytes = b""


def account_key(org: str, customer: str) -> bytes:
    """Key of an account."""
    return f"a|{org}:{customer}".encode()


def accounts_of(org: str) -> bytes:
    """Prefix of all accounts of an org."""
    return f"a|{org}:".encode()


def line_key(org: str, customer: str, order: str) -> bytes:
    """Key of an order line."""
    return f"o|{org}:{customer}|{order}".encode()


def lines_of(org: str, customer: str) -> bytes:
    """Prefix of all order lines of a customer."""
    return f"o|{org}:{customer}|".encode()


def settings_key(org: str) -> bytes:
    """Key of an org's settings in force."""
    return f"g|{org}".encode()


def cursor_key(event_id: str) -> bytes:
    """Key of the progress of a partition-wide event."""
    return f"c|{event_id}".encode()


class StateUnreadable(LoyaltyError):
    """The store failed, or holds what this version does not understand: never the fault of the record at hand."""


@cache
def decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """The decoder of a kind of value; one per kind."""
    return msgspec.msgpack.Decoder(kind)


class State:
    """A unit's view of a store. Values are immutable structs: a record that fails leaves nothing behind.

    Each key is read from the store once per unit. `keep` merges what the record at hand has written,
    `drop` forgets it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[bytes, Any] = {}
        self._changed: set[bytes] = set()
        self._staged: dict[bytes, Any] = {}

    def get(self, key: bytes, kind: type[T]) -> T | None:
        """The value of `key`, or None."""
        value = self._staged.get(key, _MISSING)
        if value is _MISSING:
            value = self._values.get(key, _MISSING)
            if value is _MISSING:
                value = self._values[key] = self._read(key, kind)
        return value  # type: ignore[no-any-return]  # a key always holds one kind

    def _read(self, key: bytes, kind: type[T]) -> T | None:
        try:
            raw = self._store.get(key)
            return None if raw is None else decoder(kind).decode(raw)
        except Exception as error:
            raise StateUnreadable(f"the value of {key!r} cannot be read: {error}") from error

    def put(self, key: bytes, value: msgspec.Struct) -> None:
        """Set `key` for the record at hand."""
        self._staged[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key` for the record at hand."""
        self._staged[key] = None

    def scan(self, prefix: bytes, kind: type[T], after: bytes | None = None) -> Iterator[tuple[bytes, T]]:
        """Keys with `prefix` beyond `after` in byte order, as this unit sees them."""
        try:
            yield from self._scan(prefix, kind, after)
        except Exception as error:
            raise StateUnreadable(f"what begins with {prefix!r} cannot be read: {error}") from error

    def _scan(self, prefix: bytes, kind: type[T], after: bytes | None) -> Iterator[tuple[bytes, T]]:
        overlay = {key: self._values[key] for key in self._changed} | self._staged
        mine = sorted(k for k in overlay if k.startswith(prefix) and (after is None or k > after))
        stored = self._store.scan(prefix, after)
        if not mine:
            for key, raw in stored:
                yield key, decoder(kind).decode(raw)
            return
        for key, raw in heapq.merge(((k, b"") for k in mine), (p for p in stored if p[0] not in overlay)):
            value = overlay[key] if key in overlay else decoder(kind).decode(raw)
            if value is not None:
                yield key, value

    def keep(self) -> None:
        """What the record wrote is now part of the unit."""
        if self._staged:
            self._values.update(self._staged)
            self._changed.update(self._staged)
            self._staged.clear()

    def drop(self) -> None:
        """The record failed: forget what it wrote."""
        self._staged.clear()

    def changes(self) -> Mapping[bytes, bytes | None]:
        """Every changed key with its encoded value; None where it was deleted."""
        values = self._values
        return {key: None if values[key] is None else _encode(values[key]) for key in self._changed}
