"""What is due when: runs begin by ticks alone, each slot once, whatever the clock does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream.agents.runs.clock import SINGLE_DEADLINE_MINUTES
from stream.agents.schedule import ORGS, Schedule
from stream.agents.schedule.ticking import tick_record
from stream.configuration.load import load
from stream.configuration.orgs import org_settings
from stream.contracts import settings as rules
from stream.contracts.facts import LookUpEmpty
from stream.contracts.runs import RUNS, ChangeSettings, Phase, RunKind, Tick
from stream.contracts.settings import Compare, Mode, OrgSettings
from stream.engine.memory.log import MemoryBroker
from stream.errors import Unreachable
from tests.agents.builders import FIRST, Shop, agents, only, settings
from tests.recording import RecordingPublisher

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NEW_YORK = "America/New_York"


def ms(text: str) -> int:
    """UTC, as ISO 8601 without the zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def scheduled(
    daily_at: str | None = "02:00", intraday: int = 0, deadline: int = 120, zone: str = "UTC", **others: Any
) -> OrgSettings:
    return settings(time_zone=zone, schedule=rules.Schedule(daily_at, intraday, deadline), **others)


class Night:
    """A shop whose first run is over, and a clock that says what it is told to."""

    def __init__(self, opened: str, chosen: OrgSettings | None = None, partitions: int = 2) -> None:
        self.chosen = scheduled() if chosen is None else chosen
        self.shop = Shop(partitions, now=ms(opened))

    async def open(self) -> Night:
        await self.shop.open(self.chosen)
        await self.shop.reconcile([])
        return self

    def says(self, minute: int) -> None:
        """A tick, as the schedule publishes it."""
        self.shop.now = max(minute, self.shop.now) if minute >= self.shop.now else minute
        self.shop.publish(tick_record(partition, minute, minute) for partition in range(self.shop.partitions))

    async def at(self, *times: str) -> None:
        """The clock says these minutes, one after the other."""
        for time in times:
            self.says(ms(time))
            await self.shop.settle()

    async def pass_by(self, begins: str, ends: str, step: int = MINUTE) -> None:
        """The clock goes from one time to another, evenly."""
        for minute in range(ms(begins), ms(ends) + 1, step):
            self.says(minute)
        await self.shop.settle()

    async def through(self, run: str) -> None:
        """Producers do what the run asks of them."""
        if f":{RunKind.DAILY}:" in run:
            self.shop.walk(run)
        self.shop.sweep(run, [])
        await self.shop.settle()

    def started(self) -> list[str]:
        """Every run but the first."""
        return [each.run.partition(":")[2] for each in self.shop.said("RunStarted") if each.run != FIRST]

    def failed(self) -> list[tuple[str, Phase]]:
        return [(each.run.partition(":")[2], each.phase) for each in self.shop.said("RunFailed")]


def dailies(*days: str) -> list[str]:
    return [f"daily:{day}" for day in days]


async def test_a_daily_run_starts_at_its_time_and_once() -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.pass_by("2024-05-02T01:00", "2024-05-02T01:59")
    assert night.started() == []
    await night.pass_by("2024-05-02T02:00", "2024-05-02T02:30")
    assert night.started() == dailies("2024-05-02")
    run = only([each for each in night.shop.said("RunStarted") if each.run != FIRST])
    assert (run.kind, run.by) == (RunKind.DAILY, "schedule")
    requested = only([each for each in night.shop.said("RunRequested") if each.run == run.run])
    assert requested.by == "schedule", "those who watch see it as asked for, too"


async def test_the_first_settings_start_one_run_and_no_slot_of_the_past() -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.pass_by("2024-05-01T12:01", "2024-05-02T01:59", 10 * MINUTE)
    assert night.started() == []
    await night.at("2024-05-02T02:00")
    assert night.started() == dailies("2024-05-02")


async def test_what_was_missed_while_everything_was_down_is_started_late_and_only_the_newest() -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.at("2024-05-01T12:05", "2024-05-07T09:13", "2024-05-07T09:14")
    assert night.started() == dailies("2024-05-07")
    await night.through("shop:daily:2024-05-07")
    await night.pass_by("2024-05-07T09:15", "2024-05-08T02:05", 5 * MINUTE)
    assert night.started() == dailies("2024-05-07", "2024-05-08")


@pytest.mark.parametrize(
    ("ticks", "because"),
    [
        (("02:00", "02:00", "02:00", "02:01"), "the same minute again"),
        (("02:00", "01:59", "02:00", "02:01"), "an old tick comes late, of the owner before"),
        (("02:03", "01:58", "02:00", "02:03"), "the clock is set back by minutes"),
        (("02:00", "01:00", "01:59", "02:00", "02:01"), "by an hour, and the time comes again"),
    ],
)
async def test_ticks_that_are_repeated_late_or_go_back_start_no_second_run(
    ticks: tuple[str, ...], because: str
) -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.at("2024-05-01T23:00", *(f"2024-05-02T{tick}" for tick in ticks))
    assert night.started() == dailies("2024-05-02"), because


@pytest.mark.parametrize(
    ("jumps", "expected", "because"),
    [
        (("05-03T02:30", "05-02T12:01", "05-03T02:00"), ("05-02", "05-03"), "a day ahead, and back: the 3rd was early"),
        (("05-01T12:30", "05-02T12:01", "05-03T02:00"), ("05-02", "05-03"), "a day back, and ahead again"),
        (("03-01T12:00", "05-02T12:01"), ("05-02",), "months back: what was then is not made up for"),
        (("03-01T12:00", "03-02T02:00", "05-02T12:01"), ("05-02", "03-02"), "months back, and time goes on there"),
        (
            ("05-03T12:00", "05-02T12:02", "05-03T12:01", "05-02T12:03", "05-03T12:02"), ("05-02", "05-03"),
            "to and fro: each date once",
        ),
    ],
)  # fmt: skip
async def test_a_clock_that_jumps_never_starts_two_runs_of_a_date(
    jumps: tuple[str, ...], expected: tuple[str, ...], because: str
) -> None:
    night = await Night("2024-01-01T12:00").open()
    for time in ("05-01T12:00", "05-02T01:59", "05-02T02:00", *jumps):
        await night.at(f"2024-{time}")
        ended = {run.run for run in night.shop.said("RunCompleted")}
        for run in [f"shop:{run}" for run in night.started()]:
            if run not in ended:
                await night.through(run)
    assert night.started()[1:] == dailies(*(f"2024-{day}" for day in expected)), because


async def test_after_a_clock_was_centuries_ahead_the_days_go_on() -> None:
    night = await Night("2024-05-01T12:00", scheduled(intraday=60)).open()
    await night.at("2024-05-01T12:01", "2299-01-01T12:00", "2024-05-01T12:02")
    assert night.started() == dailies("2299-01-01")
    await night.pass_by("2024-05-01T12:03", "2024-05-01T14:05")
    assert night.failed() == [("daily:2299-01-01", Phase.ORDERS)], "its deadline counts from when the clock came back"
    await night.pass_by("2024-05-01T14:06", "2024-05-02T02:00")
    assert night.started()[1] == "balances:20240501T1500Z"
    assert night.started()[-1] == "balances:20240502T0100Z"
    await night.through(f"shop:{night.started()[-1]}")
    assert night.started()[-1] == "daily:2024-05-02"


async def test_settings_from_a_clock_that_is_ahead_hold_nothing_up() -> None:
    night = await Night("2031-01-01T12:00").open()
    await night.at("2024-05-01T12:00", "2024-05-02T02:00")
    assert night.started() == dailies("2024-05-02")


@pytest.mark.parametrize(
    ("day", "before", "due", "daily_at", "because"),
    [
        ("2024-03-10", "06:59", "07:00", "02:00", "02:00 is missing: it starts when the clocks jump to 03:00"),
        ("2024-11-03", "06:59", "07:00", "02:00", "the hour before it happens twice"),
        ("2024-11-03", "05:29", "05:30", "01:30", "it happens twice itself: the first one counts"),
    ],
)
async def test_a_day_on_which_the_clocks_change_has_one_daily_run(
    day: str, before: str, due: str, daily_at: str, because: str
) -> None:
    night = await Night("2024-01-01T12:00", scheduled(daily_at, zone=NEW_YORK)).open()
    await night.at(f"{day}T00:01")
    before_it = len(night.started())
    await night.through(f"shop:{night.started()[-1]}")
    await night.pass_by(f"{day}T00:02", f"{day}T{before}")
    assert len(night.started()) == before_it
    await night.at(f"{day}T{due}")
    assert night.started()[before_it:] == dailies(day), because
    await night.through(f"shop:daily:{day}")
    await night.pass_by(f"{day}T{due}", f"{day}T23:59")
    assert night.started()[before_it:] == dailies(day)


async def test_a_year_of_ticks_starts_one_daily_run_for_each_date() -> None:
    night = await Night("2023-12-31T20:00", scheduled(deadline=30, zone=NEW_YORK), partitions=1).open()
    await night.pass_by("2024-01-01T00:00", "2024-12-31T23:00", 30 * MINUTE)
    year = [datetime.fromtimestamp((ms("2024-01-01T12:00") + n * DAY) / 1000, UTC).date() for n in range(366)]
    assert night.started() == dailies(*(day.isoformat() for day in year))
    assert night.failed() == [(run, Phase.ORDERS) for run in night.started()], "nobody answered them"
    assert len({headers["ce_id"] for headers in night.shop.alert_headers()}) == 366
    assert sum(map(len, night.shop.state("runs").values())) < 20_000, "state does not grow with the days"


async def test_intraday_runs_begin_on_the_grid_and_none_waits_for_another() -> None:
    night = await Night("2024-05-01T12:07", scheduled(None, intraday=15, deadline=60)).open()
    await night.pass_by("2024-05-01T12:08", "2024-05-01T12:14")
    assert night.started() == [], "the slot before the org's first settings is not made up for"
    await night.at("2024-05-01T12:15", "2024-05-01T12:16")
    assert night.started() == ["balances:20240501T1215Z"]
    await night.pass_by("2024-05-01T12:17", "2024-05-01T12:44")
    await night.through("shop:balances:20240501T1215Z")
    await night.at("2024-05-01T12:44")
    assert night.started() == ["balances:20240501T1215Z"], "12:30 found it under way, and is left out for good"
    await night.at("2024-05-01T12:45")
    await night.through("shop:balances:20240501T1245Z")
    await night.at("2024-05-01T17:10")
    assert night.started()[1:] == ["balances:20240501T1245Z", "balances:20240501T1700Z"], "late, and only the newest"


async def test_a_daily_run_waits_for_an_intraday_one_and_is_not_forgotten() -> None:
    night = await Night("2024-05-01T12:00", scheduled("02:10", intraday=60)).open()
    await night.at("2024-05-02T02:00", "2024-05-02T02:10", "2024-05-02T02:11", "2024-05-02T02:15")
    assert night.started() == ["balances:20240502T0200Z"]
    await night.through("shop:balances:20240502T0200Z")
    assert night.started() == ["balances:20240502T0200Z", "daily:2024-05-02"]
    await night.through("shop:daily:2024-05-02")
    completed = night.shop.said("RunCompleted")[-1]
    assert (completed.by, completed.queued_ms >= 5 * MINUTE) == ("schedule", True)


async def test_a_slot_that_somebody_has_asked_for_already_is_not_started_again() -> None:
    night = await Night("2024-05-01T12:00").open()
    night.shop.now = ms("2024-05-02T01:30")
    night.shop.request(run="shop:daily:2024-05-02")
    await night.shop.settle()
    await night.through("shop:daily:2024-05-02")
    await night.at("2024-05-02T02:00")
    for n in range(250):  # intraday and manual ones push it out of what is remembered of ended runs
        run = night.shop.request(RunKind.BALANCES, run=f"shop:balances:{n}")
        await night.through(run)
    await night.at("2024-05-02T02:01", "2024-05-02T23:00")
    night.shop.request(run="shop:daily:2024-05-02")
    await night.shop.settle()
    assert [run for run in night.started() if "daily" in run] == dailies("2024-05-02")
    assert {each.by for each in night.shop.said("RunRequested")} == {"test"}, "the clock asks for nothing"


async def test_a_minute_in_which_nothing_is_due_changes_nothing_but_the_clock() -> None:
    night = await Night("2024-05-01T12:00", scheduled(intraday=60), partitions=1).open()
    await night.at("2024-05-02T02:00")

    def written() -> Counter[bytes | None]:
        return Counter(record.key for record in night.shop.broker.all("runs-changelog"))

    before = written()
    await night.at("2024-05-02T02:01", "2024-05-02T02:01", "2024-05-02T02:02")
    assert written() - before == {b"s": 3, b"t": 2}


async def test_settings_changed_by_a_clock_that_is_ahead_hold_nothing_up_either() -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.at("2024-05-01T12:01")
    night.shop.now = ms("2031-01-01T00:00")
    night.shop.change_settings(scheduled("03:00"))
    await night.at("2024-05-01T12:02", "2024-05-02T03:00")
    assert night.started() == dailies("2024-05-02")


async def test_a_changed_schedule_holds_from_then_on() -> None:
    night = await Night("2024-05-01T12:00", scheduled(None)).open()
    await night.at("2024-05-02T10:00")
    night.shop.change_settings(scheduled("02:00", intraday=60))
    await night.at("2024-05-02T10:05", "2024-05-02T10:59")
    assert night.started() == [], "what lies before the change is not made up for"
    night.shop.change_settings(scheduled("02:00", intraday=60, compare=Compare.EXPECTED))
    await night.at("2024-05-02T11:00")
    assert night.started() == ["balances:20240502T1100Z"], "other settings leave the schedule alone"
    await night.through("shop:balances:20240502T1100Z")
    night.shop.change_settings(scheduled("02:00"))
    await night.at("2024-05-02T12:00", "2024-05-03T02:00")
    assert night.started()[1:] == dailies("2024-05-03")


async def test_a_run_over_its_deadline_fails_loudly_and_the_next_one_is_not_blocked() -> None:
    night = await Night("2024-05-01T12:00", scheduled(deadline=90)).open()
    await night.at("2024-05-02T02:00")
    following = night.shop.request()
    await night.pass_by("2024-05-02T02:01", "2024-05-02T03:29")
    assert night.failed() == []
    await night.at("2024-05-02T03:30")
    failed, alert = only(night.shop.said("RunFailed")), only(night.shop.alerts())
    assert (failed.run, failed.phase, failed.by) == ("shop:daily:2024-05-02", Phase.ORDERS, "schedule")
    assert "90 minutes" in failed.reason
    assert (alert.kind, alert.run) == ("run.failed", failed.run)
    assert failed.phases == {"orders": 90 * MINUTE}
    assert night.started() == ["daily:2024-05-02", following.partition(":")[2]]
    await night.through("shop:daily:2024-05-02")  # its producers wake up
    await night.pass_by("2024-05-02T03:31", "2024-05-02T04:59")
    assert len(night.failed()) == 1, "the deadline counts from the start, not from the request"
    await night.through(following)
    assert [each.run for each in night.shop.said("RunCompleted")] == [FIRST, following]
    assert night.failed() == [("daily:2024-05-02", Phase.ORDERS)]


async def test_a_failed_slot_is_not_tried_again_by_the_clock_but_by_hand() -> None:
    night = await Night("2024-05-01T12:00").open()
    await night.at("2024-05-02T02:00")
    night.shop.walk("shop:daily:2024-05-02", complete=False)
    await night.pass_by("2024-05-02T02:01", "2024-05-02T09:00", 10 * MINUTE)
    assert night.started() == dailies("2024-05-02")
    again = night.shop.request(run="shop:daily:again")
    await night.shop.settle()
    await night.through(again)
    assert night.shop.said("RunCompleted")[-1].run == again


async def test_a_run_of_one_customer_has_a_deadline_of_its_own() -> None:
    night = await Night("2024-05-01T12:00").open()
    night.shop.enrol("a", 10_000)
    night.shop.now = ms("2024-05-01T13:00")
    night.shop.request(RunKind.CUSTOMER, "one", "a")
    await night.pass_by("2024-05-01T13:01", "2024-05-01T13:05")
    assert night.failed() == []
    await night.at("2024-05-01T13:06")
    failed = only(night.shop.said("RunFailed"))
    assert (failed.run, failed.customer, failed.by) == ("one", "a", "test")
    assert f"{SINGLE_DEADLINE_MINUTES} minutes" in failed.reason
    assert night.shop.alerts() == [], "whoever asked is told"
    night.shop.tell("a", LookUpEmpty("one", night.shop.tick()))
    await night.shop.settle()
    assert len(night.shop.said("RunCompleted")) == 1, "the answer comes too late for it"


async def test_a_worker_that_is_replaced_in_the_middle_of_a_run_goes_on_with_it() -> None:
    night = await Night("2024-05-01T12:00", partitions=3).open()
    await night.at("2024-05-02T02:00", "2024-05-02T02:20")
    await night.shop.restart(keep_stores=False)
    await night.at("2024-05-02T02:20", "2024-05-02T02:21", "2024-05-02T03:59")
    assert (night.started(), night.failed()) == (dailies("2024-05-02"), [])
    await night.shop.restart()
    await night.at("2024-05-02T04:00")
    assert night.failed() == [("daily:2024-05-02", Phase.ORDERS)]


async def test_ticks_concern_every_org_of_their_partition_by_its_own_clocks() -> None:
    night = await Night("2024-05-01T12:00", scheduled(deadline=1440), partitions=1).open()
    for org, zone in (("east", NEW_YORK), ("south", "Pacific/Auckland")):
        night.shop.ask(ChangeSettings(scheduled(deadline=1440, zone=zone), "owner"), org)
    await night.pass_by("2024-05-01T12:01", "2024-05-02T12:00", 10 * MINUTE)
    events = [event for event in night.shop.events(RUNS, "runs") if type(event.data).__name__ == "RunRequested"]
    when = {event.data.run: datetime.fromtimestamp(event.at / 1000, UTC).strftime("%d %H:%M") for event in events}
    assert when == {
        "south:daily:2024-05-02": "01 14:01",
        "shop:daily:2024-05-02": "02 02:01",
        "east:daily:2024-05-02": "02 06:01",
    }


async def test_a_replay_in_other_portions_says_the_same() -> None:
    night = await Night("2024-05-01T12:00", scheduled("02:00", 45, 20, NEW_YORK)).open()
    await night.pass_by("2024-05-01T12:01", "2024-05-03T12:00", 3 * MINUTE)
    night.shop.enrol("a", 10_000)
    night.shop.request(RunKind.CUSTOMER, "one", "a")
    await night.pass_by("2024-05-01T00:00", "2024-05-03T12:00", 7 * MINUTE)
    said = outcome(night.shop.broker)
    assert len(said) > 100

    again = Shop(night.shop.partitions, fetch_size=lambda: 17)
    for partition in range(again.partitions):
        log = night.shop.broker.read("runs", partition)
        for record in [each for each in log if b'"source":"runs/' not in (each.value or b"")]:
            again.broker.append("runs", partition, record.key or b"", record.value)
    await again.restart()
    await again.settle()
    assert outcome(again.broker) == said


def outcome(broker: MemoryBroker) -> list[bytes]:
    """What the runs agent said in `runs`, of the runs that the clock or the first settings began."""
    return [r.value or b"" for r in broker.all("runs") if b'"source":"runs/' in (r.value or b"")]


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_deadline_is_told_in_every_mode(mode: Mode) -> None:
    night = await Night("2024-05-01T12:00", scheduled(mode=mode)).open()
    await night.at("2024-05-02T02:00", "2024-05-02T04:00")
    assert [alert.kind for alert in night.shop.alerts()] == ["run.failed"]


# --- the schedule itself: the only one that reads the clock ---


class Ticking:
    """A schedule over a clock and an ownership that the test sets."""

    def __init__(self) -> None:
        self.publisher = RecordingPublisher()
        self.owned: Iterable[int] = (0, 2)
        self.clock = ms("2024-05-01T12:00")
        self.schedule = Schedule(self.publisher, lambda: self.owned, lambda: self.clock)

    async def beat_at(self, *seconds: int) -> None:
        for each in seconds:
            self.clock = ms("2024-05-01T12:00") + each * 1000
            await self.schedule.beat()

    def told(self) -> list[tuple[int | None, str]]:
        """(partition, minute) of every tick, partition by partition."""
        ticks = [(each.partition, RUNS.decode(each.value or b"").data) for each in self.publisher.of("runs")]
        return sorted((at, datetime.fromtimestamp(t.minute / 1000, UTC).strftime("%H:%M:%S")) for at, t in ticks)


async def test_each_minute_is_told_once_where_the_worker_owns_an_org() -> None:
    ticking = Ticking()
    await ticking.beat_at(3, 8, 55, 60, 61, 119)
    assert ticking.told() == [(at, minute) for at in (0, 2) for minute in ("12:00:00", "12:01:00")]


async def test_a_partition_is_told_the_minute_as_soon_as_it_is_owned_and_not_after() -> None:
    ticking = Ticking()
    await ticking.beat_at(0)
    ticking.owned = (2, 3)
    await ticking.beat_at(5, 65)
    ticking.owned = ()
    await ticking.beat_at(120)
    assert ticking.told() == [
        *((0, minute) for minute in ("12:00:00",)),
        *((2, minute) for minute in ("12:00:00", "12:01:00")),
        *((3, minute) for minute in ("12:00:00", "12:01:00")),
    ]


async def test_a_minute_that_kafka_did_not_take_is_told_again() -> None:
    ticking = Ticking()
    ticking.publisher.failures.append(Unreachable("no broker"))
    with pytest.raises(Unreachable):
        await ticking.beat_at(0)
    await ticking.beat_at(5)
    assert [at for at, _ in ticking.told()] == [0, 2]


def test_what_ticks_cost_in_the_log_stays_small() -> None:
    """90 days of minutes of an org: its partition of `runs` holds so many bytes more, framing included."""
    record = tick_record(0, ms("2024-05-01T12:00"), ms("2024-05-01T12:00") + 4_321)
    framing = 61 + 10  # a record batch of its own
    assert 90 * 1440 * (len(record.value or b"") + len(record.key) + framing) < 24_000_000
    assert RUNS.decode(record.value or b"").id == "", "nothing is kept of a tick but its minute"
    assert isinstance(RUNS.decode(record.value or b"").data, Tick)


async def test_orgs_are_found_by_the_key_that_their_runs_have() -> None:
    shop = await Shop(partitions=1).open()
    assert [key for key in shop.stores["runs", 0].data if key.startswith(ORGS)] == [b"r|shop"]
    assert {agent.name for agent, _ in agents()} >= {"runs"}


@pytest.mark.parametrize(
    ("text", "schedule", "reminds"),
    [
        ("", rules.Schedule("02:00", 0, 120), 0),
        ('daily_at = "23:30"\nintraday_minutes = 15\ndeadline_minutes = 45\ncase_reminds_after_hours = 48',
         rules.Schedule("23:30", 15, 45), 48),
        ("daily_at = 04:15:00", rules.Schedule("04:15", 0, 120), 0),
        ('daily_at = "never"', rules.Schedule(None, 0, 120), 0),
    ],
)  # fmt: skip
def test_the_file_says_when_runs_are_due(tmp_path: Path, text: str, schedule: rules.Schedule, reminds: int) -> None:
    file = tmp_path / "loyalty.toml"
    file.write_text(f'[[org]]\nid = "a"\n[org.settings]\n{text}\n')
    chosen = org_settings(load(file, {}).orgs[0])
    assert (chosen.schedule, chosen.cases.reminds_after_hours) == (schedule, reminds)
