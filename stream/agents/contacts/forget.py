"""The links of one accounts partition are not those that it holds: forget them and ask for all of them again."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from stream.agents.contacts.state import IdentityState, digest_key
from stream.agents.contacts.walk import IdentityWalk
from stream.agents.links import LinkDigest
from stream.contracts.envelope import Event
from stream.contracts.facts import LinksRequested
from stream.contracts.identities import LinksComplete
from stream.contracts.names import account_key
from stream.engine.partitioning import murmur2_partition
from stream.engine.turn import Turn


class Forget(IdentityWalk):
    """A link that is missing would be made good by sending all again, but one too many, whose end was lost, only by
    dropping it.

    What was told stays: links that come back as they were have nothing new to be told.
    """

    def __init__(self, event: Event[Any], data: LinksComplete) -> None:
        super().__init__(event.org, event.at)
        self._data = data

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
        attempt = self._data.attempt + 1
        turn.state.put(digest_key(self.org, self._data.partition), LinkDigest())
        request = LinksRequested(self._data.run, attempt, resend=True)
        self.tell_everywhere(turn, request, f"{self._data.run}:{attempt}:LinksRequested")

    def _from_there(self, turn: Turn, customer: str) -> bool:
        return murmur2_partition(account_key(self.org, customer), turn.place.partitions) == self._data.partition
