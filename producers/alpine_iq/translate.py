"""What Alpine IQ sends → what travels. Pure: no clock, no network.

A balance is published under every identity that its row has; whose it is, is decided by contacts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import producers.dead_letters
from producers.alpine_iq import wire
from producers.identity import Identities, normalised_code
from producers.redaction import redacted
from stream.contracts import topics
from stream.contracts.identities import IDENTITIES, BalanceObserved, MovementObserved
from stream.contracts.names import Identity, Millis, OrgId, identity_key
from stream.engine.ports import Output
from stream.errors import Unreadable

SOURCE = "alpine_iq"
STAGE = "alpine_iq.translate"
ADJUSTMENT = "adjustment"
REDEMPTION = "redemption"
EXPIRY = "expiry"
MAX_ID_CHARACTERS = 64
MAX_NOTE_CHARACTERS = 100

_KINDS = {"expir": EXPIRY, "redem": REDEMPTION, "redeem": REDEMPTION, "adjust": ADJUSTMENT}
"""A word in the vendor's name of a kind → ours."""


class Request(NamedTuple):
    """On whose behalf the vendor was asked. `customer` and attempt 0: a look-up of one."""

    org: OrgId
    run: str
    attempt: int
    customer: str = ""


class Balance(NamedTuple):
    """A balance as it was read. `points` None: hidden, not sent or unreadable (then `problem` says why)."""

    contact: str
    identities: tuple[Identity, ...]
    points: int | None
    tier: str | None = None
    problem: str | None = None


class Moved(NamedTuple):
    """A movement as it was read: `kind` is `redemption`, `adjustment` or `expiry`, points are signed. `id`: the
    vendor's, where it sends one."""

    contact: str
    kind: str
    points: int
    moved_at: Millis
    id: str | None = None
    note: str | None = None


def member_balance(raw: bytes, identities: Identities) -> Balance:
    """The balance in a member's row. Raises `Unreadable` when nobody can tell whose it is."""
    row = wire.member_row(raw)
    points, problem = _points(row.points, row.hidden)
    held = identities.of(row.contact, (row.mobile_phone, row.home_phone), row.email)
    return Balance(row.contact or "", held, points, row.tier, problem)


def wallet_balance(wallet: wire.Wallet, asked: Identity, identities: Identities) -> Balance:
    """The balance in a wallet, which was found by the identity `asked`."""
    points, problem = _points(wallet.points, wallet.hidden)
    held = tuple(dict.fromkeys((*identities.of(wallet.contact, (), None), asked)))
    return Balance(wallet.contact or "", held, points, None, problem)


def observations(balance: Balance, observed_at: Millis, request: Request) -> list[Output]:
    """One BalanceObserved per identity, for topic `identities`."""
    return [
        Output(
            topics.IDENTITIES.name,
            identity_key(request.org, identity),
            IDENTITIES.encode(
                BalanceObserved(
                    identity=identity,
                    contact=balance.contact,
                    points=balance.points,
                    observed_at=observed_at,
                    run=request.run,
                    attempt=request.attempt,
                    tier=balance.tier,
                    customer=request.customer or None,
                ),
                org=request.org,
                at=observed_at,
                source=SOURCE,
                customer=request.customer,
            ),
        )
        for identity in balance.identities
    ]


def moved(raw: bytes, listed: str) -> Moved:
    """A row of the list of `listed` (`adjustment` or `redemption`). Raises `Unreadable`.

    A row may know its kind better than its list does (`expiry` among adjustments). A redemption and an expiry take
    points, with or without a minus: nobody knows how the vendor writes them.
    """
    row = wire.movement_row(raw)
    points, at = wire.points_of(row.points), wire.instant_of(row.timestamp)
    if points is None or at is None or normalised_code(row.contact) is None:
        raise Unreadable("the movement lacks its points, its time or its contact")
    kind = next((kind for word, kind in _KINDS.items() if word in (row.kind or "").lower()), listed)
    signed = points if kind == ADJUSTMENT else -abs(points)
    note = None if row.note is None else redacted(row.note)[:MAX_NOTE_CHARACTERS]
    vendors = None if row.id is None else f"{listed}:{row.id}"
    return Moved(row.contact or "", kind, signed, Millis(at), vendors, note)


def numbered(rows: Iterable[Moved]) -> Iterator[tuple[str, Moved]]:
    """Movements with their ids: the vendor's where there is one, else a hash of what is known of it.

    Of equal ones each has its own, whatever the order: a window has all of them or none, for they moved at one time.
    """
    equals: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        if row.id is not None:
            yield (row.id if len(row.id) <= MAX_ID_CHARACTERS else _digest(row.id)), row
            continue
        what = (row.contact, row.kind, row.moved_at, row.points)
        yield _digest(f"{what}:{equals[what]}"), row
        equals[what] += 1


def movement(
    known: str, row: Moved, identities: Iterable[Identity], observed_at: Millis, org: OrgId
) -> Iterator[Output]:
    """One MovementObserved, `known` as its id, under each of the contact's identities, for topic `identities`."""
    for identity in identities:
        body = MovementObserved(identity, row.contact, known, row.kind, row.points, row.moved_at, row.note)
        value = IDENTITIES.encode(body, org=org, at=observed_at, source=SOURCE)
        yield Output(topics.IDENTITIES.name, identity_key(org, identity), value)


def dead_letter(raw: bytes, reason: str, at: Millis, org: OrgId) -> Output:
    """A row that could not be understood, or not wholly: its bytes and why."""
    return producers.dead_letters.dead_letter(
        raw, org=org, at=at, stage=STAGE, reason=reason, exception=Unreadable.__qualname__
    )


def _digest(known: str) -> str:
    return hashlib.sha256(known.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _points(value: object, hidden: bool) -> tuple[int | None, str | None]:
    try:
        return wire.points_of(value, hidden=hidden), None
    except Unreadable as error:
        return None, str(error)
