"""The dashboard: pages rendered here, read from the views; what people decide goes through the service."""

from __future__ import annotations

from fastapi import APIRouter

from stream.web.pages import (
    assets,
    cases,
    casework,
    coverage,
    customers,
    live,
    login,
    lookup,
    password,
    problems,
    runs,
    settings,
    system,
    today,
)
from stream.web.pages.routes import problem_page

__all__ = ["problem_page", "routers"]


def routers() -> list[APIRouter]:
    """The dashboard's routes. They need a `Site` in `app.state.site`; the gate has authenticated who calls."""
    return [
        part.router
        for part in (
            assets,
            login,
            password,
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
