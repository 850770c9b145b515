"""When runs are due, by the clocks of the shop: every local date has one daily slot, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from stream.contracts.settings import OrgSettings, Schedule
from stream.errors import BadRecord
from stream.loyalty.schedule import check_schedule, daily_slot, intraday_slot

NEW_YORK = "America/New_York"


def ms(text: str) -> int:
    """UTC, as ISO 8601 without the zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def shown(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%m-%dT%H:%M")


def settings(daily_at: str | None = "02:00", zone: str = NEW_YORK, every: int = 0, deadline: int = 120) -> OrgSettings:
    return OrgSettings(time_zone=zone, schedule=Schedule(daily_at, every, deadline))


@pytest.mark.parametrize(
    ("now", "daily_at", "zone", "slot", "because"),
    [
        ("2024-01-15T06:59", "02:00", NEW_YORK, ("2024-01-14", "01-14T07:00"), "01:59 in New York: yesterday's"),
        ("2024-01-15T07:00", "02:00", NEW_YORK, ("2024-01-15", "01-15T07:00"), "02:00 sharp"),
        ("2024-01-15T23:59", "02:00", NEW_YORK, ("2024-01-15", "01-15T07:00"), "the whole day"),
        ("2024-01-16T03:00", "02:00", NEW_YORK, ("2024-01-15", "01-15T07:00"), "22:00 is still the 15th there"),
        ("2024-07-15T06:00", "02:00", NEW_YORK, ("2024-07-15", "07-15T06:00"), "summer: an hour earlier in UTC"),
        ("2024-03-10T06:59", "02:00", NEW_YORK, ("2024-03-09", "03-09T07:00"), "01:59 EST, a minute before the gap"),
        ("2024-03-10T07:00", "02:00", NEW_YORK, ("2024-03-10", "03-10T07:00"), "02:00 does not exist: 03:00 EDT"),
        ("2024-03-10T07:29", "02:30", NEW_YORK, ("2024-03-09", "03-09T07:30"), "02:30 does not exist either"),
        ("2024-03-10T07:30", "02:30", NEW_YORK, ("2024-03-10", "03-10T07:30"), "it is 03:30 EDT"),
        ("2024-11-03T05:30", "01:30", NEW_YORK, ("2024-11-03", "11-03T05:30"), "01:30 the first time"),
        ("2024-11-03T06:30", "01:30", NEW_YORK, ("2024-11-03", "11-03T05:30"), "01:30 again: the same slot"),
        ("2024-11-03T06:59", "02:00", NEW_YORK, ("2024-11-02", "11-02T06:00"), "01:59 EST, the second time"),
        ("2024-11-03T07:00", "02:00", NEW_YORK, ("2024-11-03", "11-03T07:00"), "02:00 EST"),
        ("2024-05-01T13:00", "02:00", "Pacific/Auckland", ("2024-05-01", "04-30T14:00"), "ahead of UTC"),
        ("2024-05-01T14:00", "02:00", "Pacific/Auckland", ("2024-05-02", "05-01T14:00"), "its 2nd has begun"),
        ("2011-12-30T12:00", "02:00", "Pacific/Apia", ("2011-12-31", "12-30T12:00"), "there was no 30th in Samoa"),
    ],
)  # fmt: skip
def test_the_newest_daily_slot(now: str, daily_at: str, zone: str, slot: tuple[str, str], because: str) -> None:
    found = daily_slot(settings(daily_at, zone), ms(now))
    assert found is not None
    assert (found.name, shown(found.at)) == slot, because


@pytest.mark.parametrize("zone", [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"])
@pytest.mark.parametrize("daily_at", ["00:00", "01:30", "02:00", "02:30", "23:59"])
def test_each_date_of_a_year_has_one_slot_and_they_follow_each_other(zone: str, daily_at: str) -> None:
    chosen, begins = settings(daily_at, zone), ms("2024-01-01T00:00")
    slots = [daily_slot(chosen, begins + hour * 3_600_000) for hour in range(366 * 24)]
    in_order = list(dict.fromkeys(slot for slot in slots if slot is not None))
    dates = [slot.name for slot in in_order]
    first = datetime.fromisoformat(dates[0])
    assert dates == [(first + timedelta(day)).date().isoformat() for day in range(len(dates))]
    assert len(dates) >= 366
    hours = [(after.at - before.at) / 3_600_000 for before, after in pairwise(in_order)]
    assert (min(hours), max(hours)) in {(24, 24), (23, 25), (23.5, 24.5)}


@pytest.mark.parametrize(
    ("now", "every", "slot", "because"),
    [
        ("2024-05-01T12:29", 15, "20240501T1215Z", "every quarter"),
        ("2024-05-01T12:30", 15, "20240501T1230Z", "sharp"),
        ("2024-05-01T12:30", 60, "20240501T1200Z", "every hour"),
        ("2024-05-01T23:59", 7, "20240501T2355Z", "counted from midnight"),
        ("2024-05-02T00:06", 7, "20240502T0000Z", "the last one of a day may be shorter"),
        ("2024-05-01T12:30", 1440, "20240501T0000Z", "once a day"),
    ],
)
def test_the_newest_intraday_slot(now: str, every: int, slot: str, because: str) -> None:
    found = intraday_slot(settings(every=every), ms(now))
    assert found is not None
    assert found.name == slot, because
    assert shown(found.at) == f"{slot[4:6]}-{slot[6:8]}T{slot[9:11]}:{slot[11:13]}"


def test_an_org_without_a_schedule_is_due_for_nothing() -> None:
    chosen = settings(daily_at=None)
    assert daily_slot(chosen, ms("2024-05-01T12:00")) is None
    assert intraday_slot(chosen, ms("2024-05-01T12:00")) is None


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (settings("2:00"), "schedule.daily_at"),
        (settings("24:00"), "schedule.daily_at"),
        (settings("02:00:30"), "schedule.daily_at"),
        (settings("never"), "schedule.daily_at"),
        (settings(every=-1), "schedule.intraday_minutes"),
        (settings(every=1441), "schedule.intraday_minutes"),
        (settings(deadline=0), "schedule.deadline_minutes"),
        (settings(zone="America/Gotham"), "time_zone"),
        (settings(zone="../etc/passwd"), "time_zone"),
        (settings(zone=""), "time_zone"),
    ],
)
def test_an_impossible_schedule_is_refused_by_its_key(chosen: OrgSettings, names: str) -> None:
    with pytest.raises(BadRecord, match=f"settings: {names} is .*, allowed: "):
        check_schedule(chosen)


@pytest.mark.parametrize("chosen", [settings(), settings(None), settings("23:59", "UTC", 1440, 1), OrgSettings()])
def test_a_possible_schedule_is_taken(chosen: OrgSettings) -> None:
    check_schedule(chosen)
