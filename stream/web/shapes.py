"""What the API and the command line show as JSON: names in camel case, times ISO 8601, unknown is null."""

from __future__ import annotations

from stream.contracts.profiles import Profile
from stream.sinks.document import document_of, iso, json_ready, utc
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerCase, CustomerEntry, Provider, Run

Json = dict[str, object]

ENTRIES_SHOWN = 50


def status_of(views: Views, org: str) -> Json:
    """How an org stands."""
    provider, settings = views.provider(org), views.settings(org)
    return {
        "stats": views.stats(org).answer(),
        "verdicts": views.verdicts(org),
        "provider": provider_shown(provider) if provider else None,
        "mode": settings.settings.mode.value if settings else None,
        "settingsVersion": settings.version if settings else None,
        "runs": [run_shown(run) for run in views.runs(org, limit=3)],
    }


def report(views: Views, org: str, customer: str) -> Json | None:
    """The reconciliation report of a customer; None for one that is not known."""
    profile = views.profile(org, customer)
    if profile is None:
        return None
    return {
        "customer": json_ready(document_of(org, customer, profile)),
        "reconciliation": reconciliation_shown(profile),
        "cases": [case_shown(case) for case in views.cases(org, customer=customer)],
        "entries": [entry_shown(entry) for entry in views.entries(org, customer, limit=ENTRIES_SHOWN)],
    }


def reconciliation_shown(profile: Profile) -> Json:
    """Both sides and what the last comparison said; what is unknown is null, never 0."""
    return {
        "reconciled": profile.reconciled,
        "discrepancy": profile.discrepancy,
        "needsReview": profile.needs_review,
        "verdict": profile.verdict.value,
        "calculated": {"points": profile.points_from_orders, "source": "orders"},
        "provider": {
            "points": profile.points_from_alpine,
            "source": "alpine_iq",
            "asOf": time_shown(profile.balance_as_of),
        },
    }


def entry_shown(shown: CustomerEntry) -> Json:
    """One step in how the points came about."""
    entry = shown.entry
    return {
        "id": entry.id,
        "at": time_shown(shown.at),
        "cause": entry.cause.value,
        "orderId": entry.order,
        "amountMinor": entry.amount_minor,
        "whyNot": entry.why_not,
        "deltaMinor": entry.delta_minor,
        "deltaPoints": entry.delta_points,
        "pointsAfter": entry.points_after,
        "tier": entry.tier,
        "settingsVersion": entry.settings_version,
    }


def case_shown(shown: CustomerCase) -> Json:
    """A discrepancy with its history."""
    case = shown.case
    return {
        "id": case.id,
        "number": case.number,
        "state": case.state.value,
        "openedAt": time_shown(case.opened_at),
        "resolvedAt": time_shown(case.resolved_at),
        "points": case.ours,
        "pointsFromAlpine": case.provider,
        "discrepancy": case.difference,
        "tierDiffers": case.tier_differs,
        "history": [
            {"what": step.what, "at": time_shown(step.at), "by": step.by, "note": step.note} for step in case.history
        ],
    }


def provider_shown(provider: Provider) -> Json:
    """Whether the provider answers."""
    return {"available": provider.available, "since": time_shown(provider.since), "reason": provider.reason}


def run_shown(run: Run) -> Json:
    """A run as far as it got."""
    tally = run.tally
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
        "tally": None if tally is None else {name: getattr(tally, name) for name in tally.__struct_fields__},
    }


def time_shown(millis: int | None) -> str | None:
    """ISO 8601 in milliseconds and `Z`."""
    return None if millis is None else iso(utc(millis))
