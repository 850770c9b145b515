"""Entries of the audit, as records."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from stream.contracts import topics
from stream.contracts.audit import AUDIT, Action, Audited
from stream.engine.ports import Output

REASON_CHARACTERS_MAX = 2000


def audit_output(
    org: str,
    action: Action,
    actor: str,
    *,
    at: int,
    target: str | None = None,
    reason: str | None = None,
    detail: Mapping[str, str] | None = None,
    entry_id: str | None = None,
) -> Output:
    """The record of one change. `entry_id`: where the same change may be asked for twice and is to be one entry."""
    entry = Audited(
        id=entry_id or secrets.token_hex(8),
        action=action,
        actor=actor,
        target=target,
        reason=reason[:REASON_CHARACTERS_MAX] if reason else None,
        detail=dict(detail or {}),
    )
    return Output(topics.AUDIT.name, org.encode(), AUDIT.encode(entry, org=org, at=at, source="web"))
