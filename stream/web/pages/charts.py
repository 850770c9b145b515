"""What the chart script is told: one idea a chart, and the same numbers for the table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired

from typing_extensions import TypedDict

Number = int | float | None


class Line(TypedDict):
    """`y`: null where it is unknown. `colour`: a token of the style sheet."""

    name: str
    y: list[Number]
    colour: str


class Chart(TypedDict):
    """`x`, `today`: unix seconds. `band`: the tolerance."""

    kind: str
    x: list[float]
    lines: list[Line]
    unit: NotRequired[str]
    today: NotRequired[float]
    band: NotRequired[tuple[float, float]]


@dataclass(frozen=True)
class Drawn:
    """A chart with its title and the table behind it."""

    title: str
    caption: str
    chart: Chart
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def over_time(
    at: Sequence[int], lines: Sequence[Line], *, now: int | None = None, kind: str = "line", unit: str = ""
) -> Chart:
    """A chart over time; `at`, `now`: UTC ms."""
    chart: Chart = {"kind": kind, "x": [each / 1000 for each in at], "lines": list(lines), "unit": unit}
    if now is not None:
        chart["today"] = now / 1000
    return chart
