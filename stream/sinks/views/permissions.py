"""Questions about who may call, and who changed what."""

from __future__ import annotations

import heapq
from itertools import islice

import msgspec

from stream.contracts.access import ALL_ORGS, Account, ApiKey, Role
from stream.sinks.views.connection import Reader, Row, number
from stream.sinks.views.shown import AuditEntry, OpenSession, OrgKey, OrgMember

_json = msgspec.json.decode


class PermissionQueries(Reader):
    """Part of `stream.sinks.views.read.Views`."""

    def api_key(self, key_id: str) -> OrgKey | None:
        """The key with this id, revoked or expired ones too."""
        rows = self.rows("SELECT org, body FROM api_keys WHERE id = ?", (key_id,))
        return _key(rows[0]) if rows else None

    def api_keys(self, org: str, *, after: str = "", limit: int = 100) -> list[OrgKey]:
        """The keys of an org (`*`: those for every org), in order of their ids."""
        sql = "SELECT org, body FROM api_keys WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
        return [_key(row) for row in self.rows(sql, (org, after, limit))]

    def account(self, name: str) -> Account | None:
        """A person's account; None when there is none."""
        rows = self.rows("SELECT body FROM accounts WHERE name = ?", (name,))
        return msgspec.json.decode(str(rows[0][0]), type=Account) if rows else None

    def roles(self, name: str) -> dict[str, Role]:
        """A person's role in each org (`*`: in every org)."""
        rows = self.rows("SELECT org, role FROM memberships WHERE name = ?", (name,))
        return {str(org): Role(str(role)) for org, role in rows}

    def members(self, org: str, *, after: str = "", limit: int = 100) -> list[OrgMember]:
        """Who has a role in an org (`*`: in every org), by name."""
        rows = self.rows(
            """SELECT m.org, m.name, m.role, a.body FROM memberships m LEFT JOIN accounts a ON a.name = m.name
               WHERE m.org = ? AND m.name > ? ORDER BY m.name LIMIT ?""",
            (org, after, limit),
        )
        return [_member(row) for row in rows]

    def anybody(self) -> bool:
        """Whether there is any key or account, usable or not."""
        rows = self.rows("SELECT EXISTS (SELECT 1 FROM api_keys) OR EXISTS (SELECT 1 FROM accounts)")
        return bool(rows[0][0])

    def session(self, name: str) -> OpenSession | None:
        """The session whose token has this hash; None when there is none (any more)."""
        sql = "SELECT who, began_at, used_at FROM sessions WHERE hash = ? AND who IS NOT NULL"
        rows = self.rows(sql, (name,))
        return OpenSession(str(rows[0][0]), number(rows[0][1]), number(rows[0][2])) if rows else None

    def sessions_unused_since(self, at: int, *, limit: int) -> list[str]:
        """Hashes of sessions that were last used before `at` (UTC ms), the oldest first."""
        rows = self.rows("SELECT hash FROM sessions WHERE used_at < ? ORDER BY used_at LIMIT ?", (at, limit))
        return [str(name) for (name,) in rows]

    def audit(
        self, org: str, *, everywhere: bool = False, after: tuple[int, str] | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Changes that people and programs made in an org (`everywhere`: and those that concern every org), newest
        first. `after`: the last one's time and id."""
        beyond = "" if after is None else "AND (at, id) < (?, ?)"
        sql = f"""SELECT org, at, id, action, actor, target, reason, detail FROM audit WHERE org = ? {beyond}
                  ORDER BY at DESC, id DESC LIMIT ?"""
        orgs = (org, ALL_ORGS) if everywhere else (org,)
        found = [[_entry(row) for row in self.rows(sql, (each, *(after or ()), limit))] for each in orgs]
        return list(islice(heapq.merge(*found, key=lambda entry: (entry.at, entry.id), reverse=True), limit))


def _key(row: Row) -> OrgKey:
    return OrgKey(str(row[0]), msgspec.json.decode(str(row[1]), type=ApiKey))


def _member(row: Row) -> OrgMember:
    account = None if row[3] is None else msgspec.json.decode(str(row[3]), type=Account)
    return OrgMember(str(row[0]), str(row[1]), Role(str(row[2])), account.disabled_at if account else None)


def _entry(row: Row) -> AuditEntry:
    org, at, entry_id, action, actor, target, reason, detail = row
    optional = (None if target is None else str(target), None if reason is None else str(reason))
    return AuditEntry(
        str(org), number(at), str(entry_id), str(action), str(actor), *optional, _json(str(detail), type=dict[str, str])
    )
