"""A customer's points over time: by when orders were made, not by when they were read."""

from __future__ import annotations

from msgspec.structs import replace

from stream.contracts.entries import Cause, PointsEntry
from stream.sinks.views.shown import CustomerEntry
from stream.web.pages.history import orders_of, steps_of
from stream.web.pages.moments import DAY_MS

READ = 1_000 * DAY_MS
"""When a first run read everything at once."""


def entry(
    number: int, points: int, *, made_days_ago: int | None = None, read: int = READ, cause: Cause = Cause.ORDER_ADDED
) -> CustomerEntry:
    made = None if made_days_ago is None else READ - made_days_ago * DAY_MS
    body = PointsEntry(
        id=str(number),
        cause=cause,
        delta_minor=points * 100,
        delta_points=points,
        points_after=0,
        tier="Bronze",
        settings_version=1,
        order=None if made is None else str(number),
        ordered_at=made,
        epoch=0,
        version=number,
    )
    return CustomerEntry("o", "7", read, body)


def history(*oldest_first: CustomerEntry) -> list[CustomerEntry]:
    """As the views give them, with the points after each."""
    points, entries = 0, []
    for each in oldest_first:
        points += each.entry.delta_points
        entries.append(CustomerEntry(each.org, each.customer, each.at, _after(each.entry, points)))
    return entries[::-1]


def _after(body: PointsEntry, points: int) -> PointsEntry:
    return replace(body, points_after=points)


def days_ago(steps: list[tuple[int, int]]) -> list[tuple[float, int]]:
    return [((READ - at) / DAY_MS, points) for at, points in steps]


def test_what_was_read_at_once_is_drawn_by_when_it_was_made() -> None:
    read = history(entry(1, 40, made_days_ago=10), entry(2, 7, made_days_ago=200), entry(3, 3, made_days_ago=90))
    (before, *steps) = days_ago(steps_of(read, READ))
    assert steps == [(200, 7), (90, 10), (10, 50)], "the last ones are the customer's"
    assert before == (210, 0), "from nothing"


def test_what_happened_to_an_order_later_happened_when_it_was_read() -> None:
    refunded = entry(2, -40, made_days_ago=10, read=READ + DAY_MS, cause=Cause.ORDER_CHANGED)
    steps = days_ago(steps_of(history(entry(1, 40, made_days_ago=10), refunded), READ))
    assert steps[1:] == [(10, 40), (-1, 0)]


def test_settings_and_older_entries_that_are_not_looked_at_count_too() -> None:
    read = history(
        entry(1, 100, made_days_ago=300), entry(2, 20, made_days_ago=5), entry(3, 6, cause=Cause.EQUITY_CHANGED)
    )
    steps = days_ago(steps_of(read[:-1], READ))
    assert [points for _, points in steps] == [100, 120, 126]
    assert steps[-1][0] == 0


def test_a_clock_of_the_point_of_sale_that_is_ahead_makes_nothing_happen_before_its_time() -> None:
    assert days_ago(steps_of(history(entry(1, 5, made_days_ago=-3)), READ))[-1] == (0, 5)


def test_without_entries_there_are_no_steps() -> None:
    assert steps_of([], READ) == []


def test_orders_come_by_when_they_were_made_with_all_that_they_gave() -> None:
    read = history(
        entry(1, 40, made_days_ago=10),
        entry(2, 7, made_days_ago=2),
        entry(1, -15, made_days_ago=10, cause=Cause.ORDER_CHANGED),
    )
    assert [(each.entry.order, each.points) for each in orders_of(read)] == [("2", 7), ("1", 25)]
