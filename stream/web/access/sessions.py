"""Sessions of browsers and one-time links to begin one, in memory: who restarts the server logs in again."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from stream.web.access.keys import hashed

COOKIE = "loyalty_session"
HOUR_MS = 3_600_000
IDLE_MS = 12 * HOUR_MS
LONGEST_MS = 7 * 24 * HOUR_MS
LINK_MS = HOUR_MS
SESSIONS_MAX = 10_000


@dataclass
class Session:
    """`who`: the principal's id. Times UTC ms."""

    who: str
    began_at: int
    used_at: int

    def over(self, now: int) -> bool:
        """Not used for long, or used for too long."""
        return now - self.used_at > IDLE_MS or now - self.began_at > LONGEST_MS


class Sessions:
    """Open sessions by the hash of their token: whoever reads the memory's image has none of them.

    `clock`: UTC ms.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._links: dict[str, tuple[str, int]] = {}

    def begin(self, who: str) -> str:
        """Open a session; returns the token for the cookie."""
        token, now = secrets.token_urlsafe(32), self._clock()
        self._open[hashed(token)] = Session(who, now, now)
        while len(self._open) > SESSIONS_MAX:
            self._open.popitem(last=False)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a cookie, used from now on; None when there is none (any more)."""
        name, now = hashed(token), self._clock()
        session = self._open.get(name)
        if session is None:
            return None
        if session.over(now):
            del self._open[name]
            return None
        session.used_at = now
        self._open.move_to_end(name)
        return session

    def end(self, token: str) -> None:
        """Close a session. Harmless when there is none."""
        self._open.pop(hashed(token), None)

    def allow_link(self, token: str, who: str) -> None:
        """Let this token begin one session within the hour (a link that a program prints for whoever runs it)."""
        self._links[hashed(token)] = (who, self._clock() + LINK_MS)

    def follow_link(self, token: str) -> str | None:
        """Use up a link: whose session it begins; None when it is not known, used or too old."""
        who, until = self._links.pop(hashed(token), (None, 0))
        return who if self._clock() <= until else None
