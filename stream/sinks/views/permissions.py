"""Questions about who may call, and who changed what."""

from __future__ import annotations

import msgspec

from stream.contracts.access import Account, ApiKey, Role
from stream.sinks.views.connection import Reader, Row, number
from stream.sinks.views.shown import AuditEntry, OrgKey, OrgMember

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

    def audit(self, org: str, *, after: tuple[int, str] | None = None, limit: int = 100) -> list[AuditEntry]:
        """Changes that people and programs made in an org, newest first. `after`: the last one's time and id."""
        beyond = "" if after is None else "AND (at, id) < (?, ?)"
        rows = self.rows(
            f"""SELECT org, at, id, action, actor, target, reason, detail FROM audit WHERE org = ? {beyond}
                ORDER BY at DESC, id DESC LIMIT ?""",
            (org, *(after or ()), limit),
        )
        return [_entry(row) for row in rows]


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
