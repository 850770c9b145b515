"""Parts of an org that do as they are told: for tests of the role."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from producers.alleaves.sweep import Progress, WalkResult
from producers.role.parts import OrgProducer
from stream.contracts.names import CustomerId, Millis, OrgId
from stream.contracts.runs import BalanceSweepEnded


@dataclass
class Parts:
    """`calls`: what was called. Sweeps and walks wait while `gate` is closed; `errors` are raised first."""

    org: OrgId
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    poll_errors: list[Exception] = field(default_factory=list)
    pollers: int = 0
    polls: int = 0
    looking: int = 0
    most_looking: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def producer(self, *, provider: bool = True) -> OrgProducer:
        return OrgProducer(
            self.org,
            new_poller=self._new_poller,
            orders=self,
            balances=self if provider else None,
            look_up=self if provider else None,
        )

    async def walk(
        self, run: str, attempt: int, on_progress: Callable[[Progress], None] = lambda progress: None
    ) -> WalkResult:
        await self._pass(f"walk {run} {attempt}")
        return WalkResult(True, 3, 2, 1, 4, Millis(5))

    async def sweep(self, run: str, attempt: int) -> BalanceSweepEnded:
        await self._pass(f"sweep {run} {attempt}")
        return BalanceSweepEnded(run, attempt, True, 7, 1)

    async def look_up(self, run: str, customer: CustomerId) -> None:
        self.calls.append(f"look up {run} {customer}")
        self.looking += 1
        self.most_looking = max(self.most_looking, self.looking)
        await asyncio.sleep(0)
        self.looking -= 1

    async def run(self) -> None:
        """Poll, as fast as possible."""
        while True:
            if self.poll_errors:
                raise self.poll_errors.pop(0)
            self.polls += 1
            await asyncio.sleep(0.005)

    def _new_poller(self) -> Parts:
        self.pollers += 1
        return self

    async def _pass(self, call: str) -> None:
        self.calls.append(call)
        if self.errors:
            raise self.errors.pop(0)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(call)
            raise
