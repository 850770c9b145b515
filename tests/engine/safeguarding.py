"""A safeguard of the engine: a check that holds with it, and must fail on a mutant, an engine without it.

So no point can be lost unnoticed, and no check is one that cannot fail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

Patch = pytest.MonkeyPatch


class Safeguard(NamedTuple):
    """`remove` makes the mutant."""

    point: str
    check: Callable[[], Awaitable[None]]
    remove: Callable[[Patch], None]

    async def holds(self) -> None:
        """With the point the check passes."""
        await self.check()

    async def is_missed(self, patch: Patch) -> None:
        """Without it the check fails."""
        self.remove(patch)
        with pytest.raises(AssertionError):
            await self.check()


def each(*safeguards: Safeguard) -> pytest.MarkDecorator:
    """Once per safeguard, under the name of its point."""
    return pytest.mark.parametrize("safeguard", safeguards, ids=[safeguard.point for safeguard in safeguards])
