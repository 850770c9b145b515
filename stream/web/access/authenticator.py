"""From what a request carries to who calls."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from stream.contracts.access import user_name
from stream.errors import BadRecord
from stream.sinks.views.read import Views
from stream.web.access.keys import fits, hashed, split
from stream.web.access.passwords import Passwords
from stream.web.access.principals import CONFIGURED, KEY, LOCAL, USER, Principal, local
from stream.web.access.sessions import Sessions


class Authenticator:
    """Knows principals by API key, by session and by password. Keys and accounts are read from the views each time:
    what is revoked ends at once, on every copy.

    `local_key`: that of whoever may read the data folder, `configured_key`: `web.key`; both may everything. `sessions`
    None: nobody comes with a browser. `clock`: UTC ms.
    """

    def __init__(
        self,
        views: Views,
        sessions: Sessions | None,
        *,
        clock: Callable[[], int],
        local_key: str | None = None,
        configured_key: str | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self._views = views
        self._sessions = sessions
        self._clock = clock
        self.local_session = f"{LOCAL}:{hashed(local_key)[:16]}" if local_key else None
        """Whose session a one-time link begins: it counts where the local key is the same, and ends with it."""
        given = ((local_key, LOCAL), (configured_key, CONFIGURED))
        self._everything = [(hashed(key), local(name)) for key, name in given if key]
        self._passwords = passwords or Passwords()

    def by_key(self, token: str) -> Principal | None:
        """The program that has this key."""
        for known, principal in self._everything:
            if hmac.compare_digest(known, hashed(token)):
                return principal
        parts = split(token)
        found = self._views.api_key(parts[0]) if parts else None
        if parts is None or found is None or not fits(found.key, parts[1], self._clock()):
            return None
        return Principal(KEY + found.key.id, found.key.name, {found.org: found.key.role})

    def by_session(self, token: str) -> Principal | None:
        """Whose browser sent this cookie."""
        session = self._sessions.find(token) if self._sessions is not None else None
        if session is None:
            return None
        return self._principal(session.who, since=session.began_at)

    def by_password(self, name: str, password: str) -> Principal | None:
        """Who logs in. Slow on purpose: not for the event loop's thread."""
        try:
            account = self._views.account(user_name(name))
        except BadRecord:
            account = None
        encoded = account.password if account is not None and account.disabled_at is None else None
        if not self._passwords.fits(encoded, password) or account is None:
            return None
        return self._principal(USER + name, since=account.password_at)

    def _principal(self, who: str, *, since: int) -> Principal | None:
        """Who this is today, in a session that began at `since`; None when they may not come in any more."""
        if who == self.local_session:
            return Principal(LOCAL, LOCAL, local().roles, in_browser=True)
        name = who.removeprefix(USER)
        account = self._views.account(name) if who.startswith(USER) else None
        if account is None or account.disabled_at is not None or account.password_at > since:
            return None
        return Principal(who, name, self._views.roles(name), in_browser=True)
