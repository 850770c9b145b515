"""From records to messages, without a log: what each kind of news leads to, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from stream.contracts.alerts import AlertKind
from stream.contracts.runs import RunKind
from stream.engine.ports import Input
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.delivery_reader import Entry
from stream.sinks.notify.newsroom import Newsroom
from stream.sinks.reading import Place, Positions
from tests.sinks.notify.house import audiences, house
from tests.sinks.notify.news import AT, DAILY, DAY_MS, ORG, about_org, alert_record, completed, failed, opened

MAIL = {"host": "mail.example", "sender": "loyalty@example.com"}
HEARTBEAT = "https://watchdog.example/ping"
ALERTS, RUNS = Place("alerts", 0), Place("runs", 0)


@dataclass
class Desktop:
    """A newsroom with a clock of its own, fed by hand."""

    room: Newsroom
    hands: list[float]

    def read(self, *records: Input) -> None:
        ends: Positions = {}
        for record in records:
            place = Place(record.topic, record.partition)
            ends[place] = max(ends.get(place, 0), record.offset + 1)
        self.room.take(records, ends)
        for ending in self.room.endings_without_place():
            ending.alerts_end = {ALERTS: max((r.offset + 1 for r in records if r.topic == "alerts"), default=0)}

    def titles(self) -> list[tuple[str, str]]:
        return sorted((entry.delivery.channel, entry.delivery.title) for entry in self.room.messages())

    def later(self, seconds: float) -> None:
        self.hands[0] += seconds


def desktop(
    notify: dict[str, Any], *, told: Iterable[Entry] = (), at: str = "2026-01-30T20:00", backlog: int = 0
) -> Desktop:
    hands = [datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()]
    clock = Clock(wall=lambda: hands[0], monotonic=lambda: hands[0])
    settings = house(smtp=MAIL, notify={"window_seconds": 60, **notify})
    room = Newsroom(audiences(settings), told, {}, {ALERTS: backlog}, lambda text: text, clock)
    return Desktop(room, hands)


def mails(*channels: dict[str, object]) -> dict[str, Any]:
    return {"email": [{"to": ["o@example.com"], **channel} for channel in channels]}


GOOD = [("email", "Green Leaf: all is well (245 of 245 balances agree, 1,641 customers)")]


@pytest.mark.parametrize(
    ("records", "told", "because"),
    [
        ([completed()], [("heartbeat", f"Green Leaf: {DAILY} has a result"), *GOOD], "a daily run, all well"),
        (
            [completed("r:b", kind=RunKind.BALANCES)],
            [("heartbeat", "Green Leaf: r:b has a result")],
            "an intraday run without news is no news",
        ),
        (
            [completed(), completed(f"{ORG}:daily:again", offset=1)],
            [("heartbeat", f"Green Leaf: {run} has a result") for run in (DAILY, f"{ORG}:daily:again")] + GOOD,
            "that all is well is said once a day",
        ),
        (
            [completed(), completed(f"{ORG}:daily:next", offset=1, at=AT + DAY_MS)],
            [("heartbeat", f"Green Leaf: {run} has a result") for run in (DAILY, f"{ORG}:daily:next")] + 2 * GOOD,
            "and the next day again",
        ),
        ([failed()], [], "the alert says it, not the end"),
        (
            [
                alert_record(opened(7, run="r:c"), 0),
                completed("r:c", kind=RunKind.CUSTOMER, customer="7"),
            ],
            [("email", "Green Leaf: 1 new discrepancy")],
            "one customer's run says what it found, and proves nothing about the others",
        ),
        (
            [alert_record(about_org(AlertKind.RUN_FAILED, "x", run=DAILY), 0), failed()],
            [("email", "Green Leaf: 1 run failed")],
            "a failed run calls nobody",
        ),
        (
            [alert_record(opened(1), 0), alert_record(opened(2), 1), completed(review=2)],
            [("email", "Green Leaf: 2 new discrepancies"), ("heartbeat", f"Green Leaf: {DAILY} has a result")],
            "with news the daily run is no message of its own",
        ),
        ([alert_record(opened(1, org="other"), 0)], [], "an org that nobody listens to"),
    ],
)
def test_what_happens_leads_to(records: list[Input], told: list[tuple[str, str]], because: str) -> None:
    desk = desktop({**mails({}), "heartbeat": HEARTBEAT})
    desk.read(*records)
    assert desk.titles() == sorted(told), because
    desk.later(3600)
    assert desk.titles() == []


def test_each_channel_gets_its_part_of_a_run() -> None:
    desk = desktop(
        mails(
            {"name": "all"},
            {"name": "big", "minimum_points": 50},
            {"name": "quiet", "digest": False, "kinds": ["run.failed"]},
        )
    )
    desk.read(
        alert_record(opened(1, difference=-10), 0), alert_record(opened(2, difference=90), 1), completed(review=2)
    )
    assert desk.titles() == [
        ("all", "Green Leaf: 2 new discrepancies"),
        ("big", "Green Leaf: 1 new discrepancy"),
    ]


def test_what_comes_at_night_is_one_message_in_the_morning() -> None:
    desk = desktop(mails({"name": "night", "quiet_hours": "22:00-07:00"}, {"name": "always"}), at="2026-01-30T07:00")
    desk.read(alert_record(opened(1), 0), completed(review=1))  # 02:00 in New York
    assert desk.titles() == [("always", "Green Leaf: 1 new discrepancy")]
    desk.later(3600)
    desk.read(alert_record(about_org(AlertKind.PARTITION_STOPPED, "x"), 5))
    desk.later(60)
    assert desk.titles() == [("always", "Green Leaf: 1 partition stopped")]
    assert desk.room.offsets()[ALERTS] == 0
    desk.later(4 * 3600)
    [entry] = desk.room.messages()
    assert entry.delivery.title == "Green Leaf: 1 partition stopped, 1 new discrepancy"
    assert entry.delivery.content is not None
    assert entry.delivery.content.note == "Collected during quiet hours."
    assert desk.room.offsets() == {ALERTS: 6, RUNS: 1}


def test_no_group_ends_by_time_before_all_that_there_was_at_the_start_is_read() -> None:
    desk = desktop(mails({}), backlog=2)
    desk.read(alert_record(about_org(AlertKind.PARTITION_STOPPED), 0))
    desk.later(600)
    assert desk.titles() == []
    desk.read(alert_record(about_org(AlertKind.PARTITION_STOPPED), 1))
    assert desk.titles() == [("email", "Green Leaf: 2 partitions stopped")]


def test_reading_begins_again_at_the_first_record_that_is_in_no_message() -> None:
    desk = desktop(mails({}))
    desk.read(alert_record(opened(1, run="r1"), 0), alert_record(opened(2, run="r2"), 1), failed("r1"))
    assert desk.titles() == [("email", "Green Leaf: 1 new discrepancy")]
    assert desk.room.offsets() == {ALERTS: 1, RUNS: 1}


def test_what_was_told_before_a_restart_is_not_told_again_and_the_rest_is() -> None:
    records = [alert_record(opened(n, run=f"r{n % 2}"), n) for n in range(6)]
    before = desktop({**mails({}), "heartbeat": HEARTBEAT})
    before.read(*records, completed("r0", offset=0))
    told = before.room.messages()
    assert {entry.delivery.channel: entry.delivery.count for entry in told} == {"email": 3, "heartbeat": 0}
    after = desktop({**mails({}), "heartbeat": HEARTBEAT}, told=told, backlog=6)
    after.read(*records, completed("r0", offset=0), completed("r1", offset=1))
    again = after.room.messages()
    assert [(e.delivery.channel, e.delivery.run, e.delivery.count) for e in again] == [
        ("heartbeat", "r1", 0),
        ("email", "r1", 3),
    ]


def test_a_poisonous_record_is_given_up_for_every_channel_and_once() -> None:
    good = alert_record(opened(1), 0)
    poison = good._replace(value=b"{", offset=1)
    desk = desktop(mails({"name": "one"}, {"name": "two"}))
    desk.read(good, poison, alert_record(opened(2), 2), failed())
    made = desk.room.messages()
    assert sorted((e.delivery.channel, e.delivery.outcome.value, e.delivery.count) for e in made) == [
        ("one", "given_up", 1),
        ("one", "pending", 2),
        ("two", "given_up", 1),
        ("two", "pending", 2),
    ]
    after = desktop(mails({"name": "one"}, {"name": "two"}), told=made, backlog=3)
    after.read(good, poison)
    assert after.titles() == []


def test_of_which_days_there_was_a_report_is_known_after_a_restart() -> None:
    before = desktop(mails({"name": "all"}, {"name": "big", "minimum_points": 500}))
    before.read(alert_record(opened(1), 0), completed(review=1))
    told = before.room.messages()
    assert {entry.delivery.channel: entry.delivery.count for entry in told} == {"all": 1, "big": 0}
    after = desktop(mails({"name": "all"}, {"name": "big", "minimum_points": 500}, {"name": "new"}), told=told)
    after.read(completed(f"{ORG}:daily:again", offset=1))
    assert [channel for channel, _ in after.titles()] == ["new"], "the others had theirs, with news or without"
    after.read(alert_record(opened(2), 1), completed(f"{ORG}:daily:third", offset=2))
    after.later(60)
    assert after.titles() == [("all", "Green Leaf: 1 new discrepancy"), ("new", "Green Leaf: 1 new discrepancy")]
    assert after.room.offsets() == {ALERTS: 2, RUNS: 3}, "what is not said holds nothing back"


def test_what_takes_the_place_of_records_that_the_log_has_lost_is_told() -> None:
    """A power cut took the last second of `alerts`, and not that of `deliveries`."""
    before = desktop(mails({}))
    before.read(*(alert_record(opened(n), n) for n in range(4)), failed())
    told = before.room.messages()
    assert [entry.delivery.count for entry in told] == [4]
    after = desktop(mails({}), told=told, backlog=2)
    after.read(*(alert_record(opened(n, run="r2"), n) for n in range(2)))
    after.read(*(alert_record(opened(n, run="r2"), 100 + n, offset=n) for n in (2, 3)), failed("r2", offset=1))
    (entry,) = after.room.messages()
    assert (entry.delivery.count, entry.delivery.alerts) == (2, ("a102", "a103"))
    assert entry.delivery.message != told[0].delivery.message


def test_an_end_of_a_run_that_cannot_be_read_holds_up_nothing() -> None:
    desk = desktop(mails({}))
    desk.read(Input("runs", 0, 0, ORG.encode(), b"{"), completed(offset=1))
    assert desk.titles() == GOOD
