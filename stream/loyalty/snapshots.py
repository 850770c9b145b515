"""Complete walks heal what pollers missed: an order that two of them in a row lack is no longer there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec
from msgspec.structs import replace

from stream.contracts.facts import OrdersSnapshot, OrdersSwept
from stream.loyalty.account import Account, Presence
from stream.loyalty.order import OrderLine

NEVER_MASS_REMOVAL = 20
"""So many removals in one partition are plausible, whatever the number of lines."""
MOST_SEEN_CHARACTERS = 400_000
MOST_MISSING = 4_000
"""What an account keeps of a walk: the ids of some ten thousands of orders, and so many missing ones, in a value that
must fit into a record. Nobody buys that often; an account that stands for many people may."""


class WalkOutcome(msgspec.Struct, frozen=True):
    """What a complete walk means for an account. `remove`: orders that two walks in a row lacked."""

    account: Account
    remove: tuple[str, ...] = ()


def take_part(account: Account, fact: OrdersSnapshot) -> Account | None:
    """The account with one part of a walk's snapshot. None: a repeat, a late part, or a walk-in account.

    Of more orders than can be kept the snapshot is never whole, so that the walk says nothing of the account.
    Parts may come in any order. Amounts never change by a snapshot: when a hash differs from what is known, the
    OrderObserved of the same walk brings the content. An order that could not be read is there all the same.
    """
    if account.walk_in:
        return None
    known = account.presence or Presence()
    if fact.walk == known.judged:
        return None
    if fact.walk != known.walk:
        if (fact.observed_at, fact.walk) <= (known.observed_at, known.walk):
            return None
        known = Presence(fact.walk, fact.observed_at, fact.parts, judged=known.judged, missing=known.missing)
    if fact.part in known.taken:
        return None
    taken, seen = (*known.taken, fact.part), (*known.seen, *fact.orders)
    if sum(map(len, seen)) > MOST_SEEN_CHARACTERS:
        taken = seen = ()
    return replace(account, presence=replace(known, taken=taken, seen=seen))


def missing_after_walk(
    account: Account, lines: Iterable[tuple[str, OrderLine]], swept: OrdersSwept
) -> WalkOutcome | None:
    """What the walk lacked, and which of that the walk before lacked too. None: nothing changes.

    `lines`: the account's lines with their order ids, read only when needed. Without a snapshot of this walk the
    customer had none. Only orders created inside the walk's window can be missing from it. When a part is missing
    or a newer walk has begun, this walk says nothing, and the row of walks starts anew.
    """
    known = account.presence or Presence()
    if not swept.complete or known.judged == swept.walk or (account.line_count == 0 and account.presence is None):
        return None
    missing: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    if _usable(known, swept):
        seen = frozenset(known.seen) if known.walk == swept.walk else frozenset[str]()
        lacked = (order for order, line in lines if order not in seen and _expected(line, swept))
        missing = tuple(islice(lacked, MOST_MISSING))
        before = frozenset(known.missing)
        remove = tuple(order for order in missing if order in before)
    if not missing and not known.missing and known.walk != swept.walk:
        return None
    judged = _judged(known, swept, missing)
    return WalkOutcome(replace(account, presence=judged), remove)


def removal_plausible(removals: int, lines: int) -> bool:
    """A partition that would remove more than max(20, 1 %) of an org's `lines` removes none: a vendor's fault."""
    return removals <= NEVER_MASS_REMOVAL or removals * 100 <= lines


def _usable(known: Presence, swept: OrdersSwept) -> bool:
    if known.walk == swept.walk:
        return len(known.taken) == known.parts
    return known.observed_at < swept.started_at


def _expected(line: OrderLine, swept: OrdersSwept) -> bool:
    """The walk should have seen this line: it is live, inside the window, and not seen since the walk began."""
    if line.gone is not None or line.observed_at >= swept.started_at:
        return False
    return swept.window_from <= line.created_at <= swept.window_to


def _judged(known: Presence, swept: OrdersSwept, missing: tuple[str, ...]) -> Presence:
    """A snapshot still being collected for a newer walk stays."""
    if known.walk != swept.walk and known.observed_at >= swept.started_at:
        return replace(known, judged=swept.walk, missing=missing)
    observed_at = max(known.observed_at, swept.started_at)
    return Presence(swept.walk, observed_at, judged=swept.walk, missing=missing)
