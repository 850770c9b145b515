"""A customer's points over time, and which orders they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream.contracts.entries import Cause, PointsEntry
from stream.contracts.profiles import Profile
from stream.sinks.views.shown import CustomerCase, CustomerEntry
from stream.web.pages import moments, words
from stream.web.pages.charts import Chart, Line, Number
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page

TABLE_ROWS = 30
LEAD = 20
"""What comes before the first step takes this part of what follows."""
OURS, THEIRS = "--muted", "--accent"
"""The sides' colours, as in the bars beside the chart."""
Row = tuple[str, str, str]
Step = tuple[int, int]
"""When (UTC ms), and the points from then on."""


def points_chart(
    page: Page, profile: Profile, entries: Sequence[CustomerEntry], cases: Sequence[CustomerCase]
) -> tuple[Chart, list[Row], str]:
    """Both sides as steps, the tolerance as a band around the provider's; the numbers; and what the chart shows."""
    ours, theirs = steps_of(entries, page.now), _balances(profile, cases)
    if not ours:
        return {"kind": "step", "x": [], "lines": []}, [], "over time"
    at = sorted({each for each, _ in (*ours, *theirs)} | {page.now})
    lines: list[Line] = [{"name": "orders", "y": _known(ours, at), "colour": OURS}]
    if theirs:
        lines.append({"name": words.PROVIDER, "y": _known(theirs, at), "colour": THEIRS})
    chart: Chart = {"kind": "step", "x": [each / 1000 for each in at], "lines": lines, "today": page.now / 1000}
    if (band := _band(page, profile)) is not None:
        chart["band"] = band
    rows = [
        (moments.exact(each, page.zone), _cell(level), _cell(lines[1]["y"][number] if theirs else None))
        for number, (each, level) in enumerate(zip(at, lines[0]["y"], strict=True))
    ]
    return chart, rows[::-1][:TABLE_ROWS], "over time, the tolerance shaded" if band else "over time"


def steps_of(entries: Sequence[CustomerEntry], now: int) -> list[Step]:
    """Points from orders after each step, oldest first (entries: newest first), from what they were before.

    An order counts from when it was made, whenever that was read: a first run reads a year at once. So points on the
    way are those that its orders gave by then; the last ones are the customer's.
    """
    if not entries:
        return []
    in_time = sorted(entries, key=_took_place)
    level = entries[-1].entry.points_after - entries[-1].entry.delta_points
    first = _took_place(in_time[0])
    steps = [(first - max(DAY_MS, (now - first) // LEAD), level)]
    for each in in_time:
        level += each.entry.delta_points
        steps.append((_took_place(each), max(level, 0)))
    return steps


def _took_place(each: CustomerEntry) -> int:
    """When (UTC ms). What happened to an order later happened when it was read."""
    entry = each.entry
    made = entry.ordered_at if entry.cause is Cause.ORDER_ADDED else None
    return each.at if made is None else min(made, each.at)


@dataclass(frozen=True)
class OrderShown:
    """An order by its latest entry. `at`: when it was made (where that is not known: read), UTC ms; `points`: what all
    its entries gave and took."""

    at: int
    entry: PointsEntry
    points: int


def orders_of(entries: Sequence[CustomerEntry]) -> list[OrderShown]:
    """The orders that these entries (newest first) are about, the newest order first."""
    latest: dict[str, OrderShown] = {}
    for each in entries:
        entry = each.entry
        if entry.order is not None:
            made = each.at if entry.ordered_at is None else entry.ordered_at
            found = latest.get(entry.order) or OrderShown(made, entry, 0)
            latest[entry.order] = replace(found, points=found.points + entry.delta_points)
    return sorted(latest.values(), key=lambda order: -order.at)


def _balances(profile: Profile, cases: Sequence[CustomerCase]) -> list[Step]:
    """What is known of the provider's balance: at the steps of cases, and now."""
    known = [(step.at, step.provider) for case in cases for step in case.case.history if step.provider is not None]
    if profile.points_from_alpine is not None and profile.balance_as_of is not None:
        known.append((profile.balance_as_of, profile.points_from_alpine))
    return sorted(known)


def _known(points: Sequence[Step], at: Sequence[int]) -> list[Number]:
    """The value at each of these times, unknown before the first; it stays after the last."""
    values: list[Number] = []
    position, value = 0, None
    for moment in at:
        while position < len(points) and points[position][0] <= moment:
            value = points[position][1]
            position += 1
        values.append(value)
    return values


def _band(page: Page, profile: Profile) -> tuple[float, float] | None:
    if profile.points_from_alpine is None or page.settings is None:
        return None
    tolerance = page.settings.tolerance
    apart = max(float(abs(profile.points_from_alpine) * tolerance.percent / 100), float(tolerance.floor_points))
    return profile.points_from_alpine - apart, profile.points_from_alpine + apart


def _cell(value: Number) -> str:
    return "unknown" if value is None else words.number(int(value))
