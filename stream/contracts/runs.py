"""`runs`: a reconciliation from request to result. Key `org`; sinks show it, the runs agent decides it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
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
    """The clock says `minute` (UTC ms, a whole minute). Published by the schedule, which alone reads it.

    In every partition that has an org, about none of them. No event id, as what is partition-wide otherwise has: the
    same minute again is passed over by its number (`docs/decisions/0014-the-clock-of-a-partition.md`).
    """

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
    """A producer has walked the orders. An incomplete walk says why in `reason`.

    `calls`: requests sent to the point of sale meanwhile, the poller's included; `errors`: how many of them failed,
    by kind (see `VendorUse`). `unreadable`: what became a dead letter.
    """

    run: str
    attempt: int
    complete: bool
    orders: int
    customers: int
    unreadable: int
    calls: int
    reason: str | None = None
    errors: dict[str, int] = {}


class OrdersSweepProgress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a walk is, said now and then for those who watch: orders and customers read so far."""

    run: str
    attempt: int
    orders: int
    customers: int


class BalanceSweepEnded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A producer has swept the balances, or could not; `calls`, `errors`, `unreadable` as in `OrdersSweepEnded`."""

    run: str
    attempt: int
    complete: bool
    rows: int
    calls: int
    reason: str | None = None
    errors: dict[str, int] = {}
    unreadable: int = 0


class ProviderUnavailable(msgspec.Struct, frozen=True, omit_defaults=True):
    """The loyalty provider does not answer; `since` UTC ms."""

    since: int
    reason: str


class ProviderRecovered(msgspec.Struct, frozen=True, omit_defaults=True):
    """It answers again."""

    since: int


UNANSWERED = frozenset({"connection", "timeout", "server", "unreadable"})
"""Kinds of errors after which a vendor counts as away. One that throttles or refuses us has answered."""


class VendorUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run asked of a vendor: `answered` of `calls` requests, which is its availability during the run.

    `errors`: kind (`connection`, `timeout`, `server`, `throttled`, `unreadable`, `refused`) → how many.
    `unreadable`: records it sent that nobody can read; each became a dead letter.
    """

    calls: int = 0
    answered: int = 0
    errors: dict[str, int] = {}
    unreadable: int = 0

    @classmethod
    def of(cls, calls: int, errors: dict[str, int], unreadable: int) -> VendorUse:
        """With `answered` worked out."""
        away = sum(count for kind, count in errors.items() if kind in UNANSWERED)
        return cls(calls, max(calls - away, 0), errors, unreadable)


ALLEAVES = "alleaves"
ALPINE_IQ = "alpine_iq"
"""The vendors, as `RunCompleted.vendors` names them."""


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """Counts of accounts, added up over partitions. `abs_difference_points`: sum over the `compared` ones.

    `dead_letters`: what the run's sweeps could not read; counted by runs, not by accounts.
    """

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
    dead_letters: int = 0

    @property
    def average_discrepancy(self) -> Decimal | None:
        """Points between the two sides, on average over the `compared` ones, to a hundredth; None of none."""
        if not self.compared:
            return None
        return (Decimal(self.abs_difference_points) / self.compared).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def plus(self, other: Tally) -> Tally:
        """Field by field sum."""
        return Tally(*(getattr(self, f) + getattr(other, f) for f in self.__struct_fields__))


UNKNOWN_STATUSES_MAX = 20
"""Statuses that one tally names; who meets more has a mapping to write anyway."""
UNKNOWN_STATUS_CHARACTERS = 64
"""What is kept of a status: the vendor's text, which may be anything."""


class RunTally(msgspec.Struct, frozen=True, omit_defaults=True):
    """Accounts partition `partition` of `partitions` has taken its verdicts.

    `unknown_statuses`: order statuses that the org's settings do not name, seen on its lines here: as the point of
    sale writes them, sorted, each once, at most `UNKNOWN_STATUSES_MAX` of `UNKNOWN_STATUS_CHARACTERS` each.
    """

    run: str
    attempt: int
    partition: int
    partitions: int
    tally: Tally
    unknown_statuses: tuple[str, ...] = ()


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
    """All partitions have answered. `started_at`, `ended_at` UTC ms; phases: name → milliseconds.

    `by`: who started it. `queued_ms`: how long it waited for others before. `vendors`: name → what was asked of it,
    of those that a sweep of the run was told to ask.
    """

    run: str
    kind: RunKind
    started_at: int
    ended_at: int
    tally: Tally
    phases: dict[str, int]
    customer: str | None = None
    by: str = ""
    queued_ms: int = 0
    vendors: dict[str, VendorUse] = {}


class RunFailed(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run ended without a result; nothing is rolled back.

    `tally`: of the partitions that had taken their verdicts; None: none had. The others as in `RunCompleted`.
    """

    run: str
    kind: RunKind
    phase: Phase
    reason: str
    started_at: int
    ended_at: int
    customer: str | None = None
    by: str = ""
    queued_ms: int = 0
    phases: dict[str, int] = {}
    tally: Tally | None = None
    vendors: dict[str, VendorUse] = {}


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
