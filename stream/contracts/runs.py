"""`runs`: a reconciliation from request to result. Key `org`; sinks show it, the runs agent decides it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.contracts.envelope import Vocabulary
from stream.contracts.settings import OrgSettings


class RunKind(StrEnum):
    """`daily`: orders, then balances, then verdicts. `balances`: without orders. `customer`: one."""

    DAILY = "daily"
    BALANCES = "balances"
    CUSTOMER = "customer"


class Phase(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    ORDERS = "orders"
    BALANCES = "balances"
    VERDICTS = "verdicts"
    DONE = "done"


class Tick(msgspec.Struct, frozen=True):
    """*Everywhere.* The clock says `minute` (UTC ms, a whole minute). Published by the schedule, which alone reads it."""

    minute: int


class ChangeSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody wants these settings. `expected_version`: only if that one is in force (0: none yet)."""

    settings: OrgSettings
    by: str
    expected_version: int | None = None


class RunRequested(msgspec.Struct, frozen=True, omit_defaults=True):
    """Start a run; a `run` that exists already is not started again."""

    run: str
    kind: RunKind
    by: str
    customer: str | None = None


class RunStarted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run is under way."""

    run: str
    kind: RunKind
    by: str
    customer: str | None = None


class OrdersSweepEnded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A producer has walked the orders. An incomplete walk says why in `reason`."""

    run: str
    attempt: int
    complete: bool
    orders: int
    customers: int
    unreadable: int
    calls: int
    reason: str | None = None


class OrdersSweepProgress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a walk is, said now and then for those who watch: orders and customers read so far."""

    run: str
    attempt: int
    orders: int
    customers: int


class BalanceSweepEnded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A producer has swept the balances, or could not."""

    run: str
    attempt: int
    complete: bool
    rows: int
    calls: int
    reason: str | None = None


class ProviderUnavailable(msgspec.Struct, frozen=True, omit_defaults=True):
    """The loyalty provider does not answer; `since` UTC ms."""

    since: int
    reason: str


class ProviderRecovered(msgspec.Struct, frozen=True, omit_defaults=True):
    """It answers again."""

    since: int


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """Counts of accounts, added up over partitions. `abs_difference_points`: sum over discrepancies and matches."""

    customers: int = 0
    with_provider: int = 0
    matched: int = 0
    discrepancy: int = 0
    timing: int = 0
    not_enrolled: int = 0
    ambiguous: int = 0
    unknown: int = 0
    missing_internal: int = 0
    compared: int = 0
    abs_difference_points: int = 0

    def plus(self, other: Tally) -> Tally:
        """Field by field sum."""
        return Tally(*(getattr(self, f) + getattr(other, f) for f in self.__struct_fields__))


class RunTally(msgspec.Struct, frozen=True, omit_defaults=True):
    """Accounts partition `partition` of `partitions` has taken its verdicts."""

    run: str
    attempt: int
    partition: int
    partitions: int
    tally: Tally


class CustomerSynced(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to a one-customer run: `outcome` is the verdict, or `failed` with a reason."""

    run: str
    outcome: str
    reason: str | None = None


class PhaseEntered(msgspec.Struct, frozen=True, omit_defaults=True):
    """Progress, for those who watch."""

    run: str
    phase: Phase


class RunCompleted(msgspec.Struct, frozen=True, omit_defaults=True):
    """All partitions have answered. `started_at`, `ended_at` UTC ms; phases: name → milliseconds."""

    run: str
    kind: RunKind
    started_at: int
    ended_at: int
    tally: Tally
    phases: dict[str, int]
    customer: str | None = None


class RunFailed(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run ended without a result; nothing is rolled back."""

    run: str
    kind: RunKind
    phase: Phase
    reason: str
    started_at: int
    ended_at: int
    customer: str | None = None


RUNS = Vocabulary(
    Tick,
    ChangeSettings,
    RunRequested,
    RunStarted,
    OrdersSweepProgress,
    OrdersSweepEnded,
    BalanceSweepEnded,
    ProviderUnavailable,
    ProviderRecovered,
    RunTally,
    CustomerSynced,
    PhaseEntered,
    RunCompleted,
    RunFailed,
)
