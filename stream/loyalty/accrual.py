"""How orders move an account. An event touches one account and one line: its cost is flat.

Per order the newest observation wins, by `observed_at` and then by content hash, so that the same facts in any
order of arrival end the same. A marker (removed, moved away) beats an observation of the same instant.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from stream.contracts.entries import Cause
from stream.contracts.facts import OrderObserved, OrderReassigned
from stream.loyalty.account import Account
from stream.loyalty.order import REMOVED, OrderLine, counted
from stream.loyalty.points import points_for, points_of_order
from stream.loyalty.rules import Rules


class OrderEffect(msgspec.Struct, frozen=True, gc=False):
    """What a fact about an order did. `line` is always to be written; `account` only when it is another object.

    `cause` None: silent, nothing is to be said (only `observed_at` rose, or a marker was left for later).
    `delta_minor`, `delta_points`: how spend and points of the account moved.
    """

    account: Account
    line: OrderLine
    cause: Cause | None = None
    delta_minor: int = 0
    delta_points: int = 0

    @property
    def silent(self) -> bool:
        """Nothing but bookkeeping changed."""
        return self.cause is None


def observe_order(account: Account, line: OrderLine | None, fact: OrderObserved, rules: Rules) -> OrderEffect | None:
    """The order as the point of sale showed it. None: nothing changes (late, a repeat, or a walk-in account).

    `line`: what is known of the order in this account. `rules` must be those that the account was computed with.
    """
    if account.walk_in:
        return None
    if line is None:
        return _effect(account, None, _line(fact, 0, fact.created_at, rules), Cause.ORDER_ADDED, rules)
    if fact.observed_at <= line.observed_at and not _wins_tie(fact, line):
        return None
    if line.gone is not None:
        return _effect(account, line, _line(fact, 0, fact.observed_at, rules), Cause.ORDER_ADDED, rules)
    if fact.content_hash == line.content_hash:
        return OrderEffect(account, replace(line, observed_at=fact.observed_at))
    return _effect(account, line, _changed(line, fact, rules), Cause.ORDER_CHANGED, rules)


def move_away(account: Account, line: OrderLine | None, fact: OrderReassigned, rules: Rules) -> OrderEffect | None:
    """The order belongs to somebody else now. A marker stays even where no line was, so that a late observation
    for this customer does not bring it back; a newer one does. None: nothing changes."""
    if account.walk_in:
        return None
    if line is None:
        marker = _nothing_but_marker(fact.observed_at, fact.to, rules)
        return OrderEffect(account, marker)
    if (fact.observed_at, fact.to) <= (line.observed_at, line.gone or ""):
        return None
    return _gone(account, line, fact.observed_at, fact.to, Cause.ORDER_MOVED_AWAY, rules)


def remove_order(account: Account, line: OrderLine, at: int, rules: Rules) -> OrderEffect | None:
    """Two complete walks lacked the order; `at`: start of the second (UTC ms). None: it was seen since, or is gone."""
    if line.gone is not None or line.observed_at > at:
        return None
    return _gone(account, line, at, REMOVED, Cause.ORDER_REMOVED, rules)


def recompute(
    account: Account, customer: str, lines: Iterable[tuple[str, OrderLine]], rules: Rules
) -> tuple[Account, list[tuple[str, OrderLine]]]:
    """The account under (other) rules, from its own lines, and those lines whose counted amount changed.

    `lines`: order id and line, markers included. `customer`: for the settings' list of equity customers.
    """
    spend, rounded, order_count, line_count = list(rules.no_spend), [0, 0], 0, 0
    changed: list[tuple[str, OrderLine]] = []
    for order, line in () if account.walk_in else lines:
        if line.gone is not None:
            continue
        minor, why_not = counted(line, rules)
        if (minor, why_not) != (line.minor, line.why_not):
            changed.append((order, replace(line, minor=minor, why_not=why_not)))
        accrual = rules.accrual_at(line.created_at)
        spend[accrual] += minor
        line_count += 1
        order_count += why_not is None
        if rules.per_order:
            rounded[0] += points_of_order(minor, accrual, False, rules)
            rounded[1] += points_of_order(minor, accrual, True, rules)
    attributes, listed = account.attributes, customer in rules.equity_customers
    summed = replace(
        account,
        settings_version=rules.version,
        spend=tuple(spend),
        order_count=order_count,
        line_count=line_count,
        rounded=(rounded[0], rounded[1]),
        listed=listed,
        equity=listed or bool(attributes and attributes.equity),
    )
    return with_points(summed, rules), changed


def with_points(account: Account, rules: Rules) -> Account:
    """The account with its points computed from its sums again."""
    return replace(account, points=_points(account.spend, account.rounded, account.equity, account.walk_in, rules))


def _wins_tie(fact: OrderObserved, line: OrderLine) -> bool:
    """Two contents of one instant: the larger hash wins, whichever came first; a marker beats both."""
    return fact.observed_at == line.observed_at and line.gone is None and fact.content_hash > line.content_hash


def _line(fact: OrderObserved, previous_minor: int, changed_at: int, rules: Rules) -> OrderLine:
    minor, why_not = counted(fact, rules)
    return OrderLine(
        fact.observed_at,
        fact.content_hash,
        minor,
        why_not,
        previous_minor,
        changed_at,
        fact.created_at,
        fact.total_minor,
        fact.currency,
        fact.subtotal_minor,
        fact.tax_minor,
        fact.refunded_minor,
        fact.completed,
        fact.cancelled,
        fact.paid,
        fact.status,
        fact.walk_in,
    )


def _changed(line: OrderLine, fact: OrderObserved, rules: Rules) -> OrderLine:
    """The line with new content. What it counted before is remembered only when the amount moved."""
    new = _line(fact, line.minor, fact.observed_at, rules)
    if new.minor != line.minor:
        return new
    never_changed = line.changed_at == line.created_at
    changed_at = fact.created_at if never_changed else line.changed_at
    return replace(new, previous_minor=line.previous_minor, changed_at=changed_at)


def _gone(account: Account, line: OrderLine, at: int, gone: str, cause: Cause, rules: Rules) -> OrderEffect:
    """A line becomes a marker; one that is a marker already only gets newer."""
    why_not = "moved_away" if gone else "removed"
    marker = replace(line, observed_at=at, content_hash="", minor=0, why_not=why_not, gone=gone)
    if line.gone is not None:
        return OrderEffect(account, marker)
    if line.minor:
        marker = replace(marker, previous_minor=line.minor, changed_at=at)
    return _effect(account, line, marker, cause, rules)


def _nothing_but_marker(at: int, gone: str, rules: Rules) -> OrderLine:
    return OrderLine(at, "", 0, "moved_away", 0, at, at, 0, rules.currency, gone=gone)


def _effect(account: Account, old: OrderLine | None, new: OrderLine, cause: Cause, rules: Rules) -> OrderEffect:
    """The account with `old` taken out of its sums and `new` put in."""
    was_live = old is not None and old.gone is None
    before = old.minor if old is not None else 0
    delta_lines = (new.gone is None) - was_live
    delta_orders = (new.why_not is None) - (old is not None and old.why_not is None)
    same_rule = old is None or len(rules.plain) == 1 or old.created_at == new.created_at
    if before == new.minor and not delta_lines and not delta_orders and same_rule:
        return OrderEffect(account, new, cause)
    spend, rounded = _sums(account, old, new, rules)
    points = _points(spend, rounded, account.equity, False, rules)
    moved = Account(
        account.settings_version,
        spend,
        points,
        account.order_count + delta_orders,
        account.line_count + delta_lines,
        rounded,
        account.walk_in,
        account.equity,
        account.listed,
        account.attributes,
        account.links,
        account.best,
        account.movements,
        account.review,
        account.presence,
        account.erased_at,
    )
    return OrderEffect(moved, new, cause, new.minor - before, points - account.points)


def _sums(
    account: Account, old: OrderLine | None, new: OrderLine, rules: Rules
) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Spend per accrual rule and per-order points, moved by one line."""
    if len(rules.plain) == 1 and not rules.per_order:
        before = old.minor if old is not None else 0
        return (account.spend[0] + new.minor - before,), account.rounded
    spend, (plain, equity) = list(account.spend), account.rounded
    for line, sign in ((old, -1), (new, 1)):
        if line is None:
            continue
        accrual = rules.accrual_at(line.created_at)
        spend[accrual] += sign * line.minor
        if rules.per_order:
            plain += sign * points_of_order(line.minor, accrual, False, rules)
            equity += sign * points_of_order(line.minor, accrual, True, rules)
    return tuple(spend), (plain, equity)


def _points(spend: tuple[int, ...], rounded: tuple[int, int], equity: bool, walk_in: bool, rules: Rules) -> int:
    if walk_in:
        return 0
    if rules.per_order:
        return max(rounded[equity], 0)
    return points_for(spend, equity, rules)
