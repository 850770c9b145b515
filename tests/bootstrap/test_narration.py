from __future__ import annotations

from dataclasses import replace

import pytest

from stream.bootstrap.narration import told
from stream.bootstrap.run_changes import RunChange
from stream.contracts.runs import Tally
from stream.sinks.views.shown import Run

QUEUED = Run(
    run="shop:daily:first",
    org="shop",
    kind="daily",
    customer=None,
    requested_by="first start",
    phase="queued",
    outcome=None,
    answer=None,
    reason=None,
    requested_at=1,
    started_at=None,
    ended_at=None,
    orders=None,
    order_customers=None,
    orders_unreadable=None,
    alleaves_calls=None,
    balances=None,
    alpine_calls=None,
    queued_ms=None,
    tally=None,
    phases_ms={},
    vendors={},
)
STARTED = replace(QUEUED, phase="orders", started_at=1)
HALFWAY = replace(STARTED, orders=1200, order_customers=700)
READ = replace(STARTED, phase="balances", orders=2689, order_customers=1641, orders_unreadable=2, alleaves_calls=40)
SWEPT = replace(READ, phase="verdicts", balances=283, alpine_calls=1)
DONE = replace(
    SWEPT, phase="done", outcome="completed", ended_at=5001,
    tally=Tally(customers=1641, with_provider=245, matched=240, discrepancy=5),
)  # fmt: skip
FAILED = replace(STARTED, outcome="failed", ended_at=2, orders=0, alleaves_calls=5, reason="Alleaves refuses: 401")
READ_SAID = (
    "read 2,689 orders of 1,641 customers from Alleaves (40 calls); "
    "2 records could not be read and are kept as dead letters"
)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, QUEUED, []),
        (QUEUED, STARTED, ["reading the whole history from Alleaves, each order once …"]),
        (STARTED, HALFWAY, []),
        (HALFWAY, READ, [READ_SAID]),
        (READ, SWEPT, ["read 283 balances from Alpine IQ (1 calls)"]),
        (SWEPT, DONE, ["1,641 customers have points, 245 of them a balance at Alpine IQ: 240 agree, 5 need review"]),
        (STARTED, FAILED, ["the run failed while reading the orders: Alleaves refuses: 401"]),
        (DONE, DONE, []),
    ],
)
def test_each_step_of_a_run_is_told_once(before: Run | None, now: Run, said: list[str]) -> None:
    assert list(told(RunChange(before, now))) == said


def test_one_that_was_over_before_it_was_seen_is_told_whole() -> None:
    assert len(list(told(RunChange(None, DONE)))) == 4
