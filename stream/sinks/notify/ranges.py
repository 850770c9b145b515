"""Which records messages are already about: ranges of offsets per partition. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from stream.contracts.deliveries import Source
from stream.sinks.reading import Place

Range = tuple[int, int]
"""First and last offset, both included."""


class Gathered:
    """The records of a group, as ranges. A range runs on over records that do not concern the channel."""

    def __init__(self) -> None:
        self._ranges: dict[Place, list[Range]] = {}

    def add(self, place: Place, offset: int, *, adjoins: bool) -> None:
        """One more record. `adjoins`: the channel's record before it at this place belongs to the group too."""
        ranges = self._ranges.setdefault(place, [])
        if ranges and adjoins:
            ranges[-1] = (ranges[-1][0], offset)
        else:
            ranges.append((offset, offset))

    def absorb(self, other: Gathered) -> None:
        """The records of another group as well."""
        for place, ranges in other._ranges.items():
            self._ranges[place] = sorted(self._ranges.get(place, []) + ranges)

    def first(self) -> dict[Place, int]:
        """The lowest offset at each place."""
        return {place: ranges[0][0] for place, ranges in self._ranges.items()}

    def sources(self) -> tuple[Source, ...]:
        """As a message carries them."""
        return tuple(Source(*place, tuple(ranges)) for place, ranges in sorted(self._ranges.items()))


class Taken:
    """The records that a channel's messages are about, from all its messages.

    `ends`: where the log ends. What lies beyond is gone: a log that lost its tail gives its offsets to other records.
    """

    def __init__(self, sources: Iterable[Source] = (), ends: Mapping[Place, int] | None = None) -> None:
        ranges: dict[Place, list[Range]] = {}
        for source in sources:
            place = Place(source.topic, source.partition)
            ranges.setdefault(place, []).extend(_within(source.ranges, (ends or {}).get(place)))
        self._ranges = {place: _merged(found) for place, found in ranges.items()}

    def holds(self, place: Place, offset: int) -> bool:
        """Whether some message is about this record."""
        ranges = self._ranges.get(place, [])
        at = bisect_right(ranges, offset, key=lambda each: each[0]) - 1
        return at >= 0 and offset <= ranges[at][1]


def _within(ranges: Iterable[Range], end: int | None) -> list[Range]:
    if end is None:
        return list(ranges)
    return [(first, min(last, end - 1)) for first, last in ranges if first < end]


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
