"""Cases."""

from __future__ import annotations

from typing_extensions import TypedDict

from stream.contracts.cases import AcceptedDifference, Case, Cause, CauseKind
from stream.sinks.views.shown import CustomerCase
from stream.web.shapes.times import time_shown


class StepShown(TypedDict):
    what: str
    at: str | None
    by: str
    note: str | None
    points: int | None
    pointsFromAlpine: int | None
    acceptedPoints: int | None
    until: str | None
    to: str | None


class CauseShown(TypedDict):
    """`points`: the signed part of the discrepancy. All causes of a case add up to it."""

    kind: str
    points: int
    orders: list[str]
    count: int
    detail: str | None


class AcceptedShown(TypedDict):
    points: int
    by: str
    at: str | None
    reason: str
    until: str | None


class CaseShown(TypedDict):
    """`discrepancy`: provider − ours. `unexplained`: what no cause explains; null where none was looked for."""

    id: str
    orgId: str
    customerId: str
    number: int
    state: str
    openedAt: str | None
    resolvedAt: str | None
    resolvedAs: str | None
    points: int
    pointsFromAlpine: int
    discrepancy: int
    unexplained: int | None
    tierDiffers: bool
    assignedTo: str | None
    silencedUntil: str | None
    accepted: AcceptedShown | None
    causes: list[CauseShown]
    history: list[StepShown]
    version: str


def case_shown(shown: CustomerCase) -> CaseShown:
    """A discrepancy with its history."""
    case = shown.case
    return {
        "id": case.id,
        "orgId": shown.org,
        "customerId": shown.customer,
        "number": case.number,
        "state": case.state.value,
        "openedAt": time_shown(case.opened_at),
        "resolvedAt": time_shown(case.resolved_at),
        "resolvedAs": case.resolved_as.value if case.resolved_as else None,
        "points": case.ours,
        "pointsFromAlpine": case.provider,
        "discrepancy": case.difference,
        "unexplained": unexplained(case),
        "tierDiffers": case.tier_differs,
        "assignedTo": case.assigned_to,
        "silencedUntil": time_shown(case.silenced_until),
        "accepted": accepted_shown(case.accepted) if case.accepted else None,
        "causes": [cause_shown(cause) for cause in case.causes],
        "history": [
            {
                "what": str(step.what),
                "at": time_shown(step.at),
                "by": step.by,
                "note": step.note,
                "points": step.ours,
                "pointsFromAlpine": step.provider,
                "acceptedPoints": step.points,
                "until": time_shown(step.until),
                "to": step.to,
            }
            for step in case.history
        ],
        "version": f"{case.epoch}.{case.version}",
    }


def unexplained(case: Case) -> int | None:
    """Signed points that no cause explains; None where none was looked for."""
    if not case.causes:
        return None
    return sum(cause.points for cause in case.causes if cause.kind is CauseKind.UNEXPLAINED)


def accepted_shown(accepted: AcceptedDifference) -> AcceptedShown:
    """A difference that somebody declared right."""
    return {
        "points": accepted.points,
        "by": accepted.by,
        "at": time_shown(accepted.at),
        "reason": accepted.reason,
        "until": time_shown(accepted.until),
    }


def cause_shown(cause: Cause) -> CauseShown:
    """A likely cause."""
    return {
        "kind": cause.kind.value,
        "points": cause.points,
        "orders": list(cause.orders),
        "count": cause.count,
        "detail": cause.detail,
    }
