"""Who calls, and what they may in which org."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stream.contracts.access import ALL_ORGS, Role

LOCAL = "local"
CONFIGURED = "key:configured"
USER = "user:"
KEY = "key:"
"""How principals are called: by a fixed word, or by what they are and their name."""


@dataclass(frozen=True)
class Principal:
    """A person or a program that has proved who it is.

    `id`: the actor that the audit names (`user:NAME`, `key:ID`, `local`). `roles`: by org, `*` is every org.
    `in_browser`: it came with a session's cookie, which a browser sends along by itself.
    """

    id: str
    name: str
    roles: Mapping[str, Role]
    in_browser: bool = False

    @property
    def account(self) -> str | None:
        """The name that they log in with; None: it is no person with a password."""
        return self.id.removeprefix(USER) if self.id.startswith(USER) else None

    def role_in(self, org: str) -> Role | None:
        """The stronger of the role in this org and in every org; None: the org does not exist for them."""
        roles = [role for role in (self.roles.get(org), self.roles.get(ALL_ORGS)) if role is not None]
        return max(roles, key=lambda role: role.rank, default=None)

    def may(self, role: Role, org: str) -> bool:
        """Whether they may what `role` may, in this org."""
        own = self.role_in(org)
        return own is not None and own.rank >= role.rank

    def orgs(self, known: Iterable[str]) -> list[str]:
        """Those of `known` that exist for them."""
        return [org for org in known if self.role_in(org) is not None]

    def sees_contacts(self, org: str) -> bool:
        """Whether phones and e-mail addresses are shown to them: they are masked for viewers."""
        return self.may(Role.SUPPORT, org)


def local(name: str = LOCAL) -> Principal:
    """Whoever may read the data folder may everything."""
    return Principal(name, name, {ALL_ORGS: Role.ADMIN})
