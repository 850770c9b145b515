"""What a route asks of a request: the site, who calls, and whether they may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.responses import Response

from stream.contracts.access import Role
from stream.web.access.principals import Principal
from stream.web.access.sessions import COOKIE
from stream.web.events import Streams
from stream.web.problems import Problem, not_found
from stream.web.site import Site
from stream.web.turns import Turns

# For the OpenAPI document alone: the gate has authenticated long before.
_KEY = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `loyalty keys create`.")
_SESSION = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="A browser's session.")
documented = [Depends(_KEY), Depends(_SESSION)]

ORG_PATTERN = r"^[a-z0-9_-]{1,64}$"
ID_PATTERN = r"^[0-9A-Za-z-]{1,64}$"


def site(request: Request) -> Site:
    """The site that answers."""
    found: Site = request.app.state.site
    return found


def principal(request: Request) -> Principal:
    """Who calls. The gate lets nobody else through."""
    found: Principal | None = request.state.principal
    if found is None:
        raise Problem(401, "log in, or send an API key", headers={"www-authenticate": 'Bearer realm="loyalty"'})
    return found


def streamed(request: Request, org: str, events: AsyncIterator[bytes]) -> Response:
    """Events of an org, for as long as the caller may see it: whose key or session ends hears no more."""
    caller = principal(request)

    def still() -> bool:
        now: Principal | None = request.state.principal_now()
        return now is not None and now.id == caller.id and now.may(Role.VIEWER, org)

    streams: Streams = request.app.state.streams
    return streams.respond(caller.id, still, events)


def turn_to_preview(request: Request) -> AbstractAsyncContextManager[None]:
    """The caller's turn to have a change of settings tried out on every customer."""
    previews: Turns = request.app.state.previews
    return previews.next(principal(request).id)


TheSite = Annotated[Site, Depends(site)]
Caller = Annotated[Principal, Depends(principal)]


@dataclass(frozen=True)
class InOrg:
    """A caller in one org, where they may what the route is for."""

    site: Site
    org: str
    caller: Principal

    @property
    def contacts(self) -> bool:
        """Whether phones and e-mail addresses are shown to them."""
        return self.caller.sees_contacts(self.org)


def require(site: Site, caller: Principal, org: str, role: Role) -> InOrg:
    """The caller in this org. Raises Problem: 404 where the org does not exist for them, 403 where they may not."""
    if caller.role_in(org) is None or not site.views.known(org):
        raise not_found(f"org {org!r}")
    if not caller.may(role, org):
        raise Problem(403, f"that takes the role {role.value} in org {org!r}")
    return InOrg(site, org, caller)


def _in_path(role: Role) -> Callable[..., InOrg]:
    def dependency(
        site: TheSite, caller: Caller, org: Annotated[str, Path(pattern=ORG_PATTERN, description="The org's id.")]
    ) -> InOrg:
        return require(site, caller, org, role)

    return dependency


def _in_query(role: Role) -> Callable[..., InOrg]:
    def dependency(
        site: TheSite,
        caller: Caller,
        org: Annotated[str, Query(alias="orgId", pattern=ORG_PATTERN, description="The org's id.")],
    ) -> InOrg:
        return require(site, caller, org, role)

    return dependency


Viewer = Annotated[InOrg, Depends(_in_path(Role.VIEWER))]
Support = Annotated[InOrg, Depends(_in_path(Role.SUPPORT))]
Manager = Annotated[InOrg, Depends(_in_path(Role.MANAGER))]
Admin = Annotated[InOrg, Depends(_in_path(Role.ADMIN))]
ViewerOfQuery = Annotated[InOrg, Depends(_in_query(Role.VIEWER))]
SupportOfQuery = Annotated[InOrg, Depends(_in_query(Role.SUPPORT))]
