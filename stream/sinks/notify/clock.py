"""Time as the notifier sees it, so that tests can turn it by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """`wall`: UTC seconds since the epoch; `monotonic`: seconds that never go back."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def millis(self) -> int:
        """Now, in UTC ms."""
        return int(self.wall() * 1000)
