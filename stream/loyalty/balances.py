"""What the provider says, taken only for an identity that the customer holds now.

An answer counts when its link version is the one held and its observation is newer than the highest taken for that
identity; anything else is late or meant for a former holder. The best identity with an answer is believed: code,
then phone, then e-mail. An ambiguous one is not passed over for a weaker one: reported, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from stream.contracts.facts import (
    BalanceAbsent,
    BalanceAmbiguous,
    BalanceMatched,
    BalanceMissed,
    LookUpEmpty,
    MovementMatched,
)
from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account, AnswerKind, Balance, Link, Movement, Movements

NEWEST_MOVEMENTS = 200
"""Movements kept one by one; older ones only as their sum."""

BalanceFact = BalanceMatched | BalanceMissed | BalanceAbsent | BalanceAmbiguous


def take_balance(account: Account, fact: BalanceFact) -> Account | None:
    """The account with the provider's answer. None: not for this customer now, or not newer.

    A first miss keeps the known balance and only notes since when it is missed.
    """
    link = account.links.get(fact.identity)
    if link is None or link.version != fact.link_version:
        return None
    if link.taken is not None and fact.observation <= link.taken:
        return None
    answered = replace(link, taken=fact.observation, balance=_answer(link, fact))
    return believe(account, {**account.links, fact.identity: answered})


def take_movement(account: Account, fact: MovementMatched) -> Account | None:
    """The account with a redemption, adjustment or expiry. None: not for this customer now, or known.

    It is told of every identity of the contact, and is kept as long as one of them is held. A customer may be several
    contacts at the provider: a movement counts against the balance of its own only.
    """
    link = account.links.get(fact.identity)
    if link is None or link.version != fact.link_version:
        return None
    known = account.movements.get(fact.contact) or Movements()
    told = next((each for each in known.newest if each.id == fact.movement), None)
    if told is not None:
        again = _told_again(known, told, fact.identity)
        return None if again is None else _moved(account, fact.contact, again)
    if fact.moved_at <= known.folded_through:
        return None
    movement = Movement(fact.movement, (fact.identity,), fact.kind, fact.points, fact.moved_at, fact.note)
    newest = sorted((*known.newest, movement), key=lambda each: (each.moved_at, each.id))
    return _moved(account, fact.contact, _bounded(known, newest))


def _moved(account: Account, contact: str, movements: Movements) -> Account:
    return replace(account, movements=account.movements | {contact: movements})


def _told_again(known: Movements, told: Movement, identity: str) -> Movements | None:
    if identity in told.identities:
        return None
    again = replace(told, identities=(*told.identities, identity))
    return replace(known, newest=tuple(again if each is told else each for each in known.newest))


def look_up_empty(account: Account, fact: LookUpEmpty) -> Account | None:
    """The provider, asked about this customer, knows none of the identities. Links made, and answers observed, after
    the question stay as they are. None: nothing changes."""
    absent = Balance(AnswerKind.ABSENT, fact.observed_at)
    links = {
        identity: replace(link, balance=absent) if _answers(link, fact.observed_at) else link
        for identity, link in account.links.items()
    }
    return None if links == account.links else believe(account, links)


def seen_in_sweep(account: Account, sweep_started_at: int) -> Account:
    """A complete sweep reports what changed: every balance that it did not miss was as known at its start."""
    links = {identity: _confirmed(link, sweep_started_at) for identity, link in account.links.items()}
    return account if links == account.links else replace(account, links=links)


def believe(account: Account, links: dict[str, Link]) -> Account:
    """The account with these links. The verdict is unknown until the next run when the identity whose answer was
    believed is no longer held or, where no answer was, when any identity came or went."""
    believed = replace(account, links=links, best=_best(links), movements=_held(account.movements, links))
    stale = links.keys() != account.links.keys() if account.best is None else account.best not in links
    if account.review is None or not stale:
        return believed
    cleared = replace(account.review, verdict=Verdict.UNKNOWN, ours=None, provider=None, difference=None)
    return replace(believed, review=cleared)


def _best(links: Mapping[str, Link]) -> str | None:
    for identity, link in links.items():
        if link.balance is not None and link.balance.kind is not AnswerKind.ABSENT:
            return identity
    return None


def _answer(link: Link, fact: BalanceFact) -> Balance | None:
    if isinstance(fact, BalanceMatched):
        return Balance(AnswerKind.MATCHED, fact.observed_at, fact.contact, fact.points, fact.tier)
    if isinstance(fact, BalanceAbsent):
        return Balance(AnswerKind.ABSENT, fact.sweep_started_at, missed_since=fact.sweep_started_at)
    if isinstance(fact, BalanceAmbiguous):
        known_at = link.balance.observed_at if link.balance else link.linked_at
        return Balance(AnswerKind.AMBIGUOUS, known_at, shared_by=fact.shared_by)
    if link.balance is None or link.balance.missed_since is not None:
        return link.balance
    return replace(link.balance, missed_since=fact.sweep_started_at)


def _answers(link: Link, observed_at: int) -> bool:
    """The look-up's answer is about this link and not older than what is known."""
    return link.linked_at <= observed_at and (link.balance is None or link.balance.observed_at <= observed_at)


def _confirmed(link: Link, at: int) -> Link:
    balance = link.balance
    if balance is None or balance.kind is AnswerKind.ABSENT:
        return link
    if balance.missed_since is not None or balance.observed_at >= at:
        return link
    return replace(link, balance=replace(balance, observed_at=at))


def _bounded(known: Movements, newest: list[Movement]) -> Movements:
    """The newest stay; the rest is added to the sum, so that nothing is lost from it."""
    fold = max(len(newest) - NEWEST_MOVEMENTS, 0)
    folded, kept = newest[:fold], newest[fold:]
    through = folded[-1].moved_at if folded else known.folded_through
    return Movements(tuple(kept), known.folded_points + sum(each.points for each in folded), through)


def _held(movements: Mapping[str, Movements], links: Mapping[str, Link]) -> dict[str, Movements]:
    """Movements belong to identities: with the last of theirs that was given up they go."""
    kept = {contact: _held_of(each, links) for contact, each in movements.items()}
    return {contact: each for contact, each in kept.items() if each.newest}


def _held_of(movements: Movements, links: Mapping[str, Link]) -> Movements:
    held = (
        replace(each, identities=tuple(identity for identity in each.identities if identity in links))
        for each in movements.newest
    )
    newest = tuple(each for each in held if each.identities)
    return movements if newest == movements.newest else replace(movements, newest=newest)
