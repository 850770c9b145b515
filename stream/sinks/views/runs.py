"""How each event of the `runs` topic changes the row of its run."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.contracts.envelope import Event
from stream.contracts.runs import (
    BalanceSweepEnded,
    CustomerSynced,
    OrdersSweepEnded,
    OrdersSweepProgress,
    Phase,
    PhaseEntered,
    ProviderRecovered,
    ProviderUnavailable,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
)
from stream.sinks.views.statements import FRESH, Statement

_encode = msgspec.json.Encoder().encode

REQUESTED = """
INSERT INTO runs (run, org, kind, customer, requested_by, phase, requested_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET
    requested_by = coalesce(requested_by, excluded.requested_by),
    requested_at = coalesce(requested_at, excluded.requested_at)"""
STARTED = """
INSERT INTO runs (run, org, kind, customer, requested_by, phase, started_at) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET
    phase = CASE phase WHEN 'queued' THEN excluded.phase ELSE phase END,
    requested_by = coalesce(requested_by, excluded.requested_by),
    started_at = coalesce(started_at, excluded.started_at)"""
ENTERED = "UPDATE runs SET phase = ? WHERE run = ? AND outcome IS NULL"
SWEEPING = "UPDATE runs SET orders = ?, order_customers = ? WHERE run = ? AND outcome IS NULL"
ORDERS_SWEPT = """
UPDATE runs SET orders = ?, order_customers = ?, orders_unreadable = ?, alleaves_calls = ?,
    reason = coalesce(?, reason) WHERE run = ?"""
BALANCES_SWEPT = "UPDATE runs SET balances = ?, alpine_calls = ?, reason = coalesce(?, reason) WHERE run = ?"
SYNCED = "UPDATE runs SET answer = ?, reason = coalesce(?, reason) WHERE run = ?"
ENDED = """
INSERT INTO runs
    (run, org, kind, customer, phase, outcome, reason, started_at, ended_at, queued_ms, tally, phases, vendors)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET
    phase = excluded.phase, outcome = excluded.outcome, reason = coalesce(excluded.reason, reason),
    started_at = excluded.started_at, ended_at = excluded.ended_at, queued_ms = excluded.queued_ms,
    tally = excluded.tally, phases = excluded.phases, vendors = excluded.vendors"""
PROVIDER = """
INSERT INTO providers (org, available, since, reason) VALUES (?, ?, ?, ?)
ON CONFLICT (org) DO UPDATE SET available = excluded.available, since = excluded.since, reason = excluded.reason"""


def statements_of(event: Event[Any]) -> list[Statement]:
    """The changes that an event of `runs` makes; none when it shows nothing (settings wishes, single tallies)."""
    statement = _statement_of(event)
    fresh = _fresh(event)
    return [each for each in (statement, fresh) if each is not None]


def _fresh(event: Event[Any]) -> Statement | None:
    """A whole sweep: everything of that source was seen by then."""
    match event.data:
        case OrdersSweepEnded(complete=True):
            return FRESH, (event.org, "orders", event.at)
        case BalanceSweepEnded(complete=True):
            return FRESH, (event.org, "balances", event.at)
    return None


def _statement_of(event: Event[Any]) -> Statement | None:
    body = event.data
    match body:
        case RunRequested():
            return REQUESTED, (body.run, event.org, body.kind, body.customer, body.by, Phase.QUEUED, event.at)
        case RunStarted():
            first = Phase.ORDERS if body.kind is RunKind.DAILY else Phase.BALANCES
            return STARTED, (body.run, event.org, body.kind, body.customer, body.by, first, event.at)
        case PhaseEntered():
            return ENTERED, (body.phase, body.run)
        case OrdersSweepProgress():
            return SWEEPING, (body.orders, body.customers, body.run)
        case OrdersSweepEnded():
            counts = (body.orders, body.customers, body.unreadable, body.calls)
            return ORDERS_SWEPT, (*counts, body.reason, body.run)
        case BalanceSweepEnded():
            return BALANCES_SWEPT, (body.rows, body.calls, body.reason, body.run)
        case CustomerSynced():
            return SYNCED, (body.outcome, body.reason, body.run)
        case RunCompleted():
            return ENDED, _completed(event.org, body)
        case RunFailed():
            return ENDED, _failed(event.org, body)
        case ProviderUnavailable():
            return PROVIDER, (event.org, 0, body.since, body.reason)
        case ProviderRecovered():
            return PROVIDER, (event.org, 1, body.since, None)
    return None


def _completed(org: str, run: RunCompleted) -> tuple[str | int | None, ...]:
    return (run.run, org, run.kind, run.customer, Phase.DONE, "completed", None, *_figures(run))


def _failed(org: str, run: RunFailed) -> tuple[str | int | None, ...]:
    return (run.run, org, run.kind, run.customer, run.phase, "failed", run.reason, *_figures(run))


def _figures(run: RunCompleted | RunFailed) -> tuple[str | int | None, ...]:
    tally = None if run.tally is None else _encode(run.tally).decode()
    phases, vendors = _encode(run.phases).decode(), _encode(run.vendors).decode()
    return run.started_at, run.ended_at, run.queued_ms, tally, phases, vendors
