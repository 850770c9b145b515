"""How news become groups: what belongs together is told together, once, and when."""

from __future__ import annotations

from stream.contracts.alerts import AlertKind
from stream.contracts.deliveries import Source
from stream.sinks.notify.gathering import Desk, Group
from stream.sinks.notify.items import Item
from stream.sinks.notify.ranges import Taken
from stream.sinks.notify.routing import Route
from stream.sinks.reading import Place
from tests.sinks.notify.news import DAILY, about_org, digest_item, item_of, opened

WINDOW = 60.0
P0, P1 = Place("alerts", 0), Place("alerts", 1)
DOWN, UP = about_org(AlertKind.PROVIDER_UNAVAILABLE), about_org(AlertKind.PROVIDER_RECOVERED)


def desk(*, wants: object = None, taken: Taken | None = None) -> Desk:
    return Desk(Route(wants or (lambda item: True)), WINDOW, taken or Taken())  # type: ignore[arg-type]


def told(groups: list[Group]) -> list[list[str]]:
    return [[item.id or "digest" for item in group.items] for group in groups]


def due(desk: Desk, now: float, *, quiet: bool = False) -> list[list[str]]:
    return told(desk.due(now, quiet=quiet))


def test_a_runs_alerts_are_one_group_that_ends_with_the_run() -> None:
    one = desk()
    for number in range(3):
        one.take(item_of(opened(number), number, partition=number % 2), now=0)
    assert due(one, 59) == []
    one.run_ended(DAILY, now=59)
    assert due(one, 59) == [["a0", "a1", "a2"]]
    assert due(one, 1000) == []


def test_a_run_that_never_ends_is_told_when_nothing_has_come_for_a_window() -> None:
    one = desk()
    one.take(item_of(opened(1), 1), now=0)
    one.take(item_of(opened(2), 2), now=50)
    assert due(one, 109) == []
    assert due(one, 110) == [["a1", "a2"]]


def test_what_a_run_says_after_it_was_told_is_a_group_of_its_own() -> None:
    one = desk()
    one.take(item_of(opened(1), 1), now=0)
    one.run_ended(DAILY, now=1)
    assert due(one, 1) == [["a1"]]
    one.take(item_of(opened(2), 2), now=2)
    assert due(one, 61) == []
    assert due(one, 62) == [["a2"]]


def test_alerts_without_a_run_wait_for_one_window_from_the_first() -> None:
    one = desk()
    one.take(item_of(about_org(AlertKind.PARTITION_STOPPED), 1), now=0)
    one.take(item_of(about_org(AlertKind.PARTITION_STOPPED), 2), now=59)
    assert due(one, 60) == [["a1", "a2"]]


def test_runs_are_kept_apart() -> None:
    one = desk()
    one.take(item_of(opened(1, run="r1"), 1), now=0)
    one.take(item_of(opened(2, run="r2"), 2), now=0)
    one.run_ended("r2", now=1)
    assert due(one, 1) == [["a2"]]
    one.run_ended("r1", now=2)
    assert due(one, 2) == [["a1"]]


def test_a_daily_run_without_news_is_a_group_too() -> None:
    one = desk()
    one.take(digest_item(), now=0)
    one.run_ended(DAILY, now=0)
    assert due(one, 0) == [["digest"]]


def test_a_daily_run_with_news_is_one_group() -> None:
    one = desk()
    one.take(digest_item(), now=0)
    one.take(item_of(opened(1), 1), now=0)
    one.run_ended(DAILY, now=0)
    assert due(one, 0) == [["digest", "a1"]]


def test_while_the_provider_is_down_news_of_customers_wait_until_it_has_recovered() -> None:
    one = desk()
    one.take(item_of(DOWN, 1), now=0)
    one.take(item_of(opened(5), 2), now=1)
    one.run_ended(DAILY, now=2)
    assert due(one, 60) == [["a1"]]
    assert due(one, 100_000) == []
    one.take(item_of(UP, 3), now=100_000)
    assert due(one, 100_000 + WINDOW) == [["a2"], ["a3"]]


def test_during_an_outage_reading_begins_again_at_the_alert_that_said_so() -> None:
    one = desk()
    one.take(item_of(DOWN, 4), now=0)
    assert due(one, 60) == [["a4"]]
    assert one.needs() == {P0: 4}
    one.take(item_of(UP, 9), now=100)
    assert due(one, 160) == [["a9"]]
    assert one.needs() == {}


def test_an_outage_that_was_told_before_a_restart_is_known_after_it_and_not_told_again() -> None:
    one = desk(taken=Taken([Source("alerts", 0, ((4, 4),))]))
    one.take(item_of(DOWN, 4), now=0)
    one.take(item_of(opened(5), 5), now=0)
    assert due(one, 10_000) == []
    assert one.needs() == {P0: 4}


def test_an_outage_is_known_to_a_channel_that_does_not_want_to_hear_of_it() -> None:
    one = desk(wants=lambda item: item.customer is not None)
    one.take(item_of(DOWN, 1), now=0)
    one.take(item_of(opened(5), 2), now=0)
    assert due(one, 10_000) == []


def test_what_is_due_in_quiet_hours_is_one_group_afterwards() -> None:
    one = desk()
    one.take(item_of(opened(1, run="r1"), 1), now=0)
    one.run_ended("r1", now=0)
    assert due(one, 0, quiet=True) == []
    one.take(item_of(opened(2, run="r2"), 2), now=100)
    one.take(digest_item("r2"), now=100)
    one.run_ended("r2", now=100)
    assert due(one, 100, quiet=True) == []
    assert one.needs() == {P0: 1, Place("runs", 0): 0}
    groups = one.due(200, quiet=False)
    assert told(groups) == [["a1", "a2", "digest"]]
    assert groups[0].quiet
    assert one.needs() == {}


def test_what_a_message_is_about_is_never_gathered_again() -> None:
    one = desk(taken=Taken([Source("alerts", 0, ((1, 3),))]))
    for number in range(1, 6):
        one.take(item_of(opened(number), number), now=0)
    one.run_ended(DAILY, now=0)
    assert due(one, 0) == [["a4", "a5"]]


def test_a_group_names_exactly_the_records_that_it_is_about() -> None:
    one = desk(wants=lambda item: item.customer != "13")
    stream = [(1, "r1"), (2, "r1"), (13, "r1"), (4, "r1"), (5, "r2"), (6, "r1")]
    for number, run in stream:
        one.take(item_of(opened(number, run=run), number), now=0)
    assert one.needs() == {P0: 1}
    one.run_ended("r1", now=0)
    [group] = one.due(0, quiet=False)
    assert group.records.sources() == (Source("alerts", 0, ((1, 4), (6, 6))),)
    assert one.needs() == {P0: 5}


def test_after_a_restart_the_same_group_comes_together_whatever_order_partitions_are_read_in() -> None:
    records = [item_of(opened(n, run="r1" if n % 3 else "r2"), n, partition=n % 2) for n in range(10)]

    def groups(order: list[Item]) -> set[frozenset[str]]:
        one = desk()
        for item in order:
            one.take(item, now=0)
        one.run_ended("r1", now=0)
        one.run_ended("r2", now=0)
        return {frozenset(group) for group in due(one, 0)}

    turned = [item for item in records if item.place == P1] + [item for item in records if item.place == P0]
    assert groups(records) == groups(turned)
