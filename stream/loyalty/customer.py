"""How a customer's attributes and identities change an account."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from stream.contracts.facts import CustomerErased, CustomerObserved
from stream.contracts.names import IDENTITY_KINDS
from stream.loyalty.account import Account, Attributes, Link, Version
from stream.loyalty.accrual import with_points
from stream.loyalty.balances import believe
from stream.loyalty.rules import Rules


class CustomerEffect(msgspec.Struct, frozen=True):
    """What a fact about a customer did.

    `linked`, `unlinked`: identities to tell contacts of (`unlinked` with the version that they were linked at).
    `delta_points`, `delta_minor`: by equity or because the account is a walk-in's now. `drop_lines`: the account
    became a walk-in's: delete all its lines. `silent`: only `observed_at` rose.
    """

    account: Account
    linked: tuple[tuple[str, Link], ...] = ()
    unlinked: tuple[tuple[str, Link], ...] = ()
    delta_points: int = 0
    delta_minor: int = 0
    drop_lines: bool = False
    silent: bool = False


def observe_customer(account: Account, fact: CustomerObserved, version: Version, rules: Rules) -> CustomerEffect | None:
    """What the point of sale says of the customer; newest wins as with orders. None: late or a repeat.

    `version`: (epoch, offset) of the fact, which becomes the link version of identities that are new. Walk-in and
    erased accounts hold no identities. A walk-in account has no lines, so its spend is gone for good: should the
    point of sale turn it into a real customer, the next complete walk brings its orders back.
    """
    known = account.attributes
    if known is not None:
        if (fact.observed_at, fact.content_hash) <= (known.observed_at, known.content_hash):
            return None
        if fact.content_hash == known.content_hash:
            return CustomerEffect(
                replace(account, attributes=replace(known, observed_at=fact.observed_at)), silent=True
            )
    attributes = Attributes(fact.observed_at, fact.content_hash, fact.equity)
    if account.erased_at is None:
        attributes = replace(attributes, home_location=fact.home_location, created_at=fact.created_at)
    becomes_walk_in = fact.walk_in and not account.walk_in
    cleared = _without_spend(account, rules) if becomes_walk_in else account
    moved = replace(cleared, attributes=attributes, walk_in=fact.walk_in, equity=account.listed or bool(fact.equity))
    held = () if fact.walk_in or account.erased_at is not None else fact.identities
    linked, unlinked, relinked = _link(with_points(moved, rules), held, fact.observed_at, version)
    return CustomerEffect(
        relinked,
        linked,
        unlinked,
        delta_points=relinked.points - account.points,
        delta_minor=relinked.spend_minor - account.spend_minor,
        drop_lines=becomes_walk_in,
    )


def erase(account: Account, fact: CustomerErased) -> CustomerEffect | None:
    """The person asked to be forgotten: links, balance, movements and attributes but equity go, for good; spend and
    points stay as anonymous amounts. None: erased before."""
    if account.erased_at is not None:
        return None
    _, unlinked, cut = _link(account, (), fact.erased_at, (0, 0))
    known = account.attributes
    attributes = None if known is None else Attributes(known.observed_at, known.content_hash, known.equity)
    erased = replace(cut, attributes=attributes, movements={}, erased_at=fact.erased_at)
    return CustomerEffect(erased, unlinked=unlinked)


def best_first(identities: tuple[str, ...]) -> list[str]:
    """Identities by kind (code, phone, e-mail), within a kind as the point of sale lists them, each once."""
    kinds = {kind: rank for rank, kind in enumerate(IDENTITY_KINDS)}
    return sorted(dict.fromkeys(identities), key=lambda identity: kinds.get(identity.partition(":")[0], len(kinds)))


def _without_spend(account: Account, rules: Rules) -> Account:
    return replace(account, spend=rules.no_spend, rounded=(0, 0), order_count=0, line_count=0, presence=None)


def _link(
    account: Account, identities: tuple[str, ...], at: int, version: Version
) -> tuple[tuple[tuple[str, Link], ...], tuple[tuple[str, Link], ...], Account]:
    """Links for `identities`: those held before keep their version and answer."""
    links = {identity: account.links.get(identity) or Link(version, at) for identity in best_first(identities)}
    linked = tuple((identity, link) for identity, link in links.items() if identity not in account.links)
    unlinked = tuple((identity, link) for identity, link in account.links.items() if identity not in links)
    return linked, unlinked, believe(account, links)
