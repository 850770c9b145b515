"""`cases`: a discrepancy with its life. Key `org:customer:n`, compacted."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class CaseState(StrEnum):
    """`open → acknowledged → resolved`; a case resolved as accepted opens again when the acceptance no longer holds."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """How a case ended.

    `agreed`: the sides agree. `accepted`: a person accepted the difference. `closed`: a person ended it, for the
    reason in the history. `not_comparable`: no balance is left that could be wrong; the verdict is in the history.
    """

    AGREED = "agreed"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    NOT_COMPARABLE = "not_comparable"


class Step(StrEnum):
    """What happened to a case, in `CaseStep.what`.

    By runs: `opened`, `reopened`, `changed` (other figures, nothing to tell), `worsened`, `reminded`, `resolved`.
    By people: `acknowledged`, `accepted`, `silenced`, `noted`, `assigned`, `resolved`; `declined`: what somebody asked
    for came too late or was meant for another case of the customer, and changed nothing (`note` says what and why).
    """

    OPENED = "opened"
    REOPENED = "reopened"
    CHANGED = "changed"
    WORSENED = "worsened"
    REMINDED = "reminded"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    SILENCED = "silenced"
    NOTED = "noted"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    DECLINED = "declined"


class CaseStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a case: what happened (`Step`), when (UTC ms), by whom (a person, or the id of a run).

    `points`: the signed difference that was accepted. `until` (UTC ms): of an acceptance or a silence. `to`: who looks
    after the case from now on.
    """

    what: str
    at: int
    by: str
    ours: int | None = None
    provider: int | None = None
    note: str | None = None
    points: int | None = None
    until: int | None = None
    to: str | None = None


class CauseKind(StrEnum):
    """Why the provider may have another number. The provider …

    `redemptions`, `adjustments`, `expiry`, `other_movements`: … says itself that it moved points.
    `provider_lag`: … has not booked these orders of the settle window, or their changes, yet.
    `refunds_not_applied`: … still counts what was refunded, lowered or cancelled here.
    `removed_orders`: … still counts orders that are gone here, or went to another customer.
    `pending_orders`: … counts orders that count nothing here yet (pending, unpaid).
    `tax_basis`: … counts another amount of each order (`detail`: which).
    `equity_multiplier`: … does (`detail`: applied) or does not (not applied) apply the equity multiplier.
    `rounding`: … rounds otherwise (`detail`: how).
    `order_not_credited`: … may never have booked one settled order: each of `orders` alone would explain it.
    `unexplained`: what none of these explains.
    """

    REDEMPTIONS = "redemptions"
    ADJUSTMENTS = "adjustments"
    EXPIRY = "expiry"
    OTHER_MOVEMENTS = "other_movements"
    PROVIDER_LAG = "provider_lag"
    REFUNDS_NOT_APPLIED = "refunds_not_applied"
    REMOVED_ORDERS = "removed_orders"
    PENDING_ORDERS = "pending_orders"
    TAX_BASIS = "tax_basis"
    EQUITY_MULTIPLIER = "equity_multiplier"
    ROUNDING = "rounding"
    ORDER_NOT_CREDITED = "order_not_credited"
    UNEXPLAINED = "unexplained"


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """A likely cause of a difference: `points` is its signed part of provider − ours.

    The points of all causes of one difference add up to it exactly. `orders` names the orders that fit, newest first,
    at most ten; `count`: how many orders or movements it rests on in all.
    """

    kind: CauseKind
    points: int
    orders: tuple[str, ...] = ()
    count: int = 0
    detail: str | None = None


class AcceptedDifference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signed difference (provider − ours, points) that a person declared right, until a time (UTC ms; None: for
    good)."""

    points: int
    by: str
    at: int
    reason: str
    until: int | None = None


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A discrepancy from its opening to its end; at most one open per customer.

    `number` counts a customer's cases from 1. `alerted_points`, `alerted_at`: the difference last told to people, and
    when (UTC ms). `tier_differs`: the provider's points give another tier than ours. `resolved_as`: how it ended.
    `causes`: what likely explains `difference`, in points that add up to it. `accepted`: the last acceptance.
    `silenced_until` (UTC ms): no alerts about the case before. `history`: the opening and the newest steps; `steps`:
    how many there have been in all, which is also the `sequence` of its alerts.
    """

    id: str
    number: int
    state: CaseState
    opened_at: int
    ours: int
    provider: int
    difference: int
    alerted_points: int
    alerted_at: int = 0
    tier_differs: bool = False
    resolved_at: int | None = None
    resolved_as: Resolution | None = None
    assigned_to: str | None = None
    silenced_until: int | None = None
    accepted: AcceptedDifference | None = None
    causes: tuple[Cause, ...] = ()
    history: tuple[CaseStep, ...] = ()
    steps: int = 0
    epoch: int = 0
    version: int = 0


CASES = Vocabulary(Case)
