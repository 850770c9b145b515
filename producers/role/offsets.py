"""Which commands of a partition are worked off: they end in another order than they began."""

from __future__ import annotations


class Offsets:
    """Open offsets of one partition. `position` is what may be committed: everything before it is done."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._next = -1

    def begin(self, offset: int) -> bool:
        """Note that a command is being worked on. False: it was seen before (read again after a rebalance)."""
        if offset < self._next:
            return False
        self._open.add(offset)
        self._next = offset + 1
        return True

    def finish(self, offset: int) -> None:
        """The command is worked off; repeating this is harmless."""
        self._open.discard(offset)

    @property
    def position(self) -> int | None:
        """None: nothing was read yet."""
        if self._next < 0:
            return None
        return min(self._open, default=self._next)
