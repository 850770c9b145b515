"""Questions that take long: one after the other, so that who asks many leaves room for everybody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from stream.web.problems import Problem

OF_A_CALLER = 3


class Turns:
    """One question at a time is answered; of each caller, `each` wait or are answered."""

    def __init__(self, each: int = OF_A_CALLER) -> None:
        self._each = each
        self._asking: Counter[str] = Counter()
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def next(self, caller: str) -> AsyncIterator[None]:
        """Wait for this caller's turn, which lasts while the block runs. Raises Problem 429 when they wait for others
        of theirs already."""
        if self._asking[caller] >= self._each:
            raise Problem(429, "you are still waiting for answers of this kind", headers={"retry-after": "5"})
        self._asking[caller] += 1
        try:
            async with self._turn:
                yield
        finally:
            self._asking[caller] -= 1
            if not self._asking[caller]:
                del self._asking[caller]
