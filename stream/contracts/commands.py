"""`commands`: what agents ask of producers. Key `org`."""

from __future__ import annotations

import msgspec

from stream.contracts.envelope import Vocabulary


class SweepOrders(msgspec.Struct, frozen=True, omit_defaults=True):
    """Walk all orders and customers of the org, then say OrdersSwept."""

    run: str
    attempt: int


class SweepBalances(msgspec.Struct, frozen=True, omit_defaults=True):
    """Read all members of the provider between SweepStarted and SweepCompleted."""

    run: str
    attempt: int


class LookUpBalance(msgspec.Struct, frozen=True, omit_defaults=True):
    """Read one customer's contact data again and ask the provider for that customer's balance."""

    run: str


COMMANDS = Vocabulary(SweepOrders, SweepBalances, LookUpBalance)
