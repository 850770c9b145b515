"""Visiting every identity of an org."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stream.agents.contacts.state import identities_of
from stream.contracts import topics
from stream.contracts.facts import FACTS
from stream.engine.turn import Turn


class IdentityWalk:
    """Visits all identities of `org`, each for itself: nothing is gathered. See `stream.engine.agent.Wide`."""

    def __init__(self, org: str, at: int) -> None:
        self.prefixes: Sequence[bytes] = (identities_of(org),)
        self.org, self.at = org, at

    def resume(self, gathered: bytes) -> None:
        """Nothing is gathered."""

    def gathered(self) -> bytes:
        """Never empty, so that a cursor with it is told from none."""
        return b"-"

    def tell_everywhere(self, turn: Turn, body: msgspec.Struct, event_id: str) -> None:
        """Tell every accounts partition."""
        value = FACTS.encode(body, org=self.org, at=self.at, source=turn.source, event_id=event_id)
        turn.emit_everywhere(topics.FACTS, self.org.encode(), value)
