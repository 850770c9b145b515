"""What every route and page works with, built once and handed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stream.engine.ports import Publisher
from stream.sinks.views.read import Views
from stream.web.access.authenticator import Authenticator
from stream.web.access.desk import AccessDesk
from stream.web.access.passwords import Passwords
from stream.web.access.sessions import Sessions
from stream.web.decisions import Decisions, Originals
from stream.web.roles import Addresses
from stream.web.service import LoyaltySync

CALLS_A_MINUTE = 600


class Following(Protocol):
    """What keeps the views current; `stream.sinks.views.follower.ViewsFollower` is one."""

    @property
    def ready(self) -> bool:
        """Whether the views have everything that was in the log when following began."""

    async def lag(self) -> int:
        """How many offsets the log is ahead."""


@dataclass(frozen=True)
class Site:
    """The web role. `calls_a_minute`: for each key or person. `clock`: UTC ms; `monotonic`: seconds. `roles`: where
    the other roles of this machine answer; None: that is not known here."""

    views: Views
    following: Following
    service: LoyaltySync
    decisions: Decisions
    access: AccessDesk
    authenticator: Authenticator
    sessions: Sessions
    calls_a_minute: int
    roles: Addresses | None
    clock: Callable[[], int]
    monotonic: Callable[[], float]


def site_of(
    views: Views,
    following: Following,
    publisher: Publisher,
    *,
    originals: Originals | None = None,
    local_key: str | None = None,
    configured_key: str | None = None,
    regions: Mapping[str, str] | None = None,
    calls_a_minute: int = CALLS_A_MINUTE,
    roles: Addresses | None = None,
    passwords: Passwords | None = None,
    settle_seconds: float = 5.0,
    clock: Callable[[], int] = lambda: int(time.time() * 1000),
    monotonic: Callable[[], float] = time.monotonic,
) -> Site:
    """Everything over these views, publishing with this publisher. See the classes for the parameters."""
    passwords = passwords or Passwords()
    sessions = Sessions(views, publisher, clock=clock, settle_seconds=settle_seconds)
    authenticator = Authenticator(
        views,
        sessions,
        clock=clock,
        local_key=local_key,
        configured_key=configured_key,
        passwords=passwords,
    )
    return Site(
        views=views,
        following=following,
        service=LoyaltySync(views, publisher, regions=regions, clock=clock),
        decisions=Decisions(views, publisher, originals, clock=clock, settle_seconds=settle_seconds),
        access=AccessDesk(publisher, views, clock=clock, passwords=passwords),
        authenticator=authenticator,
        sessions=sessions,
        calls_a_minute=calls_a_minute,
        roles=roles,
        clock=clock,
        monotonic=monotonic,
    )
