"""Asking for runs: their ids, and the facts that ask for them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from stream.contracts import topics
from stream.contracts.audit import Action
from stream.contracts.names import customer_id, org_id
from stream.contracts.runs import RUNS, RunKind, RunRequested
from stream.engine.ports import Output, Publisher
from stream.sinks.document import utc
from stream.web.auditing import audit_output

_SLOT = re.compile(r"[0-9A-Za-z._~-]{1,64}")


def run_id(org: str, customer: str | None, slot: str, kind: RunKind | None = None) -> str:
    """The id of a run: `org:kind:slot`, for one customer `org:customer:ID:slot`. Raises BadRecord for ids that cannot
    be."""
    if customer is not None:
        return f"{org_id(org)}:{RunKind.CUSTOMER.value}:{customer_id(customer)}:{slot}"
    return f"{org_id(org)}:{(kind or RunKind.DAILY).value}:{slot}"


def slot_of(key: str | None, now: int) -> str:
    """The last part of a run's id: the caller's idempotency key, else the time (UTC ms). A key with characters that no
    id has is hashed."""
    if not key:
        return datetime.strftime(utc(now).astimezone(UTC), "%Y%m%dT%H%M%S.%f")[:-3]
    return key if _SLOT.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:32]


async def request_run(
    publisher: Publisher,
    run: str,
    *,
    org: str,
    customer: str | None,
    kind: RunKind,
    by: str,
    now: int,
    reason: str | None = None,
) -> None:
    """Publish the wish, after its entry in the audit. A run that exists already is not started again."""
    detail = {"kind": kind.value} | ({"customer": customer} if customer else {})
    entry = audit_output(
        org,
        Action.RUN_REQUESTED,
        by,
        at=now,
        target=run,
        reason=reason,
        detail=detail,
        entry_id=f"{run}:requested:{by}",
    )
    value = RUNS.encode(RunRequested(run, kind, by, customer), org=org, at=now, source="web")
    await publisher.publish([entry])
    await publisher.publish([Output(topics.RUNS.name, org.encode(), value)])
