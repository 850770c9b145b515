"""LinksRequested: contacts are told how many links there are."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.agents.accounts.walks.of_accounts import OfAccounts
from stream.agents.links import LinkDigest
from stream.contracts import topics
from stream.contracts.envelope import Event
from stream.contracts.facts import LinksRequested
from stream.contracts.identities import IDENTITIES, LinksComplete
from stream.contracts.names import identity_key
from stream.engine.partitioning import murmur2_partition
from stream.engine.turn import Turn
from stream.loyalty.account import Account
from stream.loyalty.rules import Rules

_encode = msgspec.msgpack.Encoder().encode


class Links(msgspec.Struct, array_like=True):
    digests: list[LinkDigest]

    def add(self, org: str, customer: str, account: Account) -> None:
        """Count an account's links, per contacts partition."""
        for identity, link in account.links.items():
            partition = murmur2_partition(identity_key(org, identity), len(self.digests))
            self.digests[partition] = self.digests[partition].plus(identity, customer, link.version)

    def say(self, turn: Turn, event: Event[Any], run: str, attempt: int) -> None:
        """LinksComplete, to each contacts partition its own."""
        place = turn.place
        for partition, digest in enumerate(self.digests):
            body = LinksComplete(run, attempt, place.partition, place.partitions, digest.count, digest.total)
            event_id = f"{run}:{attempt}:{place.partition}:LinksComplete"
            value = IDENTITIES.encode(body, org=event.org, at=event.at, source=turn.source, event_id=event_id)
            turn.emit_into(topics.IDENTITIES, partition, event.org.encode(), value)


class LinkWalk(OfAccounts):
    """LinksRequested: say how many links there are, and each of them again where that was asked for."""

    def __init__(self, event: Event[Any], data: LinksRequested, rules: Rules) -> None:
        super().__init__(event, rules)
        self._data = data
        self._links: Links | None = None

    def resume(self, gathered: bytes) -> None:
        """Go on counting."""
        self._links = msgspec.msgpack.decode(gathered, type=Links)

    def gathered(self) -> bytes:
        """What was counted so far."""
        return _encode(self._links)

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        """Count one account's links."""
        book = self.book(turn, key)
        account = book.account()
        self._counted(turn).add(book.org, book.customer, account)
        if self._data.resend:
            book.say_links(tuple(account.links.items()), ())

    def finish(self, turn: Turn) -> None:
        """Tell contacts."""
        self._counted(turn).say(turn, self.event, self._data.run, self._data.attempt)

    def _counted(self, turn: Turn) -> Links:
        if self._links is None:
            self._links = Links([LinkDigest()] * turn.place.partitions)
        return self._links
