"""Order statuses that the org's settings do not name: found where a complete walk reads the lines anyway, and kept
until the next one, so that the path of an order does not pay for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from stream.contracts.runs import UNKNOWN_STATUS_CHARACTERS, UNKNOWN_STATUSES_MAX
from stream.engine.turn import Turn
from stream.loyalty.order import OrderLine
from stream.loyalty.rules import Rules


class SeenStatuses(msgspec.Struct, frozen=True, array_like=True):
    """What the last complete walk met in this partition, sorted."""

    unknown: tuple[str, ...] = ()


def statuses_key(org: str) -> bytes:
    """Key of an org's `SeenStatuses`."""
    return f"u|{org}".encode()


class Statuses:
    """Collects during a walk. `found`: so far."""

    def __init__(self, rules: Rules, found: Iterable[str] = ()) -> None:
        self._rules = rules
        self.found = set(found)

    def watch(self, lines: Iterable[tuple[str, OrderLine]]) -> Iterator[tuple[str, OrderLine]]:
        """The same lines, looked at on their way. A status matters only where the order's flags are silent."""
        for each in lines:
            line = each[1]
            if line.why_not == "pending" and line.completed is None and line.status and line.gone is None:
                self._add(line.status)
            yield each

    def keep(self, turn: Turn, org: str) -> None:
        """Replace what the walk before found."""
        key, seen = statuses_key(org), SeenStatuses(tuple(sorted(self.found)[:UNKNOWN_STATUSES_MAX]))
        if (turn.state.get(key, SeenStatuses) or SeenStatuses()) != seen:
            turn.state.put(key, seen)

    def _add(self, status: str) -> None:
        if status.casefold() not in self._rules.statuses and len(self.found) < 10 * UNKNOWN_STATUSES_MAX:
            self.found.add(status[:UNKNOWN_STATUS_CHARACTERS])


def unknown_statuses(turn: Turn, org: str, rules: Rules) -> tuple[str, ...]:
    """What the last complete walk met here and the settings still do not name."""
    seen = turn.state.get(statuses_key(org), SeenStatuses) or SeenStatuses()
    return tuple(status for status in seen.unknown if status.casefold() not in rules.statuses)
