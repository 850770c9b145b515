"""System: how far the views are, what the vendors let through, what was delivered, who may do what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request
from starlette.responses import Response

from stream.errors import Unreachable
from stream.sinks.views.read import Views
from stream.sinks.views.shown import AuditEntry, OrgKey, OrgMember, SentDelivery
from stream.web.pages.page import Page, page_of, rendered
from stream.web.pages.routes import PageRoute

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
    "dead_letter.retry": "tried a record again",
    "dead_letter.discard": "discarded a record",
    "key.create": "made an API key",
    "key.revoke": "revoked an API key",
    "user.set": "gave or took a role",
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
    lag = await _lag(page)
    found = await asyncio.to_thread(_system, page, lag)
    return await asyncio.to_thread(rendered, page, "system.html", found=found, actions=ACTIONS, outcomes=OUTCOMES)


async def _lag(page: Page) -> int | None:
    try:
        async with asyncio.timeout(2):
            return await page.site.following.lag()
    except (Unreachable, TimeoutError):
        return None


def _system(page: Page, lag: int | None) -> System:
    views, org, administers = page.views, page.org, page.administers
    return System(
        ready=page.site.following.ready,
        lag=lag,
        version=_version(),
        topics=_topics(views),
        deliveries=views.deliveries(org, limit=DELIVERIES) if org else [],
        keys=views.api_keys(org) if administers else [],
        members=views.members(org) if administers else [],
        audit=views.audit(org, limit=AUDIT) if administers else [],
    )


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
