"""What the provider may have done otherwise, from the evidence to what is merely possible."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import islice, takewhile
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from stream.contracts.cases import CauseKind
from stream.contracts.settings import Basis
from stream.loyalty.account import ADJUSTMENT, EXPIRY, REDEMPTION, Account, Movement, Movements
from stream.loyalty.counterfactual import Counterfactual, Hypothesis
from stream.loyalty.order import OrderLine, counted
from stream.loyalty.rules import Rules

MOST_SINGLE = 20
"""Orders of a kind, and instants of the settle window, that are tried one by one: the newest."""

_RANK = {kind: rank for rank, kind in enumerate(CauseKind)}
_MOVEMENTS = {
    REDEMPTION: CauseKind.REDEMPTIONS,
    ADJUSTMENT: CauseKind.ADJUSTMENTS,
    EXPIRY: CauseKind.EXPIRY,
}


Theory = tuple[Hypothesis, ...]


class _Sorted(NamedTuple):
    """An account's lines by what may be said of them, the newest first: those to which something happened in the settle
    window; and what refunded, lowered and cancelled orders counted before or would have counted, what removed ones
    did, and what pending and unpaid ones would count."""

    recent: dict[str, OrderLine]
    refunded: dict[str, int]
    removed: dict[str, int]
    pending: dict[str, int]


class Hypotheses:
    """All that may be said of one account."""

    def __init__(self, account: Account, lines: Iterable[tuple[str, OrderLine]], rules: Rules, as_of: int) -> None:
        self._account = account
        self._rules = rules
        self._since = as_of - rules.settle_ms
        self._lines = dict(sorted(lines, key=lambda each: (-each[1].created_at, each[0])))
        self._counting = Counterfactual(account, self._lines, rules)

    # --- what may have happened ---

    def evidence(self) -> Theory:
        """What the provider says that it moved, by kind; nothing where that is part of our side already."""
        moved = self._account.moved
        return () if self._rules.expected or moved is None else tuple(_moved(moved))

    def single(self) -> Sequence[Hypothesis]:
        """Every hypothesis that makes a difference by itself, the likeliest first."""
        return self._single

    def lag_since(self, cut_off: int) -> Theory:
        """Nothing that happened after `cut_off` (UTC ms) is booked yet."""
        return tuple(self._lag(cut_off))

    def never_booked(self, points: int, beside: Theory) -> Hypothesis | None:
        """A settled order without which that difference would be gone; all that fit are named. None of those that
        `beside` is about."""
        if points >= 0:
            return None
        taken = {order for each in beside for order in each.seen}
        fitting = [order for order in self._settled(taken) if self._counting.without(order) == points]
        if not fitting:
            return None
        return Hypothesis(
            kind=CauseKind.ORDER_NOT_CREDITED, seen={fitting[0]: 0}, named=tuple(fitting), count=len(fitting)
        )

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
        yield from self._together_and_apart(CauseKind.REFUNDS_NOT_APPLIED, self._sorted.refunded)
        yield from self._together_and_apart(CauseKind.REMOVED_ORDERS, self._sorted.removed)
        yield from self._together_and_apart(CauseKind.PENDING_ORDERS, self._sorted.pending)
        rules = self._rules
        yield from _ways_of_counting(rules.basis, self._account.equity, rules.half_up, rules.per_order)

    def _lags(self) -> Iterator[Hypothesis]:
        """Not booked: everything since some instant of the settle window, or one order of it."""
        recent = self._sorted.recent
        instants = sorted({at for line in recent.values() for at in _instants(line) if at > self._since})
        for at in instants[: -MOST_SINGLE - 1 : -1]:
            for lag in self._lag(at - 1):
                yield replace(lag, whole=at == instants[0])
        for order in islice(recent, MOST_SINGLE):
            seen = {order: _as_of(recent[order], self._since)}
            yield Hypothesis(kind=CauseKind.PROVIDER_LAG, seen=seen, named=(order,), count=1, whole=False)

    def _lag(self, cut_off: int) -> Iterator[Hypothesis]:
        seen = {
            order: minor for order, line in self._since_then(cut_off) if (minor := _as_of(line, cut_off)) != line.minor
        }
        if seen:
            yield Hypothesis(kind=CauseKind.PROVIDER_LAG, seen=seen, named=tuple(seen), count=len(seen))

    def _since_then(self, cut_off: int) -> list[tuple[str, OrderLine]]:
        """Orders to which something has happened since, the newest first."""
        newest = takewhile(lambda each: each[0] > cut_off, self._by_latest)
        return [(order, line) for _, _, order, line in sorted(newest, key=itemgetter(1))]

    @cached_property
    def _by_latest(self) -> list[tuple[int, int, str, OrderLine]]:
        """Orders of the settle window by what happened to them last, the latest first: the instant, the order's place
        among all, its id and line."""
        placed = enumerate(self._sorted.recent.items())
        return sorted(
            ((max(_instants(line)), place, order, line) for place, (order, line) in placed),
            key=itemgetter(0),
            reverse=True,
        )

    def _together_and_apart(self, kind: CauseKind, seen: Mapping[str, int]) -> Iterator[Hypothesis]:
        differing = {order: minor for order, minor in seen.items() if minor != self._lines[order].minor}
        if differing:
            yield Hypothesis(kind=kind, seen=differing, named=tuple(differing), count=len(differing))
        if len(differing) > 1:
            for order in islice(differing, MOST_SINGLE):
                one = {order: differing[order]}
                yield Hypothesis(kind=kind, seen=one, named=(order,), count=1, whole=False)

    @cached_property
    def _sorted(self) -> _Sorted:
        """One look at every line."""
        found, since = _Sorted({}, {}, {}, {}), self._since
        for order, line in self._lines.items():
            if line.created_at > since or line.changed_at > since:
                found.recent[order] = line
            if line.gone is not None:
                found.removed[order] = line.previous_minor
            elif line.why_not is not None or line.refunded_minor or line.minor < 0 or line.changed_at > line.created_at:
                self._sort(order, line, found)
        return found

    def _sort(self, order: str, line: OrderLine, found: _Sorted) -> None:
        """A live line that is more than an order which was completed and paid and never touched again."""
        before = _before_refund(line)
        if before is None and line.why_not == "cancelled":
            before = self._had_it_counted(line)
        if before is not None:
            found.refunded[order] = before
        if line.why_not in ("pending", "unpaid"):
            found.pending[order] = self._had_it_counted(line)

    def _had_it_counted(self, line: OrderLine) -> int:
        return counted(replace(line, cancelled=False, completed=True, paid=True), self._rules)[0]

    def _settled(self, taken: Container[str]) -> Iterator[str]:
        for order in self._counting.orders():
            if self._lines[order].created_at <= self._since and order not in taken:
                yield order


@cache  # the same few for every account
def _ways_of_counting(ours: Basis, equity: bool, half_up: bool, per_order: bool) -> Theory:
    """Other ways than ours to count every order."""
    bases = (Hypothesis(kind=CauseKind.TAX_BASIS, basis=each, detail=each.value) for each in Basis if each is not ours)
    detail = "not applied" if equity else "applied"
    multiplier = Hypothesis(kind=CauseKind.EQUITY_MULTIPLIER, equity=not equity, detail=detail)
    roundings = ((up, each) for each in (False, True) for up in (True, False) if (up, each) != (half_up, per_order))
    return (*bases, multiplier, *(_rounding(up, each_order) for up, each_order in roundings))


def _rounding(half_up: bool, per_order: bool) -> Hypothesis:
    detail = f"{'half up' if half_up else 'down'}, {'each order' if per_order else 'once'}"
    return Hypothesis(kind=CauseKind.ROUNDING, half_up=half_up, per_order=per_order, detail=detail)


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
    if line.changed_at > line.created_at and line.previous_minor > line.minor:
        return line.previous_minor
    if line.why_not is not None:
        return None
    if line.minor < 0 and not line.refunded_minor:
        return 0
    return line.minor + line.refunded_minor if line.refunded_minor > 0 else None
