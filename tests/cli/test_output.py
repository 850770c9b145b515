from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from stream.cli.output import line_of_json, show
from stream.cli.progress import Lines, shown_progress


@dataclass
class Balance:
    points: int | None
    rate: Decimal
    at: datetime


BALANCE = Balance(None, Decimal("1.20"), datetime(2026, 1, 30, 20, 21, 58, 3000, UTC))


def test_json_is_one_line_with_exact_decimals_and_the_briefs_times() -> None:
    assert json.loads(line_of_json([BALANCE])) == [{"points": None, "rate": "1.20", "at": "2026-01-30T20:21:58.003Z"}]
    assert "\n" not in line_of_json([BALANCE])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"points": 475, "tier": "[Bronze]"}, ["points", "475", "[Bronze]"]),
        ({"org": {"last run": "daily"}}, ["org", "  last run  daily"]),
        ([{"id": "a[b]", "n": 1}, {"id": "c", "n": None}], ["a[b]", "–"]),
        (["x", "y"], ["x\ny"]),
        ([], ["nothing"]),
    ],
)
def test_people_get_lines_and_tables(value: object, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    show(value, as_json=False)
    out = capsys.readouterr().out
    assert [part for part in said if part not in out] == []


def test_progress_off_a_terminal_is_a_line_now_and_then() -> None:
    seconds = 0.0
    target = io.StringIO()
    lines = Lines(target, lambda: seconds)
    for done in range(0, 101, 10):
        lines("orders", done, 100)
        seconds += 1
    assert target.getvalue().splitlines() == ["orders 0 of 100", "orders 50 of 100", "orders 100 of 100"]


def test_progress_on_a_terminal_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    target = Terminal()
    with shown_progress(target) as progress:
        progress("orders", 3, 10)
    assert "orders" in target.getvalue()
    assert "3/10" in target.getvalue()
