"""What the engine asks of an agent: to decide, purely. `stream.agents` are some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.topics import Topic
from stream.engine.turn import Turn


class Wide(Protocol):
    """A partition-wide event at work. `gathered` survives from one transaction to the next."""

    prefixes: Sequence[bytes]
    """One pass over all keys with each of these prefixes, in this order."""

    def resume(self, gathered: bytes) -> None:
        """Go on from what an earlier transaction (perhaps of another owner) has gathered."""

    def gathered(self) -> bytes:
        """What must be remembered for the next transaction."""

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Treat one key in pass `number`."""

    def finish(self, turn: Turn) -> None:
        """All passes are done."""


class Agent(Protocol):
    """What a stateful agent decides. Pure: no I/O, no clock, no randomness."""

    name: str
    source: Topic
    vocabulary: Vocabulary

    heals: bool
    """Whether it can ask for records that its log deleted before it read them; else its partition stops."""
    renewed: Sequence[bytes]
    """Prefixes of the keys that are said again when an epoch begins."""

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        """Say again, with the new epoch's version, what is known of a key, and ask for what may have been missed.
        `at`: when the loss was noticed (UTC ms)."""

    def apply(self, event: Event[Any], turn: Turn) -> None:
        """Apply an event about one key. Raises `BadRecord` for one that can never be applied."""

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        """Begin a partition-wide event; None when nothing has to be walked (it was applied at once)."""
