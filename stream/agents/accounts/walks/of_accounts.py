"""A walk over the accounts of an org."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.agents.accounts.book import Book
from stream.contracts.envelope import Event
from stream.engine.state import accounts_of
from stream.engine.turn import Turn
from stream.loyalty.rules import Rules


class OfAccounts:
    """Visits every account of the event's org, `passes` times."""

    passes = 1

    def __init__(self, event: Event[Any], rules: Rules) -> None:
        self.event = event
        self.rules = rules
        self.prefixes: Sequence[bytes] = (accounts_of(event.org),) * self.passes

    def resume(self, gathered: bytes) -> None:
        """Nothing is gathered."""

    def gathered(self) -> bytes:
        """Never empty, so that a cursor with it is told from none."""
        return b"-"

    def book(self, turn: Turn, key: bytes) -> Book:
        """The visited customer's pages."""
        customer = key[len(self.prefixes[0]) :].decode()
        return Book(turn, self.rules, self.event.org, customer, self.event.at)
