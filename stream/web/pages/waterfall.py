"""How the points come about, as bars: what orders earn, what was redeemed and adjusted, what that should come to, the
rest, what the provider says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stream.contracts.cases import Cause, CauseKind
from stream.contracts.profiles import Profile, Verdict
from stream.web.pages import words

EARNED = "Earned by orders"
EXPECTED = "Expected"
_MOVED = {CauseKind.REDEMPTIONS, CauseKind.ADJUSTMENTS, CauseKind.EXPIRY, CauseKind.OTHER_MOVEMENTS}
_REST = "Not explained"
_RESTS = {
    Verdict.MATCHED: "Within the tolerance",
    Verdict.TIMING: words.CAUSES[CauseKind.PROVIDER_LAG],
}
"""What a rest is that nobody needs to look into."""


@dataclass(frozen=True)
class Bar:
    """A bar from `start` to `start + width`, in percent of the whole. `kind`: `ours`, `known`, `rest`, `provider`."""

    label: str
    points: str
    kind: str
    start: float
    width: float
    is_sum: bool = False


@dataclass(frozen=True)
class _Step:
    label: str
    kind: str
    level: int
    points: int | None = None  # None: a sum


def waterfall(
    ours: int,
    provider: int | None,
    causes: Sequence[Cause] = (),
    *,
    moved: Mapping[CauseKind, int] = MappingProxyType({}),
    verdict: Verdict = Verdict.DISCREPANCY,
    first: str = EARNED,
) -> list[Bar]:
    """From the points of orders over the provider's movements to what is expected, and on to what the provider says.

    `moved`: the provider's movements by kind; where `causes` name movements, these are shown instead. Whatever is left
    is one bar: it is what nothing explains, unless the `verdict` says that it is nothing to look into. It ends with
    what is expected where there is no balance. `first`: what `ours` is, where not of orders alone.
    """
    steps = [_Step(first, "ours", ours)]
    named = {cause.kind: cause.points for cause in causes if cause.kind in _MOVED}
    for label, points in ((words.CAUSES[kind], points) for kind, points in (named or moved).items()):
        steps.append(_Step(label, "known", steps[-1].level + points, points))
    if len(steps) > 1:
        steps.append(_Step(EXPECTED, "ours", steps[-1].level))
    if provider is not None:
        for cause in causes:
            if cause.kind not in _MOVED and cause.kind is not CauseKind.UNEXPLAINED:
                steps.append(_Step(words.CAUSES[cause.kind], "known", steps[-1].level + cause.points, cause.points))
        if rest := provider - steps[-1].level:
            kind = "known" if verdict in _RESTS else "rest"
            steps.append(_Step(_RESTS.get(verdict, _REST), kind, provider, rest))
        steps.append(_Step(words.PROVIDER, "provider", provider))
    return _bars(steps)


def movements_of(profile: Profile) -> dict[CauseKind, int]:
    """What the provider moved, by kind; what is known as a sum only is of no known kind."""
    if profile.moved_points is None:
        return {}
    known = {
        CauseKind.REDEMPTIONS: profile.redeemed_points,
        CauseKind.ADJUSTMENTS: profile.adjusted_points,
        CauseKind.EXPIRY: profile.expired_points,
    }
    parts = {kind: points for kind, points in known.items() if points is not None}
    rest = profile.moved_points - sum(parts.values())
    return parts | ({CauseKind.OTHER_MOVEMENTS: rest} if rest or not parts else {})


def _bars(steps: Sequence[_Step]) -> list[Bar]:
    low, high = min(0, *(step.level for step in steps)), max(1, *(step.level for step in steps))
    bars = []
    for step in steps:
        before = 0 if step.points is None else step.level - step.points
        start, end = sorted((before - low, step.level - low))
        width = max(100 * (end - start) / (high - low), 0.6)
        shown = words.number(step.level) if step.points is None else words.signed(step.points)
        left = min(100 * start / (high - low), 100 - width)
        bars.append(Bar(step.label, shown, step.kind, left, width, step.points is None))
    return bars
