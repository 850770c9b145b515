"""A shop of 100,000 customers and 1,000,000 points entries, as the records that its views are made of."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

import msgspec

from stream.contracts import dead_letters, topics
from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.audit import AUDIT, Action, Audited
from stream.contracts.cases import CASES, Case, CaseState, CaseStep, Cause, CauseKind, Resolution
from stream.contracts.cursors import CURSORS, Cursor
from stream.contracts.deliveries import DELIVERIES, Delivery, MessageKind, Outcome
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.entries import Cause as EntryCause
from stream.contracts.people import PEOPLE, Person
from stream.contracts.profiles import PROFILES, Profile, Verdict
from stream.contracts.runs import RUNS, BalanceSweepEnded, CustomerSynced, RunCompleted, RunKind, RunStarted, Tally
from stream.contracts.settings import SETTINGS, Mode, OrgSettings, SettingsInForce
from stream.engine.ports import Headers, Input
from stream.loyalty.tiers import tier_of
from stream.sinks.reading import Batch, Place
from stream.sinks.views.apply import apply_batch
from stream.sinks.views.file import open_for_writing

ORG = "bench"
NEIGHBOUR = "neighbour"
"""A second, small org in the same views."""
FIRST_ID = 100_000
REGULAR = "100007"
"""A customer with ever so many orders."""
REGULAR_ORDERS = 2_000
CASES_EVERY = 8
"""One customer in so many had a case that is resolved."""
DAYS = 400
VERSIONS = 30
PARTITIONS = 8
NOW = 1_780_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
AT_ONCE = 20_000

SETTINGS_NOW = OrgSettings(mode=Mode.LIVE, time_zone="America/New_York")
SHOPS = tuple(str(1000 + number) for number in range(12))
FIRST = ("Ana", "Ben", "Chloe", "Dmitri", "Esperanza", "Farid", "Grace", "Hiroshi", "Imani", "Jonas", "Maria")
LAST = ("Okafor", "Martinez", "Nguyen", "Schmidt", "Rossi", "Haddad", "Silva", "Park", "O'Neill", "Lopez", "Kim")
VERDICTS = (
    *((Verdict.MATCHED,) * 27 + (Verdict.DISCREPANCY,)),
    *((Verdict.TIMING,) * 2 + (Verdict.NOT_ENROLLED,) * 12 + (Verdict.UNKNOWN,) * 6),
    *(Verdict.AMBIGUOUS, Verdict.MISSING_INTERNAL),
)
COMPARED = (Verdict.MATCHED, Verdict.DISCREPANCY, Verdict.TIMING)


@dataclass(frozen=True)
class Size:
    """How much of everything there is; `entries`: of each customer, `runs`: of single customers."""

    customers: int = 100_000
    entries: int = 10
    runs: int = 10_000
    letters: int = 5_000
    alerts: int = 20_000
    messages: int = 5_000
    audited: int = 5_000

    @property
    def ids(self) -> range:
        """The customers' ids, as numbers."""
        return range(FIRST_ID, FIRST_ID + self.customers)


LARGE = Size()


def write_views(path: Path, size: Size = LARGE) -> int:
    """Write the views as the follower does, batch by batch. Returns how many records that took."""
    connection = open_for_writing(path)
    written = 0
    try:
        shop = _records(size)
        while records := list(islice(shop, AT_ONCE)):
            last = {Place(record.topic, record.partition): record.offset + 1 for record in records}
            if apply_batch(connection, Batch(records, last, {})):
                raise RuntimeError("the views did not take every record")
            written += len(records)
    finally:
        connection.close()
    return written


def _records(size: Size) -> Iterator[Input]:
    dice, offsets = random.Random(7), count()
    shops = chain(
        *(_org(dice, org) for org in (ORG, NEIGHBOUR)),
        *(_customer(dice, number, ORG, size) for number in size.ids),
        *(_customer(dice, number, NEIGHBOUR, size) for number in size.ids[: size.customers // 100]),
        _customer_runs(dice, size),
        _letters(dice, size),
        _alerts(dice, size),
        _messages(size),
    )
    for topic, key, value, headers in shops:
        offset = next(offsets)
        yield Input(topic.name, offset % PARTITIONS, offset, key.encode(), value, tuple(headers))


Made = tuple[topics.Topic, str, bytes, Headers]


def _org(dice: random.Random, org: str) -> Iterator[Made]:
    for version in range(1, VERSIONS + 1):
        given = SettingsInForce(version, SETTINGS_NOW)
        at = NOW - (VERSIONS - version) * DAY
        yield topics.SETTINGS, org, SETTINGS.encode(given, org=org, at=at, source="runs/0"), ()
    yield topics.CURSORS, org, CURSORS.encode(Cursor(NOW - 3000), org=org, at=NOW, source="alleaves"), ()
    for day in range(DAYS, 0, -1):
        yield from _run(dice, org, day)


def _run(dice: random.Random, org: str, day: int) -> Iterator[Made]:
    run, began = f"{org}:daily:{day}", NOW - day * DAY
    tally = Tally(customers=100_000, with_provider=60_000, matched=54_000, discrepancy=dice.randint(1500, 2500))
    ended = began + dice.randint(60_000, 120_000)
    bodies = (
        RunStarted(run, RunKind.DAILY, "schedule"),
        BalanceSweepEnded(run, 1, True, 60_000, 60),
        RunCompleted(run, RunKind.DAILY, began, ended, tally, {"orders": 50_000, "balances": 9000, "verdicts": 700}),
    )
    for body in bodies:
        yield topics.RUNS, org, RUNS.encode(body, org=org, at=ended, source="runs/0"), ()


# --- customers ---


def _customer(dice: random.Random, number: int, org: str, size: Size) -> Iterator[Made]:
    customer = str(number)
    key = f"{org}:{customer}"
    orders = REGULAR_ORDERS if customer == REGULAR else size.entries
    points = 0
    for version in range(1, orders + 1):
        entry = _entry(dice, customer, version, points)
        points = entry.points_after
        at = NOW - (orders - version) * DAY
        yield topics.ENTRIES, key, ENTRIES.encode(entry, org=org, customer=customer, at=at, source="accounts/0"), ()
    verdict = VERDICTS[dice.randrange(len(VERDICTS))]
    profile = _profile(dice, customer, verdict, points, orders)
    yield topics.PROFILES, key, PROFILES.encode(profile, org=org, customer=customer, at=NOW, source="accounts/0"), ()
    person = _person(dice, number)
    yield topics.PEOPLE, key, PEOPLE.encode(person, org=org, customer=customer, at=NOW, source="alleaves"), ()
    if verdict is Verdict.DISCREPANCY or number % CASES_EVERY == 0:
        case = _case(dice, org, customer, profile)
        value = CASES.encode(case, org=org, customer=customer, at=NOW, source="accounts/0")
        yield topics.CASES, f"{key}:1", value, ()


def _entry(dice: random.Random, customer: str, version: int, points: int) -> PointsEntry:
    why_not = "cancelled" if dice.random() < 0.1 else None
    amount = 0 if why_not else dice.randint(900, 14_000)
    gained = (amount + 50) // 100
    return PointsEntry(
        id=f"accounts-0-{version}",
        cause=EntryCause.ORDER_ADDED,
        delta_minor=amount,
        delta_points=gained,
        points_after=points + gained,
        tier=tier_of(points + gained, SETTINGS_NOW.tiers).name,
        settings_version=VERSIONS,
        order=f"{customer}{version:04}",
        amount_minor=amount,
        why_not=why_not,
        ordered_at=NOW - version * 3_600_000,
        epoch=0,
        version=version,
    )


def _profile(dice: random.Random, customer: str, verdict: Verdict, ours: int, orders: int) -> Profile:
    apart = dice.randint(50, 900) * dice.choice((1, -1)) if verdict is Verdict.DISCREPANCY else dice.randint(0, 9)
    provider = ours + apart if verdict in COMPARED else None
    points = ours if provider is None else provider
    return Profile(
        points=points,
        points_from_orders=ours,
        points_from_alpine=provider,
        calculated_at=NOW - 5 * MINUTE,
        tier=tier_of(points, SETTINGS_NOW.tiers).name,
        tier_source="calculated" if provider is None else "alpine_iq",
        verdict=verdict,
        discrepancy=None if provider is None else apart,
        alpine_user_id=None if provider is None else f"contact-{customer}",
        total_spent_minor=ours * 100,
        currency="USD",
        order_count=orders,
        balance_as_of=None if provider is None else NOW - 12 * HOUR,
        home_location=dice.choice(SHOPS),
        settings_version=VERSIONS,
        epoch=0,
        version=orders + 1,
        export=True,
    )


def _person(dice: random.Random, number: int) -> Person:
    first, last = dice.choice(FIRST), dice.choice(LAST)
    phones = (f"+1555{number:07}",) if dice.random() < 0.8 else ()
    email = f"{first.lower()}.{number}@example.com" if dice.random() < 0.4 else None
    return Person(f"{first} {last}", phones, email, NOW - DAY)


def _case(dice: random.Random, org: str, customer: str, profile: Profile) -> Case:
    live = profile.verdict is Verdict.DISCREPANCY
    difference = profile.discrepancy if live and profile.discrepancy else dice.randint(20, 900)
    known = difference // 2
    state = dice.choice((CaseState.OPEN, CaseState.OPEN, CaseState.ACKNOWLEDGED)) if live else CaseState.RESOLVED
    opened = NOW - dice.randint(1, DAYS) * DAY
    return Case(
        id=f"{org}:{customer}:1",
        number=1,
        state=state,
        opened_at=opened,
        ours=profile.points_from_orders,
        provider=profile.points_from_orders + difference,
        difference=difference,
        alerted_points=difference,
        alerted_at=opened,
        resolved_at=None if live else opened + DAY,
        resolved_as=None if live else Resolution.AGREED,
        assigned_to="maria" if dice.random() < 0.2 else None,
        causes=(Cause(CauseKind.ADJUSTMENTS, known, count=2), Cause(CauseKind.UNEXPLAINED, difference - known)),
        history=(CaseStep("opened", opened, f"{org}:daily:1"),),
        steps=1,
        version=1,
    )


# --- what happened ---


def _customer_runs(dice: random.Random, size: Size) -> Iterator[Made]:
    for number in range(size.runs):
        run, customer = f"{ORG}:customer:{number}", str(dice.choice(size.ids))
        began = NOW - number * HOUR
        bodies: Iterable[msgspec.Struct] = (
            RunStarted(run, RunKind.CUSTOMER, "user:maria", customer),
            CustomerSynced(run, "matched"),
            RunCompleted(run, RunKind.CUSTOMER, began, began + 900, Tally(), {}, customer=customer),
        )
        for body in bodies:
            yield topics.RUNS, ORG, RUNS.encode(body, org=ORG, at=began, source="runs/0"), ()


def _letters(dice: random.Random, size: Size) -> Iterator[Made]:
    reasons = ("total is missing", "id_customer is missing", "the member has no contactID", "amount is no number")
    for number in range(size.letters):
        stage = dice.choice(("alleaves.translate", "alpine_iq.translate", "accounts"))
        headers = dead_letters.headers(
            org=ORG, at=NOW - number * HOUR, stage=stage, reason=dice.choice(reasons), exception="BadRecord"
        )
        yield (
            topics.DEAD_LETTERS,
            f"{ORG}:{number}",
            b'{"id_order": %d, "total": null}' % (88_213 + number),
            tuple(headers),
        )


def _alerts(dice: random.Random, size: Size) -> Iterator[Made]:
    for number in range(size.alerts):
        customer = str(dice.choice(size.ids))
        alert = Alert(kind=AlertKind.DISCREPANCY_OPENED, org=ORG, customer=customer, case=f"{ORG}:{customer}:1")
        value, headers = encode_alert(alert, alert_id=f"alert-{number}", at=NOW - (size.alerts - number) * 10 * MINUTE)
        yield topics.ALERTS, f"{ORG}:{customer}", value, tuple(headers)


def _messages(size: Size) -> Iterator[Made]:
    for number in range(size.messages):
        at = NOW - number * HOUR
        sent = Delivery(
            message=f"m{number}",
            kind=MessageKind.ALERTS,
            channel="discord",
            outcome=Outcome.DELIVERED,
            title="5 customers need review",
            first_at=at,
            last_at=at,
        )
        yield (
            topics.DELIVERIES,
            f"{ORG}:m{number}:discord",
            DELIVERIES.encode(sent, org=ORG, at=at, source="notify"),
            (),
        )
    for number in range(size.audited):
        done = Audited(id=f"a{number}", action=Action.CASE_NOTED, actor="user:maria", target=f"{ORG}:100000:1")
        yield topics.AUDIT, ORG, AUDIT.encode(done, org=ORG, at=NOW - number * HOUR, source="web"), ()
