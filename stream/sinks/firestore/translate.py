"""Records of the log as writes to documents. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from urllib.parse import quote

import msgspec

from stream.contracts import topics
from stream.contracts.alerts import decode_alert
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.names import customer_id, org_id
from stream.contracts.profiles import PROFILES, Profile
from stream.contracts.runs import RUNS, Phase, PhaseEntered, RunCompleted, RunFailed, RunStarted, Tally
from stream.contracts.settings import SETTINGS, OrgSettings, SettingsInForce, Tier
from stream.engine.ports import Input
from stream.errors import BadRecord
from stream.sinks.document import COLLECTION, FIELDS, document_id, document_of, iso_millis, utc
from stream.sinks.firestore.encode import FieldValue
from stream.sinks.firestore.write import DocumentWrite, content_of

RUNS_COLLECTION = "loyaltyRuns"
ALERTS_COLLECTION = "loyaltyAlerts"
ORGS_COLLECTION = "loyaltyOrgs"
ENTRIES_COLLECTION = "entries"
MAX_ID_BYTES = 1500

STARTED, PROGRESS, ENDED = 1, 2, 3
"""Within one millisecond a run's events are ordered by what they say."""

Fields = dict[str, FieldValue]
Unchecked = dict[str, FieldValue | None]


def write_of(record: Input) -> DocumentWrite | None:
    """The write that a record asks for; None for one that is not exported. Raises BadRecord.

    Not exported: tombstones, profiles with `export` false, and what only the runs agent needs.
    """
    if record.value is None:
        return None
    try:
        return _WRITE[record.topic](record, record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, KeyError) as error:
        raise BadRecord(f"not a record of topic {record.topic}: {type(error).__name__}") from error


def _profile(record: Input, value: bytes) -> DocumentWrite | None:
    event = PROFILES.decode(value)
    profile: Profile = event.data
    if not profile.export:
        return None
    org, customer = org_id(event.org), customer_id(event.customer)
    document = document_of(org, customer, profile)
    return DocumentWrite(
        path=f"{COLLECTION}/{document_id(org, customer)}",
        fields=document,
        owned=FIELDS,
        version=(profile.epoch, profile.version),
        content=content_of(document, FIELDS),
        origin=record,
    )


def _entry(record: Input, value: bytes) -> DocumentWrite:
    event = ENTRIES.decode(value)
    entry: PointsEntry = event.data
    customer = document_id(org_id(event.org), customer_id(event.customer))
    fields: Unchecked = {
        "entryId": entry.id,
        "at": utc(event.at),
        "cause": entry.cause.value,
        "orderId": entry.order,
        "amountMinor": entry.amount_minor,
        "whyNot": entry.why_not,
        "orderedAt": None if entry.ordered_at is None else utc(entry.ordered_at),
        "deltaMinor": entry.delta_minor,
        "deltaPoints": entry.delta_points,
        "pointsAfter": entry.points_after,
        "tier": entry.tier,
        "settingsVersion": entry.settings_version,
        "epoch": entry.epoch,
        "version": entry.version,
    }
    return _once(f"{COLLECTION}/{customer}/{ENTRIES_COLLECTION}/{_id(entry.id)}", fields, record)


def _alert(record: Input, value: bytes) -> DocumentWrite:
    alert = decode_alert(value)
    headers = {name: text.decode() for name, text in record.headers}
    fields: Unchecked = {
        "alertId": headers["ce_id"],
        "orgId": org_id(alert.org),
        "customerId": alert.customer,
        "kind": alert.kind.value,
        "at": utc(iso_millis(headers["ce_time"])),
        "caseId": alert.case,
        "sequence": alert.sequence,
        "points": alert.ours,
        "pointsFromAlpine": alert.provider,
        "loyaltyDiscrepancy": alert.difference,
        "tier": alert.tier_ours,
        "tierFromAlpine": alert.tier_provider,
        "reason": alert.reason,
        "runId": alert.run,
    }
    return _once(f"{ALERTS_COLLECTION}/{_id(headers['ce_id'])}", fields, record)


def _run(record: Input, value: bytes) -> DocumentWrite | None:
    event = RUNS.decode(value)
    fields: Unchecked
    match event.data:
        case RunStarted() as run:
            status, rank = "running", STARTED
            fields = {"requestedBy": run.by, "startedAt": utc(event.at), **_about(run)}
        case PhaseEntered() as run:
            status, rank, fields = "running", PROGRESS, {"phase": run.phase.value}
        case RunCompleted() as run:
            status, rank = "completed", ENDED
            fields = {"phase": Phase.DONE.value, **_about(run), **_ends(run)}
            fields |= _totals(run.tally)
        case RunFailed() as run:
            status, rank = "failed", ENDED
            fields = {"phase": run.phase.value, "reason": run.reason, **_about(run), **_ends(run)}
            fields |= {} if run.tally is None else _totals(run.tally)
        case _:
            return None
    # Rises with the run: its time, then what the event says.
    version = event.at * 4 + rank
    own: Fields = {"orgId": org_id(event.org), "runId": run.run, "status": status, "epoch": 0, "version": version}
    known = own | _known(fields)
    return DocumentWrite(f"{RUNS_COLLECTION}/{_id(run.run)}", known, tuple(known), (0, version), None, record)


def _about(run: RunStarted | RunCompleted | RunFailed) -> Unchecked:
    return {"kind": run.kind.value, "customerId": run.customer}


def _ends(run: RunCompleted | RunFailed) -> Unchecked:
    vendors: dict[str, FieldValue] = {
        name: {"calls": use.calls, "answered": use.answered, "errors": use.errors} for name, use in run.vendors.items()
    }
    ends: Unchecked = {"startedAt": utc(run.started_at), "endedAt": utc(run.ended_at), "requestedBy": run.by or None}
    return ends | {"queuedMs": run.queued_ms, "vendors": vendors, "phasesMs": run.phases}


def _totals(tally: Tally) -> Unchecked:
    return {
        "totalCustomers": tally.customers,
        "withAlpineSync": tally.with_provider,
        "withCalculatedPoints": tally.customers,
        "reconciled": tally.matched,
        "needsReview": tally.discrepancy,
        "timing": tally.timing,
        "notEnrolled": tally.not_enrolled,
        "ambiguous": tally.ambiguous,
        "unknown": tally.unknown,
        "missingInternal": tally.missing_internal,
        "deadLetters": tally.dead_letters,
        "averageDiscrepancy": tally.average_discrepancy,
    }


def _org(record: Input, value: bytes) -> DocumentWrite:
    """What other systems need to show tiers and to explain points. Nothing about customers, so an org that only
    observes has one too: its `mode` says why there are no customer documents."""
    event = SETTINGS.decode(value)
    in_force: SettingsInForce = event.data
    org = org_id(event.org)
    fields = {"orgId": org, **_rules(in_force.settings), "settingsVersion": in_force.version}
    versioned: Fields = {**fields, "epoch": 0, "version": in_force.version}
    path = f"{ORGS_COLLECTION}/{_id(org)}"
    return DocumentWrite(path, versioned, tuple(versioned), (0, in_force.version), None, record)


def _rules(settings: OrgSettings) -> Fields:
    newest = settings.accruals[-1]
    return {
        "mode": settings.mode.value,
        "currency": settings.currency,
        "timeZone": settings.time_zone,
        "pointsPerDollar": _plain(newest.points_per_dollar),
        "equityMultiplier": _plain(newest.equity_multiplier),
        "tiers": [_tier(tier) for tier in settings.tiers],
    }


def _tier(tier: Tier) -> Fields:
    return {
        "id": tier.id,
        "name": tier.name,
        "threshold": tier.threshold,
        "color": tier.color,
        "benefits": list(tier.benefits),
    }


def _plain(rate: Decimal) -> str:
    """A decimal string without an exponent."""
    return f"{rate:f}"


def _once(path: str, fields: Mapping[str, FieldValue | None], record: Input) -> DocumentWrite:
    """A document that never changes: a repeat writes the same again."""
    known = _known(fields)
    return DocumentWrite(path, known, tuple(known), None, None, record)


def _known(fields: Mapping[str, FieldValue | None]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _id(text: str) -> str:
    """`text` as a document id. Raises BadRecord for what no id can be: empty, `.`, `..`, `__x__`, too long."""
    quoted = quote(text, safe=":.-_~@+ ")
    if quoted in ("", ".", "..") or re.fullmatch(r"__.*__", quoted) or len(quoted) > MAX_ID_BYTES:
        raise BadRecord(f"{quoted[:80]!r} cannot be the id of a document")
    return quoted


_WRITE: dict[str, Callable[[Input, bytes], DocumentWrite | None]] = {
    topics.PROFILES.name: _profile,
    topics.ENTRIES.name: _entry,
    topics.ALERTS.name: _alert,
    topics.RUNS.name: _run,
    topics.SETTINGS.name: _org,
}
