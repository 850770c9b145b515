"""Leaves a vendor alone that is down."""

from __future__ import annotations

import asyncio

from producers.http.clock import Clock
from producers.http.failures import Open


class Breaker:
    """Closed → open after `failures` in a row → after `open_seconds` half-open: one trial decides.

    The default lets one bad moment pass that hits ten requests in flight at once.
    """

    def __init__(self, *, failures: int = 12, open_seconds: float = 30, clock: Clock | None = None) -> None:
        self._failures = failures
        self._open_seconds = open_seconds
        self._clock = clock or Clock()
        self._failed_in_a_row = 0
        self._said = ""
        self._opened_at: float | None = None
        self._trial: asyncio.Event | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are turned away (also while a trial is under way)."""
        return self._opened_at is not None

    @property
    def remaining_seconds(self) -> float:
        """How long calls are turned away from now on; 0 when the next one is let pass, perhaps as a trial."""
        if self._opened_at is None:
            return 0
        return max(0.0, self._opened_at + self._open_seconds - self._clock.monotonic())

    def check(self, vendor: str) -> None:
        """Raise `Open`, with the seconds to wait, while calls are turned away."""
        remaining = self.remaining_seconds
        if remaining > 0:
            last = f" (last: {self._said})" if self._said else ""
            raise Open(
                f"{vendor} failed {self._failed_in_a_row} times in a row and is left alone for a while{last}",
                retry_after=remaining,
            )

    async def admit(self, vendor: str) -> None:
        """Let a call pass, or raise `Open`. When half-open the first call is the trial; others await its outcome."""
        while self._trial is not None:
            await self._trial.wait()
        self.check(vendor)
        if self._opened_at is not None:
            self._trial = asyncio.Event()

    def succeeded(self) -> None:
        """The vendor answered (also when it refused)."""
        self._failed_in_a_row = 0
        self._opened_at = None
        self._end_trial()

    def failed(self, said: str = "") -> None:
        """The vendor did not answer, or not with something usable; `said`: what happened, in words."""
        self._failed_in_a_row += 1
        self._said = said
        if self._trial is not None or (self._opened_at is None and self._failed_in_a_row >= self._failures):
            self._opened_at = self._clock.monotonic()
        self._end_trial()

    def abandoned(self) -> None:
        """The call was cancelled: it says nothing about the vendor, but a trial is free again."""
        self._end_trial()

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.set()
            self._trial = None
