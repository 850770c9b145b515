"""Commands about access: keys and users, published from here, listed from the views."""

from __future__ import annotations

import contextlib
import getpass
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from stream.bootstrap.places import folder_of, kafka_of
from stream.bootstrap.serving import require_topics
from stream.contracts.access import Role
from stream.engine.publisher import KafkaPublisher
from stream.settings import Configuration
from stream.sinks.views.read import Views
from stream.sinks.views.shown import OrgKey
from stream.web.access.desk import AccessDesk
from stream.web.shapes.access import key_shown, member_shown

LISTED_MAX = 10_000


async def create_key(
    configuration: Configuration, *, org: str, name: str, role: str, days: int, reason: str
) -> Mapping[str, object]:
    """A new key and its token."""
    async with _desk(configuration) as desk:
        key, token = await desk.create_key(org, name=name, role=Role(role), by=_who(), days=days or None, reason=reason)
    return {**key_shown(OrgKey(org, key)), "token": token}


async def keys(configuration: Configuration, *, org: str) -> Sequence[Mapping[str, object]]:
    """The org's keys."""
    with contextlib.closing(Views(folder_of(configuration).views)) as views:
        return [key_shown(key) for key in views.api_keys(org, limit=LISTED_MAX)]


async def revoke_key(configuration: Configuration, *, org: str, key: str, reason: str) -> Mapping[str, object] | None:
    """End a key."""
    async with _desk(configuration) as desk:
        found = await desk.revoke_key(org, key, by=_who(), reason=reason)
    return None if found is None else key_shown(OrgKey(org, found))


async def set_user(
    configuration: Configuration, *, org: str, name: str, role: str, password: str | None, reason: str
) -> Mapping[str, object]:
    """Give a role."""
    async with _desk(configuration) as desk:
        await desk.set_user(org, name, Role(role), by=_who(), password=password, reason=reason)
    return {"name": name, "orgId": org, "role": role}


async def users(configuration: Configuration, *, org: str) -> Sequence[Mapping[str, object]]:
    """Who has a role."""
    with contextlib.closing(Views(folder_of(configuration).views)) as views:
        return [member_shown(member) for member in views.members(org, limit=LISTED_MAX)]


async def remove_user(configuration: Configuration, *, org: str, name: str, reason: str) -> Mapping[str, object]:
    """Take a role."""
    async with _desk(configuration) as desk:
        await desk.set_user(org, name, None, by=_who(), reason=reason)
    return {"name": name, "orgId": org, "role": None}


async def disable_user(
    configuration: Configuration, *, name: str, disabled: bool, reason: str
) -> Mapping[str, object] | None:
    """Shut out, or let in again."""
    async with _desk(configuration) as desk:
        found = await desk.disable_user(name, by=_who(), disabled=disabled, reason=reason)
    return {"name": name, "disabled": disabled} if found else None


@contextlib.asynccontextmanager
async def _desk(configuration: Configuration) -> AsyncIterator[AccessDesk]:
    bootstrap, path = kafka_of(configuration), folder_of(configuration).views
    await require_topics(bootstrap, configuration.kafka)
    async with KafkaPublisher(bootstrap, configuration.kafka.prefix, client_id="cli") as publisher:
        with contextlib.closing(Views(path)) as views:
            yield AccessDesk(publisher, views if path.exists() else None, clock=lambda: int(time.time() * 1000))


def _who() -> str:
    """Who runs the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user need not have a name
        return "cli"
