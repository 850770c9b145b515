"""Two orgs in a views file, principals of every role, and a log that leads straight back into the views."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from stream.contracts import topics
from stream.contracts.access import ACCESS, ALL_ORGS, Account, ApiKey, Membership, Role, access_key
from stream.contracts.alerts import Alert, AlertKind
from stream.contracts.cases import Case, CaseState, CaseStep, Cause, CauseKind
from stream.contracts.deliveries import DELIVERIES, Delivery, MessageKind, Outcome
from stream.contracts.entries import Cause as EntryCause
from stream.contracts.entries import PointsEntry
from stream.contracts.people import Person
from stream.contracts.profiles import Verdict
from stream.contracts.runs import ProviderUnavailable, RunCompleted, RunKind, Tally
from stream.contracts.settings import OrgSettings
from stream.engine.ports import Input, Output
from stream.errors import Unreachable
from stream.sinks.views.read import Views
from stream.web.access.keys import hashed
from stream.web.access.passwords import Passwords
from stream.web.app import create_app
from stream.web.site import Site, site_of
from tests.sinks.records import (
    AT,
    ORG,
    a_profile,
    alert_record,
    case_record,
    dead_letter_record,
    entry_record,
    person_record,
    profile_record,
    record,
    run_record,
    settings_record,
)
from tests.sinks.views_file import views_of

OTHER = "other_brand"
RUN = f"{ORG}:daily:first"
LOCAL_KEY = "l" * 43
TO_REVOKE = "spare"
"""The name of a key that a test may revoke."""
PASSWORD = "correct horse battery"
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
DISCREPANCY: dict[str, Any] = {"verdict": Verdict.DISCREPANCY, "points_from_alpine": 500, "discrepancy": 51}
MATCHED: dict[str, Any] = {
    "verdict": Verdict.MATCHED,
    "points_from_alpine": 475,
    "discrepancy": 25,
    "balance_as_of": AT,
    "tier_source": "alpine_iq",
}
CASE = Case(
    id=f"{ORG}:7:1",
    number=1,
    state=CaseState.OPEN,
    opened_at=AT,
    ours=449,
    provider=500,
    difference=51,
    alerted_points=51,
    causes=(Cause(CauseKind.ADJUSTMENTS, 40, count=1), Cause(CauseKind.UNEXPLAINED, 11)),
    history=(CaseStep("opened", AT, "accounts"),),
    version=1,
)
ENTRY = PointsEntry(
    id="entries-0-1",
    cause=EntryCause.ORDER_ADDED,
    delta_minor=3955,
    delta_points=40,
    points_after=40,
    tier="Bronze",
    settings_version=1,
    order="88213",
    amount_minor=3955,
    ordered_at=AT - 60_000,
    epoch=0,
    version=1,
)
DELIVERY = Delivery(
    message="m-1", kind=MessageKind.ALERTS, channel="discord", outcome=Outcome.DELIVERED, title="1 case", last_at=AT
)


def records() -> list[Input]:
    """What both orgs' logs say."""
    alert = Alert(kind=AlertKind.DISCREPANCY_OPENED, org=ORG, customer="7", case=CASE.id, ours=449, provider=500)
    delivered = DELIVERIES.encode(DELIVERY, org=ORG, at=AT, source="notify")
    return [
        settings_record(1, OrgSettings()),
        settings_record(1, OrgSettings(), org=OTHER),
        profile_record("3528", a_profile(475, points_from_orders=450, calculated_at=AT, **MATCHED)),
        profile_record("8", a_profile(40)),
        profile_record("7", a_profile(449, **DISCREPANCY)),
        profile_record("3528", a_profile(9), org=OTHER),
        person_record("3528", Person("Zoë Quinn", ("+15551234567",), "zoe@example.com", AT)),
        person_record("8", Person("Bob O'Neil", ("+15557654321", "+15550001111"), None, AT)),
        person_record("7", Person("=HYPERLINK(1)", ("+15550001111",), None, AT)),
        entry_record("3528", ENTRY),
        case_record("7", CASE),
        alert_record(alert, "a-1"),
        run_record(ProviderUnavailable(AT, "HTTP 503")),
        run_record(RunCompleted(RUN, RunKind.DAILY, AT - 9, AT, Tally(customers=3), {"orders": 9}), AT),
        dead_letter_record(b'{"total": null}', "total is missing"),
        record(topics.DELIVERIES, f"{ORG}:m-1:discord", delivered),
    ]


def token_of(role: str, org: str = ORG) -> str:
    """The key of a role in an org."""
    return f"loyalty_{key_id(role, org)}_{secret_of(role, org)}"


def secret_of(role: str, org: str = ORG) -> str:
    return (role + org.replace("*", "every")).replace("_", "-").ljust(43, "x")


def key_id(role: str, org: str = ORG) -> str:
    return hashed(role + org)[:8]


def access_record(org: str, body: ApiKey | Account | Membership) -> Input:
    return record(topics.ACCESS, access_key(org, body).decode(), ACCESS.encode(body, org=org, at=AT, source="test"))


def key_record(role: Role, org: str = ORG, name: str = "", **fields: Any) -> Input:
    name = name or role.value
    key = ApiKey(
        id=key_id(name, org),
        name=name,
        role=role,
        hash=hashed(secret_of(name, org)),
        created_at=AT,
        created_by="test",
        **fields,
    )
    return access_record(org, key)


def user_records(name: str, roles: dict[str, Role], **fields: Any) -> list[Input]:
    account = Account(
        name=name, password=QUICK.hash(PASSWORD), password_at=AT, created_at=AT, created_by="test", **fields
    )
    members = [access_record(org, Membership(name, role)) for org, role in roles.items()]
    return [access_record(ALL_ORGS, account), *members]


def everybody() -> list[Input]:
    """A key of every role in every org and for all of them."""
    keys = [key_record(role, org) for role in Role for org in (ORG, OTHER, ALL_ORGS)]
    return [*keys, key_record(Role.VIEWER, name=TO_REVOKE)]


class Follower:
    """Says what it is told to."""

    def __init__(self, *, ready: bool = True, reachable: bool = True) -> None:
        self.ready = ready
        self._reachable = reachable

    async def lag(self) -> int:
        if not self._reachable:
            raise Unreachable("Kafka does not answer")
        return 3


class Log:
    """A publisher whose records are in the views at once. `reacting`: what agents and the like publish then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets = count(1_000_000)
        self.published: list[Output] = []
        self.reacting: Callable[[Output], Iterable[Input]] = lambda _: ()
        self.reachable = True

    async def publish(self, outputs: Iterable[Output]) -> None:
        if not self.reachable:
            raise Unreachable("Kafka does not take records")
        for output in outputs:
            self.published.append(output)
            self.write([Input(output.topic, 0, next(self._offsets), output.key, output.value), *self.reacting(output)])

    async def publish_everywhere(self, output: Output) -> None:
        raise AssertionError("the web publishes nothing partition-wide")

    def write(self, records: Iterable[Input]) -> None:
        """Into the views, those that they follow."""
        shown = [each for each in records if each.topic not in ("facts", "commands", "identities")]
        views_of(self._path, shown).close()

    def of(self, topic: topics.Topic) -> list[Output]:
        return [each for each in self.published if each.topic == topic.name]


@dataclass
class Clock:
    """UTC ms, moved by hand; also monotonic seconds."""

    now: int = AT

    def __call__(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000


@dataclass
class World:
    """A site and what is behind it."""

    path: Path
    views: Views
    log: Log
    clock: Clock
    site: Site
    originals: dict[tuple[int, int], Input] = field(default_factory=dict)

    @cached_property
    def app(self) -> FastAPI:
        """One application, with what it remembers of its callers."""
        return create_app(self.site)

    @asynccontextmanager
    async def client(
        self, token: str | None = LOCAL_KEY, headers: dict[str, str] | None = None, host: str = "127.0.0.1"
    ) -> AsyncIterator[httpx.AsyncClient]:
        """Who sends this key."""
        given = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(host, 1234))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=given | (headers or {})
        ) as client:
            yield client


class Originals:
    """Dead letters' original records, by place."""

    def __init__(self, found: dict[tuple[int, int], Input]) -> None:
        self._found = found

    async def read(self, partition: int, offset: int) -> Input | None:
        return self._found.get((partition, offset))


def world_of(
    folder: Path,
    *more: Iterable[Input],
    follower: Follower | None = None,
    calls_a_minute: int = 100_000,
    views_class: type[Views] = Views,
) -> World:
    """The world in `folder`, with more records."""
    path = folder / "views.db"
    views_of(path, records(), everybody(), *more).close()
    views, log, clock = views_class(path), Log(path), Clock()
    originals: dict[tuple[int, int], Input] = {}
    site = site_of(
        views,
        follower or Follower(),
        log,
        originals=Originals(originals),
        local_key=LOCAL_KEY,
        calls_a_minute=calls_a_minute,
        passwords=QUICK,
        settle_seconds=0.05,
        clock=clock,
        monotonic=clock.monotonic,
    )
    return World(path, views, log, clock, site, originals)
