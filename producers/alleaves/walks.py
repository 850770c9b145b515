"""What the poller must know of the walks of its org."""

from __future__ import annotations


class Walks:
    """Shared by an org's poller and its walks. `marks` rises when a walk begins and when it ends."""

    def __init__(self) -> None:
        self.marks = 0

    def mark(self) -> None:
        """A walk begins or ends."""
        self.marks += 1
