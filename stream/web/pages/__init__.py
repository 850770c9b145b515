"""The dashboard: pages rendered here, read from the views; what people decide goes through the service."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from stream.web.pages import (
    assets,
    cases,
    casework,
    coverage,
    customers,
    live,
    login,
    lookup,
    problems,
    runs,
    settings,
    system,
    today,
)
from stream.web.pages.routes import problem_page

__all__ = ["add_pages", "problem_page", "routers"]


def routers() -> list[APIRouter]:
    """The dashboard's routes. They need a `Site` in `app.state.site`; the gate has authenticated who calls."""
    return [
        part.router
        for part in (
            assets,
            login,
            live,
            today,
            lookup,
            customers,
            cases,
            casework,
            runs,
            problems,
            coverage,
            settings,
            system,
        )
    ]


def add_pages(app: FastAPI) -> None:
    """Add the dashboard to an app (or hand `routers()` to `create_app(pages=…)`)."""
    for router in routers():
        app.include_router(router)
