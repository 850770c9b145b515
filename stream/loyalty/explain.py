"""Why the provider has another number: likely causes of a difference, in points that add up to it exactly.

What the provider says itself (its movements, where they are not compared already) is evidence; everything else is a
hypothesis: "had the provider done that, it would say this". A hypothesis is believed only where it fits exactly. In
this order, the first that fits wins:

    1  one cause alone, evidence before hypotheses
    2  all evidence together
    3  the evidence and one hypothesis
    4  two hypotheses, without and with the evidence; at most one of them is about how every order is counted
    5  three hypotheses that concern all orders of their kind, likewise
    6  the evidence and one hypothesis, to within a point (the two sides may round at different places)
    7  the evidence and one settled order that was never booked
    8  the evidence, and the rest is unexplained

Points of causes that hold together are computed together, each on top of the ones before it, so that nothing counts
twice. An order is part of one cause only. Rounding, which could fill any small gap, is believed only by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.profiles import Verdict
from stream.loyalty.account import Account
from stream.loyalty.counterfactual import Hypothesis
from stream.loyalty.hypotheses import Hypotheses, Theory
from stream.loyalty.order import OrderLine
from stream.loyalty.reconcile import Judgement
from stream.loyalty.rules import Rules

MOST_ORDERS = 10
"""Orders that a cause names; it counts all of them."""


def explain(
    account: Account, lines: Iterable[tuple[str, OrderLine]], judgement: Judgement, rules: Rules, as_of: int
) -> tuple[Cause, ...]:
    """Likely causes of the judgement's difference; empty where there is none, or nothing to compare.

    `lines`: the account's order ids and lines, markers included, in any order; `as_of` (UTC ms): when the provider's
    side was observed. Deterministic: the same account gives the same causes.
    """
    if not judgement.difference:
        return ()
    return _Search(Hypotheses(account, lines, rules, as_of), judgement).causes()


class _Search:
    """One difference in search of its causes."""

    def __init__(self, hypotheses: Hypotheses, judgement: Judgement) -> None:
        self._all = hypotheses
        self._apart = judgement.difference or 0
        self._evidence: Theory = hypotheses.evidence()
        if judgement.verdict is Verdict.TIMING and judgement.cut_off is not None:
            self._evidence += hypotheses.lag_since(judgement.cut_off)

    def causes(self) -> tuple[Cause, ...]:
        """The causes, and what is left."""
        theory = self._one(0) or self._several() or self._nearly()
        if theory is not None:
            return self._told(theory)
        rest = self._apart - self._all.points(self._evidence)
        booked = self._all.never_booked(rest, self._evidence)
        return self._told(self._evidence if booked is None else (*self._evidence, booked))

    def _one(self, slack: int) -> Theory | None:
        """One cause alone, evidence before hypotheses."""
        for each in self._evidence:
            if self._adds_up((each,), slack):
                return (each,)
        return next(((each,) for each in self._all.single() if abs(each.alone - self._apart) <= slack), None)

    def _several(self) -> Theory | None:
        return next((each for each in self._theories() if self._adds_up(each)), None)

    def _nearly(self) -> Theory | None:
        """The evidence and one hypothesis, to within a point."""
        if not self._evidence:
            return self._one(1)
        return next((each for each in self._with_evidence() if self._adds_up(each, 1)), None)

    def _theories(self) -> Iterator[Theory]:
        """Every theory of two and more in order of likelihood; pairs only where the single parts may add up."""
        if self._evidence:
            yield self._evidence
            yield from self._with_evidence()
        yield from self._of_two(())
        if self._evidence:
            yield from self._of_two(self._evidence)
        yield from self._of_three()

    def _with_evidence(self) -> Iterator[Theory]:
        return ((*self._evidence, each) for each in self._all.single())

    def _of_two(self, given: Theory) -> Iterator[Theory]:
        """Pairs whose points, taken by themselves, add up to within a point: rounding is not additive."""
        rest = self._apart - self._all.points(given)
        pool = [each for each in self._all.single() if each.kind is not CauseKind.ROUNDING]
        by_points: dict[int, list[Hypothesis]] = {}
        for each in pool:
            by_points.setdefault(each.alone, []).append(each)
        for first in pool:
            for near in (0, -1, 1):
                seconds = by_points.get(rest - first.alone + near, ())
                yield from ((*given, first, second) for second in seconds if first.number < second.number)

    def _of_three(self) -> Iterator[Theory]:
        families = [each for each in self._all.single() if each.whole and each.kind is not CauseKind.ROUNDING]
        for three in combinations(families, 3):
            yield three
            if self._evidence:
                yield (*self._evidence, *three)

    def _adds_up(self, theory: Theory, slack: int = 0) -> bool:
        return _compatible(theory) and abs(self._all.points(theory) - self._apart) <= slack

    def _told(self, theory: Theory) -> tuple[Cause, ...]:
        """Each cause with what it adds to those before it; the rest last."""
        told: list[Cause] = []
        so_far = 0
        for upto, each in enumerate(theory, start=1):
            total = self._all.points(theory[:upto])
            named = each.named[:MOST_ORDERS]
            told.append(Cause(each.kind, total - so_far, named, each.count, each.detail))
            so_far = total
        if so_far != self._apart:
            told.append(Cause(CauseKind.UNEXPLAINED, self._apart - so_far))
        return tuple(told)


def _compatible(theory: Sequence[Hypothesis]) -> bool:
    """No order twice, and one way of counting."""
    if sum([each.counts_otherwise for each in theory]) > 1:
        return False
    about = [each.seen.keys() for each in theory if each.seen]
    return len(about) < 2 or all(one.isdisjoint(other) for one, other in combinations(about, 2))
