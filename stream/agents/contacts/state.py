"""State of contacts: two values per identity, one barrier per run, one digest per accounts partition."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.agents.barriers import Barrier


class Linked(msgspec.Struct, frozen=True, array_like=True):
    """A customer that holds the identity. `arrived`: (epoch, offset) at which contacts heard of it."""

    version: tuple[int, int]
    arrived: tuple[int, int]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What the provider last said of the identity. `run`, `attempt`: the sweep that saw it, at `swept_at` (UTC ms).

    `several`: the sweep before saw several contacts, of which this one may have missed some.
    """

    contacts: tuple[str, ...]
    points: int | None
    tier: str | None
    observed_at: int
    run: str
    attempt: int
    swept_at: int = -1
    several: bool = False


class Told(StrEnum):
    """The kind of answer last given."""

    MATCHED = "matched"
    MISSED = "missed"
    ABSENT = "absent"
    AMBIGUOUS = "ambiguous"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """An answer, to be repeated only when it differs: `holders` are the links it was given to."""

    kind: Told
    holders: tuple[tuple[str, tuple[int, int]], ...]
    contact: str = ""
    points: int | None = None
    tier: str | None = None
    shared_by: int = 0


class IdentityState(msgspec.Struct, frozen=True, array_like=True):
    """All that is known of one identity. `missed`: sweeps in a row that lacked it. `asked`: customer → run of a
    look-up whose answer arrived before the link did, the last at `asked_at` (epoch, offset)."""

    links: dict[str, Linked] = {}
    row: Row | None = None
    missed: int = 0
    told: Answer | None = None
    asked: dict[str, str] = {}
    asked_at: tuple[int, int] = (0, -1)


class Moved(msgspec.Struct, frozen=True, array_like=True):
    """A redemption, adjustment or expiry of a contact; signed points, UTC ms."""

    contact: str
    kind: str
    points: int
    moved_at: int
    note: str | None = None


class KnownMovements(msgspec.Struct, frozen=True, array_like=True):
    """Movements listed under an identity, by id. Beside `IdentityState`, which every sweep writes anew.

    `dropped_through`: of so many, those up to this UTC ms are not kept any more; -1: all are.
    """

    by_id: dict[str, Moved] = {}
    dropped_through: int = -1


class JoinBarrier(Barrier, frozen=True, array_like=True, kw_only=True):
    """What has arrived of a run.

    `links`: accounts partition → attempt of its LinksComplete. `swept`: attempt of the sweep, 0 before it is
    complete. `began`: attempt → (epoch, offset) of its SweepStarted in this log: what was linked before is judged,
    by the log's order and not by clocks, of which the two vendors have two. `at`: the newest time that a marker says
    (UTC ms). `decided`: joined.
    """

    links: dict[int, int] = msgspec.field(default_factory=dict)
    swept: int = 0
    sweep_started_at: int = 0
    began: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)
    at: int = 0


def identity_key(org: str, identity: str) -> bytes:
    """Key of an identity."""
    return f"i|{org}:{identity}".encode()


def identities_of(org: str) -> bytes:
    """Prefix of all identities of an org."""
    return f"i|{org}:".encode()


def movements_key(org: str, identity: str) -> bytes:
    """Key of the movements of an identity."""
    return f"m|{org}:{identity}".encode()


def barriers_of(org: str) -> bytes:
    """Prefix of the barriers of an org."""
    return f"b|{org}|".encode()


def barrier_key(org: str, run: str) -> bytes:
    """Key of a run's barrier."""
    return barriers_of(org) + run.encode()


def digest_key(org: str, partition: int) -> bytes:
    """Key of the digest of links from one accounts partition."""
    return f"l|{org}|{partition}".encode()
