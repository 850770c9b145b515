"""Logging in and out."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from stream.web.access.attempts import seconds_to_wait
from stream.web.access.cookies import begin_session, end_session
from stream.web.pages.rendering import document
from stream.web.pages.routes import PageRoute, field, form_of, see
from stream.web.requests import site

NAME_CHARACTERS = 64

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
def form(request: Request) -> Response:
    """Who are you?"""
    return _form(request.query_params.get("next", ""))


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Begin a session, and go where one wanted to."""
    fields, here = await form_of(request), site(request)
    name, wanted = field(fields, "name").lower()[:NAME_CHARACTERS], field(fields, "next")
    if wait := seconds_to_wait(request, name):
        return _form(wanted, name=name, failed=f"Too many attempts: wait {wait:.0f} s.", status=429)
    caller = await asyncio.to_thread(here.authenticator.by_password, name, fields.get("password", [""])[0])
    if caller is None:
        return _form(wanted, name=name, failed="Name and password do not fit together.", status=401)
    answer = see(own_path(wanted))
    await begin_session(here.sessions, request, answer, caller.id)
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """End the session."""
    answer = see("/login")
    await end_session(site(request).sessions, request, answer)
    return answer


def own_path(wanted: str) -> str:
    """Where to go: a path of this site, else its first page."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if plain and not any(ord(each) < 32 for each in wanted) else "/"


def _form(wanted: str, *, name: str = "", failed: str | None = None, status: int = 200) -> Response:
    return HTMLResponse(document("login.html", wanted=own_path(wanted), name=name, failed=failed), status)
