"""The web role's API, answered from the views alone.

Names of `/api/loyalty/sync` are the brief's; other systems rely on them.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Protocol

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from stream.contracts.profiles import Profile
from stream.errors import Unreachable
from stream.sinks.document import document_of, iso, json_ready, utc
from stream.sinks.views.read import Views
from stream.sinks.views.shown import CustomerCase, CustomerEntry, Provider, Run

Json = dict[str, object]

ENTRIES_SHOWN = 50
RUNS_SHOWN = 50


class Following(Protocol):
    """What keeps the views current; `stream.sinks.views.follower.ViewsFollower` is one."""

    @property
    def ready(self) -> bool:
        """Whether the views have everything that was in the log when following began."""

    async def lag(self) -> int:
        """How many offsets the log is ahead."""


def create_app(views: Views, following: Following) -> FastAPI:
    """The application over these views."""
    app = FastAPI(title="Loyalty Stream", docs_url="/api/docs", openapi_url="/api/openapi.json", redoc_url=None)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Unreachable, _unavailable)
    _add_health(app, following)
    _add_status(app, views, following)
    _add_customers(app, views)
    return app


def _add_health(app: FastAPI, following: Following) -> None:
    @app.get("/healthz")
    async def healthz() -> Json:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """200 once the views have everything that was in the log at the start, 503 before."""
        status = "ready" if following.ready else "views are being built"
        return JSONResponse({"status": status}, status_code=200 if following.ready else 503)


def _add_status(app: FastAPI, views: Views, following: Following) -> None:
    @app.get("/api/v1/status")
    async def status() -> Json:
        """Per org the figures, verdicts, provider and current run; and how far the views are behind the log."""
        orgs = await asyncio.to_thread(lambda: {org: _status_of(views, org) for org in views.orgs()})
        return {"ready": following.ready, "lag": await _lag(following), "orgs": orgs}

    @app.get("/api/v1/runs")
    def runs(org: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = RUNS_SHOWN) -> Json:
        """Runs, newest first."""
        return {"runs": [_run(run) for run in views.runs(org, limit=limit)]}


def _add_customers(app: FastAPI, views: Views) -> None:
    @app.get("/api/v1/customers/{org}/{customer}")
    def customer(org: str, customer: str) -> Json:
        """The customer's document, cases and latest points entries."""
        return _report(views, org, customer)

    @app.get("/api/loyalty/sync")
    def sync_stats(
        org_id: Annotated[str, Query(alias="orgId")],
        customer_id: Annotated[str | None, Query(alias="customerId")] = None,
    ) -> Json:
        """The brief's figures of an org or, with `customerId`, the reconciliation report of that customer."""
        if customer_id is not None:
            return {"success": True, "report": _report(views, org_id, customer_id)}
        if org_id not in views.orgs():
            raise HTTPException(404, f"org {org_id!r} is not known")
        return {"success": True, "stats": views.stats(org_id).answer()}


def _status_of(views: Views, org: str) -> Json:
    provider, settings = views.provider(org), views.settings(org)
    return {
        "stats": views.stats(org).answer(),
        "verdicts": views.verdicts(org),
        "provider": _provider(provider) if provider else None,
        "mode": settings.settings.mode.value if settings else None,
        "settingsVersion": settings.version if settings else None,
        "runs": [_run(run) for run in views.runs(org, limit=3)],
    }


def _report(views: Views, org: str, customer: str) -> Json:
    profile = views.profile(org, customer)
    if profile is None:
        raise HTTPException(404, f"customer {customer!r} of org {org!r} is not known")
    return {
        "customer": json_ready(document_of(org, customer, profile)),
        "reconciliation": _reconciliation(profile),
        "cases": [_case(case) for case in views.cases(org, customer=customer)],
        "entries": [_entry(entry) for entry in views.entries(org, customer, limit=ENTRIES_SHOWN)],
    }


def _reconciliation(profile: Profile) -> Json:
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
            "asOf": _time(profile.balance_as_of),
        },
    }


def _entry(shown: CustomerEntry) -> Json:
    entry = shown.entry
    return {
        "id": entry.id,
        "at": _time(shown.at),
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


def _case(shown: CustomerCase) -> Json:
    case = shown.case
    return {
        "id": case.id,
        "number": case.number,
        "state": case.state.value,
        "openedAt": _time(case.opened_at),
        "resolvedAt": _time(case.resolved_at),
        "points": case.ours,
        "pointsFromAlpine": case.provider,
        "discrepancy": case.difference,
        "tierDiffers": case.tier_differs,
        "history": [
            {"what": step.what, "at": _time(step.at), "by": step.by, "note": step.note} for step in case.history
        ],
    }


def _provider(provider: Provider) -> Json:
    return {"available": provider.available, "since": _time(provider.since), "reason": provider.reason}


def _run(run: Run) -> Json:
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
        "requestedAt": _time(run.requested_at),
        "startedAt": _time(run.started_at),
        "endedAt": _time(run.ended_at),
        "phasesMs": run.phases_ms,
        "orders": run.orders,
        "ordersUnreadable": run.orders_unreadable,
        "balances": run.balances,
        "alleavesCalls": run.alleaves_calls,
        "alpineCalls": run.alpine_calls,
        "tally": None if tally is None else {name: getattr(tally, name) for name in tally.__struct_fields__},
    }


def _time(millis: int | None) -> str | None:
    return None if millis is None else iso(utc(millis))


async def _lag(following: Following) -> int | None:
    try:
        return await following.lag()
    except Unreachable:
        return None


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"success": False, "error": error.detail}, status_code=error.status_code)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"success": False, "error": str(error)}, status_code=503)
