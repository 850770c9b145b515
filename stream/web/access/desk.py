"""Giving and taking access: keys and people, as records of `access`, each with an entry in the audit."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
SETTLE_SECONDS = 5.0
"""How long an answer waits for a new password to be known."""


@dataclass(frozen=True)
class Change:
    """What the audit says of a change."""

    action: Action
    by: str
    target: str
    reason: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


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
        self,
        org: str,
        *,
        name: str,
        role: Role,
        by: str,
        days: int | None = DEFAULT_DAYS,
        reason: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key for an org (`*`: every org), and its token, which is shown now and never again."""
        key, token = new_key(name=_plain(name), role=role, by=by, now=self._clock(), days=days)
        detail = {"name": key.name, "role": role.value}
        await self._publish(_org(org), key, Change(Action.KEY_CREATED, by, key.id, reason, detail))
        return key, token

    async def revoke_key(self, org: str, key_id: str, *, by: str, reason: str | None = None) -> ApiKey | None:
        """The key ends now; None when the org has no such key. Raises Unreachable without views."""
        found = self._known_views().api_key(key_id)
        if found is None or found.org != org:
            return None
        key = found.key
        if key.revoked_at is None:
            key = msgspec.structs.replace(key, revoked_at=self._clock())
            await self._publish(org, key, Change(Action.KEY_REVOKED, by, key.id, reason, {"name": key.name}))
        return key

    async def set_user(
        self, org: str, name: str, role: Role | None, *, by: str, password: str | None = None, reason: str | None = None
    ) -> None:
        """Give somebody a role in an org (None: take it), with a password when they are new or it is to change.

        A new password ends their sessions. Raises BadRecord for a name or password that cannot be, or a new user
        without a password.
        """
        user = user_name(name)
        if password is not None:
            await self._set_password(user, password, Change(Action.USER_SET, by, user, reason, {"password": "changed"}))
        elif role is not None and self._views is not None and self._views.account(user) is None:
            raise BadRecord(f"there is no user {user!r} yet: give a password too")
        detail = {"role": role.value if role else "none"}
        await self._publish(_org(org), Membership(user, role), Change(Action.USER_SET, by, user, reason, detail))

    async def change_password(self, name: str, password: str, *, by: str) -> None:
        """Somebody's own new password; their sessions end. Raises BadRecord for one that cannot be."""
        changed_at = self._clock()
        await self._set_password(name, password, Change(Action.PASSWORD_CHANGED, by, name, "their own"))

        def known(views: Views) -> bool:
            account = views.account(name)
            return account is not None and account.password_at >= changed_at

        with contextlib.suppress(TimeoutError):
            await self._known_views().wait_for(known, timeout=SETTLE_SECONDS)

    async def disable_user(self, name: str, *, by: str, disabled: bool = True, reason: str | None = None) -> bool:
        """Shut somebody out everywhere (or let them in again); False when nobody has that name."""
        known = self._known_views().account(name)
        if known is None:
            return False
        account = msgspec.structs.replace(known, disabled_at=self._clock() if disabled else None)
        action = Action.USER_DISABLED if disabled else Action.USER_ENABLED
        await self._publish(ALL_ORGS, account, Change(action, by, name, reason), self._orgs_of(name))
        return True

    async def _set_password(self, name: str, password: str, change: Change) -> None:
        encoded = await asyncio.to_thread(self._passwords.hash, password)
        # Read after the slow part: whoever was shut out meanwhile stays so.
        now, known = self._clock(), self._views.account(name) if self._views is not None else None
        account = Account(
            name=name,
            password=encoded,
            password_at=now,
            created_at=known.created_at if known else now,
            created_by=known.created_by if known else change.by,
            disabled_at=known.disabled_at if known else None,
        )
        await self._publish(ALL_ORGS, account, change, self._orgs_of(name))

    def _orgs_of(self, name: str) -> list[str]:
        """Whose audit a change of somebody's account belongs into: every org's that they may look into."""
        return list(self._views.roles(name)) if self._views is not None else []

    def _known_views(self) -> Views:
        if self._views is None:
            raise BadRecord("what there is is not known here: run this where the views are")
        return self._views

    async def _publish(
        self, org: str, body: ApiKey | Account | Membership, change: Change, audited: Sequence[str] = ()
    ) -> None:
        """The change, after its entry in the audit of `audited` (none: of the org)."""
        now, entry_id = self._clock(), secrets.token_hex(8)
        value = ACCESS.encode(body, org=org, at=now, source="access")
        entries = [
            audit_output(
                each,
                change.action,
                change.by,
                at=now,
                target=change.target,
                reason=change.reason,
                detail=change.detail,
                entry_id=entry_id,
            )
            for each in audited or [org]
        ]
        await self._publisher.publish(entries)
        await self._publisher.publish([Output(topics.ACCESS.name, access_key(org, body), value)])


def _org(org: str) -> str:
    return org if org == ALL_ORGS else org_id(org)


def _plain(name: str) -> str:
    plain = " ".join(name.split())
    if not 1 <= len(plain) <= NAME_CHARACTERS_MAX:
        raise BadRecord(f"a name has 1 to {NAME_CHARACTERS_MAX} characters")
    return plain
