"""A shop over the in-memory engine: what producers would publish, and what the agents made of it.

`Shop` remembers what the point of sale holds, so that a walk finds what was observed before. Publishing is
immediate; nothing is decided until `settle` (or, in tests of interleavings, single steps of the worker).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from stream.agents.accounts import Accounts
from stream.agents.contacts import Contacts
from stream.agents.runs import Runs
from stream.contracts import dead_letters, topics
from stream.contracts.alerts import Alert, decode_alert
from stream.contracts.cases import CASES, Case
from stream.contracts.commands import COMMANDS
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.facts import FACTS, CustomerObserved, OrderObserved, OrdersSnapshot, OrdersSwept, OrderUnreadable
from stream.contracts.identities import IDENTITIES, BalanceObserved, SweepCompleted, SweepStarted
from stream.contracts.names import account_key, identity_key
from stream.contracts.profiles import PROFILES, Profile
from stream.contracts.runs import (
    RUNS,
    BalanceSweepEnded,
    ChangeSettings,
    OrdersSweepEnded,
    RunKind,
    RunRequested,
)
from stream.contracts.settings import Mode, OrgSettings
from stream.engine.memory.log import MemoryBroker, MemoryStore
from stream.engine.memory.worker import FetchSize, MemoryWorker
from stream.engine.ports import Input, Output

ORG = "shop"
FIRST = f"{ORG}:daily:first"
DAY = 86_400_000
LONG_AGO = 10 * DAY
"""When orders are made that a test says nothing about: far outside every settle window."""
NOW = 100 * DAY

Body = TypeVar("Body")


@dataclass(frozen=True)
class Member:
    """A contact at the provider. `points` None: hidden."""

    contact: str
    identities: tuple[str, ...]
    points: int | None
    tier: str | None = None


def member(customer: str, points: int | None) -> Member:
    """The contact of a customer that is known by its code alone."""
    return Member(f"contact-{customer}", (code(customer),), points)


def code(customer: str) -> str:
    return f"code:{customer}"


def agents() -> list[tuple[Any, topics.Topic]]:
    return [
        (Accounts(), topics.ACCOUNTS_CHANGELOG),
        (Contacts(), topics.CONTACTS_CHANGELOG),
        (Runs(), topics.RUNS_CHANGELOG),
    ]


def settings(**fields: object) -> OrgSettings:
    given: dict[str, object] = {"mode": Mode.LIVE} | fields
    return OrgSettings(**given)  # type: ignore[arg-type]


def fact(customer: str, body: msgspec.Struct, at: int, org: str = ORG) -> Output:
    value = FACTS.encode(body, org=org, customer=customer, at=at, source="alleaves")
    return Output("facts", account_key(org, customer), value)


def order(number: str, total_minor: int = 3955, /, **fields: object) -> OrderObserved:
    given: dict[str, object] = {
        "order": number,
        "total_minor": total_minor,
        "currency": "USD",
        "created_at": LONG_AGO,
        "observed_at": NOW,
        "completed": True,
    } | fields
    content = {name: value for name, value in given.items() if name != "observed_at"}
    given.setdefault("content_hash", repr(sorted(content.items())))
    return OrderObserved(**given)  # type: ignore[arg-type]


@dataclass
class Shop:
    """An org whose settings are version 1 once it was `opened`; its first run waits for its walk."""

    partitions: int = 4
    fetch_size: FetchSize = lambda: 1000
    step: Callable[[str], None] = lambda step: None
    now: int = NOW
    sold: dict[str, tuple[str, OrderObserved]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    stores: dict[tuple[str, int], MemoryStore] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(self.partitions)
        self.runs_asked = 0

    # --- the worker ---

    async def open(self, chosen: OrgSettings | None = None) -> Shop:
        await self.restart()
        self.change_settings(settings() if chosen is None else chosen)
        await self.settle()
        return self

    async def restart(self, *, keep_stores: bool = True) -> None:
        """A new worker takes over, with the local stores of the one before or without."""
        self.stores = self.stores if keep_stores else {}
        self.worker = MemoryWorker(
            self.broker, agents(), stores=self.stores, fetch_size=self.fetch_size, step=self.step
        )
        self.worker.now = self.now
        await self.worker.start()

    async def settle(self) -> None:
        await self.worker.run_until_idle()

    # --- what producers and people publish ---

    def tick(self) -> int:
        self.now += 1_000
        return self.now

    def publish(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.broker.append(output.topic, self.broker.place(output), output.key, output.value, output.headers)

    def everywhere(self, vocabulary: Vocabulary, topic: str, body: msgspec.Struct, event_id: str) -> list[Output]:
        value = vocabulary.encode(body, org=ORG, at=self.now, source="producer", event_id=event_id)
        return [Output(topic, ORG.encode(), value, (), partition) for partition in range(self.partitions)]

    def ask(self, body: msgspec.Struct, org: str = ORG) -> None:
        """Something for the runs agent."""
        at = self.tick()
        self.publish([Output("runs", org.encode(), RUNS.encode(body, org=org, at=at, source="test"))])

    def tell(self, customer: str, body: msgspec.Struct, org: str = ORG) -> None:
        """A fact about one customer."""
        self.publish([fact(customer, body, self.tick(), org)])

    def change_settings(self, chosen: OrgSettings, expected_version: int | None = None) -> None:
        self.ask(ChangeSettings(chosen, "owner", expected_version))

    def request(self, kind: RunKind = RunKind.DAILY, run: str | None = None, customer: str | None = None) -> str:
        self.runs_asked += 1
        run = run or f"{ORG}:{kind}:{self.runs_asked}"
        self.ask(RunRequested(run, kind, "test", customer))
        return run

    def observe_order(self, customer: str, number: str, total_minor: int = 3955, /, **fields: object) -> OrderObserved:
        seen = order(number, total_minor, **({"observed_at": self.tick()} | fields))
        self.sold[number] = (customer, seen)
        self.publish([fact(customer, seen, seen.observed_at)])
        return seen

    def observe_customer(self, customer: str, /, *identities: str, **fields: object) -> CustomerObserved:
        at = self.tick()
        content = f"{identities}{sorted(fields.items())}"
        seen = CustomerObserved(**({"observed_at": at, "content_hash": content, "identities": identities} | fields))  # type: ignore[arg-type]
        self.publish([fact(customer, seen, seen.observed_at)])
        return seen

    def enrol(self, customer: str, spend_minor: int, *identities: str) -> None:
        """A customer with one settled order, known by its code unless said otherwise."""
        if spend_minor:
            self.observe_order(customer, f"{customer}-1", spend_minor)
        self.observe_customer(customer, *(identities or (code(customer),)))

    def walk_records(
        self, run: str, *, attempt: int = 1, missing: Collection[str] = (), complete: bool = True
    ) -> list[Output]:
        """A walk of all that was sold but `missing`: orders, snapshots, OrdersSwept, OrdersSweepEnded."""
        started_at = self.tick()
        found = {number: sale for number, sale in self.sold.items() if number not in missing}
        self.sold = {
            number: (customer, msgspec.structs.replace(seen, observed_at=started_at))
            if number in found
            else (customer, seen)
            for number, (customer, seen) in self.sold.items()
        }
        outputs = [fact(customer, self.sold[number][1], started_at) for number, (customer, _) in found.items()]
        by_customer: dict[str, dict[str, str]] = {}
        for number, (customer, seen) in found.items():
            by_customer.setdefault(customer, {})[number] = seen.content_hash
        for number, customer in self.unreadable.items():
            outputs.append(fact(customer, OrderUnreadable(number, started_at, "garbled"), started_at))
            by_customer.setdefault(customer, {})[number] = ""
        walk = f"{run}:{attempt}"
        if complete:
            for customer, orders in by_customer.items():
                outputs.append(fact(customer, OrdersSnapshot(walk, 1, 1, orders, 0, self.now, started_at), started_at))
            swept = OrdersSwept(run, attempt, walk, True, 0, self.now, started_at)
            outputs += self.everywhere(FACTS, "facts", swept, f"{walk}:orders-swept")
        reason = None if complete else "page 3 failed"
        ended = OrdersSweepEnded(run, attempt, complete, len(found), len(by_customer), 0, 1, reason)
        return [*outputs, Output("runs", ORG.encode(), RUNS.encode(ended, org=ORG, at=self.now, source="alleaves"))]

    def sweep_records(
        self, run: str, members: Iterable[Member], *, attempt: int = 1, complete: bool = True
    ) -> list[Output]:
        """A bulk sweep of the provider: SweepStarted, rows, SweepCompleted, BalanceSweepEnded."""
        started_at = self.tick()
        outputs = self.everywhere(
            IDENTITIES, "identities", SweepStarted(run, attempt, started_at), f"SweepStarted:{run}:{attempt}"
        )
        rows = 0
        for each in members:
            rows += 1
            outputs += self.row_records(each, run, attempt)
        if complete:
            ended = SweepCompleted(run, attempt, started_at, rows)
            outputs += self.everywhere(IDENTITIES, "identities", ended, f"SweepCompleted:{run}:{attempt}")
        body = BalanceSweepEnded(run, attempt, complete, rows, 1, None if complete else "HTTP 503")
        return [*outputs, Output("runs", ORG.encode(), RUNS.encode(body, org=ORG, at=self.now, source="alpine_iq"))]

    def row_records(self, each: Member, run: str, attempt: int, customer: str | None = None) -> list[Output]:
        at = self.tick()
        return [
            Output(
                "identities",
                identity_key(ORG, identity),
                IDENTITIES.encode(
                    BalanceObserved(identity, each.contact, each.points, at, run, attempt, each.tier, customer),
                    org=ORG,
                    customer=customer or "",
                    at=at,
                    source="alpine_iq",
                ),
            )
            for identity in each.identities
        ]

    def walk(self, run: str, *, missing: Collection[str] = (), complete: bool = True, attempt: int = 1) -> None:
        self.publish(self.walk_records(run, missing=missing, complete=complete, attempt=attempt))

    def sweep(self, run: str, members: Iterable[Member], *, complete: bool = True, attempt: int = 1) -> None:
        self.publish(self.sweep_records(run, members, complete=complete, attempt=attempt))

    def look_up(self, run: str, customer: str, found: Member) -> None:
        """The provider's answer to a one-customer look-up."""
        self.publish(self.row_records(found, run, 0, customer))

    async def reconcile(self, members: Iterable[Member], *, missing: Collection[str] = ()) -> str:
        """A whole daily run, the first one when it is still waiting."""
        run = FIRST if not self.said("RunCompleted", "RunFailed") else self.request()
        await self.settle()
        self.walk(run, missing=missing)
        await self.settle()
        self.sweep(run, members)
        await self.settle()
        return run

    # --- what came of it ---

    def events(self, vocabulary: Vocabulary, topic: str) -> list[Event[Any]]:
        return [vocabulary.decode(record.value or b"") for record in self.broker.all(topic)]

    def profiles(self) -> dict[str, Profile]:
        """The last profile of each customer."""
        return {event.customer: event.data for event in self.events(PROFILES, "profiles")}

    def told_profiles(self, customer: str) -> list[Profile]:
        """Every profile of a customer, oldest first."""
        return [event.data for event in self.events(PROFILES, "profiles") if event.customer == customer]

    def points(self) -> dict[str, int]:
        return {customer: profile.points_from_orders for customer, profile in self.profiles().items()}

    def verdicts(self) -> dict[str, str]:
        return {customer: profile.verdict.value for customer, profile in self.profiles().items()}

    def entries(self, customer: str | None = None) -> list[PointsEntry]:
        return [e.data for e in self.events(ENTRIES, "entries") if customer in (None, e.customer)]

    def alerts(self) -> list[Alert]:
        return [decode_alert(record.value or b"") for record in self.broker.all("alerts")]

    def alert_headers(self) -> list[dict[str, str]]:
        return [{name: value.decode() for name, value in record.headers} for record in self.broker.all("alerts")]

    def cases(self) -> dict[str, Case]:
        """The last state of each case."""
        return {event.data.id: event.data for event in self.events(CASES, "cases")}

    def said(self, *kinds: str) -> list[Any]:
        """Bodies of these kinds in `runs`, in order (an org has one partition there)."""
        return [e.data for e in self.events(RUNS, "runs") if type(e.data).__name__ in kinds]

    def commands(self) -> list[Any]:
        return [event.data for event in self.events(COMMANDS, "commands")]

    def facts(self, *kinds: str) -> list[Any]:
        return [e.data for e in self.events(FACTS, "facts") if type(e.data).__name__ in kinds]

    def identities(self, *kinds: str) -> list[Any]:
        return [e.data for e in self.events(IDENTITIES, "identities") if type(e.data).__name__ in kinds]

    def dead_letters(self) -> list[str]:
        """Why each was given up."""
        return [dict(record.headers)[dead_letters.REASON].decode() for record in self.broker.all("dead-letters")]

    def state(self, agent: str) -> dict[bytes, bytes]:
        """All keys of an agent over its partitions, without what counts records."""
        found: dict[bytes, bytes] = {}
        for (name, partition), store in self.stores.items():
            if name == agent:
                found |= {key + b"@%d" % partition: value for key, value in store.data.items()}
        return found

    def lines(self) -> list[bytes]:
        return sorted(key for key in self.state("accounts") if key.startswith(b"o|"))


def only(found: Sequence[Body]) -> Body:
    """The one and only element."""
    assert len(found) == 1, found
    return found[0]


def drop(broker: MemoryBroker, topic: str, which: Callable[[Input], bool]) -> int:
    """Lose records from the log as if they had never been written (their offsets become gaps)."""
    lost = 0
    for partition in range(broker.partitions):
        log = broker._logs[topic, partition]
        for offset, record in enumerate(log):
            if record is not None and which(record):
                log[offset] = None
                lost += 1
    return lost


def copy_log(source: MemoryBroker, target: MemoryBroker, topic: str) -> None:
    """The same records at the same offsets."""
    for partition in range(source.partitions):
        target._logs[topic, partition] = list(source._logs[topic, partition])
