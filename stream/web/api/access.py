"""Who may call: keys, members; and the audit of everything that was changed. For admins."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stream.contracts.access import ALL_ORGS, Role
from stream.sinks.views.shown import AuditEntry, OrgKey, OrgMember
from stream.web.access.desk import NAME_CHARACTERS_MAX
from stream.web.access.keys import DEFAULT_DAYS
from stream.web.access.passwords import LONGEST, SHORTEST
from stream.web.listing import LIMIT, Cursor, Export, Limit, Listing, Page
from stream.web.problems import Problem, not_found
from stream.web.requests import Admin, InOrg
from stream.web.shapes.access import (
    AuditShown,
    KeyShown,
    MemberShown,
    NewKey,
    audit_shown,
    key_shown,
    member_shown,
)

router = APIRouter(prefix="/api/v1/orgs/{org}", tags=["access"])

Whole = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
KeyId = Annotated[str, Path(pattern=r"^[a-z0-9]{8,16}$")]
UserName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
Reason = Annotated[str, Query(min_length=1, max_length=2000, pattern=r"\S", description="Why, for the audit.")]


class CreateKey(BaseModel):
    """`name`: what it is for. `days` null: it does not expire."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=r"\S")
    role: Role
    days: Annotated[int, Field(strict=True, ge=1, le=3650)] | None = DEFAULT_DAYS
    reason: Words | None = None


class SetMember(BaseModel):
    """`password`: needed for somebody who is new; ends all sessions of somebody who is not."""

    model_config = ConfigDict(extra="forbid")
    role: Role
    password: str | None = Field(None, min_length=SHORTEST, max_length=LONGEST)
    reason: Words


@router.get("/keys", response_model=Page[KeyShown])
def keys(here: Admin, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """The org's API keys, revoked and expired ones too."""
    listing: Listing[OrgKey, KeyShown] = Listing(
        f"keys-{here.org}",
        lambda after, limit: here.site.views.api_keys(here.org, after=after[0] if after else "", limit=limit),
        lambda key: (key.key.id,),
        tuple[str],
        key_shown,
        tuple(KeyShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.post("/keys", status_code=201)
async def create_key(here: Admin, body: CreateKey) -> NewKey:
    """A new key. Its token is in this answer and nowhere else."""
    key, token = await here.site.access.create_key(
        here.org, name=body.name, role=body.role, by=here.caller.id, days=body.days, reason=body.reason
    )
    return {"key": key_shown(OrgKey(here.org, key)), "token": token}


@router.delete("/keys/{key}")
async def revoke_key(here: Admin, key: KeyId, reason: Reason) -> KeyShown:
    """The key ends now."""
    found = await here.site.access.revoke_key(here.org, key, by=here.caller.id, reason=reason)
    if found is None:
        raise not_found(f"key {key!r}")
    return key_shown(OrgKey(here.org, found))


@router.get("/members", response_model=Page[MemberShown])
def members(here: Admin, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """Who has a role in the org."""
    listing: Listing[OrgMember, MemberShown] = Listing(
        f"members-{here.org}",
        lambda after, limit: here.site.views.members(here.org, after=after[0] if after else "", limit=limit),
        lambda member: (member.name,),
        tuple[str],
        member_shown,
        tuple(MemberShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


@router.put("/members/{name}")
async def set_member(here: Admin, name: UserName, body: SetMember) -> MemberShown:
    """Give somebody a role in the org, or another one."""
    if body.password is not None:
        _require_ours(here, name)
    elif here.site.views.account(name) is None:
        raise Problem(409, f"there is no user {name!r} yet: give a password too")
    await here.site.access.set_user(
        here.org, name, body.role, by=here.caller.id, password=body.password, reason=body.reason
    )
    return member_shown(OrgMember(here.org, name, body.role, None))


@router.delete("/members/{name}", status_code=204)
async def remove_member(here: Admin, name: UserName, reason: Reason) -> Response:
    """Take somebody's role in the org."""
    if here.org not in here.site.views.roles(name):
        raise not_found(f"member {name!r}")
    await here.site.access.set_user(here.org, name, None, by=here.caller.id, reason=reason)
    return Response(status_code=204)


@router.get("/audit", response_model=Page[AuditShown])
def audit(here: Admin, cursor: Cursor = None, limit: Limit = LIMIT, export: Export = None) -> Response:
    """Who changed what and why, newest first; for who administers every org, what concerns all of them too."""
    everywhere = here.caller.may(Role.ADMIN, ALL_ORGS)
    listing: Listing[AuditEntry, AuditShown] = Listing(
        f"audit-{here.org}",
        lambda after, limit: here.site.views.audit(here.org, everywhere=everywhere, after=after, limit=limit),
        lambda entry: (entry.at, entry.id),
        tuple[Whole, str],
        audit_shown,
        tuple(AuditShown.__annotations__),
    )
    return listing.answer(cursor, limit, export)


def _require_ours(here: InOrg, name: str) -> None:
    """A password opens every org that somebody has a role in: only who gives access to all of them may set it."""
    others = [org for org in here.site.views.roles(name) if not here.caller.may(Role.ADMIN, org)]
    if others:
        raise Problem(409, f"{name!r} cannot be given a password here: choose another name, or ask who runs this")
