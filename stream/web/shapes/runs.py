"""Runs and the provider."""

from __future__ import annotations

import msgspec
from typing_extensions import TypedDict

from stream.contracts.runs import VendorUse
from stream.sinks.views.shown import Provider, Run
from stream.web.shapes.times import time_shown


class ProviderShown(TypedDict):
    available: bool
    since: str | None
    reason: str | None


class VendorUseShown(TypedDict):
    """What a run asked of a vendor: `answered` of `calls` requests; `errors` by kind; `unreadable` records."""

    calls: int
    answered: int
    errors: dict[str, int]
    unreadable: int


class RunShown(TypedDict):
    """`outcome`: `completed` or `failed`, null while it is under way. `answer`: the verdict of a one-customer run.
    `averageDiscrepancy`: points per compared customer, a decimal."""

    id: str
    orgId: str
    kind: str
    customerId: str | None
    requestedBy: str | None
    phase: str
    outcome: str | None
    answer: str | None
    reason: str | None
    requestedAt: str | None
    startedAt: str | None
    endedAt: str | None
    phasesMs: dict[str, int]
    orders: int | None
    ordersUnreadable: int | None
    balances: int | None
    alleavesCalls: int | None
    alpineCalls: int | None
    queuedMs: int | None
    vendors: dict[str, VendorUseShown]
    averageDiscrepancy: str | None
    tally: dict[str, int] | None


def provider_shown(provider: Provider) -> ProviderShown:
    """Whether the provider answers."""
    return {"available": provider.available, "since": time_shown(provider.since), "reason": provider.reason}


def vendor_use_shown(use: VendorUse) -> VendorUseShown:
    """What a run asked of a vendor."""
    return {"calls": use.calls, "answered": use.answered, "errors": use.errors, "unreadable": use.unreadable}


def _average(run: Run) -> str | None:
    average = None if run.tally is None else run.tally.average_discrepancy
    return None if average is None else str(average)


def run_shown(run: Run) -> RunShown:
    """A run as far as it got."""
    return {
        "id": run.run,
        "orgId": run.org,
        "kind": run.kind,
        "customerId": run.customer,
        "requestedBy": run.requested_by,
        "phase": run.phase,
        "outcome": run.outcome,
        "answer": run.answer,
        "reason": run.reason,
        "requestedAt": time_shown(run.requested_at),
        "startedAt": time_shown(run.started_at),
        "endedAt": time_shown(run.ended_at),
        "phasesMs": run.phases_ms,
        "orders": run.orders,
        "ordersUnreadable": run.orders_unreadable,
        "balances": run.balances,
        "alleavesCalls": run.alleaves_calls,
        "alpineCalls": run.alpine_calls,
        "queuedMs": run.queued_ms,
        "vendors": {name: vendor_use_shown(use) for name, use in run.vendors.items()},
        "averageDiscrepancy": _average(run),
        "tally": None if run.tally is None else msgspec.structs.asdict(run.tally),
    }
