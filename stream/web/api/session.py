"""Logging in and out, one's own password, and one-time links."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response
from typing_extensions import TypedDict

from stream.contracts.access import ALL_ORGS, Role
from stream.web.access.attempts import require_attempt
from stream.web.access.cookies import begin_session, end_session
from stream.web.access.gate import LOG_IN
from stream.web.access.own_password import change_own_password
from stream.web.access.passwords import LONGEST, SHORTEST
from stream.web.access.principals import LOCAL
from stream.web.listing import json_response
from stream.web.problems import Problem
from stream.web.requests import Caller, TheSite

router = APIRouter(tags=["session"])

START = "/start"


class LogIn(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=LONGEST)


class NewPassword(BaseModel):
    """`current`: the password that you have."""

    model_config = ConfigDict(extra="forbid", strict=True)
    current: str = Field(min_length=1, max_length=LONGEST)
    new: str = Field(min_length=SHORTEST, max_length=LONGEST)


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
    require_attempt(request, body.name)
    principal = await asyncio.to_thread(site.authenticator.by_password, body.name, body.password)
    if principal is None:
        raise Problem(401, "name and password do not fit")
    shown: LoggedIn = {"id": principal.id, "name": principal.name}
    response = json_response(shown, status=201)
    await begin_session(site.sessions, request, response, principal.id)
    return response


@router.put("/api/v1/me/password", status_code=204)
async def change_password(request: Request, site: TheSite, caller: Caller, body: NewPassword) -> Response:
    """Change your own password. Your other sessions end; this one goes on under a new cookie."""
    await change_own_password(request, site, caller, current=body.current, new=body.new)
    response = Response(status_code=204)
    await begin_session(site.sessions, request, response, caller.id)
    return response


@router.delete("/api/v1/session", status_code=204)
async def log_out(request: Request, site: TheSite) -> Response:
    """End the session. Harmless without one."""
    response = Response(status_code=204)
    await end_session(site.sessions, request, response)
    return response


@router.post("/api/v1/session/links", status_code=201)
def link(site: TheSite, caller: Caller) -> Link:
    """A link that begins one session, for whoever may read the data folder: the demo prints it."""
    who = site.authenticator.local_session
    if caller.id != LOCAL or who is None or not caller.may(Role.ADMIN, ALL_ORGS):
        raise Problem(403, "links are for whoever may read the data folder")
    token = secrets.token_urlsafe(32)
    site.sessions.allow_link(token, who)
    return {"path": f"{START}?token={token}"}


@router.get(START, include_in_schema=False)
async def start(request: Request, site: TheSite, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Use up a link."""
    who = site.sessions.follow_link(token)
    if who is None:
        return RedirectResponse(LOG_IN, 303)
    response = RedirectResponse("/", 303)
    await begin_session(site.sessions, request, response, who)
    return response
