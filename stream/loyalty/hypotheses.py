"""What the provider may have done otherwise, from the evidence to what is merely possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from stream.contracts.cases import CauseKind
from stream.contracts.settings import Basis
from stream.loyalty.account import Account, Movement, Movements
from stream.loyalty.counterfactual import Counterfactual, Hypothesis
from stream.loyalty.order import OrderLine, counted
from stream.loyalty.rules import Rules

MOST_SINGLE = 20
"""Orders of a kind, and instants of the settle window, that are tried one by one: the newest."""

_RANK = {kind: rank for rank, kind in enumerate(CauseKind)}
_MOVEMENTS = {
    "redemption": CauseKind.REDEMPTIONS,
    "adjustment": CauseKind.ADJUSTMENTS,
    "expiry": CauseKind.EXPIRY,
}


class Hypotheses:
    """All that may be said of one account."""

    def __init__(self, account: Account, lines: Iterable[tuple[str, OrderLine]], rules: Rules, as_of: int) -> None:
        self._account = account
        self._rules = rules
        self._since = as_of - rules.settle_ms
        self._lines = dict(sorted(lines, key=lambda each: (-each[1].created_at, each[0])))
        self._counting = Counterfactual(account, self._lines, rules)

    # --- what may have happened ---

    def evidence(self) -> tuple[Hypothesis, ...]:
        """What the provider says that it moved, by kind; nothing where that is part of our side already."""
        if self._rules.expected or self._account.movements is None:
            return ()
        return tuple(_moved(self._account.movements))

    def single(self) -> Sequence[Hypothesis]:
        """Every hypothesis that makes a difference by itself, the likeliest first."""
        return self._single

    def lag_since(self, cut_off: int) -> tuple[Hypothesis, ...]:
        """Nothing that happened after `cut_off` (UTC ms) is booked yet."""
        return tuple(self._lag(cut_off))

    def never_booked(self, points: int) -> Hypothesis | None:
        """A settled order without which the difference would be gone; all that fit are named."""
        if points >= 0:
            return None
        fitting = [order for order in self._settled() if self.points((_unseen(order),)) == points]
        if not fitting:
            return None
        only = _unseen(fitting[0])
        return replace(only, kind=CauseKind.ORDER_NOT_CREDITED, named=tuple(fitting), count=len(fitting))

    def points(self, theory: Sequence[Hypothesis]) -> int:
        """Signed points by which the provider would differ, were all of this so."""
        return self._counting.points(theory)

    # --- one hypothesis after the other ---

    @cached_property
    def _single(self) -> tuple[Hypothesis, ...]:
        alone = ((number, each, self.points((each,))) for number, each in enumerate(self._possible()))
        return tuple(replace(each, number=number, alone=points) for number, each, points in alone if points)

    def _possible(self) -> Iterator[Hypothesis]:
        yield from self._lags()
        yield from self._together_and_apart(CauseKind.REFUNDS_NOT_APPLIED, self._before_refunds())
        removed = {order: line.previous_minor for order, line in self._lines.items() if line.gone is not None}
        yield from self._together_and_apart(CauseKind.REMOVED_ORDERS, removed)
        yield from self._together_and_apart(CauseKind.PENDING_ORDERS, self._pending())
        yield from self._ways_of_counting()

    def _lags(self) -> Iterator[Hypothesis]:
        """Not booked: everything since some instant of the settle window, or one order of it."""
        instants = sorted({at for line in self._recent.values() for at in _instants(line) if at > self._since})
        for at in instants[: -MOST_SINGLE - 1 : -1]:
            for lag in self._lag(at - 1):
                yield replace(lag, whole=at == instants[0])
        for order in list(self._recent)[:MOST_SINGLE]:
            seen = {order: _as_of(self._lines[order], self._since)}
            yield Hypothesis(kind=CauseKind.PROVIDER_LAG, seen=seen, named=(order,), count=1, whole=False)

    def _lag(self, cut_off: int) -> Iterator[Hypothesis]:
        then = {order: _as_of(line, cut_off) for order, line in self._recent.items()}
        seen = {order: minor for order, minor in then.items() if minor != self._lines[order].minor}
        if seen:
            yield Hypothesis(kind=CauseKind.PROVIDER_LAG, seen=seen, named=tuple(seen), count=len(seen))

    @cached_property
    def _recent(self) -> dict[str, OrderLine]:
        return {order: line for order, line in self._lines.items() if max(_instants(line)) > self._since}

    def _together_and_apart(self, kind: CauseKind, seen: Mapping[str, int]) -> Iterator[Hypothesis]:
        differing = {order: minor for order, minor in seen.items() if minor != self._lines[order].minor}
        if differing:
            yield Hypothesis(kind=kind, seen=differing, named=tuple(differing), count=len(differing))
        if len(differing) > 1:
            for order in list(differing)[:MOST_SINGLE]:
                one = {order: differing[order]}
                yield Hypothesis(kind=kind, seen=one, named=(order,), count=1, whole=False)

    def _before_refunds(self) -> dict[str, int]:
        """What refunded, lowered and cancelled orders counted before, or would have counted."""
        before: dict[str, int] = {}
        for order, line in self._lines.items():
            minor = _before_refund(line)
            if minor is None and line.gone is None and line.why_not == "cancelled":
                minor = self._had_it_counted(line)
            if minor is not None:
                before[order] = minor
        return before

    def _pending(self) -> dict[str, int]:
        """What pending and unpaid orders would count, were they completed and paid."""
        return {
            order: self._had_it_counted(line)
            for order, line in self._lines.items()
            if line.gone is None and line.why_not in ("pending", "unpaid")
        }

    def _had_it_counted(self, line: OrderLine) -> int:
        return counted(replace(line, cancelled=False, completed=True, paid=True), self._rules)[0]

    def _ways_of_counting(self) -> Iterator[Hypothesis]:
        for basis in Basis:
            if basis is not self._rules.basis:
                yield Hypothesis(kind=CauseKind.TAX_BASIS, basis=basis, detail=basis.value)
        equity = not self._account.equity
        detail = "applied" if equity else "not applied"
        yield Hypothesis(kind=CauseKind.EQUITY_MULTIPLIER, equity=equity, detail=detail)
        for per_order in (False, True):
            for half_up in (True, False):
                if (half_up, per_order) != (self._rules.half_up, self._rules.per_order):
                    detail = f"{'half up' if half_up else 'down'}, {'each order' if per_order else 'once'}"
                    yield Hypothesis(kind=CauseKind.ROUNDING, half_up=half_up, per_order=per_order, detail=detail)

    def _settled(self) -> list[str]:
        return [order for order in self._counting.orders() if self._lines[order].created_at <= self._since]


def _unseen(order: str) -> Hypothesis:
    return Hypothesis(kind=CauseKind.ORDER_NOT_CREDITED, seen={order: 0}, named=(order,), count=1)


def _moved(movements: Movements) -> Iterator[Hypothesis]:
    """Movements by kind; those that are only kept as a sum are of no known kind."""
    kinds: dict[CauseKind, list[Movement]] = {}
    for each in movements.newest:
        kinds.setdefault(_MOVEMENTS.get(each.kind, CauseKind.OTHER_MOVEMENTS), []).append(each)
    if movements.folded_points:
        kinds.setdefault(CauseKind.OTHER_MOVEMENTS, [])
    for kind, each_of in sorted(kinds.items(), key=lambda item: _RANK[item[0]]):
        folded = movements.folded_points if kind is CauseKind.OTHER_MOVEMENTS else 0
        points = sum(each.points for each in each_of) + folded
        if points:
            yield Hypothesis(kind=kind, moved=points, count=len(each_of))


def _instants(line: OrderLine) -> tuple[int, int]:
    return line.created_at, line.changed_at


def _as_of(line: OrderLine, at: int) -> int:
    """Minor units that the line counted then."""
    if line.created_at > at:
        return 0
    return line.previous_minor if line.changed_at > at and line.changed_at > line.created_at else line.minor


def _before_refund(line: OrderLine) -> int | None:
    """Minor units of a live order before it was refunded, lowered or cancelled; None when it was not. A refund that is
    an order of its own was nothing before."""
    if line.gone is not None:
        return None
    if line.changed_at > line.created_at and line.previous_minor > line.minor:
        return line.previous_minor
    if line.why_not is not None:
        return None
    if line.minor < 0 and not line.refunded_minor:
        return 0
    return line.minor + line.refunded_minor if line.refunded_minor > 0 else None
