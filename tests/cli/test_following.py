"""How a run that is watched is told."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from stream.cli.following import phases_of, watched

TALLY = {"customers": 1641, "matched": 240, "discrepancy": 5}


@pytest.mark.parametrize(
    ("run", "states"),
    [
        ({"kind": "daily", "phase": "queued"}, ["next", "next", "next"]),
        ({"kind": "daily", "phase": "orders"}, ["now", "next", "next"]),
        ({"kind": "daily", "phase": "verdicts"}, ["done", "done", "now"]),
        ({"kind": "daily", "phase": "done", "outcome": "completed"}, ["done", "done", "done"]),
        ({"kind": "daily", "phase": "balances", "outcome": "failed"}, ["done", "failed", "next"]),
        ({"kind": "balances", "phase": "balances"}, ["now", "next"]),
        ({"kind": "customer", "phase": "verdicts"}, ["done", "now"]),
    ],
)
def test_the_phases_of_a_run(run: dict[str, object], states: list[str]) -> None:
    assert [phase.state for phase in phases_of(run)] == states


def test_what_came_of_a_phase() -> None:
    run = {"kind": "daily", "phase": "done", "outcome": "completed", "orders": 2689, "alleavesCalls": 27,
           "balances": 245, "alpineCalls": None, "tally": TALLY}  # fmt: skip
    assert [phase.said for phase in phases_of(run)] == [
        "2,689 orders, 27 calls",
        "245 balances",
        "1,641 customers, 240 agree, 5 need review",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_run_is_a_display_of_its_phases() -> None:
    target = Terminal()
    with watched(silent=False, to=target) as tell:
        tell({"id": "o:daily:1", "kind": "daily", "phase": "orders", "outcome": None, "orders": 1200})
        tell({"id": "o:daily:1", "kind": "daily", "phase": "done", "outcome": "completed", "tally": TALLY})
    shown = target.getvalue()
    for said in ("o:daily:1", "completed", "reading orders", "reading balances", "240 agree", "✓"):
        assert said in shown


def test_one_who_stops_reading_ends_the_program_well() -> None:
    program = (
        "from stream.cli.following import printing\n"
        "import sys, typer\n"
        "try:\n"
        "    with printing():\n"
        "        while True: print('x' * 1000, flush=True)\n"
        "except typer.Exit as ended: sys.exit(ended.exit_code)\n"
    )
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, b"")
