"""An event loop whose time passes only when nobody has anything to do: hours take moments, and repeat exactly."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Stalled(Exception):
    """Everybody waits for somebody, and nothing will ever happen again."""


class _Instant(selectors.SelectSelector):
    """Instead of waiting for a timer it moves the time to it. Nothing comes from outside: there is nothing outside."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stalled("nobody has anything to do, and no timer is set")
        self.now += max(timeout, 0.0)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time` begins at 0. One thread, no sockets."""

    def __init__(self) -> None:
        self._instant = _Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now


def run_in_virtual_time(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end. Raises `Stalled` when that cannot be reached."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
