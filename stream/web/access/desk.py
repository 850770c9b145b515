"""Giving and taking access: keys and people, as records of `access`, each with an entry in the audit."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from stream.contracts import topics
from stream.contracts.access import ACCESS, ALL_ORGS, Account, ApiKey, Membership, Role, access_key, user_name
from stream.contracts.audit import Action
from stream.contracts.names import org_id
from stream.engine.ports import Output, Publisher
from stream.errors import BadRecord
from stream.sinks.views.read import Views
from stream.web.access.keys import DEFAULT_DAYS, new_key
from stream.web.access.passwords import Passwords
from stream.web.auditing import audit_output

NAME_CHARACTERS_MAX = 100


class AccessDesk:
    """Publishes who may call. `clock`: UTC ms. `views` None: nothing is known of what there is (a machine without
    views), so accounts cannot be changed, only made."""

    def __init__(
        self,
        publisher: Publisher,
        views: Views | None,
        *,
        clock: Callable[[], int],
        passwords: Passwords | None = None,
    ) -> None:
        self._publisher = publisher
        self._views = views
        self._clock = clock
        self._passwords = passwords or Passwords()

    async def create_key(
        self, org: str, *, name: str, role: Role, by: str, days: int | None = DEFAULT_DAYS
    ) -> tuple[ApiKey, str]:
        """A new key for an org (`*`: every org), and its token, which is shown now and never again."""
        key, token = new_key(name=_plain(name), role=role, by=by, now=self._clock(), days=days)
        await self._publish(_org(org), key, Action.KEY_CREATED, by, key.id, {"name": key.name, "role": role.value})
        return key, token

    async def revoke_key(self, org: str, key_id: str, *, by: str, reason: str | None = None) -> ApiKey | None:
        """The key ends now; None when the org has no such key. Raises Unreachable without views."""
        found = self._known_views().api_key(key_id)
        if found is None or found.org != org:
            return None
        key = found.key
        if key.revoked_at is None:
            key = msgspec.structs.replace(key, revoked_at=self._clock())
            await self._publish(org, key, Action.KEY_REVOKED, by, key.id, {"name": key.name}, reason)
        return key

    async def set_user(
        self, org: str, name: str, role: Role | None, *, by: str, password: str | None = None, reason: str | None = None
    ) -> None:
        """Give somebody a role in an org (None: take it), with a password when they are new or it is to change.

        A new password ends their sessions. Raises BadRecord for a name or password that cannot be, or a new user
        without a password.
        """
        user, now = user_name(name), self._clock()
        known = self._views.account(user) if self._views is not None else None
        if password is not None:
            made = (known.created_at, known.created_by) if known else (now, by)
            account = Account(
                name=user,
                password=self._passwords.hash(password),
                password_at=now,
                created_at=made[0],
                created_by=made[1],
                disabled_at=known.disabled_at if known else None,
            )
            await self._publish(ALL_ORGS, account, Action.USER_SET, by, user, {"password": "changed"}, reason)
        elif known is None and role is not None:
            raise BadRecord(f"there is no user {user!r} yet: give a password too")
        detail = {"role": role.value if role else "none"}
        await self._publish(_org(org), Membership(user, role), Action.USER_SET, by, user, detail, reason)

    async def disable_user(self, name: str, *, by: str, disabled: bool = True, reason: str | None = None) -> bool:
        """Shut somebody out everywhere (or let them in again); False when nobody has that name."""
        known = self._known_views().account(name)
        if known is None:
            return False
        account = msgspec.structs.replace(known, disabled_at=self._clock() if disabled else None)
        action = Action.USER_DISABLED if disabled else Action.USER_ENABLED
        await self._publish(ALL_ORGS, account, action, by, name, {}, reason)
        return True

    def _known_views(self) -> Views:
        if self._views is None:
            raise BadRecord("what there is is not known here: run this where the views are")
        return self._views

    async def _publish(
        self,
        org: str,
        body: ApiKey | Account | Membership,
        action: Action,
        by: str,
        target: str,
        detail: dict[str, str],
        reason: str | None = None,
    ) -> None:
        now = self._clock()
        value = ACCESS.encode(body, org=org, at=now, source="access")
        entry = audit_output(org, action, by, at=now, target=target, reason=reason, detail=detail)
        await self._publisher.publish([entry])
        await self._publisher.publish([Output(topics.ACCESS.name, access_key(org, body), value)])


def _org(org: str) -> str:
    return org if org == ALL_ORGS else org_id(org)


def _plain(name: str) -> str:
    plain = " ".join(name.split())
    if not 1 <= len(plain) <= NAME_CHARACTERS_MAX:
        raise BadRecord(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    return plain
