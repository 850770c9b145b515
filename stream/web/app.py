"""The web role's application: the API, answered from the views; whatever else is served comes as `pages`."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from stream.web.access.attempts import ATTEMPTS_A_MINUTE
from stream.web.access.gate import Gate
from stream.web.access.limits import RateLimit
from stream.web.api import access, alerts, cases, customers, letters, loyalty, orgs, runs, session, settings
from stream.web.events import Streams
from stream.web.openapi import document, operation_name
from stream.web.problems import ProblemPage, add_problem_handlers
from stream.web.site import Site
from stream.web.turns import Turns

VERSION = "1"
API = (loyalty, orgs, customers, cases, runs, alerts, letters, settings, access, session)


def create_app(
    site: Site,
    operations: Sequence[BaseRoute] = (),
    pages: Sequence[APIRouter] = (),
    problem_page: ProblemPage | None = None,
) -> FastAPI:
    """The application. `operations`: `/healthz`, `/readyz` and `/metrics` of the process. `pages`: the dashboard, and
    `problem_page` what it shows at an address that does not exist."""
    app = described()
    app.state.site = site
    app.state.streams = Streams()
    app.state.previews = Turns()
    app.state.attempts = RateLimit(ATTEMPTS_A_MINUTE, 60, site.monotonic)
    add_problem_handlers(app, problem_page)
    app.router.routes.extend(operations)
    for page in pages:
        app.include_router(page)
    app.add_middleware(Gate, authenticator=site.authenticator, calls_a_minute=site.calls_a_minute, clock=site.monotonic)
    return app


def described() -> FastAPI:
    """The API as it is documented, without anything behind it."""
    app = FastAPI(
        title="Loyalty Stream",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=operation_name,
    )
    for module in API:
        app.include_router(module.router)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # FastAPI's own way to do it
    app.add_api_route("/api/openapi.json", lambda: document(app), include_in_schema=False)
    return app
