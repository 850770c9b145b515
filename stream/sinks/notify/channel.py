"""What a channel is: somewhere a message goes, and what may come back.

    VendorError
    ├── Unavailable
    │   └── Busy             not now: try again (carries retry_after)
    ├── Refused
    │   └── ChannelRefused   not until somebody puts the channel right: it pauses
    └── MessageRefused       this message never: it is given up, the next may go

Each carries the answer's `status` where there was one. None names an address, a person or a secret.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from stream.contracts.deliveries import Delivery
from stream.errors import Refused, Unavailable, VendorError


class Receipt(NamedTuple):
    """The remote side has it. `note`: what a person should know nevertheless."""

    status: int | None = None
    note: str | None = None


class Channel(Protocol):
    """Sends messages. Every attempt ends within a time of the channel's own."""

    name: str

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand the message over, with an id that is the same at every attempt. Raises Busy, ChannelRefused,
        MessageRefused."""

    async def close(self) -> None:
        """Let go of connections."""


class Busy(Unavailable):
    """It does not take the message now."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class ChannelRefused(Refused):
    """It takes no message at all: gone, or our credentials are wrong."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class MessageRefused(VendorError):
    """It does not take this message."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def remote_id(delivery: Delivery) -> str:
    """The id under which the remote side knows a message: a receiver may serve several channels."""
    return f"{delivery.message}.{delivery.channel}"
