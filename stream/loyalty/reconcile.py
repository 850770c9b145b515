"""The two sides compared, in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter

import msgspec

from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account, AnswerKind
from stream.loyalty.order import OrderLine
from stream.loyalty.points import points_for, points_of_order
from stream.loyalty.rules import Limit, Rules
from stream.loyalty.tiers import tier_of

CLOCK_DOUBT_MS = 300_000
"""A request takes time, and we know the provider's clock only so well."""


class Comparison(msgspec.Struct, frozen=True):
    """`difference` = provider − ours, in points; `within` the limit or not."""

    difference: int
    within: bool


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with what it rests on. `ours`: points from orders, with known movements where `compare` is
    `expected`. Tiers are names. `cut_off` (UTC ms): for `timing`, the instant up to which the orders agree.
    `accepted`: the accepted difference without which the sides would not agree."""

    verdict: Verdict
    ours: int
    tier_ours: str
    provider: int | None = None
    difference: int | None = None
    tier_provider: str | None = None
    cut_off: int | None = None
    accepted: int | None = None

    @property
    def tier_differs(self) -> bool:
        """The provider's points give another tier than ours, be they within the tolerance or not."""
        return self.tier_provider is not None and self.tier_provider != self.tier_ours


def difference(ours: int, provider: int) -> int:
    """Signed points: what the provider has more than the orders earn."""
    return provider - ours


def compare(ours: int, provider: int, limit: Limit) -> Comparison:
    """Whether the sides agree: `|difference| × 100 > percent × |provider|` is too far apart, exactly at it is not.

    A provider at 0 against anything else is 100 % off. At or below the floor always agrees, above the cap never.
    """
    apart = abs(provider - ours)
    if apart <= limit.floor:
        within = True
    elif limit.cap is not None and apart > limit.cap:
        within = False
    else:
        base = abs(provider) or apart
        within = apart * 100 * limit.denominator <= limit.numerator * base
    return Comparison(provider - ours, within)


def compared_points(account: Account, rules: Rules) -> int:
    """Our side: points from orders and, under `expected`, what the provider's movements had added and taken when the
    balance was observed. Later ones are in the next sweep's; of one within `CLOCK_DOUBT_MS` nobody can be sure, so it
    counts where the balance says that it is in it already."""
    balance, moved = account.balance, account.moved
    if not rules.expected or balance is None or moved is None:
        return account.points
    missing = (balance.points or 0) - account.points
    possible = moved.sums_around(balance.observed_at, CLOCK_DOUBT_MS)
    return account.points + min(possible, key=lambda points: abs(missing - points))


def observed_as_of(account: Account, as_of: int) -> int:
    """When the believed balance was observed, at the latest at `as_of` (UTC ms): a sweep that missed it says nothing of
    it, so that it is as old as it was."""
    return as_of if account.balance is None else min(as_of, account.balance.observed_at)


def accepted_difference(account: Account, as_of: int) -> int | None:
    """The signed difference that a person has accepted and that still is accepted at `as_of` (UTC ms)."""
    case = account.review.case if account.review is not None else None
    accepted = case.accepted if case is not None else None
    if accepted is None or (accepted.until is not None and as_of >= accepted.until):
        return None
    return accepted.points


def verdict(account: Account, lines: Callable[[], Iterable[OrderLine]], rules: Rules, as_of: int) -> Judgement:
    """What the comparison says now. `lines` is called only outside the tolerance; `as_of` (UTC ms): when the
    provider was asked. The settle window is the `settle_seconds` before the balance was observed, and all since.

    No answer, a hidden balance, and a customer without identities are `unknown`; every identity absent is
    `not_enrolled`; an account without a single line against a balance is `missing_internal`. Where a person has
    accepted a difference, a provider that is off by that much, with the tolerance around it, agrees too.
    """
    ours = compared_points(account, rules)
    provider = account.provider_points
    tier_ours = tier_of(ours, rules.tiers).name
    if provider is None:
        return Judgement(_without_balance(account), ours, tier_ours)
    plain, accepted = compare(ours, provider, rules.tolerance), accepted_difference(account, as_of)
    shifted = accepted is not None and compare(ours, provider - accepted, rules.tolerance).within
    cut_off: int | None = None
    if plain.within or shifted:
        reached = Verdict.MATCHED
    elif account.line_count == 0:
        reached = Verdict.MISSING_INTERNAL
    else:
        expected = (provider,) if accepted is None else (provider, provider - accepted)
        cut_off = _agreeing_cut_off(account, lines(), expected, rules, observed_as_of(account, as_of))
        reached = Verdict.DISCREPANCY if cut_off is None else Verdict.TIMING
    tier_provider = tier_of(provider, rules.tiers).name
    needed = None if plain.within or not shifted else accepted
    return Judgement(reached, ours, tier_ours, provider, plain.difference, tier_provider, cut_off, needed)


def _without_balance(account: Account) -> Verdict:
    answer = account.balance
    if answer is not None and answer.kind is AnswerKind.AMBIGUOUS:
        return Verdict.AMBIGUOUS
    answers = [link.balance for link in account.links.values()]
    absent = bool(answers) and all(each is not None and each.kind is AnswerKind.ABSENT for each in answers)
    return Verdict.NOT_ENROLLED if absent else Verdict.UNKNOWN


def _agreeing_cut_off(
    account: Account, lines: Iterable[OrderLine], expected: tuple[int, ...], rules: Rules, as_of: int
) -> int | None:
    """The latest instant of the settle window at which our side, as it stood then, agreed with the provider.

    `expected`: the provider's balance, also without the accepted difference. Walks back through what happened since
    the window began, undoing one instant after the other: an order not yet created counts 0, one changed later counts
    what it counted before.
    """
    since = as_of - rules.settle_ms
    recent = [line for line in lines if line.created_at > since or line.changed_at > since]
    steps = sorted((step for line in recent for step in _steps(line, since, rules)), key=itemgetter(0), reverse=True)
    spend, rounded = list(account.spend), account.rounded[account.equity]
    moved = compared_points(account, rules) - account.points
    for position, (at, accrual, before, after) in enumerate(steps):
        spend[accrual] += before - after
        if rules.per_order:
            rounded += points_of_order(before, accrual, account.equity, rules)
            rounded -= points_of_order(after, accrual, account.equity, rules)
        if position + 1 < len(steps) and steps[position + 1][0] == at:
            continue
        then = max(rounded, 0) if rules.per_order else points_for(spend, account.equity, rules)
        if any(compare(then + moved, provider, rules.tolerance).within for provider in expected):
            return at - 1
    return None


def _steps(line: OrderLine, since: int, rules: Rules) -> list[tuple[int, int, int, int]]:
    """How the line's counted amount moved after `since`: instant, accrual rule, minor units before and after."""
    accrual = rules.accrual_at(line.created_at)
    changed = line.changed_at > line.created_at
    steps: list[tuple[int, int, int, int]] = []
    if changed and line.changed_at > since:
        steps.append((line.changed_at, accrual, line.previous_minor, line.minor))
    if line.created_at > since:
        steps.append((line.created_at, accrual, 0, line.previous_minor if changed else line.minor))
    return steps
