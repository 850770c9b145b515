"""Builders of the records that sinks read."""

from __future__ import annotations

from itertools import count

import msgspec

from stream.contracts import dead_letters, topics
from stream.contracts.alerts import Alert, encode_alert
from stream.contracts.cases import CASES, Case
from stream.contracts.entries import ENTRIES, PointsEntry
from stream.contracts.people import PEOPLE, Person, PersonErased
from stream.contracts.profiles import PROFILES, Profile, Verdict
from stream.contracts.runs import RUNS
from stream.contracts.settings import SETTINGS, OrgSettings, SettingsInForce
from stream.engine.ports import Input

ORG = "brand_example"
AT = 1_769_804_518_003  # 2026-01-30T20:21:58.003Z

_offsets = count()


def a_profile(points: int = 40, version: tuple[int, int] = (0, 1), **fields: object) -> Profile:
    """A profile with nothing known of the provider, unless `fields` say otherwise."""
    plain = Profile(
        points=points,
        points_from_orders=points,
        calculated_at=AT + version[1],
        tier="Bronze",
        tier_source="calculated",
        verdict=Verdict.UNKNOWN,
        total_spent_minor=points * 100,
        currency="USD",
        order_count=1,
        settings_version=1,
        epoch=version[0],
        version=version[1],
        export=True,
    )
    return msgspec.structs.replace(plain, **fields)


def record(topic: topics.Topic, key: str, value: bytes | None, *, headers: object = (), partition: int = 0) -> Input:
    """A record as read, at the next offset."""
    return Input(topic.name, partition, next(_offsets), key.encode(), value, tuple(headers))  # type: ignore[arg-type]


def profile_record(customer: str, profile: Profile, org: str = ORG) -> Input:
    value = PROFILES.encode(profile, org=org, customer=customer, at=AT, source="accounts/0")
    return record(topics.PROFILES, f"{org}:{customer}", value)


def person_record(customer: str, person: Person | PersonErased, org: str = ORG) -> Input:
    value = PEOPLE.encode(person, org=org, customer=customer, at=AT, source="alleaves")
    return record(topics.PEOPLE, f"{org}:{customer}", value)


def entry_record(customer: str, entry: PointsEntry, org: str = ORG) -> Input:
    value = ENTRIES.encode(entry, org=org, customer=customer, at=AT, source="accounts/0")
    return record(topics.ENTRIES, f"{org}:{customer}", value)


def case_record(customer: str, case: Case, org: str = ORG) -> Input:
    value = CASES.encode(case, org=org, customer=customer, at=AT, source="accounts/0")
    return record(topics.CASES, f"{org}:{customer}:{case.number}", value)


def alert_record(alert: Alert, alert_id: str, at: int = AT) -> Input:
    value, headers = encode_alert(alert, alert_id=alert_id, at=at)
    return record(topics.ALERTS, f"{alert.org}:{alert.customer}", value, headers=headers)


def run_record(body: msgspec.Struct, at: int = AT, org: str = ORG) -> Input:
    return record(topics.RUNS, org, RUNS.encode(body, org=org, at=at, source="runs/0"))


def settings_record(version: int, settings: OrgSettings, org: str = ORG) -> Input:
    value = SETTINGS.encode(SettingsInForce(version, settings), org=org, at=AT, source="runs/0")
    return record(topics.SETTINGS, org, value)


def dead_letter_record(value: bytes | None, reason: str, *, at: int = AT, stage: str = "alleaves.translate") -> Input:
    headers = dead_letters.headers(org=ORG, at=at, stage=stage, reason=reason, exception="BadRecord")
    return record(topics.DEAD_LETTERS, f"{ORG}:3528", value, headers=headers)
