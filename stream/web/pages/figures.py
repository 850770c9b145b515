"""The six figures of runs, each as a chart: customers synced, success rate, average discrepancy, duration, provider
availability, API errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream.sinks.views.shown_pages import RunPoint
from stream.web.pages import moments
from stream.web.pages.charts import Chart, Drawn, Number, over_time
from stream.web.pages.page import Page

ROLLING = 7
"""Runs over which the success rate goes: a week of daily ones."""
TABLE_ROWS = 15

Value = Callable[[Sequence[RunPoint], int], Number]


def drawn_figures(page: Page, points: Sequence[RunPoint]) -> list[Drawn]:
    """The six, over the same runs (oldest first)."""
    return [
        _drawn(page, points, "Customers synced", "in each run", _customers, "", "--accent"),
        _drawn(page, points, "Success rate", f"of the last {ROLLING} runs", _success, "%", "--accent"),
        _drawn(page, points, "Average discrepancy", "points, where both sides are known", _average, "", "--review"),
        _drawn(page, points, "Duration", "of each run", _seconds, " s", "--accent"),
        _drawn(page, points, "Alpine IQ available", "answers to requests in each run", _available, "%", "--accent"),
        _drawn(page, points, "API errors", "of both vendors, in each run", _errors, "", "--review", kind="bars"),
    ]


def _drawn(
    page: Page,
    points: Sequence[RunPoint],
    title: str,
    caption: str,
    value: Value,
    unit: str,
    colour: str,
    kind: str = "line",
) -> Drawn:
    values = [value(points, position) for position in range(len(points))]
    taken = [(point.ended_at, each) for point, each in zip(points, values, strict=True) if each is not None]
    chart: Chart = over_time(
        [at for at, _ in taken],
        [{"name": title, "y": [each for _, each in taken], "colour": colour}],
        now=page.now,
        kind=kind,
        unit=unit,
    )
    rows = [(moments.exact(at, page.zone), _cell(each, unit)) for at, each in reversed(taken[-TABLE_ROWS:])]
    return Drawn(title, caption, chart, ("Run ended", title), rows)


def _customers(points: Sequence[RunPoint], at: int) -> Number:
    tally = points[at].tally
    return tally.customers if tally is not None else None


def _success(points: Sequence[RunPoint], at: int) -> Number:
    last = points[max(0, at + 1 - ROLLING) : at + 1]
    return round(100 * sum(point.outcome == "completed" for point in last) / len(last), 1)


def _average(points: Sequence[RunPoint], at: int) -> Number:
    tally = points[at].tally
    average = tally.average_discrepancy if tally is not None else None
    return float(average) if average is not None else None


def _seconds(points: Sequence[RunPoint], at: int) -> Number:
    point = points[at]
    return None if point.started_at is None else round((point.ended_at - point.started_at) / 1000, 1)


def _available(points: Sequence[RunPoint], at: int) -> Number:
    use = points[at].vendors.get("alpine_iq")
    return round(100 * use.answered / use.calls, 1) if use is not None and use.calls else None


def _errors(points: Sequence[RunPoint], at: int) -> Number:
    vendors = points[at].vendors
    return sum(sum(use.errors.values()) for use in vendors.values()) if vendors else None


def _cell(value: Number, unit: str) -> str:
    return f"{value:,}{unit}" if value is not None else "unknown"
