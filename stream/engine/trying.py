"""Trying a transaction again: what may pass is waited for, within a bound; everything else is raised at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

BACKOFF_SECONDS = (0.1, 0.3, 1.0, 3.0, 5.0, 5.0, 5.0)
TRYING_SECONDS = 45.0
"""Waits between tries of a unit, and when no further try begins: below the rebalance timeout, after which the owner is
replaced."""


async def persist(write: Callable[[], Awaitable[int]], retrying: Callable[[], None]) -> int:
    """What `write` returns at last. `retrying` is called before each wait. Raises what `write` raised when that is not
    retryable, or when there is no time left."""
    clock = asyncio.get_running_loop().time
    last = clock() + TRYING_SECONDS
    for wait in BACKOFF_SECONDS:
        try:
            return await write()
        except Exception as error:
            if not getattr(error, "retryable", False) or clock() > last:
                raise
            retrying()
            await asyncio.sleep(wait)
    return await write()
