"""A customer's points over time, and which orders they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream.contracts.entries import PointsEntry
from stream.contracts.profiles import Profile
from stream.sinks.views.shown import CustomerCase, CustomerEntry
from stream.web.pages import moments, words
from stream.web.pages.charts import Chart, Line, Number
from stream.web.pages.moments import DAY_MS
from stream.web.pages.page import Page

TABLE_ROWS = 30
OURS, THEIRS = "--muted", "--accent"
"""The sides' colours, as in the bars beside the chart."""
Row = tuple[str, str, str]


def points_chart(
    page: Page, profile: Profile, entries: Sequence[CustomerEntry], cases: Sequence[CustomerCase]
) -> tuple[Chart, list[Row], str]:
    """Both sides as steps, the tolerance as a band around the provider's; the numbers; and what the chart shows.

    Orders that were read at once, as in a first run, have one time: then the steps are drawn one after the other.
    """
    ours = [(entry.at, entry.entry.points_after) for entry in reversed(entries)]
    theirs = _balances(profile, cases)
    if not ours or ours[-1][0] - ours[0][0] < DAY_MS:
        return _by_step(page, profile, ours)
    moments_of_both = sorted({at for at, _ in ours} | {at for at, _ in theirs} | {page.now})
    lines: list[Line] = [{"name": "orders", "y": _known(ours, moments_of_both), "colour": OURS}]
    if theirs:
        y = _known(theirs, moments_of_both)
        lines.append({"name": words.PROVIDER, "y": y, "colour": THEIRS})
    chart: Chart = {
        "kind": "step",
        "x": [each / 1000 for each in moments_of_both],
        "lines": lines,
        "today": page.now / 1000,
    }
    if (band := _band(page, profile)) is not None:
        chart["band"] = band
    rows = [
        (moments.exact(at, page.zone), _cell(line_ours), _cell(lines[1]["y"][number] if len(lines) > 1 else None))
        for number, (at, line_ours) in enumerate(zip(moments_of_both, lines[0]["y"], strict=True))
    ]
    return chart, rows[::-1][:TABLE_ROWS], "over time, the tolerance shaded" if band else "over time"


@dataclass(frozen=True)
class OrderShown:
    """An order by its latest entry. `points`: what all its entries gave and took."""

    at: int
    entry: PointsEntry
    points: int


def orders_of(entries: Sequence[CustomerEntry]) -> list[OrderShown]:
    """The orders that these entries (newest first) are about, newest first."""
    latest: dict[str, OrderShown] = {}
    for each in entries:
        entry = each.entry
        if entry.order is not None:
            found = latest.get(entry.order) or OrderShown(each.at, entry, 0)
            latest[entry.order] = replace(found, points=found.points + entry.delta_points)
    return list(latest.values())


def _by_step(page: Page, profile: Profile, ours: Sequence[tuple[int, int]]) -> tuple[Chart, list[Row], str]:
    levels: list[Number] = [0, *(points for _, points in ours), *(points for _, points in ours[-1:])]
    drawn = bool(ours)
    chart: Chart = {
        "kind": "step",
        "time": False,
        "x": [float(number) for number in range(len(levels))] if drawn else [],
        "lines": [{"name": "orders", "y": levels, "colour": OURS}],
    }
    if profile.points_from_alpine is not None and drawn:
        balance: list[Number] = [profile.points_from_alpine] * len(levels)
        chart["lines"].append({"name": words.PROVIDER, "y": balance, "colour": THEIRS, "dash": True})
    if (band := _band(page, profile)) is not None:
        chart["band"] = band
    rows = [
        (f"{number}. {moments.exact(at, page.zone)}", words.number(points), _cell(profile.points_from_alpine))
        for number, (at, points) in enumerate(ours, 1)
    ]
    return chart, rows[::-1][:TABLE_ROWS], "entry by entry, as they were read"


def _balances(profile: Profile, cases: Sequence[CustomerCase]) -> list[tuple[int, int]]:
    """What is known of the provider's balance: at the steps of cases, and now."""
    known = [(step.at, step.provider) for case in cases for step in case.case.history if step.provider is not None]
    if profile.points_from_alpine is not None and profile.balance_as_of is not None:
        known.append((profile.balance_as_of, profile.points_from_alpine))
    return sorted(known)


def _known(points: Sequence[tuple[int, int]], at: Sequence[int]) -> list[Number]:
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
