"""How the points come about, as bars: what orders earn, what moved them, the rest, what the provider says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream.contracts.cases import Cause, CauseKind
from stream.web.pages import words

_REST = {CauseKind.UNEXPLAINED}


@dataclass(frozen=True)
class Bar:
    """A bar from `start` to `start + width`, in percent of the whole. `kind`: `ours`, `known`, `rest`, `provider`."""

    label: str
    points: str
    kind: str
    start: float
    width: float
    is_sum: bool = False


def waterfall(ours: int, provider: int | None, causes: Sequence[Cause]) -> list[Bar]:
    """From the points of orders over the causes of a difference to the provider's; without a balance only ours.

    A difference that nobody has looked into is one unexplained bar.
    """
    if provider is None:
        return [_sum("Earned by orders", ours, "ours", 0, max(ours, 1))]
    steps = list(causes) or ([Cause(CauseKind.UNEXPLAINED, provider - ours)] if provider != ours else [])
    levels = [ours]
    for step in steps:
        levels.append(levels[-1] + step.points)
    low, high = min(0, provider, *levels), max(1, provider, *levels)
    scale = high - low
    bars = [_sum("Earned by orders", ours, "ours", low, scale)]
    for step, before, after in zip(steps, levels, levels[1:], strict=False):
        kind = "rest" if step.kind in _REST else "known"
        start, width = (min(before, after) - low) / scale, abs(after - before) / scale
        bars.append(Bar(words.CAUSES[step.kind], words.signed(step.points), kind, 100 * start, max(100 * width, 0.6)))
    return [*bars, _sum(words.PROVIDER, provider, "provider", low, scale)]


def _sum(label: str, points: int, kind: str, low: int, scale: int) -> Bar:
    start, end = sorted((0 - low, points - low))
    return Bar(label, words.number(points), kind, 100 * start / scale, max(100 * (end - start) / scale, 0.6), True)
