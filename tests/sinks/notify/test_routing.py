"""Which of an org's news a channel gets, and when it is left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stream.contracts.alerts import Alert, AlertKind
from stream.settings import EmailSettings, OrgConfiguration
from stream.sinks.notify.routing import route_of
from tests.sinks.notify.news import about_org, digest_item, item_of, opened

FAILED = about_org(AlertKind.RUN_FAILED, "balances: no answer")
RESOLVED = opened(1, difference=3, kind=AlertKind.DISCREPANCY_RESOLVED)


def ms(at: str) -> int:
    return int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)


def channel(**given: object) -> EmailSettings:
    return EmailSettings.model_validate({"to": ["owner@example.com"], **given})


def org(zone: str = "America/New_York") -> OrgConfiguration:
    return OrgConfiguration(id="brand_example", time_zone=zone)


@pytest.mark.parametrize(
    ("settings", "alert", "wanted", "because"),
    [
        ({}, opened(1), True, "nothing is left out by default"),
        ({"minimum_points": 100}, opened(1, difference=-100), True, "exactly as many are enough, either way"),
        ({"minimum_points": 100}, opened(1, difference=99), False, "too few points"),
        ({"minimum_points": 100}, RESOLVED, False, "what is left of the difference counts"),
        ({"minimum_points": 100}, FAILED, True, "it has no points"),
        ({"kinds": ["run.failed"]}, FAILED, True, "the kind is listed"),
        ({"kinds": ["run.failed"]}, opened(1), False, "the kind is not listed"),
        ({"kinds": ["discrepancy.opened"], "minimum_points": 5}, opened(1, difference=3), False, "both must hold"),
    ],
)
def test_a_channel_gets_what_it_asks_for(settings: dict[str, object], alert: Alert, wanted: bool, because: str) -> None:
    assert route_of(channel(**settings), org()).wants(item_of(alert)) is wanted, because


@pytest.mark.parametrize(
    ("settings", "wanted"), [({}, True), ({"digest": False}, False), ({"kinds": ["run.failed"]}, True)]
)
def test_a_digest_is_a_choice_of_its_own(settings: dict[str, object], wanted: bool) -> None:
    assert route_of(channel(**settings), org()).wants(digest_item()) is wanted


@pytest.mark.parametrize(
    ("hours", "zone", "at", "quiet", "because"),
    [
        ("22:00-07:00", "America/New_York", "2026-01-30T02:59", False, "21:59 there"),
        ("22:00-07:00", "America/New_York", "2026-01-30T03:00", True, "22:00 there"),
        ("22:00-07:00", "America/New_York", "2026-01-30T11:59", True, "06:59 there"),
        ("22:00-07:00", "America/New_York", "2026-01-30T12:00", False, "07:00 there"),
        ("22:00-07:00", "America/New_York", "2026-07-30T11:30", False, "07:30 there: summer time"),
        ("12:00-13:30", "UTC", "2026-01-30T13:29", True, "within one day"),
        ("12:00-13:30", "UTC", "2026-01-30T13:30", False, "the end is no part of it"),
        (None, "UTC", "2026-01-30T03:00", False, "never quiet"),
    ],
)
def test_quiet_hours_go_by_the_clocks_of_the_org(hours: str, zone: str, at: str, quiet: bool, because: str) -> None:
    assert route_of(channel(quiet_hours=hours), org(zone)).quiet(ms(at)) is quiet, because


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-01-30T03:00:17", "2026-01-30T12:00"),
        ("2026-01-30T12:00", "2026-01-30T12:00"),
        ("2026-03-08T05:30", "2026-03-08T11:00"),
    ],
)
def test_quiet_hours_have_an_end_also_in_a_night_in_which_the_clocks_change(at: str, until: str) -> None:
    assert route_of(channel(quiet_hours="22:00-07:00"), org()).quiet_until(ms(at)) == ms(until)
