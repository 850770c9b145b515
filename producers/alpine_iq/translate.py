"""What Alpine IQ sends → what travels. Pure: no clock, no network.

A balance is published under every identity that its row has; whose it is, is decided by contacts.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from producers.alpine_iq import wire
from producers.identity import Identities
from stream.contracts import dead_letters, topics
from stream.contracts.identities import IDENTITIES, BalanceObserved, MovementObserved
from stream.contracts.names import Identity, Millis, OrgId, identity_key
from stream.engine.ports import Output
from stream.errors import Unreadable

SOURCE = "alpine_iq"
STAGE = "alpine_iq.translate"


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


def movement(raw: bytes, kind: str, identities: Identities, org: OrgId) -> Output:
    """A movement of points, under the contact's `code` identity. Raises `Unreadable`.

    `kind`: what the list it stands in is of; a row may know better (`expiry` among adjustments).
    """
    row = wire.movement_row(raw)
    points, at_seconds = wire.points_of(row.points), wire.points_of(row.timestamp)
    (identity, *_) = identities.of(row.contact, (), None) or (None,)
    if points is None or at_seconds is None or identity is None:
        raise Unreadable("the movement lacks its points, its time or its contact")
    moved_at = at_seconds * 1000
    body = MovementObserved(
        identity=identity,
        contact=row.contact or "",
        movement=row.id or hashlib.sha256(raw).hexdigest()[:32],
        kind=row.kind or kind,
        points=points,
        moved_at=moved_at,
        note=row.note,
    )
    value = IDENTITIES.encode(body, org=org, at=moved_at, source=SOURCE)
    return Output(topics.IDENTITIES.name, identity_key(org, identity), value)


def dead_letter(raw: bytes, reason: str, at: Millis, org: OrgId) -> Output:
    """A row that could not be understood, or not wholly: its bytes and why."""
    headers = dead_letters.headers(org=org, at=at, stage=STAGE, reason=reason, exception=Unreadable.__qualname__)
    return Output(topics.DEAD_LETTERS.name, org.encode(), raw, tuple(headers))


def _points(value: object, hidden: bool) -> tuple[int | None, str | None]:
    try:
        return wire.points_of(value, hidden=hidden), None
    except Unreadable as error:
        return None, str(error)
