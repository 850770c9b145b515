"""How often somebody may call."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import pyrate_limiter as pyrate

KNOWN_MAX = 10_000
"""Callers that are remembered; the one that was quiet longest is forgotten first."""


class RateLimit:
    """At most `limit` calls in any `seconds`, for each caller by itself. `clock`: monotonic seconds."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = pyrate.Rate(limit, max(1, round(seconds * 1000)))
        self._clock = clock
        self._callers: OrderedDict[str, pyrate.InMemoryBucket] = OrderedDict()

    def wait(self, caller: str) -> float:
        """0 when the caller may call now (which counts), else the seconds until they may."""
        now_ms = int(self._clock() * 1000)
        bucket = self._bucket(caller)
        bucket.leak(now_ms)
        item = pyrate.RateItem(caller, now_ms)
        if bucket.put(item):
            return 0.0
        waiting = bucket.waiting(item)
        assert isinstance(waiting, int), "an in-memory bucket answers at once"
        return max(1, waiting) / 1000

    def _bucket(self, caller: str) -> pyrate.InMemoryBucket:
        bucket = self._callers.get(caller)
        if bucket is None:
            bucket = self._callers[caller] = pyrate.InMemoryBucket([self._rate])
            while len(self._callers) > KNOWN_MAX:
                self._callers.popitem(last=False)
        self._callers.move_to_end(caller)
        return bucket
