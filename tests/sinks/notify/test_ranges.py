"""Which records messages are about: what is told once is never told again, and nothing else is passed over."""

from __future__ import annotations

import pytest

from stream.contracts.deliveries import Source
from stream.sinks.notify.ranges import Gathered, Taken
from stream.sinks.reading import Place

ALERTS = Place("alerts", 0)


@pytest.mark.parametrize(
    ("records", "ranges", "because"),
    [
        ([(3, False)], ((3, 3),), "one record"),
        ([(3, False), (4, True), (9, True)], ((3, 9),), "what lies between is nobody's: markers, another org"),
        ([(3, False), (5, False)], ((3, 3), (5, 5)), "what lies between is another group's"),
        ([(3, False), (4, True), (8, False), (9, True)], ((3, 4), (8, 9)), "two stretches"),
    ],
)
def test_a_group_names_its_records_as_ranges(
    records: list[tuple[int, bool]], ranges: tuple[tuple[int, int], ...], because: str
) -> None:
    gathered = Gathered()
    for offset, adjoins in records:
        gathered.add(ALERTS, offset, adjoins=adjoins)
    assert gathered.sources() == (Source("alerts", 0, ranges),), because
    assert gathered.first() == {ALERTS: records[0][0]}


def test_a_group_that_takes_over_another_names_both() -> None:
    one, other = Gathered(), Gathered()
    one.add(ALERTS, 7, adjoins=False)
    other.add(ALERTS, 3, adjoins=False)
    other.add(Place("runs", 1), 0, adjoins=False)
    one.absorb(other)
    assert one.sources() == (Source("alerts", 0, ((3, 3), (7, 7))), Source("runs", 1, ((0, 0),)))


@pytest.mark.parametrize(
    ("offset", "held"), [(1, False), (2, True), (4, True), (5, True), (6, True), (7, False), (10, True), (11, False)]
)
def test_what_is_told_is_known_from_all_messages(offset: int, held: bool) -> None:
    taken = Taken([Source("alerts", 0, ((5, 6), (10, 10))), Source("alerts", 0, ((2, 4),))])
    assert taken.holds(ALERTS, offset) is held
    assert not taken.holds(Place("alerts", 1), offset)
    assert not taken.holds(Place("runs", 0), offset)
