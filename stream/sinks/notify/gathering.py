"""An org's news as one channel gets them: gathered into groups, each of which becomes one message. Pure.

    alerts of one run     until the run has ended and all its alerts are read, else until nothing has come for a window
    alerts without a run  for a window from the first one on
    about customers, while the provider is down
                          until it has recovered, and a window more
    what is due in quiet hours
                          until they end

Time is handed in: `now` in seconds that never go back, so that a clock that jumps changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.contracts.alerts import AlertKind
from stream.sinks.notify.items import Item
from stream.sinks.notify.ranges import Gathered, Taken
from stream.sinks.notify.routing import Route
from stream.sinks.reading import Place

OUTAGE = "outage"
NEVER = float("inf")


@dataclass(eq=False)
class Group:
    """News that will be one message. `due`: when, in seconds. `quiet`: held back during quiet hours."""

    run: str | None
    due: float
    items: list[Item] = field(default_factory=list)
    records: Gathered = field(default_factory=Gathered)
    quiet: bool = False

    def absorb(self, other: Group) -> None:
        """Take over another group's news."""
        self.items += other.items
        self.records.absorb(other.records)


class Desk:
    """Gathers for one channel. `taken`: what earlier messages are about, from before a restart."""

    def __init__(self, route: Route, window_seconds: float, taken: Taken) -> None:
        self._route = route
        self._window = window_seconds
        self._taken = taken
        self._groups: dict[str, Group] = {}
        self._night: Group | None = None
        self._down_since: tuple[Place, int] | None = None
        self._last: dict[Place, Group] = {}

    def take(self, item: Item, now: float) -> None:
        """One more of the org's news. What a message is about already, or nobody wants here, changes no group."""
        kind = getattr(item.body, "kind", None)
        if kind is AlertKind.PROVIDER_UNAVAILABLE:
            self._down_since = self._down_since or (item.place, item.offset)
        elif kind is AlertKind.PROVIDER_RECOVERED:
            self._recovered(now)
        if self.has(item.place, item.offset) or not self._route.wants(item):
            return
        group = self._group(item, now)
        group.items.append(item)
        group.records.add(item.place, item.offset, adjoins=self._last.get(item.place) is group)
        self._last[item.place] = group

    def has(self, place: Place, offset: int) -> bool:
        """Whether a message is about this record already."""
        return self._taken.holds(place, offset)

    def run_ended(self, run: str, now: float) -> None:
        """All of the run's alerts have been taken."""
        if run in self._groups:
            self._groups[run].due = now

    def due(self, now: float, *, quiet: bool) -> list[Group]:
        """The groups to be told now; none while it is quiet."""
        closed = [key for key, group in self._groups.items() if group.due <= now]
        groups = [self._groups.pop(key) for key in closed]
        self._last = {place: group for place, group in self._last.items() if group not in groups}
        if quiet:
            for group in groups:
                self._keep_for_the_morning(group)
            return []
        if self._night is not None:
            groups.insert(0, self._night)
            self._night = None
        return groups

    def needs(self) -> dict[Place, int]:
        """The lowest offsets that are not in a message yet: reading must begin there again after a restart.

        While the provider is down that holds for the alert that said so: it is how the next process will know.
        """
        lowest: dict[Place, int] = {}
        groups = [*self._groups.values(), *([self._night] if self._night else [])]
        firsts = [first for group in groups for first in group.records.first().items()]
        for place, offset in [*firsts, *([self._down_since] if self._down_since else [])]:
            lowest[place] = min(offset, lowest.get(place, offset))
        return lowest

    def _group(self, item: Item, now: float) -> Group:
        if self._down_since is not None and item.customer is not None:
            return self._groups.setdefault(OUTAGE, Group(None, NEVER))
        group = self._groups.setdefault(item.run or "", Group(item.run, now + self._window))
        if item.run is not None and group.due > now:
            group.due = now + self._window  # a run's alerts come together: wait while they come
        return group

    def _recovered(self, now: float) -> None:
        self._down_since = None
        if OUTAGE in self._groups:
            self._groups[OUTAGE].due = now + self._window

    def _keep_for_the_morning(self, group: Group) -> None:
        if self._night is None:
            self._night = Group(None, NEVER, quiet=True)
        self._night.absorb(group)
