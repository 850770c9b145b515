"""State of runs: everything about one org in one value, and what the clock said last.

Keys: `r|org` → OrgRuns, `t` → Clock.
"""

from __future__ import annotations

import msgspec

from stream.contracts.runs import Phase, RunKind, Tally, VendorUse
from stream.contracts.settings import OrgSettings

REMEMBERED = 200
"""Ids of ended runs, so that starting the same slot twice is one run. Those of one customer are counted apart: however
many there are, they do not push out the others."""
SLOTS_REMEMBERED = 40
"""Daily slots that were dealt with: a clock that goes back by as many days starts none of them again."""
STATUSES_REMEMBERED = 200
"""Unknown order statuses that were told; beyond that nobody is told of another."""
CLOCK = b"t"
"""Key of what the clock said last in this partition."""


class Running(msgspec.Struct, frozen=True, array_like=True):
    """A run under way or waiting. `entered`: phase → when it began (UTC ms); `tallies`: partition → its counts.

    `timed_from`: since when its deadline counts, once the clock has been set back behind its start (UTC ms).
    """

    run: str
    kind: RunKind
    by: str
    requested_at: int
    customer: str | None = None
    phase: Phase = Phase.QUEUED
    attempt: int = 1
    entered: dict[str, int] = {}
    tallies: dict[int, Tally] = {}
    vendors: dict[str, VendorUse] = {}
    timed_from: int | None = None

    @property
    def deadline_from(self) -> int:
        """Since when its deadline counts (UTC ms): its start, not its request."""
        return self.started_at if self.timed_from is None else self.timed_from

    @property
    def queued_ms(self) -> int:
        """How long it waited for others."""
        return max(self.started_at - self.requested_at, 0)

    @property
    def unreadable(self) -> int:
        """What its sweeps could not read."""
        return sum(use.unreadable for use in self.vendors.values())

    @property
    def started_at(self) -> int:
        """When the first phase began."""
        return min(self.entered.values(), default=self.requested_at)

    def ended_at(self, at: int) -> int:
        """When it ended, by an event at `at`: events of several clocks, and a phase never lasts less than nothing."""
        return max(at, self.requested_at, *self.entered.values())

    def phases(self, ended_at: int) -> dict[str, int]:
        """Milliseconds spent in each phase; none of a run that was refused."""
        begun = sorted(self.entered.items(), key=lambda item: item[1])
        if not begun:
            return {}
        ends = [at for _, at in begun[1:]] + [ended_at]
        return {phase: end - at for (phase, at), end in zip(begun, ends, strict=True)}


class OrgRuns(msgspec.Struct, frozen=True, array_like=True):
    """An org's settings in force and its runs. `singles`: one-customer runs, which never queue.

    `scheduled_from`: slots up to then are not made up for (UTC ms): the org, or its schedule, is younger, or the clock
    was set back to there. `slots`: daily slots that were dealt with, as run ids. `intraday_through`: the last intraday
    slot that was (UTC ms). `statuses_told`: unknown order statuses that people were alerted of. `failing`: the phase in
    which the last run failed that people were alerted of; None once a run is through, or the provider is back.
    """

    version: int = 0
    settings: OrgSettings | None = None
    current: Running | None = None
    queued: tuple[Running, ...] = ()
    singles: dict[str, Running] = {}
    ended: tuple[str, ...] = ()
    unavailable_since: int | None = None
    ended_singles: tuple[str, ...] = ()
    scheduled_from: int = 0
    slots: tuple[str, ...] = ()
    intraday_through: int = 0
    statuses_told: tuple[str, ...] = ()
    failing: Phase | None = None

    def knows(self, run: str) -> bool:
        """Has the run been started before?"""
        here = [r.run for r in (self.current, *self.queued) if r is not None]
        elsewhere = (self.singles, self.ended, self.ended_singles, self.slots)
        return run in here or any(run in known for known in elsewhere)


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """What the clock said last: a whole minute, UTC ms."""

    minute: int


ORGS = b"r|"
"""Prefix of the runs of every org in the partition."""


def runs_key(org: str) -> bytes:
    """Key of an org's runs."""
    return ORGS + org.encode()


def remember(known: tuple[str, ...], name: str, most: int = REMEMBERED) -> tuple[str, ...]:
    """With `name` as the newest, at most so many."""
    return (*known, name)[-most:]
