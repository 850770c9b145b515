"""State of runs: everything about one org in one value."""

from __future__ import annotations

import msgspec

from stream.contracts.runs import Phase, RunKind, Tally
from stream.contracts.settings import OrgSettings

REMEMBERED = 200
"""Ids of ended runs, so that starting the same slot twice is one run. Those of one customer are counted apart: however
many there are, they do not push out the others."""


class Running(msgspec.Struct, frozen=True, array_like=True):
    """A run under way or waiting. `entered`: phase → when it began (UTC ms); `tallies`: partition → its counts."""

    run: str
    kind: RunKind
    by: str
    requested_at: int
    customer: str | None = None
    phase: Phase = Phase.QUEUED
    attempt: int = 1
    entered: dict[str, int] = {}
    tallies: dict[int, Tally] = {}

    @property
    def started_at(self) -> int:
        """When the first phase began."""
        return min(self.entered.values(), default=self.requested_at)

    def ended_at(self, at: int) -> int:
        """When it ended, by an event at `at`: events of several clocks, and a phase never lasts less than nothing."""
        return max(at, self.requested_at, *self.entered.values())

    def phases(self, ended_at: int) -> dict[str, int]:
        """Milliseconds spent in each phase."""
        begun = sorted(self.entered.items(), key=lambda item: item[1])
        ends = [at for _, at in begun[1:]] + [ended_at]
        return {phase: end - at for (phase, at), end in zip(begun, ends, strict=True)}


class OrgRuns(msgspec.Struct, frozen=True, array_like=True):
    """An org's settings in force and its runs. `singles`: one-customer runs, which never queue."""

    version: int = 0
    settings: OrgSettings | None = None
    current: Running | None = None
    queued: tuple[Running, ...] = ()
    singles: dict[str, Running] = {}
    ended: tuple[str, ...] = ()
    unavailable_since: int | None = None
    ended_singles: tuple[str, ...] = ()

    def knows(self, run: str) -> bool:
        """Has the run been started before?"""
        here = [r.run for r in (self.current, *self.queued) if r is not None]
        return run in here or run in self.singles or run in self.ended or run in self.ended_singles


def runs_key(org: str) -> bytes:
    """Key of an org's runs."""
    return f"r|{org}".encode()
