"""State of one partition as a unit sees it: what is stored, what the unit has changed, what the record changes.

Keys within a partition (values are msgpack arrays):

| key                        | value |
|----------------------------|-------|
| `a|org:customer`           | Account |
| `o|org:customer|order`     | OrderLine |
| `g|org`                    | settings in force |
| `u|org`                    | unknown order statuses seen |
| `i|org:identity`           | links of an identity |
| `m|org:identity`           | the provider's newest movements of an identity |
| `r|org`, `b|org|run|phase` | runs, barrier counts |
| `t`                        | the last minute that the schedule told runs |
| `c|event`                  | where a long partition-wide event has got to |
| `w`                        | ids of partition-wide events taken lately |
| `d`                        | dead letters in the last source offsets |
| `e`                        | an epoch has begun and not everything has been said again |
| `s`                        | the position that all of it includes |
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
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
_KIND = b"a|"

_MISSING: Any = object()
_NOTHING: Any = None
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


def account_key(outside: bytes) -> bytes:
    """Key of an account. `outside`: its key in topics, `org:customer`."""
    return b"a|" + outside


def accounts_of(org: str) -> bytes:
    """Prefix of all accounts of an org."""
    return f"a|{org}:".encode()


def line_key(outside: bytes, order: str) -> bytes:
    """Key of an order line of the account with that key in topics."""
    return b"o|%b|%b" % (outside, order.encode())


def lines_of(outside: bytes) -> bytes:
    """Prefix of all order lines of the account with that key in topics."""
    return b"o|%b|" % outside


def settings_key(org: str) -> bytes:
    """Key of an org's settings in force."""
    return f"g|{org}".encode()


def cursor_key(event_id: str) -> bytes:
    """Key of the progress of a partition-wide event."""
    return f"c|{event_id}".encode()


def _room(key: bytes) -> bytes:
    """What keys that are scanned together begin with: all up to the second bar, else the kind alone."""
    return key[: key.find(b"|", len(_KIND)) + 1 or len(_KIND)]


class StateUnreadable(LoyaltyError):
    """The store failed, or holds what this version does not understand: never the fault of the record at hand."""


@cache
def decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """The decoder of a kind of value; one per kind."""
    return msgspec.msgpack.Decoder(kind)


class State:
    """A unit's view of a store. Values are immutable structs: a record that fails leaves nothing behind.

    Each key is read from the store once per unit. `keep` makes what the record at hand has written part of the unit,
    `drop` takes it back.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[bytes, Any] = {}
        self._changed: dict[bytes, Any] = {}
        self._undo: list[tuple[bytes, Any]] = []
        self._unfiled: list[bytes] = []
        self._rooms: dict[bytes, set[bytes]] = {}
        """Changed keys by their room, filed when somebody scans: a scan looks through its own room only."""

    @property
    def changed(self) -> int:
        """How many keys have changed."""
        return len(self._changed)

    def get(self, key: bytes, kind: type[T]) -> T | None:
        """The value of `key`, or None."""
        value = self._changed.get(key, _MISSING)
        if value is not _MISSING:
            return value  # type: ignore[no-any-return]  # a key always holds one kind
        value = self._read.get(key, _MISSING)
        if value is not _MISSING:
            return value  # type: ignore[no-any-return]
        try:
            raw = self._store.get(key)
            value = self._read[key] = None if raw is None else decoder(kind).decode(raw)
        except Exception as error:
            raise StateUnreadable(f"the value of {key!r} cannot be read: {error}") from error
        return value

    def put(self, key: bytes, value: msgspec.Struct) -> None:
        """Set `key` for the record at hand."""
        before = self._changed.get(key, _MISSING)
        if before is _MISSING:
            self._unfiled.append(key)
        self._undo.append((key, before))
        self._changed[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key` for the record at hand."""
        self.put(key, _NOTHING)

    def scan(self, prefix: bytes, kind: type[T], after: bytes | None = None) -> Iterator[tuple[bytes, T]]:
        """Keys with `prefix` beyond `after` in byte order, as this unit sees them."""
        try:
            yield from self._scan(prefix, kind, after)
        except Exception as error:
            raise StateUnreadable(f"what begins with {prefix!r} cannot be read: {error}") from error

    def _scan(self, prefix: bytes, kind: type[T], after: bytes | None) -> Iterator[tuple[bytes, T]]:
        overlay = {key: self._changed[key] for key in self._changed_with(prefix, after)}
        stored = self._store.scan(prefix, after)
        if not overlay:
            for key, raw in stored:
                yield key, decoder(kind).decode(raw)
            return
        for key, raw in heapq.merge(((k, b"") for k in overlay), (p for p in stored if p[0] not in overlay)):
            value = overlay[key] if key in overlay else decoder(kind).decode(raw)
            if value is not None:
                yield key, value

    def _changed_with(self, prefix: bytes, after: bytes | None) -> list[bytes]:
        """Changed keys with `prefix` beyond `after`, in byte order."""
        for key in self._unfiled:
            self._rooms.setdefault(_room(key), set()).add(key)
        self._unfiled.clear()
        rooms = [prefix] if _room(prefix) == prefix and len(prefix) > len(_KIND) else list(self._rooms)
        return sorted(
            key
            for room in rooms
            for key in self._rooms.get(room, ())
            if key.startswith(prefix) and (after is None or key > after) and key in self._changed
        )

    def keep(self) -> None:
        """What the record wrote is now part of the unit."""
        self._undo.clear()

    def drop(self) -> None:
        """The record failed: take back what it wrote."""
        for key, before in reversed(self._undo):
            if before is _MISSING:
                del self._changed[key]
            else:
                self._changed[key] = before
        self._undo.clear()

    def changes(self) -> dict[bytes, bytes | None]:
        """Every changed key with its encoded value; None where it was deleted."""
        return {key: None if value is None else _encode(value) for key, value in self._changed.items()}
