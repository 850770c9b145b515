"""What the views answer: plain values, ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass

from stream.contracts.access import ApiKey, Role
from stream.contracts.alerts import Alert
from stream.contracts.cases import Case, CauseKind
from stream.contracts.dead_letters import Remedy, remedy
from stream.contracts.deliveries import Delivery
from stream.contracts.entries import PointsEntry
from stream.contracts.profiles import Profile
from stream.contracts.runs import Tally, VendorUse
from stream.contracts.settings import OrgSettings
from stream.sinks.document import iso, utc


@dataclass(frozen=True)
class Stats:
    """The brief's figures of an org. `last_sync_ms`: end of the last completed run over all customers."""

    total_customers: int
    with_alpine_sync: int
    with_calculated_points: int
    reconciled: int
    needs_review: int
    last_sync_ms: int | None

    def answer(self) -> dict[str, int | str | None]:
        """As the brief spells them: `lastSyncAt` is ISO 8601 with milliseconds and `Z`, null before the first."""
        return {
            "totalCustomers": self.total_customers,
            "withAlpineSync": self.with_alpine_sync,
            "withCalculatedPoints": self.with_calculated_points,
            "reconciled": self.reconciled,
            "needsReview": self.needs_review,
            "lastSyncAt": None if self.last_sync_ms is None else iso(utc(self.last_sync_ms)),
        }


@dataclass(frozen=True)
class CustomerProfile:
    org: str
    customer: str
    profile: Profile


@dataclass(frozen=True)
class CustomerRow:
    """A customer in a list. `person`: None when nobody knows a name; `number`: where a search goes on after it."""

    org: str
    customer: str
    profile: Profile
    person: Person | None
    number: int = 0


@dataclass(frozen=True)
class Chosen:
    """Which customers a list shows; None: all. `case`: `live`, `open` or `acknowledged`."""

    verdict: str | None = None
    tier: str | None = None
    shop: str | None = None
    case: str | None = None


EVERYBODY = Chosen()


@dataclass(frozen=True)
class CustomerEntry:
    """A points entry with the time at which its fact was true (UTC ms)."""

    org: str
    customer: str
    at: int
    entry: PointsEntry


@dataclass(frozen=True)
class CustomerCase:
    org: str
    customer: str
    case: Case


@dataclass(frozen=True)
class ShownAlert:
    """`id` is the CloudEvent's, `at` its time (UTC ms); `partition`, `offset`: its place in the topic."""

    id: str
    at: int
    alert: Alert
    partition: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Run:
    """A run as far as it got. `outcome`: `completed` or `failed`, None while it is under way.

    `answer`: the verdict of a one-customer run, or `failed`. `phases_ms`: what each phase took;
    `queued_ms`: how long it waited for others before. `vendors`: what was asked of each, where it has ended.
    """

    run: str
    org: str
    kind: str
    customer: str | None
    requested_by: str | None
    phase: str
    outcome: str | None
    answer: str | None
    reason: str | None
    requested_at: int | None
    started_at: int | None
    ended_at: int | None
    orders: int | None
    order_customers: int | None
    orders_unreadable: int | None
    alleaves_calls: int | None
    balances: int | None
    alpine_calls: int | None
    queued_ms: int | None
    tally: Tally | None
    phases_ms: dict[str, int]
    vendors: dict[str, VendorUse]


@dataclass(frozen=True)
class Provider:
    """Whether an org's loyalty provider answers, since when (UTC ms), and why not."""

    org: str
    available: bool
    since: int
    reason: str | None


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter, redacted. The original is in its topic at (`partition`, `offset`).

    What a vendor sends again is one: it came `times` times, first at `first_at`, last at `at` (UTC ms) and at
    `last_offset`. `content` tells it apart.
    """

    partition: int
    offset: int
    org: str
    at: int
    stage: str
    reason: str
    exception: str
    source_topic: str
    source_partition: int
    source_offset: int
    key: str
    excerpt: str
    content: str
    first_at: int
    times: int
    last_offset: int
    decision: str | None = None
    """`retry` or `discard`, once somebody decided it, at `decided_at` (UTC ms). `retry` ends when it comes again."""
    decided_at: int | None = None
    decided_by: str | None = None

    @property
    def remedy(self) -> Remedy | None:
        """How it can be tried again."""
        return remedy(self.stage, self.source_topic)


@dataclass(frozen=True)
class LetterReason:
    """How many undecided dead letters have one reason."""

    stage: str
    reason: str
    count: int


@dataclass(frozen=True)
class SettingsVersion:
    """A version of an org's settings. `in_force`: it was seen in force, not only asked for. `by`, `reason`: from the
    audit, where a person changed it."""

    version: int
    at: int
    in_force: bool
    by: str | None
    reason: str | None
    settings: OrgSettings


@dataclass(frozen=True)
class SentDelivery:
    """How a message to a channel stands; `at`: its last attempt (UTC ms)."""

    org: str
    at: int
    delivery: Delivery


@dataclass(frozen=True)
class OrgKey:
    """An API key with the org that it is for (`*`: every org)."""

    org: str
    key: ApiKey


@dataclass(frozen=True)
class OrgMember:
    """Somebody's role in an org; `disabled_at`: of their account."""

    org: str
    name: str
    role: Role
    disabled_at: int | None


@dataclass(frozen=True)
class OpenSession:
    """A browser's session: whose (a principal's id), since when, and last used when, to the hour (UTC ms)."""

    who: str
    began_at: int
    used_at: int


@dataclass(frozen=True)
class AuditEntry:
    """A change that somebody made (UTC ms)."""

    org: str
    at: int
    id: str
    action: str
    actor: str
    target: str | None
    reason: str | None
    detail: dict[str, str]


@dataclass(frozen=True)
class OrgFigures:
    """Sums over an org. `points_outstanding`: points that customers hold; `unexplained_points`: of live cases."""

    points_outstanding: int
    live_cases: int
    unexplained_points: int


@dataclass(frozen=True)
class Person:
    """A customer found by search. An erased one has neither name nor contact data."""

    org: str
    customer: str
    name: str
    phones: tuple[str, ...]
    email: str | None
    erased_at: int | None


def weight_of(case: Case) -> int:
    """How much a case matters: points that nothing explains, without sign. Of a case whose causes were never looked
    for, all of the difference."""
    unexplained = (cause.points for cause in case.causes if cause.kind is CauseKind.UNEXPLAINED)
    return abs(sum(unexplained) if case.causes else case.difference)
