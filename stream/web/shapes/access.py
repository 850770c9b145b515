"""Keys, members, the audit."""

from __future__ import annotations

from typing_extensions import TypedDict

from stream.sinks.views.shown import AuditEntry, OrgKey, OrgMember
from stream.web.shapes.times import time_shown


class KeyShown(TypedDict):
    """An API key without its secret. `expiresAt` null: never."""

    id: str
    orgId: str
    name: str
    role: str
    createdAt: str | None
    createdBy: str
    expiresAt: str | None
    revokedAt: str | None


class NewKey(TypedDict):
    """A key with its token, which is shown this once."""

    key: KeyShown
    token: str


class MemberShown(TypedDict):
    """Somebody's role in an org."""

    name: str
    orgId: str
    role: str
    disabledAt: str | None


class AuditShown(TypedDict):
    """A change: who, what, when, why."""

    id: str
    at: str | None
    orgId: str
    action: str
    actor: str
    target: str | None
    reason: str | None
    detail: dict[str, str]


def key_shown(shown: OrgKey) -> KeyShown:
    """A key without its secret."""
    key = shown.key
    return {
        "id": key.id,
        "orgId": shown.org,
        "name": key.name,
        "role": key.role.value,
        "createdAt": time_shown(key.created_at),
        "createdBy": key.created_by,
        "expiresAt": time_shown(key.expires_at),
        "revokedAt": time_shown(key.revoked_at),
    }


def member_shown(member: OrgMember) -> MemberShown:
    """Somebody's role."""
    return {
        "name": member.name,
        "orgId": member.org,
        "role": member.role.value,
        "disabledAt": time_shown(member.disabled_at),
    }


def audit_shown(entry: AuditEntry) -> AuditShown:
    """A change."""
    return {
        "id": entry.id,
        "at": time_shown(entry.at),
        "orgId": entry.org,
        "action": entry.action,
        "actor": entry.actor,
        "target": entry.target,
        "reason": entry.reason,
        "detail": entry.detail,
    }
