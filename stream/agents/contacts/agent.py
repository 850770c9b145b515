"""The contacts agent: links in, balances in, answers out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from msgspec.structs import replace

from stream.agents.contacts.answers import facts, now
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
from stream.contracts.facts import FACTS, LinksRequested, MovementMatched
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
from stream.engine.turn import Turn
from stream.engine.unit import Unit, Wide
from stream.errors import BadRecord

RESENDS = 5
"""How often links are asked for again before a run is left to its deadline."""


async def contacts(units: AsyncIterator[Unit]) -> None:
    """Apply what is known of identities. State: `stream.agents.contacts.state`."""
    agent = Contacts()
    async for unit in units:
        await unit.commit(agent)


class Contacts:
    """See `stream.engine.unit.Agent`."""

    name = "contacts"
    source = topics.IDENTITIES
    vocabulary = IDENTITIES
    renewed: Sequence[bytes] = ()

    def renew(self, turn: Turn, key: bytes) -> None:
        """Contacts have no complete, versioned outputs."""

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
        if isinstance(data, SweepStarted):
            return None
        key = barrier_key(event.org, data.run)
        barrier = turn.state.get(key, JoinBarrier) or JoinBarrier()
        if isinstance(data, LinksComplete):
            if not _links_agree(event, data, turn):
                return None
            barrier = replace(barrier, links=barrier.links | {data.partition: data.attempt})
        elif isinstance(data, SweepCompleted):
            barrier = replace(barrier, swept=data.attempt, sweep_started_at=data.started_at)
        else:
            raise BadRecord(f"{type(data).__name__} must not be partition-wide")
        turn.state.put(key, barrier)
        if barrier.decided or not barrier.swept or len(barrier.links) < turn.place.partitions:
            return None
        return Join(event.org, data.run, event.at, barrier)


def _identity(turn: Turn, org: str, identity: str) -> tuple[bytes, IdentityState]:
    key = identity_key(org, identity)
    return key, turn.state.get(key, IdentityState) or IdentityState()


def _link(event: Event[Any], data: ContactLinked, turn: Turn) -> None:
    key, state = _identity(turn, event.org, data.identity)
    known = state.links.get(event.customer)
    if known is not None and known.version >= data.link_version:
        return
    _count(event, data.identity, known.version if known else None, data.link_version, turn)
    links = state.links | {event.customer: Linked(data.link_version, data.linked_at)}
    state = replace(state, links=links, missed=0)
    run = state.asked.get(event.customer)
    if run is not None:
        asked = {customer: r for customer, r in state.asked.items() if customer != event.customer}
        state = _answer_now(event, data.identity, replace(state, asked=asked), run, turn)
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
            state = _answer_now(event, data.identity, state, data.run, turn)
        else:
            state = replace(state, asked=state.asked | {data.customer: data.run})
    turn.state.put(key, state)


def _row(known: Row | None, data: BalanceObserved) -> Row:
    """The provider's row. Within one sweep every contact that answers to the identity is remembered."""
    if data.customer is not None:
        run, attempt = (known.run, known.attempt) if known else ("", 0)
        if known is not None and known.observed_at > data.observed_at:
            return known
        return Row((data.contact,), data.points, data.tier, data.observed_at, run, attempt)
    if known is not None and (known.run, known.attempt) == (data.run, data.attempt):
        contacts = tuple(sorted({*known.contacts, data.contact}))
        if known.observed_at > data.observed_at:
            return replace(known, contacts=contacts)
        return Row(contacts, data.points, data.tier, data.observed_at, data.run, data.attempt)
    if known is not None and known.observed_at > data.observed_at:
        return replace(known, run=data.run, attempt=data.attempt)
    return Row((data.contact,), data.points, data.tier, data.observed_at, data.run, data.attempt)


def _answer_now(event: Event[Any], identity: str, state: IdentityState, run: str, turn: Turn) -> IdentityState:
    answer = now(state)
    if answer is None or state.row is None:
        return state
    observed_at = state.row.observed_at
    for customer, fact in facts(
        identity, answer, turn.version, observed_at=observed_at, sweep_started_at=observed_at, run=run
    ):
        value = FACTS.encode(fact, org=event.org, customer=customer, at=event.at, source=turn.source)
        turn.emit(topics.FACTS, account_key(event.org, customer), value)
    return replace(state, told=answer, missed=0)


def _movement(event: Event[Any], data: MovementObserved, turn: Turn) -> None:
    _, state = _identity(turn, event.org, data.identity)
    if len(state.links) != 1:
        return
    ((customer, link),) = state.links.items()
    fact = MovementMatched(
        data.identity, link.version, turn.version, data.movement, data.kind, data.points, data.moved_at, data.note
    )
    value = FACTS.encode(fact, org=event.org, customer=customer, at=event.at, source=turn.source)
    turn.emit(topics.FACTS, account_key(event.org, customer), value)


def _links_agree(event: Event[Any], data: LinksComplete, turn: Turn) -> bool:
    """Does what arrived match what was sent? If not, ask for all links again."""
    digest = turn.state.get(digest_key(event.org, data.partition), LinkDigest) or LinkDigest()
    if (digest.count, digest.total) == (data.count, data.digest):
        return True
    if data.attempt < RESENDS:
        request = LinksRequested(data.run, data.attempt + 1, resend=True)
        event_id = f"{data.run}:{data.attempt + 1}:LinksRequested"
        value = FACTS.encode(request, org=event.org, at=event.at, source=turn.source, event_id=event_id)
        turn.emit_everywhere(topics.FACTS, event.org.encode(), value)
    return False
