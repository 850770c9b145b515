"""What the commands about access ask of `stream.bootstrap`; part of `stream.cli.entry_points`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stream.settings import Configuration

Fields = Mapping[str, object]


class AccessPoints(Protocol):
    """`org` `*`: every org. Each change is in the audit, by whoever runs the command, with its `reason`."""

    async def create_key(
        self, configuration: Configuration, *, org: str, name: str, role: str, days: int, reason: str
    ) -> Fields:
        """A new API key with its token, which is shown this once. `days` 0: it does not expire."""

    async def keys(self, configuration: Configuration, *, org: str) -> Sequence[Fields]:
        """The org's keys."""

    async def revoke_key(self, configuration: Configuration, *, org: str, key: str, reason: str) -> Fields | None:
        """End a key; None when the org has no such key."""

    async def set_user(
        self, configuration: Configuration, *, org: str, name: str, role: str, password: str | None, reason: str
    ) -> Fields:
        """Give somebody a role, and a password when they are new or it is to change."""

    async def users(self, configuration: Configuration, *, org: str) -> Sequence[Fields]:
        """Who has a role in the org."""

    async def remove_user(self, configuration: Configuration, *, org: str, name: str, reason: str) -> Fields:
        """Take somebody's role in the org."""

    async def disable_user(
        self, configuration: Configuration, *, name: str, disabled: bool, reason: str
    ) -> Fields | None:
        """Shut somebody out of every org, or let them in again; None when nobody has that name."""
