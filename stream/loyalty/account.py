"""A loyalty account: everything known of one customer but the order lines, which have keys of their own.

Parts that an order does not touch are structs of their own, so that the path of an order copies references.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate

import msgspec

from stream.contracts.cases import Case
from stream.contracts.profiles import Verdict
from stream.loyalty.rules import Rules

Version = tuple[int, int]
"""(epoch, offset): orders what one source says."""


class Attributes(msgspec.Struct, frozen=True, array_like=True):
    """What the point of sale last said of the customer. `equity` None: it has no such field."""

    observed_at: int
    content_hash: str
    equity: bool | None = None
    home_location: str | None = None
    created_at: int | None = None


class AnswerKind(StrEnum):
    """What the provider says of one identity."""

    MATCHED = "matched"
    ABSENT = "absent"
    AMBIGUOUS = "ambiguous"


class Balance(msgspec.Struct, frozen=True, array_like=True):
    """The provider's answer for one identity. `points` None: hidden, unknown; `missed_since`: start (UTC ms) of the
    first sweep that lacked it. `contact`, `points` and `tier` belong to a match only."""

    kind: AnswerKind
    observed_at: int
    contact: str | None = None
    points: int | None = None
    tier: str | None = None
    missed_since: int | None = None
    shared_by: int = 0


class Link(msgspec.Struct, frozen=True, array_like=True):
    """An identity that the customer holds, since `linked_at` (UTC ms), at `version` = (epoch, offset) of the fact
    that linked it. `taken`: the highest observation taken for it. `balance` None: no answer yet."""

    version: Version
    linked_at: int
    taken: Version | None = None
    balance: Balance | None = None


class Movement(msgspec.Struct, frozen=True, array_like=True):
    """A redemption, adjustment or expiry at the provider; signed points. `identities`: those it was told of."""

    id: str
    identities: tuple[str, ...]
    kind: str
    points: int
    moved_at: int
    note: str | None = None


REDEMPTION, ADJUSTMENT, EXPIRY = "redemption", "adjustment", "expiry"
"""Kinds of movements that are known; another is carried as the provider calls it."""


class Movements(msgspec.Struct, frozen=True, array_like=True):
    """A contact's newest movements and the sum of older ones: of all that moved at or before `folded_through`."""

    newest: tuple[Movement, ...] = ()
    folded_points: int = 0
    folded_through: int = -1

    @property
    def points(self) -> int:
        """Sum of all of them."""
        return self.folded_points + sum(each.points for each in self.newest)

    def points_of(self, kind: str) -> int | None:
        """Sum of the newest of one kind; None where there is none."""
        found = [each.points for each in self.newest if each.kind == kind]
        return sum(found) if found else None

    def sums_around(self, at: int, doubt_ms: int) -> Iterator[int]:
        """Sum of those that were moved by then (UTC ms), and with each in turn that was moved within `doubt_ms` after;
        of old ones only the sum of all is known."""
        then = self.folded_points + sum(each.points for each in self.newest if each.moved_at <= at)
        in_doubt = (each.points for each in self.newest if at < each.moved_at < at + doubt_ms)
        return accumulate(in_doubt, initial=then)


class Presence(msgspec.Struct, frozen=True, array_like=True):
    """What complete walks saw. `walk`, `parts`, `taken`, `seen`: the snapshot being collected. `judged`: the last
    complete walk that was drawn conclusions from, `missing`: the orders that it lacked."""

    walk: str = ""
    observed_at: int = -1
    parts: int = 0
    taken: tuple[int, ...] = ()
    seen: tuple[str, ...] = ()
    judged: str = ""
    missing: tuple[str, ...] = ()


class Review(msgspec.Struct, frozen=True, array_like=True):
    """The last verdict and the case. `ours`, `provider`, `difference` (provider − ours) are those that it compared.

    `streak`: discrepancies seen in a row. `case`: the newest, resolved ones too (it may reopen, or be written on).
    `cases`: how many there have been.
    `run`: the last run that judged the account.
    """

    verdict: Verdict = Verdict.UNKNOWN
    ours: int | None = None
    provider: int | None = None
    difference: int | None = None
    streak: int = 0
    case: Case | None = None
    cases: int = 0
    run: str = ""


class Account(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """State of one customer. Build a new one with `open_account`.

    `settings_version`: the settings that the sums were computed with. `equity`: the multiplier applies, by attribute
    or because the customer is `listed` in the settings. `spend`: counted minor units per accrual rule, may be
    negative. `rounded`: sums of per-order points without and with the multiplier, where each order is rounded by
    itself. `points`: from orders. `order_count`: orders that count. `line_count`: live lines. `links`: identities
    held, best first. `best`: the identity whose answer is believed. `movements`: by contact, of every contact that
    an identity answers to; see `moved`.
    """

    settings_version: int
    spend: tuple[int, ...]
    points: int = 0
    order_count: int = 0
    line_count: int = 0
    rounded: tuple[int, int] = (0, 0)
    walk_in: bool = False
    equity: bool = False
    listed: bool = False
    attributes: Attributes | None = None
    links: dict[str, Link] = {}
    best: str | None = None
    movements: dict[str, Movements] = {}
    review: Review | None = None
    presence: Presence | None = None
    erased_at: int | None = None

    @property
    def spend_minor(self) -> int:
        """Counted spend over all accrual rules."""
        return sum(self.spend)

    @property
    def balance(self) -> Balance | None:
        """The answer that is believed: a match or an ambiguity of the best identity that has one."""
        return None if self.best is None else self.links[self.best].balance

    @property
    def provider_points(self) -> int | None:
        """The provider's balance in points; None when it is not known."""
        balance = self.balance
        return None if balance is None else balance.points

    @property
    def moved(self) -> Movements | None:
        """What moved the balance that is believed: of its contact only. None: nothing is known of it."""
        balance = self.balance
        return None if balance is None or balance.contact is None else self.movements.get(balance.contact)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the last run, `unknown` before the first."""
        return Verdict.UNKNOWN if self.review is None else self.review.verdict


def open_account(customer: str, rules: Rules) -> Account:
    """The account of a customer of whom nothing is known yet."""
    listed = customer in rules.equity_customers
    return Account(rules.version, rules.no_spend, equity=listed, listed=listed)
