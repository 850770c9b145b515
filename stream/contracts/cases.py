"""`cases`: a discrepancy with its life. Key `org:customer:n`, compacted."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary


class CaseState(StrEnum):
    """`open → acknowledged → resolved`."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class CaseStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a case: what happened (`opened`, `worsened`, `acknowledged`, `resolved` …), when, by whom."""

    what: str
    at: int
    by: str
    ours: int | None = None
    provider: int | None = None
    note: str | None = None


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A discrepancy from its opening to its end; at most one open per customer.

    `number` counts a customer's cases from 1. `alerted_points`: the difference last told to people.
    `tier_differs`: the provider's points give another tier than ours.
    """

    id: str
    number: int
    state: CaseState
    opened_at: int
    ours: int
    provider: int
    difference: int
    alerted_points: int
    tier_differs: bool = False
    resolved_at: int | None = None
    history: tuple[CaseStep, ...] = ()
    epoch: int = 0
    version: int = 0


CASES = Vocabulary(Case)
