"""Orgs: how they stand; and who the caller is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from stream.contracts.access import Role
from stream.errors import Unreachable
from stream.web.etags import tag_of
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page, etagged
from stream.web.requests import Caller, TheSite, Viewer
from stream.web.shapes.status import OrgStatus, status_of
from stream.web.site import Following

router = APIRouter(prefix="/api/v1", tags=["orgs"])


class Status(TypedDict):
    """`ready`: the views have everything that was in the log at the start. `lag`: how many offsets the log is ahead
    now; null when Kafka does not answer. `orgs`: those that the caller may see."""

    ready: bool
    lag: int | None
    orgs: dict[str, OrgStatus]


class OrgListed(TypedDict):
    id: str
    role: str


class Me(TypedDict):
    """Who calls: `id` as the audit names them, and their role in each org (`*`: in every org)."""

    id: str
    name: str
    roles: dict[str, str]


@router.get("/status")
async def status(site: TheSite, caller: Caller) -> Status:
    """Per org the figures, verdicts, provider and latest runs; and how far the views are behind the log."""
    views = site.views
    orgs = await asyncio.to_thread(lambda: {org: status_of(views, org) for org in caller.orgs(views.orgs())})
    return {"ready": site.following.ready, "lag": await _lag(site.following), "orgs": orgs}


@router.get("/me")
def me(caller: Caller) -> Me:
    """Who the caller is."""
    return {"id": caller.id, "name": caller.name, "roles": {org: role.value for org, role in caller.roles.items()}}


@router.get("/orgs", response_model=Page[OrgListed])
def orgs(site: TheSite, caller: Caller, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """The orgs that the caller may see, with their role there."""
    own = sorted(caller.orgs(site.views.orgs()))
    listing: Listing[str, OrgListed] = Listing(
        "orgs",
        lambda after, limit: [org for org in own if after is None or org > after[0]][:limit],
        lambda org: (org,),
        tuple[str],
        lambda org: {"id": org, "role": (caller.role_in(org) or Role.VIEWER).value},
        tuple(OrgListed.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.get("/orgs/{org}", response_model=OrgStatus)
def org(request: Request, here: Viewer) -> Response:
    """How an org stands."""
    shown = status_of(here.site.views, here.org)
    return etagged(request, shown, tag_of(shown))


async def _lag(following: Following) -> int | None:
    try:
        return await following.lag()
    except Unreachable:
        return None
