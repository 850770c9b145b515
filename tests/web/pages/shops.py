"""A shop with a month behind it, as the records that its views are made of; and one that nothing has happened in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import msgspec

from stream.contracts import topics
from stream.contracts.alerts import Alert, AlertKind, encode_alert
from stream.contracts.audit import AUDIT, Action, Audited
from stream.contracts.cases import CASES, AcceptedDifference, Case, CaseState, CaseStep, Cause, CauseKind, Resolution
from stream.contracts.cursors import CURSORS, Cursor
from stream.contracts.deliveries import DELIVERIES, Delivery, MessageKind, Outcome, delivery_key
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.entries import Cause as EntryCause
from stream.contracts.people import PEOPLE, Person
from stream.contracts.profiles import PROFILES, Profile, Verdict
from stream.contracts.runs import (
    RUNS,
    BalanceSweepEnded,
    OrdersSweepEnded,
    OrdersSweepProgress,
    Phase,
    PhaseEntered,
    ProviderUnavailable,
    RunCompleted,
    RunFailed,
    RunKind,
    RunRequested,
    RunStarted,
    Tally,
    VendorUse,
)
from stream.contracts.settings import BRIEF_TIERS, SETTINGS, Mode, OrgSettings, SettingsInForce
from stream.engine.ports import Input
from stream.loyalty.tiers import tier_of
from tests.sinks.records import dead_letter_record

ORG = "brand_example"
NOW = 1_769_804_518_003  # 2026-01-30T20:21:58Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TIERS = (
    msgspec.structs.replace(BRIEF_TIERS[0], benefits=("Birthday treat",)),
    msgspec.structs.replace(BRIEF_TIERS[1], benefits=("5 % off flower", "Birthday treat")),
    msgspec.structs.replace(BRIEF_TIERS[2], benefits=("10 % off everything", "First look at drops", "Birthday treat")),
)
SETTINGS_NOW = OrgSettings(mode=Mode.LIVE, time_zone="America/New_York", tiers=TIERS)
FIRST = ("Ana", "Ben", "Chloe", "Dmitri", "Esperanza", "Farid", "Grace", "Hiroshi", "Imani", "Jonas", "Keisha", "Luca")
LAST = ("Okafor", "Martinez", "Nguyen", "Schmidt", "Rossi", "Haddad", "Silva", "Park", "Johansson", "O'Neill", "Weiss")
SHOPS = ("1000", "1001")
MOVED = {0: 140, 100: -150}
"""Points that Alpine IQ moved, by the place in the list of customers."""
HOSTILE = {
    "9001": "<script>alert(1)</script>",
    "9002": "\u202eevil\u202d reversed \u2067name",
    "9003": "A" * 10_000,
    "9004": 'Robert"); DROP TABLE customers;--',
    "9005": "{{ 7*7 }} ${7*7} &lt;b&gt;",
    "9006": "line\nbreak\ttab \x07 bell",
}

_offsets = count()


def empty_shop() -> list[Input]:
    """Settings are in force; nothing has been read."""
    return [_settings(1, SETTINGS_NOW, NOW - MINUTE)]


def busy_shop(customers: int = 240, *, hostile: bool = False, org: str = ORG) -> list[Input]:
    """A month of a shop: customers of every verdict, cases of every kind, runs of 30 days, dead letters, deliveries."""
    dice = random.Random(7)
    records = [_settings(1, OrgSettings(time_zone="America/New_York"), NOW - 29 * DAY, org)]
    records.append(_settings(2, SETTINGS_NOW, NOW - 12 * DAY, org))
    for number in range(customers):
        records += _customer(dice, str(2000 + number), number, org)
    if hostile:
        for customer, name in HOSTILE.items():
            records += _hostile(customer, name)
    records += _runs(dice, customers, org)
    records += _cursors(org)
    if org == ORG:
        records += [*_letters(), *_alerts(), *_deliveries(), *_audit()]
    return records


def large_shop(customers: int, entries_each: int) -> Iterator[list[Input]]:
    """Many customers, in batches: for how long pages take."""
    dice = random.Random(11)
    for start in range(0, customers, 2000):
        batch: list[Input] = []
        for number in range(start, min(start + 2000, customers)):
            batch += _customer(dice, str(10_000 + number), number, ORG, entries=entries_each)
        yield batch
    yield [*busy_shop(40), *_letters()]


def run_under_way(run: str = f"{ORG}:daily:20260130T202100.000") -> list[Input]:
    """A run in the middle of reading orders."""
    return [
        _run(RunRequested(run, RunKind.DAILY, "user:maria"), NOW - 20_000),
        _run(RunStarted(run, RunKind.DAILY, "user:maria"), NOW - 19_000),
        _run(PhaseEntered(run, Phase.ORDERS), NOW - 19_000),
        _run(OrdersSweepProgress(run, 1, 1200, 640), NOW - 5_000),
    ]


def run_ended(run: str = f"{ORG}:daily:20260130T202100.000") -> list[Input]:
    """The same run, completed."""
    tally = Tally(240, 120, 110, 6, 2, 40, 4, 78, 0, 118, 400, 2)
    return [
        _run(OrdersSweepEnded(run, 1, True, 2689, 1641, 2, 31), NOW),
        _run(PhaseEntered(run, Phase.VERDICTS), NOW),
        _run(
            RunCompleted(run, RunKind.DAILY, NOW - 19_000, NOW + 1000, tally, {"orders": 18_000, "verdicts": 700}),
            NOW + 1000,
        ),
    ]


def outage() -> list[Input]:
    """The provider does not answer."""
    return [_run(ProviderUnavailable(NOW - 70 * MINUTE, "connect timeout"), NOW - 70 * MINUTE)]


def case_record(case: Case, customer: str, org: str = ORG) -> Input:
    """A case, as accounts publish it."""
    value = CASES.encode(case, org=org, customer=customer, at=NOW, source="accounts/0")
    return _record(topics.CASES, f"{org}:{customer}:{case.number}", value)


def settings_record(version: int, settings: OrgSettings, at: int = NOW) -> Input:
    """Settings in force."""
    return _settings(version, settings, at)


def a_case(customer: str, ours: int, provider: int, *causes: Cause, org: str = ORG, **fields: object) -> Case:
    """An open case, opened by last night's run unless `fields` say otherwise."""
    opened = NOW - 13 * HOUR
    case = Case(
        id=f"{org}:{customer}:1",
        number=1,
        state=CaseState.OPEN,
        opened_at=opened,
        ours=ours,
        provider=provider,
        difference=provider - ours,
        alerted_points=provider - ours,
        alerted_at=opened,
        causes=causes,
        history=(CaseStep("opened", opened, f"{org}:daily:2026-01-30", ours, provider),),
        steps=1,
        version=int(customer),
    )
    return msgspec.structs.replace(case, **fields)


def _customer(dice: random.Random, customer: str, number: int, org: str, entries: int | None = None) -> list[Input]:
    name = f"{FIRST[number % len(FIRST)]} {LAST[number * 7 % len(LAST)]}"
    phone = f"+1555{customer.zfill(7)}"
    email = f"{name.split()[0].lower()}.{customer}@example.com"
    person = Person(name, (phone,) if number % 3 else (), email if number % 4 == 0 else None, observed_at=NOW - DAY)
    steps = _entries(dice, customer, entries if entries is not None else dice.randint(1, 14), org)
    ours = steps[-1][1] if steps else 0
    verdict, provider = _sides(number, ours)
    records = [_record(topics.PEOPLE, f"{org}:{customer}", _person(person, customer, org))]
    records += [record for record, _ in steps]
    points = ours if provider is None else provider
    profile = Profile(
        points=points,
        points_from_orders=ours,
        points_from_alpine=provider,
        calculated_at=NOW - 5 * MINUTE,
        tier=tier_of(points, TIERS).name,
        tier_source="calculated" if provider is None else "alpine_iq",
        verdict=verdict,
        discrepancy=None if provider is None else provider - ours,
        alpine_user_id=None if provider is None else f"aiq-{customer}",
        total_spent_minor=ours * 100 + 37,
        currency="USD",
        order_count=max(len(steps) - 1, 1),
        balance_as_of=None if provider is None else NOW - 13 * HOUR,
        home_location=SHOPS[number % 2],
        moved_points=MOVED.get(number),
        redeemed_points=MOVED.get(number) if MOVED.get(number, 0) < 0 else None,
        adjusted_points=MOVED.get(number) if MOVED.get(number, 0) > 0 else None,
        equity=number == 7,
        tier_differs=provider is not None and tier_of(provider, TIERS) != tier_of(ours, TIERS),
        matched_by=None if provider is None else "code" if number % 3 == 0 else "phone" if number % 5 else "email",
        settings_version=2,
        epoch=0,
        version=len(steps) + 1,
        export=True,
    )
    value = PROFILES.encode(profile, org=org, customer=customer, at=NOW - 5 * MINUTE, source="accounts/0")
    records.append(_record(topics.PROFILES, f"{org}:{customer}", value))
    if verdict is Verdict.DISCREPANCY and provider is not None:
        records.append(case_record(_case(number, customer, ours, provider, org), customer, org))
    return records


def _sides(number: int, ours: int) -> tuple[Verdict, int | None]:
    match number % 20:
        case 0 if number < 200:
            return Verdict.DISCREPANCY, ours + (140, -37, 60, 412, 25, -90, 18, 230, -64, 33)[number // 20 % 10] + 30
        case 1:
            return Verdict.TIMING, max(ours - 40, 0)
        case 2 | 3 | 4:
            return Verdict.NOT_ENROLLED, None
        case 5:
            return Verdict.AMBIGUOUS, None
        case 6 | 7 | 8 | 9:
            return Verdict.UNKNOWN, None
    return Verdict.MATCHED, ours


def _case(number: int, customer: str, ours: int, provider: int, org: str) -> Case:
    apart, kind = provider - ours, number // 20 % 10
    unexplained = Cause(CauseKind.UNEXPLAINED, apart)
    causes: dict[int, tuple[Cause, ...]] = {
        0: (
            Cause(CauseKind.ADJUSTMENTS, 140, count=1, detail="goodwill"),
            Cause(CauseKind.UNEXPLAINED, apart - 140),
        ),
        1: (Cause(CauseKind.ORDER_NOT_CREDITED, apart, (f"{88_000 + number}",), 1),),
        2: (Cause(CauseKind.REFUNDS_NOT_APPLIED, 60, ("88213", "88214"), 2), Cause(CauseKind.UNEXPLAINED, apart - 60)),
        5: (Cause(CauseKind.REDEMPTIONS, -150, count=3), Cause(CauseKind.UNEXPLAINED, apart + 150)),
        6: (Cause(CauseKind.EQUITY_MULTIPLIER, apart, detail="applied"),),
    }
    case = a_case(customer, ours, provider, *causes.get(kind, (unexplained,)), org=org)
    if kind == 2:
        step = CaseStep("acknowledged", NOW - 3 * HOUR, "user:maria", note="Asked Alpine IQ, ticket 4471")
        case = msgspec.structs.replace(
            case, state=CaseState.ACKNOWLEDGED, history=(*case.history, step), steps=2, assigned_to="maria"
        )
    if kind == 8:
        accepted = AcceptedDifference(apart, "user:maria", NOW - HOUR, "Goodwill after the recall")
        step = CaseStep("accepted", NOW - HOUR, "user:maria", note=accepted.reason, points=apart)
        case = msgspec.structs.replace(
            case,
            state=CaseState.RESOLVED,
            resolved_at=NOW - HOUR,
            resolved_as=Resolution.ACCEPTED,
            accepted=accepted,
            history=(*case.history, step),
            steps=2,
        )
    return case


def _entries(dice: random.Random, customer: str, how_many: int, org: str) -> list[tuple[Input, int]]:
    made: list[tuple[Input, int]] = []
    points, at = 0, NOW - 28 * DAY
    for number in range(how_many):
        at += dice.randint(6 * HOUR, 3 * DAY) if how_many < 50 else dice.randint(HOUR, 6 * HOUR)
        why_not = dice.choice((None,) * 8 + ("cancelled", "pending"))
        amount = 0 if why_not else dice.randint(900, 14_000)
        gained = (amount + 50) // 100
        points += gained
        entry = PointsEntry(
            id=f"e-{customer}-{number}",
            cause=EntryCause.ORDER_ADDED,
            delta_minor=amount,
            delta_points=gained,
            points_after=points,
            tier=tier_of(points, TIERS).name,
            settings_version=2,
            order=f"{100_000 + int(customer) * 20 + number}",
            amount_minor=amount,
            why_not=why_not,
            ordered_at=min(at, NOW) - HOUR,
            epoch=0,
            version=number + 1,
        )
        value = ENTRIES.encode(entry, org=org, customer=customer, at=min(at, NOW), source="accounts/0")
        made.append((_record(topics.ENTRIES, f"{org}:{customer}", value), points))
    return made


def _hostile(customer: str, name: str) -> list[Input]:
    person = Person(name, (f"+1555000{customer}",), f"{name[:20]}@example.com", observed_at=NOW - DAY)
    profile = Profile(
        points=100,
        points_from_orders=10,
        points_from_alpine=100,
        calculated_at=NOW - HOUR,
        tier="Bronze",
        tier_source="alpine_iq",
        verdict=Verdict.DISCREPANCY,
        discrepancy=90,
        alpine_user_id=name[:200],
        total_spent_minor=1000,
        currency="USD",
        order_count=1,
        balance_as_of=NOW - HOUR,
        home_location="1000",
        settings_version=2,
        epoch=0,
        version=1,
        export=True,
    )
    step = CaseStep("noted", NOW - HOUR, f"user:{name[:50]}", note=name)
    case = a_case(customer, 10, 100, Cause(CauseKind.UNEXPLAINED, 90), assigned_to=name)
    case = replace_history(case, step)
    entry = PointsEntry(
        id=f"e-{customer}",
        cause=EntryCause.ORDER_ADDED,
        delta_minor=1000,
        delta_points=10,
        points_after=10,
        tier="Bronze",
        settings_version=2,
        order="<i>1</i>",
        amount_minor=1000,
        why_not=None,
        epoch=0,
        version=1,
    )
    return [
        _record(topics.PEOPLE, f"{ORG}:{customer}", _person(person, customer, ORG)),
        _record(
            topics.PROFILES,
            f"{ORG}:{customer}",
            PROFILES.encode(profile, org=ORG, customer=customer, at=NOW, source="accounts/0"),
        ),
        _record(
            topics.ENTRIES,
            f"{ORG}:{customer}",
            ENTRIES.encode(entry, org=ORG, customer=customer, at=NOW, source="accounts/0"),
        ),
        case_record(case, customer),
        dead_letter_record(b'{"name": "x"}', f"total: {name[:800]}", at=NOW - HOUR),
    ]


def replace_history(case: Case, *steps: CaseStep) -> Case:
    """The case with more steps."""
    return msgspec.structs.replace(case, history=(*case.history, *steps), steps=case.steps + len(steps))


def _runs(dice: random.Random, customers: int, org: str) -> list[Input]:
    records: list[Input] = []
    for days in range(30, -1, -1):
        began = NOW - 13 * HOUR - days * DAY
        run = f"{org}:daily:{_date(began)}"
        review = 10 + (days % 7) - (days // 9) if days else 10
        records.append(_run(RunStarted(run, RunKind.DAILY, "schedule"), began, org))
        if days == 11:
            reason = "Alpine IQ did not answer: 503 after 6 attempts"
            failed = RunFailed(run, RunKind.DAILY, Phase.BALANCES, reason, began, began + 90_000)
            records.append(_run(failed, began + 90_000, org))
            continue
        seconds = dice.randint(7, 14)
        tally = Tally(
            customers=customers - days,
            with_provider=customers // 2 - days // 2,
            matched=customers // 2 - review - days // 2,
            discrepancy=review,
            timing=2,
            not_enrolled=36,
            ambiguous=12,
            unknown=48,
            compared=customers // 2 - days // 2,
            abs_difference_points=review * dice.randint(60, 90),
            dead_letters=3,
        )
        vendors = {
            "alleaves": VendorUse.of(31, {"timeout": 1} if days % 6 == 0 else {}, 3),
            "alpine_iq": VendorUse.of(4, {"throttled": 2} if days % 5 == 0 else {}, 0),
        }
        phases = {"orders": seconds * 800, "balances": 392, "verdicts": 430}
        ended = began + seconds * 1000
        records += [
            _run(OrdersSweepEnded(run, 1, True, 2600 + 3 * (30 - days), 1640, 3, 31), ended - 900, org),
            _run(BalanceSweepEnded(run, 1, True, 245, 4), ended - 500, org),
            _run(RunCompleted(run, RunKind.DAILY, began, ended, tally, phases, vendors=vendors), ended, org),
        ]
    return records


def _cursors(org: str) -> list[Input]:
    value = CURSORS.encode(Cursor(NOW - 3000), org=org, at=NOW - 3000, source="alleaves")
    return [_record(topics.CURSORS, f"{org}:alleaves", value)]


def _letters() -> list[Input]:
    reasons = (
        ("total is missing", b'{"id_order": 88213, "id_customer": 2044, "status": "complete", "name_first": "Ana"}'),
        ("total is missing", b'{"id_order": 88321, "id_customer": 2050, "status": "complete"}'),
        ("total: amount 'abc' is not a decimal number", b'{"id_order": 88400, "total": "abc"}'),
        ("id_customer is missing", b'{"id_order": 88500, "total": 12.5}'),
    )
    letters = [
        dead_letter_record(raw, reason, at=NOW - (number + 1) * HOUR) for number, (reason, raw) in enumerate(reasons)
    ]
    letters.append(
        dead_letter_record(b"\xff", "the member has no contactID", at=NOW - DAY, stage="alpine_iq.translate")
    )
    return letters


def _alerts() -> list[Input]:
    status = Alert(kind=AlertKind.ORDER_STATUS_UNKNOWN, org=ORG, reason="on hold, layaway")
    value, headers = encode_alert(status, alert_id="alert-status", at=NOW - 13 * HOUR)
    return [Input("alerts", 0, next(_offsets), ORG.encode(), value, tuple(headers))]


def _deliveries() -> list[Input]:
    sent = Delivery(
        message="m1",
        kind=MessageKind.ALERTS,
        channel="discord",
        outcome=Outcome.DELIVERED,
        title="10 customers need review",
        count=10,
        attempts=1,
        first_at=NOW - 13 * HOUR,
        last_at=NOW - 13 * HOUR,
        status=204,
    )
    retrying = msgspec.structs.replace(
        sent,
        channel="email",
        outcome=Outcome.RETRYING,
        attempts=3,
        next_at=NOW + 5 * MINUTE,
        status=421,
        reason="4.3.2 try again later",
    )
    return [
        _record(
            topics.DELIVERIES,
            delivery_key(ORG, each.message, each.channel).decode(),
            DELIVERIES.encode(each, org=ORG, at=NOW - 13 * HOUR, source="notify"),
        )
        for each in (sent, retrying)
    ]


def _audit() -> list[Input]:
    entries = (
        Audited(id="a1", action=Action.CASE_ACKNOWLEDGED, actor="user:maria", target=f"{ORG}:2040:1"),
        Audited(id="a2", action=Action.SETTINGS_CHANGED, actor="user:maria", target="2", reason="Benefits named",
                detail={"version": "2", "settings": _as_text(SETTINGS_NOW)}),
    )  # fmt: skip
    return [
        _record(topics.AUDIT, ORG, AUDIT.encode(each, org=ORG, at=NOW - (2 - number) * HOUR, source="web"))
        for number, each in enumerate(entries)
    ]


def _as_text(settings: OrgSettings) -> str:
    return msgspec.json.Encoder(decimal_format="string").encode(settings).decode()


def _settings(version: int, settings: OrgSettings, at: int, org: str = ORG) -> Input:
    value = SETTINGS.encode(SettingsInForce(version, settings), org=org, at=at, source="runs/0")
    return _record(topics.SETTINGS, org, value)


def _run(body: msgspec.Struct, at: int, org: str = ORG) -> Input:
    return _record(topics.RUNS, org, RUNS.encode(body, org=org, at=at, source="runs/0"))


def _person(person: Person, customer: str, org: str) -> bytes:
    return PEOPLE.encode(person, org=org, customer=customer, at=NOW - DAY, source="alleaves")


def _record(topic: topics.Topic, key: str, value: bytes) -> Input:
    return Input(topic.name, 0, next(_offsets), key.encode(), value, ())


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
