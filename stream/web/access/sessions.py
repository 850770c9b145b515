"""Sessions of browsers, and one-time links to begin one.

Sessions are kept in the log by the hash of their token: they outlive a restart, and count on every copy of the web role
until they end. A link is known only to the process that made it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import structlog

from stream.contracts import topics
from stream.contracts.access import ACCESS, ALL_ORGS, Session, SessionUsed, access_key, session_keys
from stream.engine.ports import Output, Publisher
from stream.errors import LoyaltyError, Unreachable
from stream.sinks.views.read import Views
from stream.sinks.views.shown import OpenSession
from stream.web.access.keys import hashed
from stream.web.access.principals import USER

log = structlog.get_logger(__name__)

COOKIE = "loyalty_session"
HOUR_MS = 3_600_000
IDLE_MS = 12 * HOUR_MS
LONGEST_MS = 7 * 24 * HOUR_MS
LINK_MS = HOUR_MS
USE_NOTED_MS = HOUR_MS
"""A use is written down once in so long."""
SETTLE_SECONDS = 5.0
TIDIED_AT_ONCE = 20


class Sessions:
    """Open sessions. `clock`: UTC ms. `settle_seconds`: how long a change may take to reach the views."""

    def __init__(
        self,
        views: Views,
        publisher: Publisher,
        *,
        clock: Callable[[], int],
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._views = views
        self._publisher = publisher
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._used: dict[str, int] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._links: dict[str, tuple[str, int]] = {}

    async def begin(self, who: str) -> str:
        """Open a session; returns the token for the cookie. Raises Unreachable when it cannot be written down."""
        token, now = secrets.token_urlsafe(32), self._clock()
        account = self._views.account(who.removeprefix(USER))
        # The password may have been set by a machine whose clock is ahead: it is the one that was just given.
        session = Session(hashed(token), who, max(now, account.password_at if account is not None else 0))
        await self._publisher.publish([_record(session, now), *self._outworn(now)])
        try:
            await self._views.wait_for(
                lambda views: views.session(session.hash) is not None, timeout=self._settle_seconds
            )
        except TimeoutError:
            raise Unreachable("the log-in is written down but not read yet: try again in a moment") from None
        return token

    def find(self, token: str) -> OpenSession | None:
        """The session of a cookie, used from now on; None when there is none (any more). In the event loop's thread."""
        name, now = hashed(token), self._clock()
        session = self._views.session(name)
        if session is None:
            return None
        used_at = max(session.used_at, self._used.get(name, 0))
        if now - used_at > IDLE_MS or now - session.began_at > LONGEST_MS:
            return None
        if now - used_at >= USE_NOTED_MS:
            self._note_use(name, now)
        return session

    async def end(self, token: str) -> None:
        """Close a session, on every copy. Harmless when there is none. Raises Unreachable."""
        name = hashed(token)
        if self._views.session(name) is None:
            return
        await self._publisher.publish([_no_more(key) for key in session_keys(name)])
        with contextlib.suppress(TimeoutError):  # it has ended, even if this copy reads it later
            await self._views.wait_for(lambda views: views.session(name) is None, timeout=self._settle_seconds)

    def allow_link(self, token: str, who: str) -> None:
        """Let this token begin one session within the hour (a link that a program prints for whoever runs it)."""
        now = self._clock()
        self._links = {name: link for name, link in self._links.items() if link[1] >= now}
        self._links[hashed(token)] = (who, now + LINK_MS)

    def follow_link(self, token: str) -> str | None:
        """Use up a link: whose session it begins; None when it is not known, used or too old."""
        who, until = self._links.pop(hashed(token), (None, 0))
        return who if self._clock() <= until else None

    def _note_use(self, name: str, now: int) -> None:
        self._used = {known: at for known, at in self._used.items() if now - at <= USE_NOTED_MS} | {name: now}
        task = asyncio.create_task(self._write_use(name, now))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write_use(self, name: str, now: int) -> None:
        try:
            await self._publisher.publish([_record(SessionUsed(name, now), now)])
        except LoyaltyError as error:  # who looks is not to be troubled by it; the next use is written down
            self._used.pop(name, None)
            log.warning("a session's use could not be noted", error=str(error))

    def _outworn(self, now: int) -> list[Output]:
        """The ends of sessions that nobody can use any more, some at a time."""
        outworn = self._views.sessions_unused_since(now - 2 * IDLE_MS, limit=TIDIED_AT_ONCE)
        return [_no_more(key) for name in outworn for key in session_keys(name)]


def _record(body: Session | SessionUsed, now: int) -> Output:
    return Output(
        topics.ACCESS.name, access_key(ALL_ORGS, body), ACCESS.encode(body, org=ALL_ORGS, at=now, source="web")
    )


def _no_more(key: bytes) -> Output:
    return Output(topics.ACCESS.name, key, None)
