"""The links of one accounts partition are not those that it holds: forget them and ask for all of them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from stream.agents.contacts.state import IdentityState, digest_key, identities_of
from stream.agents.links import LinkDigest
from stream.contracts import topics
from stream.contracts.envelope import Event
from stream.contracts.facts import FACTS, LinksRequested
from stream.contracts.identities import LinksComplete
from stream.contracts.names import account_key
from stream.engine.partitioning import murmur2_partition
from stream.engine.turn import Turn


class Forget:
    """Walk every identity of the org. A link that is missing would be made good by sending all again, but one too
    many, whose end was lost, only by dropping it. See `stream.engine.unit.Wide`.

    What was told stays: links that come back as they were have nothing new to be told.
    """

    def __init__(self, event: Event[Any], data: LinksComplete) -> None:
        self.prefixes: Sequence[bytes] = (identities_of(event.org),)
        self._event, self._data = event, data

    def resume(self, gathered: bytes) -> None:
        """Nothing is gathered: each identity is treated for itself."""

    def gathered(self) -> bytes:
        """See `resume`."""
        return b"-"

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Drop the links of customers that live in the accounts partition."""
        known = turn.state.get(key, IdentityState)
        if known is None:
            return
        kept = {customer: link for customer, link in known.links.items() if not self._from_there(turn, customer)}
        if len(kept) < len(known.links):
            turn.state.put(key, replace(known, links=kept))

    def finish(self, turn: Turn) -> None:
        """The digest changes only now, so that a new owner who resumes the walk finds the same disagreement."""
        org, attempt = self._event.org, self._data.attempt + 1
        turn.state.put(digest_key(org, self._data.partition), LinkDigest())
        request = LinksRequested(self._data.run, attempt, resend=True)
        event_id = f"{self._data.run}:{attempt}:LinksRequested"
        value = FACTS.encode(request, org=org, at=self._event.at, source=turn.source, event_id=event_id)
        turn.emit_everywhere(topics.FACTS, org.encode(), value)

    def _from_there(self, turn: Turn, customer: str) -> bool:
        return murmur2_partition(account_key(self._event.org, customer), turn.place.partitions) == self._data.partition
