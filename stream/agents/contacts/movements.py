"""The provider's movements of an identity: kept until somebody is known to hold it, then told with its balance.

An account hears of the movements of the contact whose balance it is given, before that balance, and of later ones
when they are listed. Where two contacts answer to an identity, or two customers hold it, it hears of neither's.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from stream.agents.contacts.state import Answer, IdentityState, KnownMovements, Moved, Told, movements_key
from stream.contracts import topics
from stream.contracts.facts import FACTS, MovementMatched
from stream.contracts.identities import MovementObserved
from stream.contracts.names import account_key
from stream.engine.turn import Turn

NEWEST = 1_000
"""Kept of each identity, for a customer who may come to hold it. Nobody redeems that often in a year."""


def take(turn: Turn, org: str, data: MovementObserved, state: IdentityState, at: int) -> None:
    """A movement that is listed, perhaps not for the first time."""
    key = movements_key(org, data.identity)
    known = turn.state.get(key, KnownMovements) or KnownMovements()
    if data.movement in known.by_id or data.moved_at <= known.dropped_through:
        return
    moved = Moved(data.contact, data.kind, data.points, data.moved_at, data.note)
    turn.state.put(key, _bounded(replace(known, by_id=known.by_id | {data.movement: moved})))
    if (told := state.told) is not None and told.contact == data.contact and _still_holds(state, told):
        _tell(turn, org, data.identity, told, [(data.movement, moved)], at)


def tell_with(turn: Turn, org: str, identity: str, answer: Answer, before: Answer | None, at: int) -> None:
    """What moved the balance that `answer` gives, unless `before` gave the same customer that contact's already."""
    if answer.kind is not Told.MATCHED:
        return
    if before is not None and before.kind is Told.MATCHED and _whose(before) == _whose(answer):
        return
    known = turn.state.get(movements_key(org, identity), KnownMovements)
    if known is not None:
        oldest_first = sorted(known.by_id.items(), key=lambda each: each[1].moved_at)
        _tell(turn, org, identity, answer, oldest_first, at)


def forget(turn: Turn, org: str, identity: str) -> None:
    """The identity is nobody's any more."""
    key = movements_key(org, identity)
    if turn.state.get(key, KnownMovements) is not None:
        turn.state.delete(key)


def _still_holds(state: IdentityState, told: Answer) -> bool:
    """Whether the balance was given to the one who holds the identity now, at that link."""
    holders = tuple((customer, link.version) for customer, link in state.links.items())
    return told.kind is Told.MATCHED and told.holders == holders


def _whose(answer: Answer) -> tuple[object, str]:
    return answer.holders, answer.contact


def _tell(turn: Turn, org: str, identity: str, answer: Answer, found: Iterable[tuple[str, Moved]], at: int) -> None:
    ((customer, link),) = answer.holders
    for movement, moved in found:
        if moved.contact != answer.contact:
            continue
        fact = MovementMatched(
            *(identity, link, turn.version, movement, moved.kind, moved.points, moved.moved_at, moved.note),
            contact=moved.contact,
        )
        value = FACTS.encode(fact, org=org, customer=customer, at=at, source=turn.source)
        turn.emit(topics.FACTS, account_key(org, customer), value)


def _bounded(known: KnownMovements) -> KnownMovements:
    if len(known.by_id) <= NEWEST:
        return known
    oldest = min(moved.moved_at for moved in known.by_id.values())
    kept = {movement: moved for movement, moved in known.by_id.items() if moved.moved_at > oldest}
    return KnownMovements(kept, oldest)
