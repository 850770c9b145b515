"""The web role's API, answered from the views alone.

Names of `/api/loyalty/sync` are the brief's; other systems rely on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from starlette.routing import BaseRoute

from stream.errors import Unreachable
from stream.sinks.views.read import Views
from stream.web.shapes import Json, report, run_shown, status_of

RUNS_SHOWN = 50


class Following(Protocol):
    """What keeps the views current; `stream.sinks.views.follower.ViewsFollower` is one."""

    @property
    def ready(self) -> bool:
        """Whether the views have everything that was in the log when following began."""

    async def lag(self) -> int:
        """How many offsets the log is ahead."""


def create_app(views: Views, following: Following, operations: Sequence[BaseRoute] = ()) -> FastAPI:
    """The application over these views. `operations`: `/healthz`, `/readyz` and `/metrics` of the process."""
    app = FastAPI(title="Loyalty Stream", docs_url="/api/docs", openapi_url="/api/openapi.json", redoc_url=None)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Unreachable, _unavailable)
    app.router.routes.extend(operations)
    _add_status(app, views, following)
    _add_customers(app, views)
    return app


def _add_status(app: FastAPI, views: Views, following: Following) -> None:
    @app.get("/api/v1/status")
    async def status() -> Json:
        """Per org the figures, verdicts, provider and current run; and how far the views are behind the log."""
        orgs = await asyncio.to_thread(lambda: {org: status_of(views, org) for org in views.orgs()})
        return {"ready": following.ready, "lag": await _lag(following), "orgs": orgs}

    @app.get("/api/v1/runs")
    def runs(org: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = RUNS_SHOWN) -> Json:
        """Runs, newest first."""
        return {"runs": [run_shown(run) for run in views.runs(org, limit=limit)]}


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


def _report(views: Views, org: str, customer: str) -> Json:
    found = report(views, org, customer)
    if found is None:
        raise HTTPException(404, f"customer {customer!r} of org {org!r} is not known")
    return found


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
