"""System: how far everything is, what the vendors let through, what was delivered, who may do what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.contracts.access import ALL_ORGS, Role
from stream.errors import Unreachable
from stream.sinks.views.read import Views
from stream.sinks.views.shown import AuditEntry, OrgKey, OrgMember, SentDelivery
from stream.web.pages import moments, words
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute
from stream.web.roles import RoleState, VendorState, read_roles

DELIVERIES = 20
AUDIT = 30
ACTIONS = {
    "run.requested": "asked for a run",
    "case.acknowledge": "acknowledged a case",
    "case.accept": "accepted a difference",
    "case.silence": "silenced a case",
    "case.note": "wrote a note on a case",
    "case.assign": "assigned a case",
    "case.resolve": "resolved a case",
    "settings.change": "changed the settings",
    "customer.erase": "erased a person",
    "dead_letter.retry": "tried a record again",
    "dead_letter.discard": "discarded a record",
    "key.create": "made an API key",
    "key.revoke": "revoked an API key",
    "user.set": "gave or took a role",
    "user.password": "changed their password",
    "user.disable": "shut a user out",
    "user.enable": "let a user in again",
}
OUTCOMES = {
    "delivered": ("Delivered", "matched"),
    "pending": ("Being sent", "timing"),
    "retrying": ("Trying again", "timing"),
    "paused": ("Paused", "discrepancy"),
    "given_up": ("Given up", "discrepancy"),
}

ROLE_NAMES = {
    "poll": "Poller",
    "worker": "Worker",
    "sink-firestore": "Firestore export",
    "sink-notify": "Notifier",
}
WINDOWS = {"1s": "second", "60s": "minute", "3600s": "hour", "86400s": "day"}
"""Windows of the vendors' rates, as the poller's metrics name them."""
VENDOR_NAMES = {"alleaves": "Alleaves", "alpine_iq": words.PROVIDER}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class TopicPosition:
    """How far the views have read a topic: records over all partitions."""

    topic: str
    partitions: int
    records: int


@dataclass(frozen=True)
class System:
    """`lag`: records that the views lack, None where the log does not answer. Keys, members and the audit: only for
    administrators."""

    ready: bool
    roles: list[RoleState]
    vendors: list[VendorState]
    lag: int | None
    version: str
    topics: list[TopicPosition]
    deliveries: list[SentDelivery]
    keys: list[OrgKey]
    members: list[OrgMember]
    audit: list[AuditEntry]


@router.get("/system")
async def system(request: Request) -> Response:
    """For who runs it."""
    page = await asyncio.to_thread(page_of, request)
    lag, roles = await asyncio.gather(_lag(page), _roles(page))
    found = await asyncio.to_thread(_system, page, lag, roles)
    return await asyncio.to_thread(
        rendered,
        page,
        "system.html",
        found=found,
        actions=ACTIONS,
        outcomes=OUTCOMES,
        names=ROLE_NAMES | VENDOR_NAMES,
        windows=WINDOWS,
        spans=_span,
    )


async def _lag(page: Page) -> int | None:
    try:
        async with asyncio.timeout(2):
            return await page.site.following.lag()
    except (Unreachable, TimeoutError):
        return None


async def _roles(page: Page) -> list[RoleState]:
    if page.site.roles is None or not page.org:
        return []
    return await read_roles(await asyncio.to_thread(page.site.roles), page.org)


def _system(page: Page, lag: int | None, roles: list[RoleState]) -> System:
    views, org, administers = page.views, page.org, page.administers
    return System(
        ready=page.site.following.ready,
        roles=roles,
        vendors=[vendor for role in roles for vendor in role.vendors],
        lag=lag,
        version=_version(),
        topics=_topics(views),
        deliveries=views.deliveries(org, limit=DELIVERIES) if org else [],
        keys=views.api_keys(org) if administers else [],
        members=views.members(org) if administers else [],
        audit=views.audit(org, everywhere=page.caller.may(Role.ADMIN, ALL_ORGS), limit=AUDIT) if administers else [],
    )


def _span(seconds: float) -> str:
    return moments.length(int(seconds * 1000))


def _topics(views: Views) -> list[TopicPosition]:
    found: dict[str, list[int]] = {}
    for place, reached in views.positions().items():
        found.setdefault(place.topic, []).append(reached)
    return [TopicPosition(topic, len(each), sum(each)) for topic, each in sorted(found.items())]


def _version() -> str:
    try:
        return version("loyalty-stream")
    except PackageNotFoundError:
        return "not installed"
