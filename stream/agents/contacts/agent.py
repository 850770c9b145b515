"""The contacts agent: links in, balances in, answers out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec.structs import replace

from stream.agents.after_loss import request_run
from stream.agents.contacts import movements
from stream.agents.contacts.answers import facts, now
from stream.agents.contacts.forget import Forget
from stream.agents.contacts.join import Join
from stream.agents.contacts.state import (
    IdentityState,
    JoinBarrier,
    Linked,
    Row,
    barrier_key,
    digest_key,
    identity_key,
)
from stream.agents.links import LinkDigest
from stream.contracts import topics
from stream.contracts.envelope import Event
from stream.contracts.facts import FACTS
from stream.contracts.identities import (
    IDENTITIES,
    BalanceObserved,
    ContactLinked,
    ContactUnlinked,
    LinksComplete,
    MovementObserved,
    SweepCompleted,
    SweepStarted,
)
from stream.contracts.names import account_key
from stream.contracts.runs import RunKind
from stream.engine.agent import Wide
from stream.engine.turn import Turn
from stream.engine.unit import Unit
from stream.errors import BadRecord

RESENDS = 5
"""How often links are asked for again before a run is left to its deadline."""


async def contacts(units: AsyncIterator[Unit]) -> None:
    """Apply what is known of identities. State: `stream.agents.contacts.state`."""
    agent = Contacts()
    async for unit in units:
        await unit.commit(agent)


class Contacts:
    """See `stream.engine.agent.Agent`."""

    name = "contacts"
    source = topics.IDENTITIES
    vocabulary = IDENTITIES
    heals = True
    renewed: Sequence[bytes] = (b"l|",)

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        """Ask for a sweep: it finds by its digests which links were missed, and has them sent again."""
        org = key.decode().split("|")[1]
        request_run(turn, org, RunKind.BALANCES, at)

    def apply(self, event: Event[Any], turn: Turn) -> None:
        """Apply a fact about one identity."""
        data = event.data
        if isinstance(data, BalanceObserved):
            _balance(event, data, turn)
        elif isinstance(data, ContactLinked):
            _link(event, data, turn)
        elif isinstance(data, ContactUnlinked):
            _unlink(event, data, turn)
        elif isinstance(data, MovementObserved):
            _movement(event, data, turn)
        else:
            raise BadRecord(f"{type(data).__name__} must be partition-wide")

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        """Count towards the barrier of a run; the one that completes it is worked off."""
        data = event.data
        key = barrier_key(event.org, data.run)
        barrier = turn.state.get(key, JoinBarrier) or JoinBarrier(since=turn.version)
        if isinstance(data, SweepStarted):
            barrier = replace(barrier, began=barrier.began | {data.attempt: turn.version})
        elif isinstance(data, LinksComplete):
            if not _links_agree(event, data, turn):
                return Forget(event, data) if data.attempt < RESENDS else None
            barrier = replace(barrier, links=barrier.links | {data.partition: data.attempt})
        elif isinstance(data, SweepCompleted):
            if not barrier.decided and data.attempt >= barrier.swept:
                barrier = replace(barrier, swept=data.attempt, sweep_started_at=data.started_at)
        else:
            raise BadRecord(f"{type(data).__name__} must not be partition-wide")
        barrier = replace(barrier, at=max(barrier.at, event.at))
        turn.state.put(key, barrier)
        if barrier.decided or not barrier.swept or len(barrier.links) < turn.place.partitions:
            return None
        return Join(event.org, data.run, barrier)


def _identity(turn: Turn, org: str, identity: str) -> tuple[bytes, IdentityState]:
    key = identity_key(org, identity)
    return key, turn.state.get(key, IdentityState) or IdentityState()


def _link(event: Event[Any], data: ContactLinked, turn: Turn) -> None:
    key, state = _identity(turn, event.org, data.identity)
    known = state.links.get(event.customer)
    if known is not None and known.version >= data.link_version:
        return
    _count(event, data.identity, known.version if known else None, data.link_version, turn)
    links = state.links | {event.customer: Linked(data.link_version, turn.version)}
    state = replace(state, links=links, missed=0)
    run = state.asked.get(event.customer)
    if run is not None:
        asked = {customer: r for customer, r in state.asked.items() if customer != event.customer}
        state = _answer_now(event, data.identity, replace(state, asked=asked), event.customer, run, turn)
    turn.state.put(key, state)


def _unlink(event: Event[Any], data: ContactUnlinked, turn: Turn) -> None:
    key, state = _identity(turn, event.org, data.identity)
    known = state.links.get(event.customer)
    if known is None or known.version > data.link_version:
        return
    _count(event, data.identity, known.version, None, turn)
    links = {customer: link for customer, link in state.links.items() if customer != event.customer}
    turn.state.put(key, replace(state, links=links))


def _count(
    event: Event[Any], identity: str, old: tuple[int, int] | None, new: tuple[int, int] | None, turn: Turn
) -> None:
    """Keep the digest of the links that come from the customer's accounts partition."""
    key = digest_key(event.org, int(event.source.rpartition("/")[2]))
    digest = turn.state.get(key, LinkDigest) or LinkDigest()
    if old is not None:
        digest = digest.minus(identity, event.customer, old)
    if new is not None:
        digest = digest.plus(identity, event.customer, new)
    turn.state.put(key, digest)


def _balance(event: Event[Any], data: BalanceObserved, turn: Turn) -> None:
    key, state = _identity(turn, event.org, data.identity)
    state = replace(state, row=_row(state.row, data))
    if data.customer is not None:
        if data.customer in state.links:
            state = _answer_now(event, data.identity, state, data.customer, data.run, turn)
        else:
            state = replace(state, asked=state.asked | {data.customer: data.run}, asked_at=turn.version)
    turn.state.put(key, state)


def _row(known: Row | None, data: BalanceObserved) -> Row:
    """The provider's row: what was observed last. Within one sweep every contact that answers to the identity is
    remembered; a look-up asks about one of them, so that the others stay, and is no sweep's sight of the row."""
    new = Row((data.contact,), data.points, data.tier, data.observed_at, data.run, data.attempt, data.observed_at)
    if data.customer is not None:
        return _looked_up(known or replace(new, run="", attempt=0, swept_at=-1), new)
    return new if known is None else _swept(known, new)


def _looked_up(known: Row, new: Row) -> Row:
    newest = _newest(known, new)
    contacts = known.contacts if new.contacts[0] in known.contacts else newest.contacts
    return replace(known, contacts=contacts, points=newest.points, tier=newest.tier, observed_at=newest.observed_at)


def _swept(known: Row, new: Row) -> Row:
    """A row of an older sweep or attempt is late; one of the same sweep may be another contact."""
    same_run, same_attempt = known.run == new.run, known.attempt == new.attempt
    if known.attempt > new.attempt if same_run else known.swept_at > new.swept_at:
        return known
    newest, swept_at = _newest(known, new), max(known.swept_at, new.swept_at)
    if same_run and same_attempt:
        contacts, several = tuple(sorted({*known.contacts, *new.contacts})), known.several
    else:
        contacts = new.contacts if new.contacts[0] in known.contacts else newest.contacts
        several = len(known.contacts) > 1
    return Row(contacts, newest.points, newest.tier, newest.observed_at, new.run, new.attempt, swept_at, several)


def _newest(known: Row, new: Row) -> Row:
    return new if new.observed_at >= known.observed_at else known


def _answer_now(
    event: Event[Any], identity: str, state: IdentityState, asked_for: str, run: str, turn: Turn
) -> IdentityState:
    """Tell all holders; only of the one that was asked for may `run` take the verdict."""
    answer = now(state)
    if answer is None or state.row is None:
        return state
    at = state.row.observed_at
    movements.tell_with(turn, event.org, identity, answer, state.told, event.at)
    for customer, fact in facts(identity, answer, turn.version, observed_at=at, sweep_started_at=at, run=run):
        body = fact if customer == asked_for else replace(fact, run=None)
        value = FACTS.encode(body, org=event.org, customer=customer, at=event.at, source=turn.source)
        turn.emit(topics.FACTS, account_key(event.org, customer), value)
    return replace(state, told=answer, missed=0)


def _movement(event: Event[Any], data: MovementObserved, turn: Turn) -> None:
    key, state = _identity(turn, event.org, data.identity)
    if turn.state.get(key, IdentityState) is None:
        turn.state.put(key, state)  # movements are forgotten with their identity, so there must be one
    movements.take(turn, event.org, data, state, event.at)


def _links_agree(event: Event[Any], data: LinksComplete, turn: Turn) -> bool:
    """Does what arrived match what was sent?"""
    digest = turn.state.get(digest_key(event.org, data.partition), LinkDigest) or LinkDigest()
    return (digest.count, digest.total) == (data.count, data.digest)
