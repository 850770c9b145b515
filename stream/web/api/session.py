"""Logging in and out, and one-time links."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response
from typing_extensions import TypedDict

from stream.contracts.access import ALL_ORGS, Role
from stream.web.access.authenticator import LOCAL
from stream.web.access.cookies import clear_session, set_session
from stream.web.access.gate import LOG_IN, session_cookie
from stream.web.access.limits import RateLimit
from stream.web.access.passwords import LONGEST
from stream.web.listing import json_response
from stream.web.problems import Problem
from stream.web.requests import Caller, TheSite

router = APIRouter(tags=["session"])

ATTEMPTS_A_MINUTE = 10
START = "/start"


class LogIn(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=LONGEST)


class LoggedIn(TypedDict):
    """Who you are now."""

    id: str
    name: str


class Link(TypedDict):
    """`path`: open it in a browser, once, within the hour."""

    path: str


@router.post("/api/v1/session", status_code=201, response_model=LoggedIn)
async def log_in(request: Request, site: TheSite, body: LogIn) -> Response:
    """Begin a session: the answer sets its cookie."""
    attempts: RateLimit = request.app.state.attempts
    for caller in (f"name:{body.name}", f"from:{request.client.host if request.client else ''}"):
        if wait := attempts.wait(caller):
            raise Problem(429, f"too many attempts: wait {wait:.0f} s", headers={"retry-after": str(round(wait) or 1)})
    principal = await asyncio.to_thread(site.authenticator.by_password, body.name, body.password)
    if principal is None:
        raise Problem(401, "name and password do not fit")
    shown: LoggedIn = {"id": principal.id, "name": principal.name}
    response = json_response(shown, status=201)
    set_session(response, site.sessions.begin(principal.id), request)
    return response


@router.delete("/api/v1/session", status_code=204)
def log_out(request: Request, site: TheSite) -> Response:
    """End the session. Harmless without one."""
    token = session_cookie(request.headers.getlist("cookie"))
    if token:
        site.sessions.end(token)
    response = Response(status_code=204)
    clear_session(response, request)
    return response


@router.post("/api/v1/session/links", status_code=201)
def link(site: TheSite, caller: Caller) -> Link:
    """A link that begins one session, for whoever may read the data folder: the demo prints it."""
    if caller.id != LOCAL or not caller.may(Role.ADMIN, ALL_ORGS):
        raise Problem(403, "links are for whoever may read the data folder")
    token = secrets.token_urlsafe(32)
    site.sessions.allow_link(token, caller.id)
    return {"path": f"{START}?token={token}"}


@router.get(START, include_in_schema=False)
def start(request: Request, site: TheSite, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Use up a link."""
    who = site.sessions.follow_link(token)
    if who is None:
        return RedirectResponse(LOG_IN, 303)
    response = RedirectResponse("/", 303)
    set_session(response, site.sessions.begin(who), request)
    return response
